"""N calls at once through the media engine, recorded and analysed, against a far end in a process of its own.

    python -m benchmarks.media_engine --calls 1000 --seconds 20 [--far engine] [--srtp] [--packets] [--beyond] --json

The far end is a lean one that makes regular packets and analyses nothing (`benchmarks.lean_far_end`), or with
`--far engine` another media engine. `--srtp` encrypts all calls (which takes a far end of that kind), `--packets`
logs their packets. More calls than the engine finds that it can carry are refused, unless `--beyond` is given. The
parent takes every block of features, as the phone would, and counts the columns.

`late_pct`: packets that left more than 10 ms after their slot, of the engine under test alone in `late_pct`, of
the far end in `far_late_pct`. `lost_pct`: datagrams that the kernel dropped on our sockets. `missing`: packets that
one side sent and the other did not count. `tick_ms`: the work of a tick, how late it began (`wake_p99`) and the
part of the tone bank (`bank_p99`), over the seconds in which all calls talk, as the CPU (per cent of one core); the
counts of packets are those of the whole calls, their beginning included (500 calls begin in a second).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import psutil

from sip.media import (
    EngineFull,
    HeardBlock,
    MediaEngine,
    MediaEvent,
    MediaReport,
    MediaSession,
    RemoteMedia,
    SessionSpec,
    SrtpPolicy,
    SrtpSuite,
    read_capture,
)

CAPACITY = 4096
"""Beyond what is measured that a machine can carry."""
RATE_HZ = 8000
STARTS_PER_S = 500
SETTLING_S = 5.0
"""Within this time the far end sends for all calls, and the engine has settled each of them."""
SUITE: SrtpSuite = "AES_CM_128_HMAC_SHA1_80"


@dataclass(frozen=True)
class Result:
    """What was measured."""

    calls: int
    seconds: float
    sent: int
    received: int
    late_pct: float
    far_late_pct: float
    lost_pct: float
    missing: int
    """Packets that the far end sent and the engine did not count, at the end of the run."""
    far_missing: int
    """Packets of the engine that the far end missed."""
    blocks_dropped: int
    """Blocks of features that the parent did not take in time."""
    tick_ms: dict[str, float]
    cpu_pct: dict[str, float]
    rss_mb: float
    columns: int
    captures_ms: tuple[float, float]
    """Shortest and longest capture."""
    carries: str
    """What the engine says that it can carry, while all calls talk."""


def sounds() -> tuple[np.ndarray, np.ndarray]:
    """Return (speech-like noise, ringback of 1 s on and 4 s off)."""
    noise = (np.random.default_rng(7).normal(0, 2000, 5 * RATE_HZ)).clip(-30000, 30000).astype(np.int16)
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ
    ringback = np.where(time_s < 1, 8000 * np.sin(2 * np.pi * 450 * time_s), 0).astype(np.int16)
    return noise, ringback


@dataclass(frozen=True)
class FarCounts:
    """What the far end tells after the run."""

    sent: int
    late: int
    missing: int
    """Packets of ours that it missed."""


class FarEnd(Protocol):
    """The other side of all calls."""

    pid: int

    async def open(self, calls: int) -> list[tuple[str, int]]:
        """Return the address of each call's far end."""

    async def start(self, near: list[tuple[str, int]], t0: float) -> None:
        """Send to the near ends."""

    async def stop(self) -> FarCounts:
        """Send no more."""

    async def close(self) -> None:
        """Give back the sockets."""


class LeanFarEnd:
    """Regular packets of a process that does nothing else."""

    async def open(self, calls: int) -> list[tuple[str, int]]:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.lean_far_end",
            str(calls),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=1 << 20,
        )
        self.pid = self._process.pid
        return [(host, port) for host, port in await self._line()]

    async def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await self._process.stdout.readline())

    async def start(self, near: list[tuple[str, int]], t0: float) -> None:
        """Name the near ends."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(near).encode() + b"\n")
        await self._process.stdin.drain()

    async def stop(self) -> FarCounts:
        """Let the process come to an end with its sending."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"stop\n")
        counts = await self._line()
        return FarCounts(counts["sent"], counts["late"], counts["missing"])

    async def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


class EngineFarEnd:
    """Another media engine."""

    def __init__(self, engine: MediaEngine, policy: SrtpPolicy | None) -> None:
        self.pid = engine.pid
        self._engine, self._policy = engine, policy
        self._sessions: list[MediaSession] = []
        self._t0 = 0.0

    async def open(self, calls: int) -> list[tuple[str, int]]:
        """Open a session for each call."""
        for _ in range(calls):
            self._sessions.append(await self._engine.open(SessionSpec("127.0.0.1", analyse=False)))
        return [session.local for session in self._sessions]

    async def start(self, near: list[tuple[str, int]], t0: float) -> None:
        """Begin every session."""
        self._t0 = t0
        ringback = sounds()[1]
        for session, address in zip(self._sessions, near, strict=True):
            session.begin(t0)
            session.connect(RemoteMedia(*address, srtp=self._policy, final=True))
            session.play(ringback, loop=True)

    async def stop(self) -> FarCounts:
        """End every session."""
        end_ms = (time.monotonic() - self._t0) * 1000
        counts = [r.statistics for r in await asyncio.gather(*(s.close(end_ms) for s in self._sessions))]
        return FarCounts(
            sum(c.sent for c in counts), sum(c.late for c in counts), sum(c.lost for c in counts)
        )

    async def close(self) -> None:
        """Do nothing: the sockets went with the sessions."""


