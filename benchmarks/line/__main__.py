"""How well the line is heard: `python -m benchmarks.line [--calls N] [--json FILE] [--peers] [--only-kinds]`.

Makes calls of the test sources (DUTYRING_LINE_SOURCES, see material.py), clean and degraded, and compares second by
second what the listener heard with the truth. Then the further parts run, each a benchmark that judges its own
limits: tones and edges, fingerprints, announcements. Prints tables, writes JSON on demand, and exits 1 when a limit is
missed. Limits hold for gathered sounds; with the repository's own few sounds they are printed and not judged.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.line.generator import Generator
from benchmarks.line.kinds import Figures, measure
from benchmarks.line.material import SOURCES_VARIABLE, SoundLibrary

SCHEMA: Final = "dutyring.bench.line/1"
LEAST_MACRO_F1: Final = {"clean": 0.97, "degraded": 0.93}
FURTHER: Final = ("benchmarks.line_tones", "benchmarks.fingerprints", "benchmarks.announcements")
"""Benchmarks of other parts of the line analysis; those that exist are run."""


def kinds(calls: int) -> tuple[dict[str, Any], dict[str, Figures]]:
    """Return the figures as JSON, and as they are, of clean and degraded calls."""
    library = SoundLibrary("test")
    found: dict[str, Any] = {"calls": calls, "gathered_sounds": library.real}
    figures = {}
    for name in LEAST_MACRO_F1:
        begun = time.perf_counter()
        figures[name] = measure(Generator(library, degraded=name == "degraded").calls(calls))
        found[name] = {
            "macro_f1": round(figures[name].macro_f1(), 4),
            "macro_f1_by_time": round(figures[name].macro_f1_by_time(), 4),
            "seconds": sum(figures[name].seconds.values()),
            "f1": {kind: round(value, 3) for kind, value in figures[name].f1().items()},
            "mistakes": figures[name].mistakes()[:10],
            "miscounted_rings": figures[name].miscounted,
            "took_s": round(time.perf_counter() - begun, 1),
        }
    return found, figures


def show(found: dict[str, Any]) -> None:
    """Print the kinds as a table."""
    names = list(LEAST_MACRO_F1)
    every = sorted({kind for name in names for kind in found[name]["f1"]})
    print(
        f"F1 by whole seconds, {found['calls']} calls each"
        + ("" if found["gathered_sounds"] else " (own sounds)")
    )
    print(f"{'kind':14}" + "".join(f"{name:>12}" for name in names))
    for kind in every:
        print(f"{kind:14}" + "".join(f"{found[name]['f1'].get(kind, float('nan')):12.3f}" for name in names))
    for figure in ("macro_f1", "macro_f1_by_time", "seconds", "miscounted_rings"):
        print(f"{figure:14}" + "".join(f"{found[name][figure]:12}" for name in names))
    for name in names:
        mistakes = ", ".join(f"{truth} as {heard} {n} s" for truth, heard, n in found[name]["mistakes"][:6])
        print(f"{name}: {mistakes or 'no mistakes'}")


def missed(found: dict[str, Any]) -> list[str]:
    """Return the limits that are missed."""
    if not found["gathered_sounds"]:
        return []
    return [name for name, least in LEAST_MACRO_F1.items() if found[name]["macro_f1"] < least]


def further() -> list[str]:
    """Run the further parts that exist; return the names of those that failed."""
    failed = []
    for module in FURTHER:
        if importlib.util.find_spec(module) is None:
            print(f"== {module}: not there")
            continue
        print(f"== {module}", flush=True)
        if subprocess.run([sys.executable, "-m", module], check=False).returncode:
            failed.append(module)
    return failed


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=200, help="of each, clean and degraded [200]")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--peers", action="store_true", help="also measure the peers that are installed")
    parser.add_argument("--only-kinds", action="store_true", help="leave the further parts out")
    options = parser.parse_args()
    if not os.environ.get(SOURCES_VARIABLE):
        print(f"{SOURCES_VARIABLE} is not set: only the sounds of the repository, no limit is judged")
    found, _ = kinds(options.calls)
    show(found)
    figures: dict[str, Any] = {"schema": SCHEMA, "kinds": found}
    if options.peers:
        from benchmarks.line import peers

        figures["peers"] = peers.measure(options.calls)
        peers.show(figures["peers"])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    wrong = [f"macro F1 {name}" for name in missed(found)]
    wrong += [] if options.only_kinds else further()
    if wrong:
        print(f"limits missed: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
