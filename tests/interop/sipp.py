"""sipp as the far end of one call: its process, and the trace of what it saw."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.interop.pieces import expand
from tests.peers import program

TRIES = 4
SCENARIOS = Path(__file__).parent / "scenarios"
_STATUS_KEY = re.compile(rb"SIP/2\.0 \[(\w+)\]")
_ENTRY = re.compile(rb"-{20,} (\S+ \S+)\n(?:UDP|TCP) message (received|sent)[^\n]*\n\n")


@dataclass(frozen=True, slots=True)
class TraceMessage:
    """One SIP message that sipp sent or received."""

    at_s: float
    """sipp's own time of day."""
    sent: bool
    """By sipp."""
    data: bytes

    @property
    def start(self) -> str:
        """`INVITE` or `180`: the method of a request, the status of a response."""
        words = self.data.split(None, 2)
        if not words:
            return ""
        return words[1].decode() if words[0].startswith(b"SIP/2.0") else words[0].decode()

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")

    def header(self, name: str) -> str:
        """Return the value of the first header of this name, empty when there is none."""
        found = re.search(rf"(?im)^{name}\s*:\s*(.*?)\s*$", self.text)
        return found.group(1) if found else ""

    @property
    def audio_address(self) -> tuple[str, int] | None:
        """Where the sender of this message wants its RTP, from the SDP."""
        host = re.search(r"(?m)^c=IN IP4 (\S+)", self.text)
        port = re.search(r"(?m)^m=audio (\d+)", self.text)
        return (host.group(1), int(port.group(1))) if host and port else None


class Trace:
    """The message file of a sipp process; it can be read while sipp writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        self._messages: list[TraceMessage] = []

    def messages(self) -> list[TraceMessage]:
        """Return what sipp wrote so far; the file is read again only when it has grown."""
        size = self._path.stat().st_size if self._path.exists() else 0
        if size != self._size:
            self._size, self._messages = size, self._read()
        return self._messages

    def _read(self) -> list[TraceMessage]:
        data = self._path.read_bytes()
        parts = _ENTRY.split(data)[1:]
        return [
            TraceMessage(
                at_s=datetime.strptime(stamp.decode(), "%Y-%m-%d %H:%M:%S.%f").timestamp(),
                sent=direction == b"sent",
                data=body,
            )
            for stamp, direction, body in zip(parts[0::3], parts[1::3], parts[2::3], strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Sipp:
    """A running sipp."""

    process: subprocess.Popen[bytes]
    port: int
    trace: Trace
    screen: Path

    def finish(self, timeout_s: float) -> int:
        """Return the exit status: 0 only if the whole scenario was played through."""
        return self.process.wait(timeout_s)


def _filled(scenario: str, folder: Path, keys: Mapping[str, str | bytes]) -> Path:
    """Write a scenario into `folder` as sipp reads it: `pieces` in full, status lines filled in."""

    def status_line(found: re.Match[bytes]) -> bytes:
        value = keys[found.group(1).decode()]
        return b"SIP/2.0 " + (value.encode() if isinstance(value, str) else value)

    path = folder / f"{scenario}.xml"
    path.write_bytes(_STATUS_KEY.sub(status_line, expand((SCENARIOS / path.name).read_bytes(), keys)))
    return path


def free_port() -> int:
    """Return a UDP port of 127.0.0.1 that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bound(port: int, kind: str) -> bool:
    """Whether somebody has this local port, of `udp`, `udp6` or `tcp`."""
    lines = Path(f"/proc/net/{kind}").read_text(encoding="ascii").splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") for line in lines)


def _bound_in_time(process: subprocess.Popen[bytes], port: int, kind: str) -> bool:
    """Wait until sipp listens; False when it ended without, because somebody was quicker to take the port."""
    deadline = time.monotonic() + 20
    while not _bound(port, kind):
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            raise RuntimeError(f"sipp did not open port {port}")
        time.sleep(0.01)
    return process.poll() is None


def _command(
    scenario: Path, trace: Path, host: str, port: int, transport: str, wait_ms: int, limit_s: float
) -> list[str | bytes]:
    address = f"[{host}]" if ":" in host else host
    command = [str(program("sipp")), "-sf", str(scenario), "-t", {"udp": "u1", "tcp": "t1"}[transport]]
    command += ["-i", address, "-bind_local", "-p", str(port), "-mi", address, "-mp", str(free_port())]
    command += ["-m", "1", "-d", str(wait_ms), "-timeout", str(round(limit_s)), "-timeout_error", "-nostdin"]
    return [*command, "-trace_msg", "-message_file", str(trace)]


def _start(command: Sequence[str | bytes], folder: Path, screen: Path) -> subprocess.Popen[bytes]:
    with screen.open("wb") as out:
        return subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )


@contextlib.contextmanager
def sipp(
    scenario: str,
    folder: Path,
    keys: Mapping[str, str | bytes],
    *,
    wait_ms: int,
    limit_s: float,
    host: str = "127.0.0.1",
    transport: str = "udp",
) -> Iterator[Sipp]:
    """Run `scenarios/<scenario>.xml` for one call on a free port of this machine, in `folder`."""
    trace, screen = folder / "messages.log", folder / "sipp.out"
    parameters = "" if transport == "udp" else f";transport={transport}"
    keys = {"parameters": parameters, "contact_port": "[local_port]", **keys}
    path = _filled(scenario, folder, keys)
    words = [word for name, value in keys.items() for word in ("-key", name, value)]
    kind = transport + ("6" if ":" in host else "")
    for _ in range(TRIES):
        port = free_port()
        command = _command(path, trace, host, port, transport, wait_ms, limit_s)
        process = _start([*command, *words], folder, screen)
        try:
            if _bound_in_time(process, port, kind):
                yield Sipp(process, port, Trace(trace), screen)
                return
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    raise RuntimeError(f"sipp does not start: {screen.read_text(errors='replace')[-300:]}")