class Load:
    """The calls of one run."""

    def __init__(
        self, near: MediaEngine, far: FarEnd, folder: Path, *, policy: SrtpPolicy | None, packets: bool
    ) -> None:
        self.near, self.far, self.folder = near, far, folder
        self.packets = packets
        self.policy = policy
        self.columns = 0
        self.sessions: list[MediaSession] = []
        self.begun: list[float] = []

    def count(self, event: MediaEvent) -> None:
        """Count what was analysed."""
        if isinstance(event, HeardBlock):
            self.columns += len(event.present)

    async def open(self, calls: int) -> None:
        """Open both ends of every call."""
        for number in range(calls):
            packets = self.folder / f"{number}.packets" if self.packets else None
            spec = SessionSpec("127.0.0.1", capture=self.folder / f"{number}.part", packets=packets)
            self.sessions.append(await self.near.open(spec, self.count))
        self.remotes = await self.far.open(calls)

    async def start(self) -> None:
        """Let all calls begin, one shortly after the other."""
        noise = sounds()[0]
        first = time.monotonic()
        for number, (session, remote) in enumerate(zip(self.sessions, self.remotes, strict=True)):
            self.begun.append(time.monotonic())
            session.begin(self.begun[-1])
            session.connect(RemoteMedia(*remote, srtp=self.policy, final=True))
            session.play(noise, loop=True)
            await asyncio.sleep(max(0.0, first + number / STARTS_PER_S - time.monotonic()))
        await self.near.health()  # every call is connected before the first packet comes
        await self.far.start([session.local for session in self.sessions], first)

    async def close(self) -> tuple[list[MediaReport], FarCounts]:
        """End all calls: the far ends first."""
        far = await self.far.stop()
        ended = time.monotonic()
        ends = [(ended - begun) * 1000 for begun in self.begun]
        reports = await asyncio.gather(*(s.close(end) for s, end in zip(self.sessions, ends, strict=True)))
        await self.far.close()
        return reports, far


def cpu_s(pid: int | None) -> float:
    """Return the processor time of a process so far."""
    times = psutil.Process(pid).cpu_times() if pid else None
    return times.user + times.system if times else 0.0


async def measure(
    calls: int,
    seconds: float,
    *,
    far: Literal["lean", "engine"] = "lean",
    srtp: bool = False,
    packets: bool = False,
    beyond: bool = False,
) -> Result:
    """Run the load and return what was measured; `sip.media.EngineFull` for more than the engine takes on."""
    keys = (os.urandom(30), os.urandom(30))
    ours, theirs = (SrtpPolicy(SUITE, *pair) if srtp else None for pair in (keys, keys[::-1]))
    with tempfile.TemporaryDirectory() as name:
        async with await MediaEngine.start(capacity=max(CAPACITY, calls + 1), measured=not beyond) as near:
            if far == "lean" and not srtp:
                load = Load(near, LeanFarEnd(), Path(name), policy=None, packets=packets)
                return await run(load, calls, seconds)
            async with await MediaEngine.start(
                writer=False, bank=None, capacity=calls + 1, measured=False
            ) as other:
                end = EngineFarEnd(other, theirs)
                return await run(Load(near, end, Path(name), policy=ours, packets=packets), calls, seconds)


async def run(load: Load, calls: int, seconds: float) -> Result:
    """Measure while all calls talk."""
    near = load.near
    await load.open(calls)
    await load.start()
    await asyncio.sleep(SETTLING_S)
    pids = {"media": near.pid, "writer": near.writer_pid, "far": load.far.pid, "parent": os.getpid()}
    before, begun = {key: cpu_s(pid) for key, pid in pids.items()}, time.monotonic()
    await asyncio.sleep(seconds)
    span = time.monotonic() - begun
    cpu = {key: round(100 * (cpu_s(pid) - before[key]) / span, 1) for key, pid in pids.items()}
    health = await near.health(round(seconds * 50))
    carries = str(near.capacity_estimate())
    rss_mb = psutil.Process(near.pid).memory_info().rss / 1e6
    reports, far = await load.close()
    lengths = [read_capture(load.folder / f"{number}.part").duration_ms for number in range(calls)]
    sent = sum(report.statistics.sent for report in reports)
    received = sum(report.statistics.received for report in reports)
    return Result(
        calls=calls,
        seconds=round(span, 1),
        sent=sent,
        received=received,
        late_pct=100 * sum(report.statistics.late for report in reports) / max(1, sent),
        far_late_pct=100 * far.late / max(1, far.sent),
        lost_pct=100 * sum(report.dropped_by_kernel for report in reports) / max(1, received),
        missing=far.sent - received,
        far_missing=far.missing,
        blocks_dropped=health.blocks_dropped,
        tick_ms={
            "p50": round(health.tick_ms_p50, 2),
            "p99": round(health.tick_ms_p99, 2),
            "wake_p99": round(health.wake_ms_p99, 2),
            "bank_p99": round(health.bank_ms_p99, 2),
        },
        cpu_pct=cpu,
        rss_mb=round(rss_mb, 1),
        columns=load.columns,
        captures_ms=(min(lengths), max(lengths)),
        carries=carries,
    )


def main() -> None:
    """Print the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--far", choices=["lean", "engine"], default="lean")
    parser.add_argument("--srtp", action="store_true")
    parser.add_argument("--packets", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--beyond", action="store_true")
    options = parser.parse_args()
    measured = measure(
        options.calls,
        options.seconds,
        far=options.far,
        srtp=options.srtp,
        packets=options.packets,
        beyond=options.beyond,
    )
    try:
        result = asdict(asyncio.run(measured))
    except EngineFull as error:
        sys.exit(f"refused: {error}")
    if options.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{key:14} {value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
