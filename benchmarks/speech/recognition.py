"""How many characters are misheard, and what hearing costs: each engine that is there, on the same sounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.speech.errors import edits, plain
from benchmarks.speech.sounds import RATE_HZ, Spoken, not_speech, telephone
from recordings.transcription.choice import EngineChoice
from recordings.transcription.pool import Limits, Transcriber

NOISY_DB: Final = 15.0
"""Speech over noise, both of the line."""
CONDITIONS: Final[dict[str, float | None]] = {"clean": None, f"{NOISY_DB:.0f} dB SNR": NOISY_DB}


@dataclass(frozen=True, slots=True)
class Heard:
    """One sound as it was understood."""

    said: str
    heard: str
    seconds: float

    @property
    def errors(self) -> int:
        """Return the characters that differ."""
        return edits(plain(self.said), plain(self.heard))


@dataclass(slots=True)
class Cost:
    """What a worker took."""

    seconds: float = 0.0
    """Of sound."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the real-time factors and the memory."""
        seconds = max(self.seconds, 1e-9)
        return {
            "real_time_factor": round(self.wall_s / seconds, 3),
            "cpu_factor": round(self.cpu_s / seconds, 3),
            "peak_rss_mb": round(self.peak_mb, 1),
        }


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has held (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def measure(choice: EngineChoice, spoken: dict[str, list[Spoken]], *, texts: bool) -> dict[str, Any]:
    """Return the figures of one engine; `texts` adds what was heard."""
    found: dict[str, Any] = {"engine": choice.info.title}
    cost = Cost()
    async with Transcriber(
        choice, limits=Limits(sounds=100_000, growth_bytes=1 << 40), threads=1, nice=0
    ) as pool:
        await _hear(pool, telephone(not_speech()["dial tone"]), Cost())
        for condition, snr_db in CONDITIONS.items():
            for source, sounds in spoken.items():
                heard = [await _understand(pool, item, snr_db, cost) for item in sounds]
                found[f"{source}, {condition}"] = _error_rate(heard)
                if texts:
                    found[f"{source}, {condition}, texts"] = [[h.said, h.heard, h.errors] for h in heard]
        found["no speech"] = await _invented(pool)
    return found | cost.to_dict()


async def _understand(pool: Transcriber, item: Spoken, snr_db: float | None, cost: Cost) -> Heard:
    sound = telephone(item.sound, snr_db, seed=len(item.text))
    return Heard(item.text, await _hear(pool, sound, cost), len(sound) / RATE_HZ)


async def _hear(pool: Transcriber, sound: Any, cost: Cost) -> str:
    before = {pid: _cpu_s(pid) for pid in pool.pids}
    begun = time.perf_counter()
    transcript = await pool.transcribe(sound)
    cost.wall_s += time.perf_counter() - begun
    cost.seconds += len(sound) / RATE_HZ
    for pid in pool.pids:
        cost.cpu_s += _cpu_s(pid) - before.get(pid, 0.0)
        cost.peak_mb = max(cost.peak_mb, peak_mb(pid))
    return "".join(utterance.text for utterance in transcript.utterances)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _error_rate(heard: Sequence[Heard]) -> dict[str, Any]:
    characters = sum(len(plain(item.said)) for item in heard)
    errors = sum(item.errors for item in heard)
    return {
        "sounds": len(heard),
        "characters": characters,
        "cer_pct": round(100 * errors / max(1, characters), 2),
        "without_error": sum(not item.errors for item in heard),
        "nothing_heard": sum(not item.heard for item in heard),
    }


async def _invented(pool: Transcriber) -> dict[str, Any]:
    """Return what was understood where nobody speaks."""
    sounds = not_speech()
    texts = {name: await _hear(pool, telephone(sound), Cost()) for name, sound in sounds.items()}
    return {"sounds": len(sounds), "invented": {name: text for name, text in texts.items() if text}}


def run(
    choices: Sequence[EngineChoice], spoken: dict[str, list[Spoken]], *, texts: bool = False
) -> dict[str, Any]:
    """Return the figures of each engine."""
    return {choice.name: asyncio.run(measure(choice, spoken, texts=texts)) for choice in choices}
