"""Our phone and others side by side: the same far end, the same calls, one table.

    python -m benchmarks.peers --python .venv-peers/bin/python [--write docs/reference/peers.md]

`make bench-peers` makes the environment of the others and runs this. Every phone is a program in a process of its own
(`benchmarks.peer_phones`) that calls the lean far end (`app.bench.far_end`), twice: set-ups as fast as it can with 40
under way at any time, hung up at their answer; and 50 calls at once that talk for some seconds. A witness takes the
packets off the wire (AF_PACKET, needs root); times are compared from 180 to 200, as not all phones tell when their
INVITE left. What a phone cannot do gets a dash, with its reason below the table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from app.bench.calls_figures import percentile
from app.bench.far_process import far_process
from app.bench.wire_witness import Times, Witness

ROOT = Path(__file__).parents[1]
RING_S = 0.05
SET_UPS_AT_ONCE = 40
TALKING_AT_ONCE = 50
PACKETS_PER_S = 50
LIMIT_S = 60.0
"""How long one phone may take for one run."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One of those that are compared."""

    name: str
    module: str
    set_ups: int
    """How many calls the first run has: few for who is slow."""
    sound: bool = True
    recorded: str = "no"
    silent_why: str = ""
    untimed_why: str = ""


PHONES = (
    Phone("DutyRing", "dutyring_phone", 500, recorded="stereo, analysed"),
    Phone(
        "pyVoIP 1.6.8",
        "pyvoip_phone",
        100,
        untimed_why="has no event for 180 or 200: a program looks at the state again and again",
    ),
    Phone("baresip-python 0.5.2a3", "baresip_phone", 500),
    Phone(
        "sippy 2.5.0",
        "sippy_phone",
        500,
        sound=False,
        silent_why="is signalling only: sound is left to RTPproxy",
    ),
)


def run(phone: Phone, python: str, far_port: int, calls: int, at_once: int, talk_s: float) -> dict[str, Any]:
    """Let a phone place its calls; returns what it tells, or `error`."""
    interpreter = sys.executable if phone.module == "dutyring_phone" else python
    command = [interpreter, "-m", f"benchmarks.peer_phones.{phone.module}", "--port", str(far_port)]
    command += ["--calls", str(calls), "--at-once", str(at_once), "--talk-s", str(talk_s)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, error = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"error": f"not done within {LIMIT_S:.0f} s"}
    with contextlib.suppress(json.JSONDecodeError, IndexError):
        told: dict[str, Any] = json.loads(out.splitlines()[-1])
        return told
    return {"error": (error.strip().splitlines() or ["ended without a word"])[-1]}


def timing_errors(told: Times, wire: Times) -> list[float]:
    """Return how far each call's time from 180 to 200 is from the wire's, in ms."""
    both = {"180", "200"}
    return [
        abs((times["200"] - times["180"]) - (wire[call]["200"] - wire[call]["180"])) * 1000
        for call, times in told.items()
        if both <= times.keys() and both <= wire.get(call, {}).keys()
    ]


def measure(phone: Phone, python: str, talk_s: float) -> dict[str, Any]:
    """Return the figures of one phone."""
    row: dict[str, Any] = {"phone": phone.name, "recorded": phone.recorded}
    if phone.module != "dutyring_phone" and not Path(python).exists():
        return row | {"error": f"is not installed in {python}: make bench-peers"}
    with far_process(600, ring_s=RING_S, early_sound=False) as far, Witness(far.port) as witness:
        told = run(phone, python, far.port, phone.set_ups, SET_UPS_AT_ONCE, 0.0)
    if "error" in told:
        return row | {"error": told["error"]}
    errors = timing_errors(told["events"], witness.times)
    answered = max(1, told["answered"])
    row |= {
        "answered": f"{told['answered']} of {phone.set_ups}",
        "setups_per_s": round(told["answered"] / told["span_s"], 1),
        "cpu_ms_per_setup": _with_own(1000 * told["cpu_s"] / answered, 1000 * told["own_cpu_s"] / answered),
        "timing_p99_ms": round(percentile(errors, 0.99), 3) if errors else None,
    }
    if phone.sound:
        row |= _sound(phone, python, talk_s)
    return row


def _sound(phone: Phone, python: str, talk_s: float) -> dict[str, Any]:
    with far_process(TALKING_AT_ONCE, ring_s=RING_S, early_sound=False) as far:
        told = run(phone, python, far.port, TALKING_AT_ONCE, TALKING_AT_ONCE, talk_s)
    if "error" in told:
        return {"sound_error": told["error"]}
    call_s = max(1, told["answered"]) * talk_s
    heard = far.counts["packets"]["received"]
    return {
        "talking": told["answered"],
        "cpu_pct_per_call": _with_own(100 * told["cpu_s"] / call_s, 100 * told["own_cpu_s"] / call_s),
        "sound_pct": round(100 * min(1.0, heard / (call_s * PACKETS_PER_S)), 1),
        "rss_mb": round(told["rss_mb"]),
    }


def _with_own(all_of_it: float, own: float) -> str:
    """Return the figure of all processes and, where there are several, that of the first in brackets."""
    return f"{all_of_it:.2f}" + (f" ({own:.2f})" if own < 0.99 * all_of_it else "")


COLUMNS = (
    ("phone", "phone"),
    ("set-ups a second", "setups_per_s"),
    ("answered", "answered"),
    ("CPU per set-up, ms", "cpu_ms_per_setup"),
    ("180 to 200 against the wire, p99 ms", "timing_p99_ms"),
    (f"talking at once (of {TALKING_AT_ONCE})", "talking"),
    ("CPU per talking call, % of a core", "cpu_pct_per_call"),
    ("packets that it sent, % of 50 a second", "sound_pct"),
    ("recorded", "recorded"),
)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the comparison as Markdown, with the reasons for its dashes."""
    lines = ["| " + " | ".join(title for title, _ in COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in rows:
        cells = ["-" if row.get(key) is None else str(row[key]) for _, key in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    reasons = [
        f"- {row['phone']}: {row[key]}." for row in rows for key in ("error", "sound_error") if key in row
    ]
    reasons += [f"- {p.name} {why}." for p in PHONES for why in (p.silent_why, p.untimed_why) if why]
    return "\n".join([*lines, "", *reasons])


HEAD = """# Phones in Python side by side

`make bench-peers` makes this page. All phones call the same lean far end on the same machine (2 cores), one after the
other. First as many set-ups as they can with 40 calls under way (180 at once, 200 after 50 ms, hung up at the answer),
then 50 calls that talk for some seconds. Our phone's CPU is that of all its processes (in brackets: signalling alone),
with media session, stereo recording and analysis in both runs; the others record nothing.

"""


def main() -> None:
    """Print the table and the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=str(ROOT / ".venv-peers/bin/python"), help="where the others are")
    parser.add_argument("--talk-s", type=float, default=5.0)
    parser.add_argument("--only", default="", help="names of modules, parted by commas")
    parser.add_argument("--write", type=Path, help="a page for the table")
    options = parser.parse_args()
    wanted = set(options.only.split(",")) - {""}
    before = os.getloadavg()[0]
    rows = [measure(p, options.python, options.talk_s) for p in PHONES if not wanted or p.module in wanted]
    print(table(rows))
    print(json.dumps({"benchmark": "peers", "phones": rows}))
    if options.write:
        load = f"a load average of {before:.1f} before it and {os.getloadavg()[0]:.1f} after it"
        done = f"Measured on {date.today()}, with {load}."
        options.write.write_text(f"{HEAD}{table(rows)}\n\n{done}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
