"""The far end of a benchmark: `dutyring simulate` in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DUTYRING = Path(sys.executable).with_name("dutyring")
READY = "listening on"


@dataclass(frozen=True, slots=True)
class FarEnd:
    """Simulated lines that answer."""

    port: int
    pid: int

    def uri(self, extension: int) -> str:
        """Return the target of a line."""
        return f"sip:{extension}@127.0.0.1:{self.port}"


def free_port() -> int:
    """Return a UDP port of 127.0.0.1 that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def far_end(lines: int = 0) -> Iterator[FarEnd]:
    """Run a simulator with `lines` load lines; raises `RuntimeError` when it does not come up."""
    port = free_port()
    command = [str(DUTYRING), "simulate", "--listen", f"127.0.0.1:{port}", "--lines", str(lines)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    try:
        if READY not in process.stdout.readline():
            raise RuntimeError(f"the simulator did not start (exit status {process.wait(5)})")
        yield FarEnd(port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()
