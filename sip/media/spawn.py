"""How the media engine's process is started, and how its parent learns that a process has ended."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]


def spawn(command: list[str], inherited: list[int]) -> subprocess.Popen[bytes]:
    """Start a process that keeps some descriptors of ours."""
    return subprocess.Popen(
        command,
        pass_fds=inherited,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=_environment(),
    )


def _environment() -> dict[str, str]:
    """Return the engine's environment: this source tree first, and one thread for numpy's linear algebra."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class EndWatcher(asyncio.Protocol):
    """Waits for the end of a pipe that a process holds open as long as it lives."""

    def __init__(self, gone: asyncio.Future[None]) -> None:
        self._gone = gone

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
