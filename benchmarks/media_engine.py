"""N calls at once through the media engine, recorded and analysed, against a far end in a process of its own.

    python -m benchmarks.media_engine --calls 100 --seconds 20 [--srtp] [--packets] --json

`--srtp` encrypts all calls, `--packets` logs their packets.
`late_pct`: packets of both sides that left more than 10 ms after their slot, of the engine under test alone
in `late_pct`, of the far end in `far_late_pct`. `lost_pct`: datagrams that the kernel dropped on our sockets.
CPU is in per cent of one core, over the whole run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from sip.media import (
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

RATE_HZ = 8000
SUITE: SrtpSuite = "AES_CM_128_HMAC_SHA1_80"


@dataclass(frozen=True)
class Result:
    """What was measured."""

    calls: int
    seconds: float
    packets: int
    late_pct: float
    far_late_pct: float
    lost_pct: float
    missing: int
    """Packets that the far end sent and the engine did not count, at the end of the run."""
    tick_ms: dict[str, float]
    cpu_pct: dict[str, float]
    rss_mb: float
    columns: int
    captures_ms: tuple[float, float]
    """Shortest and longest capture."""


def sounds() -> tuple[np.ndarray, np.ndarray]:
    """Return (speech-like noise, ringback of 1 s on and 4 s off)."""
    noise = (np.random.default_rng(7).normal(0, 2000, 5 * RATE_HZ)).clip(-30000, 30000).astype(np.int16)
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ
    ringback = np.where(time_s < 1, 8000 * np.sin(2 * np.pi * 450 * time_s), 0).astype(np.int16)
    return noise, ringback


class Load:
    """The calls of one run."""

    def __init__(
        self, near: MediaEngine, far: MediaEngine, folder: Path, *, srtp: bool, packets: bool
    ) -> None:
        self.near, self.far, self.folder = near, far, folder
        self.packets = packets
        keys = (os.urandom(30), os.urandom(30))
        self.policies = [SrtpPolicy(SUITE, *pair) if srtp else None for pair in (keys, keys[::-1])]
        self.columns = 0
        self.pairs: list[tuple[MediaSession, MediaSession]] = []
        self.t0 = 0.0

    def count(self, event: MediaEvent) -> None:
        """Count what was analysed."""
        if isinstance(event, HeardBlock):
            self.columns += len(event.present)

    async def open(self, calls: int) -> None:
        """Open both ends of every call."""
        for number in range(calls):
            packets = self.folder / f"{number}.packets" if self.packets else None
            spec = SessionSpec("127.0.0.1", capture=self.folder / f"{number}.part", packets=packets)
            near = await self.near.open(spec, self.count)
            self.pairs.append((near, await self.far.open(SessionSpec("127.0.0.1", analyse=False))))

    async def start(self) -> None:
        """Let all calls begin at once."""
        noise, ringback = sounds()
        self.t0 = time.monotonic()
        for near, far in self.pairs:
            near.begin(self.t0)
            far.begin(self.t0)
        await self.near.health()  # every call has begun before the first packet comes
        for near, far in self.pairs:
            near.connect(RemoteMedia(*far.local, srtp=self.policies[0], final=True))
            far.connect(RemoteMedia(*near.local, srtp=self.policies[1], final=True))
            near.play(noise, loop=True)
            far.play(ringback, loop=True)

    async def close(self) -> list[tuple[MediaReport, MediaReport]]:
        """End all calls: the far ends first."""
        end_ms = (time.monotonic() - self.t0) * 1000
        far = await asyncio.gather(*(far.close(end_ms) for _, far in self.pairs))
        near = await asyncio.gather(*(near.close(end_ms) for near, _ in self.pairs))
        return list(zip(near, far, strict=True))


def cpu_s(pid: int | None) -> float:
    """Return the processor time of a process so far."""
    times = psutil.Process(pid).cpu_times() if pid else None
    return times.user + times.system if times else 0.0


async def measure(calls: int, seconds: float, *, srtp: bool = False, packets: bool = False) -> Result:
    """Run the load and return what was measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capacity = calls + 1
        near = await MediaEngine.start(capacity=capacity)
        async with near, await MediaEngine.start(writer=False, bank=None, capacity=capacity) as far:
            load = Load(near, far, folder, srtp=srtp, packets=packets)
            await load.open(calls)
            await load.start()
            await asyncio.sleep(1)
            pids = {"media": near.pid, "writer": near.writer_pid, "far": far.pid}
            before, begun = {key: cpu_s(pid) for key, pid in pids.items()}, time.monotonic()
            await asyncio.sleep(seconds)
            span = time.monotonic() - begun
            cpu = {key: round(100 * (cpu_s(pid) - before[key]) / span, 1) for key, pid in pids.items()}
            health = await near.health()
            rss_mb = psutil.Process(near.pid).memory_info().rss / 1e6
            reports = await load.close()
            lengths = [read_capture(folder / f"{number}.part").duration_ms for number in range(calls)]
    sent = sum(near.statistics.sent for near, _ in reports)
    far_sent = sum(far.statistics.sent for _, far in reports)
    received = sum(near.statistics.received for near, _ in reports)
    return Result(
        calls=calls,
        seconds=round(span, 1),
        packets=sent + received,
        late_pct=100 * sum(near.statistics.late for near, _ in reports) / max(1, sent),
        far_late_pct=100 * sum(far.statistics.late for _, far in reports) / max(1, far_sent),
        lost_pct=100 * sum(near.dropped_by_kernel for near, _ in reports) / max(1, received),
        missing=far_sent - received,
        tick_ms={
            "p50": round(health.tick_ms_p50, 2),
            "p99": round(health.tick_ms_p99, 2),
            "wake_p99": round(health.wake_ms_p99, 2),
        },
        cpu_pct=cpu,
        rss_mb=round(rss_mb, 1),
        columns=load.columns,
        captures_ms=(min(lengths), max(lengths)),
    )


def main() -> None:
    """Print the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--srtp", action="store_true")
    parser.add_argument("--packets", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    run = measure(options.calls, options.seconds, srtp=options.srtp, packets=options.packets)
    result = asdict(asyncio.run(run))
    if options.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{key:14} {value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
