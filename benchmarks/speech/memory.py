"""Does memory stay flat? 200 sounds one after the other, in a worker that is never replaced, and in those of a pool."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import psutil

from benchmarks.speech.sounds import RATE_HZ, Sound, telephone
from recordings.transcription.choice import EngineChoice
from recordings.transcription.pool import Limits, Transcriber
from tests.line_sounds import voice

SOUNDS: Final = 200
SETTLED: Final = 20
"""After so many the worker has taken what it needs."""
MOST_GROWTH_MB: Final = 30.0
"""Of one worker from then to the last sound."""
FOR_EVER: Final = Limits(sounds=100_000, growth_bytes=1 << 40)


def sounds(count: int, spoken: Sequence[Sound]) -> list[Sound]:
    """Return sounds of 0.6 to 1.2 s, each another cut of what is spoken; made-up voices where there is nothing."""
    rng = np.random.default_rng(7)
    whole = np.concatenate(list(spoken) or [telephone(voice(30.0))])
    found = []
    for _ in range(count):
        length = int(rng.uniform(0.6, 1.2) * RATE_HZ)
        start = int(rng.integers(0, max(1, len(whole) - length)))
        found.append(whole[start : start + length])
    return found


def rss_mb(pids: Sequence[int]) -> float:
    """Return what some processes hold now."""
    return float(sum(psutil.Process(pid).memory_info().rss for pid in pids)) / 1e6


async def measure(choice: EngineChoice, given: Sequence[Sound], limits: Limits) -> dict[str, Any]:
    """Return the memory of the workers after some sounds, and how many workers there were."""
    held: list[float] = []
    workers: set[int] = set()
    async with Transcriber(choice, limits=limits, threads=1, nice=0) as pool:
        for sound in given:
            await pool.transcribe(sound)
            workers.update(pool.pids)
            held.append(rss_mb(pool.pids))
            if len(held) % 25 == 0:
                print(f"{len(held)} sounds, {held[-1]:.0f} MB", file=sys.stderr, flush=True)
    marks = sorted({0, SETTLED - 1, *range(49, len(held), 50), len(held) - 1})
    return {
        "sounds": len(held),
        "rss_mb": {f"after {mark + 1}": round(held[mark], 1) for mark in marks if mark < len(held)},
        "growth_mb": round(held[-1] - held[min(SETTLED, len(held)) - 1], 1),
        "most_mb": round(max(held), 1),
        "workers": len(workers),
    }


def run(choice: EngineChoice, spoken: Sequence[Sound], count: int = SOUNDS) -> tuple[dict[str, Any], bool]:
    """Return the figures, and whether one worker's memory stays flat."""
    given = sounds(count, spoken)
    one = asyncio.run(measure(choice, given, FOR_EVER))
    pool = asyncio.run(measure(choice, given, Limits()))
    figures = {"model": choice.info.title, "one worker": one, "replaced workers": pool}
    return figures, one["growth_mb"] <= MOST_GROWTH_MB
