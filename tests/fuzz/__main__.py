"""All of the phone's fuzzing at length: `python -m tests.fuzz --seconds 600`.

The call machine, the readers of foreign bytes together, and a phone under fire of signalling and of sound: each for so
many seconds, one after the other. What a part finds is printed; the exit status is 1 when any found something.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.parsers import available, fuzz, names


def _readers(seconds: float, folder: Path) -> list[str]:
    if not available():
        print("the readers are left out: atheris has wheels for Linux on x86-64 alone")
        return []
    faults = []
    for name in names():
        share_s = max(1, round(seconds / len(names())))
        if fuzz(name, f"-max_total_time={share_s}", f"-artifact_prefix={folder}/{name}-").returncode:
            faults.append(f"{name}: `python -m tests.fuzz.parsers {name} {folder}/{name}-...` repeats it")
    return faults


def main() -> int:
    """Run every part, also behind one that has found something."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="of each part")
    parser.add_argument("--found", type=Path, help="where inputs that fail are kept [a new folder]")
    given = parser.parse_args()
    folder = given.found or Path(tempfile.mkdtemp(prefix="dutyring-found-"))
    folder.mkdir(parents=True, exist_ok=True)
    faults = []
    for module, *words in (
        ("machine_at_length",),
        ("under_fire", "--fire", "sip"),
        ("under_fire", "--fire", "media"),
    ):
        command = [sys.executable, "-m", f"tests.fuzz.{module}", *words, "--seconds", str(given.seconds)]
        if subprocess.run(command, check=False).returncode:
            faults.append(" ".join(["tests.fuzz." + module, *words]))
    faults += _readers(given.seconds, folder)
    for fault in faults:
        print(f"FOUND {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
