"""What a short call costs the media engine: opened, begun, connected, 0.2 s of sound, closed.

    python -m benchmarks.open_close --rate 100 --seconds 10 [--others 900]

Calls are opened in pairs that talk to each other, at a steady rate, each recorded and analysed, while `--others` calls
go on in the same engine. `engine_ms` and `writer_ms`: processor time for each short call, that of the same span
without short calls taken off; `tick_ms_p99` and
`late_pct` of the calls that go on. Processor times, so that what else runs on the machine changes them little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.media_engine import CAPACITY, cpu_s, sounds
from sip.media import MediaEngine, MediaEvent, MediaReport, MediaSession, RemoteMedia, SessionSpec

TALK_S = 0.2
SETTLING_S = 4.0


def _ignore(event: MediaEvent) -> None:
    """Take what the phone would take."""


async def open_pair(engine: MediaEngine, folder: Path, number: int) -> tuple[float, list[MediaSession]]:
    """Return the beginning of two calls that talk to each other, and them."""
    pair = [
        await engine.open(SessionSpec("127.0.0.1", capture=folder / f"{number}-{side}.part"), _ignore)
        for side in range(2)
    ]
    begun = time.monotonic()
    for session, other in zip(pair, reversed(pair), strict=True):
        session.begin(begun)
        session.connect(RemoteMedia(*other.local, final=True))
    return begun, pair


async def close_pair(begun: float, pair: list[MediaSession]) -> list[MediaReport]:
    """End two calls now."""
    end_ms = (time.monotonic() - begun) * 1000
    return list(await asyncio.gather(*(session.close(end_ms) for session in pair)))


async def short_pair(engine: MediaEngine, folder: Path, number: int) -> list[MediaReport]:
    """Make two short calls."""
    begun, pair = await open_pair(engine, folder, number)
    await asyncio.sleep(TALK_S)
    reports = await close_pair(begun, pair)
    for side in range(2):
        (folder / f"{number}-{side}.part").unlink()
    return reports


async def place(engine: MediaEngine, folder: Path, rate: float, seconds: float) -> list[MediaReport]:
    """Make short calls at a steady rate, whatever becomes of those before."""
    begun, pairs = time.monotonic(), []
    for number in range(round(rate * seconds / 2)):
        await asyncio.sleep(max(0.0, begun + 2 * number / rate - time.monotonic()))
        pairs.append(asyncio.ensure_future(short_pair(engine, folder, number)))
    return [report for reports in await asyncio.gather(*pairs) for report in reports]


class Meter:
    """Processor time of engine and writer since it was made."""

    def __init__(self, engine: MediaEngine) -> None:
        self._pids = {"engine": engine.pid, "writer": engine.writer_pid}
        self._before = {part: cpu_s(pid) for part, pid in self._pids.items()}
        self._begun = time.monotonic()

    def spent(self) -> tuple[float, dict[str, float]]:
        """Return the span and what was spent in it, in seconds."""
        spent = {part: cpu_s(pid) - self._before[part] for part, pid in self._pids.items()}
        return time.monotonic() - self._begun, spent


async def measure(rate: float, seconds: float, others: int) -> dict[str, Any]:
    """Run the load; return the figures."""
    noise = sounds()[0]
    with tempfile.TemporaryDirectory(prefix="dutyring-open-close-") as name:
        folder = Path(name)
        async with await MediaEngine.start(capacity=CAPACITY, measured=False) as engine:
            going = [await open_pair(engine, folder, -1 - number) for number in range(others // 2)]
            for session in (session for _, pair in going for session in pair):
                session.play(noise, loop=True)
            await asyncio.sleep(SETTLING_S)
            meter = Meter(engine)
            await asyncio.sleep(seconds)
            idle_s, idle = meter.spent()
            meter = Meter(engine)
            reports = await place(engine, folder, rate, seconds)
            span_s, busy = meter.spent()
            health = await engine.health(round(50 * span_s))
            ends = await asyncio.gather(*(close_pair(*one) for one in going))
            stayed = [report.statistics for pair in ends for report in pair]
    more = {part: busy[part] - idle[part] * span_s / idle_s for part in busy}
    return {
        "rate": rate,
        "others": others,
        "calls": len(reports),
        "engine_ms": round(1000 * more["engine"] / len(reports), 3),
        "writer_ms": round(1000 * more["writer"] / len(reports), 3),
        "engine_pct_without": round(100 * idle["engine"] / idle_s, 1),
        "tick_ms_p50": round(health.tick_ms_p50, 2),
        "tick_ms_p99": round(health.tick_ms_p99, 2),
        "late_pct": round(100 * sum(s.late for s in stayed) / max(1, sum(s.sent for s in stayed)), 3),
        "packets": sum(report.statistics.received for report in reports),
    }


def main() -> None:
    """Print the measurement, one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--others", type=int, default=0)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.rate, options.seconds, options.others))
    print(json.dumps({"benchmark": "open_close", **figures}))


if __name__ == "__main__":
    main()
