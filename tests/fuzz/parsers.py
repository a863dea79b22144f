"""Fuzzes one reader of foreign bytes, led by coverage: `python -m tests.fuzz.parsers framing -max_total_time=60`.

    python -m tests.fuzz.parsers TARGET [FILE or FOLDER ...] [libFuzzer options]

Without files it mutates the committed corpus of the target (tests/fuzz/corpus/TARGET) in a copy that is thrown away. A
file is run as it is, which repeats a finding; a folder is a corpus to go on with, and keeps what is new.
`python -m tests.fuzz.refresh` takes such a folder into the committed corpus. Needs atheris, which has wheels for Linux
on x86-64 alone; elsewhere the exit status is 3.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
UNAVAILABLE = 3
"""The exit status where there is no atheris."""
LARGEST_BYTES = 4096
SLOWEST_S = 5
"""An input that takes longer is a finding: seconds spent on one datagram stop the calls of all others."""
FIXED = (f"-max_len={LARGEST_BYTES}", f"-timeout={SLOWEST_S}", "-rss_limit_mb=2048", "-print_final_stats=1")
ROOT = Path(__file__).parents[2]
_INSIDE = "DUTYRING_FUZZ_INSIDE"
"""Names the target to the process that fuzzes; libFuzzer begins further ones of the same kind to merge."""


def available() -> bool:
    """Whether atheris can be had here."""
    return importlib.util.find_spec("atheris") is not None


def names() -> list[str]:
    """Return the targets that have a corpus."""
    return sorted(path.name for path in CORPUS.iterdir() if path.is_dir())


def fuzz(
    name: str, *words: str, timeout_s: float | None = None, quiet: bool = False
) -> subprocess.CompletedProcess[str]:
    """Fuzz a target in a process of its own; libFuzzer's exit status is 0 where nothing was found.

    The same seed and number of runs do the same each time: hashes of strings are fixed.
    """
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory(prefix=f"dutyring-fuzz-{name}-") as folder:
        given = [word for word in words if not word.startswith("-")]
        if not given:
            shutil.copytree(CORPUS / name, folder, dirs_exist_ok=True)
            given = [folder]
        options = [word for word in words if word.startswith("-")]
        return subprocess.run(
            [sys.executable, __file__, *FIXED, *options, *given],
            env={**os.environ, _INSIDE: name, "PYTHONHASHSEED": "0", "PYTHONPATH": path},
            capture_output=quiet,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )


def _inside(name: str, words: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["sip"]):
        from tests.fuzz.targets import TARGETS
    # libFuzzer gives the first word to a shell when it begins further processes.
    atheris.Setup([f"{sys.executable} {__file__}", *words], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Fuzz one target and return libFuzzer's exit status."""
    words = sys.argv[1:]
    if os.environ.get(_INSIDE):
        _inside(os.environ[_INSIDE], words)
    if not words or words[0] not in names():
        usage = f"usage: python -m tests.fuzz.parsers {'|'.join(names())} [FILE ...] [libFuzzer options]"
        print(usage, file=sys.stderr)
        return 2
    if not available():
        print("atheris is not installed: it has wheels for Linux on x86-64 alone", file=sys.stderr)
        return UNAVAILABLE
    return fuzz(*words).returncode


if __name__ == "__main__":
    sys.exit(main())
