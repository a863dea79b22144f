"""The attacks of tests/attacks at length, and what each of them cost: `python -m benchmarks.attacks --scale 10`.

Ten times the packets of `make test`, as far as they are scaled. One line for each attack: packets, CPU of the
signalling process and of the media processes for a thousand of them, growth of memory, of server transactions and of
connections while it lasted, lines of the log. Calls in progress are judged by the tests themselves: the exit status is
that of pytest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

COLUMNS = (
    ("packets", "packets", 1.0),
    ("cpu ms/1000", "cpu_s", 1e6),
    ("media ms/1000", "media_cpu_s", 1e6),
    ("memory MB", "rss_mb", 1.0),
    ("transactions", "servers", 1.0),
    ("connections", "connections", 1.0),
    ("log lines", "log_lines", 1.0),
)
"""Heading, figure, and what it is multiplied by; CPU is divided by the packets."""


def row(figures: dict[str, float]) -> list[str]:
    """Return the cells of one attack."""
    cells = []
    for _, name, factor in COLUMNS:
        value = figures[name] * factor
        if name.endswith("cpu_s"):
            value /= figures["packets"]
        cells.append(f"{value:.1f}" if name == "rss_mb" else f"{value:.0f}")
    return cells


def main() -> int:
    """Run them and print the table; returns the exit status of pytest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=10.0, help="times the packets of `make test` [10]")
    parser.add_argument("--only", metavar="EXPRESSION", help="attacks, as pytest's -k takes them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "600"]
        command += ["tests/attacks", *(["-k", given.only] if given.only else [])]
        environment = {
            **os.environ,
            "DUTYRING_ATTACK_FIGURES": str(path),
            "DUTYRING_ATTACK_SCALE": str(given.scale),
        }
        status = subprocess.run(command, env=environment, check=False).returncode
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    print("| attack | " + " | ".join(heading for heading, _, _ in COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for line in lines:
        figures = json.loads(line)
        print(f"| {figures['attack']} | " + " | ".join(row(figures)) + " |")
    return status


if __name__ == "__main__":
    sys.exit(main())
