"""Runs the interop tests and writes docs/reference/interop.md from their results: `make interop`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.interop.matrix import PEERS, marked, page, problems
from tests.peers import program

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "interop"
RESULTS = ROOT / "build" / "interop.json"
PAGE = ROOT / "docs" / "reference" / "interop.md"
ASK = {
    "sipp": ("sipp", "-v"),
    "baresip": ("baresip", "-h"),
    "linphone": ("linphonec", "-v"),
    "kamailio": ("kamailio", "-v"),
}
"""How each program is asked for its version; pyVoIP is a package of Python."""


def run(*options: str) -> int:
    """Run the tests that bear the marker, with their counts in `RESULTS`; return the exit status of pytest."""
    RESULTS.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(TESTS),
        "-m",
        "interop",
        "-p",
        "tests.interop.matrix_plugin",
    ]
    return subprocess.run([*command, "--interop-results", str(RESULTS), *options], cwd=ROOT).returncode


def versions() -> dict[str, str]:
    """Return what each foreign program calls its version."""
    found = {"pyvoip": version("pyVoIP")}
    for name, (binary, option) in ASK.items():
        done = subprocess.run([program(binary, name), option], capture_output=True, text=True, timeout=20)
        number = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        found[name] = number[0] if number else "unknown"
    return found


def write() -> list[str]:
    """Write the page from `RESULTS`; return why it was not written, nothing if it was."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    passed = {(peer, feature): count for peer, feature, count in results["passed"]}
    wrong = [f"failed: {name}" for name in results["failed"]] + problems(marked(TESTS))
    wrong += [f"did not run: {peer} {feature}" for peer, feature in sorted(marked(TESTS) - set(passed))]
    if not wrong:
        PAGE.write_text(page(passed, versions()), encoding="utf-8")
    return wrong


def main() -> int:
    """Run the tests with the given options of pytest, such as `-n 4`, and write the page if all passed."""
    run(*sys.argv[1:])
    wrong = write()
    print("\n".join(wrong) or f"wrote {PAGE.relative_to(ROOT)}: {len(PEERS)} programs")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
