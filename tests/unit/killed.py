"""A program that does one thing to an archive in a child that is killed at a step; asked by lines of standard input.

It forks, so that each child costs little, and never uses the store itself: a store's threads do not survive a fork.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from recordings import Archive

STEPS = frozenset(
    (
        "open",
        "os.rename",
        "os.remove",
        "os.link",
        "os.truncate",
        "os.chmod",
        "os.mkdir",
        "fcntl.flock",
        "os.rmdir",
    )
)
"""What Python tells of a process that touches the disk: it is killed right before one of these."""


class Killer:
    """Runs the program."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def killed(self, step: int, folder: Path, do: str, *arguments: Any) -> bool:
        """Call a method of the archive of a folder; return whether it was killed before it was done."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps([step, str(folder), do, *arguments]) + "\n")
        self._program.stdin.flush()
        status = json.loads(self._program.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return bool(status)

    def close(self) -> None:
        """End it."""
        self._program.communicate("", timeout=30)


def _child(step: int, folder: str, do: str, arguments: list[Any]) -> None:
    left = step

    def count(event: str, _: tuple[object, ...]) -> None:
        nonlocal left
        if event in STEPS:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    archive = Archive(Path(folder))
    given = [Path(one) if isinstance(one, str) and one.startswith("/") else one for one in arguments]
    sys.addaudithook(count)
    getattr(archive, do)(*given)


def main() -> None:
    """Serve until standard input ends."""
    for line in sys.stdin:
        step, folder, do, *arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                _child(step, folder, do, arguments)
                os._exit(0)
            finally:
                os._exit(1)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
