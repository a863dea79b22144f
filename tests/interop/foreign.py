"""Foreign SIP programs as processes: started on free ports, awaited by asking, ended by their id, their logs kept."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

START_S = 30.0
"""Neither a peer nor our own command needs more than two seconds on an idle machine."""
TRIES = 4
LOG_TAIL = 6_000
Started = TypeVar("Started")
_CLOCK = re.compile(r"\[\d+:\d\d:\d\d\] audio=")
"""The running status line of baresip."""


class NotReadyError(RuntimeError):
    """A foreign program ended, or said nothing in time, while it was started."""


@dataclass(slots=True)
class Foreign:
    """A running foreign program."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ended: bool = False

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def text(self) -> str:
        """Return what it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def say(self, line: str) -> None:
        """Write one line to its standard input."""
        pipe: IO[bytes] | None = self.process.stdin
        assert pipe is not None, f"{self.name} was started without a standard input"
        pipe.write(line.encode() + b"\n")
        pipe.flush()

    def wait_until(self, met: Callable[[], bool], what: str, limit_s: float = START_S) -> None:
        """Wait until `met()`; raises `NotReadyError` when the program ends or it lasts."""
        deadline = time.monotonic() + limit_s
        while not met():
            if not self.running or time.monotonic() > deadline:
                state = "waits" if self.running else f"ended with {self.process.returncode}"
                raise NotReadyError(f"{self.name} {state}: {what}\n{self.text()[-300:]}")
            time.sleep(0.02)

    def wait_for(self, words: str, limit_s: float = START_S, times: int = 1) -> None:
        """Wait until these words stand in the log, this many times."""
        self.wait_until(lambda: self.text().count(words) >= times, f"no {words!r} in its log", limit_s)

    def end(self) -> None:
        """Ask it to end, then make it and what it started; idempotent."""
        if self.ended:
            return
        self.ended = True
        if self.running:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        # Its session is its own, so its children are in its group: those of kamailio may outlive it.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Foreigners:
    """All foreign programs of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs: list[Foreign] = []
        self.stack = ExitStack()
        """What is closed with them: sockets, threads."""

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Foreign:
        """Start a program in `folder`, with an open standard input and its output in `<name>.log`."""
        log = folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        program = Foreign(name, process, log)
        self.programs.append(program)
        return program

    def end(self) -> None:
        """End them all, the last first."""
        self.stack.close()
        for program in reversed(self.programs):
            program.end()

    def logs(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the end of the log of each, for the report of a failed test."""
        for program in self.programs:
            lines = [line for line in program.text().splitlines() if line.strip() and not _CLOCK.match(line)]
            yield program.name, "\n".join(lines)[-LOG_TAIL:]


def retried(start: Callable[[int], Started]) -> Started:
    """Return what `start(attempt)` gives; another process may take a free port first, so it is tried again."""
    for attempt in range(TRIES - 1):
        try:
            return start(attempt)
        except (NotReadyError, OSError):
            continue
    return start(TRIES - 1)


def free_ports(count: int = 1) -> int:
    """Return the first of `count` neighbouring ports of 127.0.0.1 that are free for UDP and TCP now, an even one."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            first = int(probe.getsockname()[1]) & ~1
        if first + count < 65_000 and all(_free(first + offset) for offset in range(count)):
            return first


def _free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def answers_options(port: int, wait_s: float = 0.2) -> bool:
    """Whether somebody answers an OPTIONS over UDP at this port of 127.0.0.1, whatever the status."""
    with udp_socket() as asker:
        own = asker.getsockname()[1]
        asker.settimeout(wait_s)
        asker.sendto(_options(port, own), ("127.0.0.1", port))
        try:
            return asker.recv(65_535).startswith(b"SIP/2.0 ")
        except OSError:
            return False


def _options(port: int, own: int) -> bytes:
    lines = [
        f"OPTIONS sip:127.0.0.1:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{time.monotonic_ns():x};rport",
        "From: <sip:ready@127.0.0.1>;tag=ready",
        f"To: <sip:127.0.0.1:{port}>",
        f"Call-ID: {time.monotonic_ns():x}@127.0.0.1",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:ready@127.0.0.1:{own}>",
        "Max-Forwards: 70",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextmanager
def udp_socket() -> Iterator[socket.socket]:
    """Open a UDP socket on a free port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        yield opened
