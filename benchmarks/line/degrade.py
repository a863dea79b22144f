"""What lines and packet networks do to a sound: level, hiss, G.711, a clock that drifts, lost and late packets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.line.tones import RATE_HZ, Deviation, amplitude
from tests.line_sounds import through

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

_COLUMN = 160
_RUN_SHARE = 0.5
"""Share of the losses that come two or three packets in a row."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """What is done to one call; tones deviate before that (`deviation`)."""

    law: Literal["alaw", "ulaw"] = "alaw"
    level_dbm0: float = -15.0
    """Of tones and of active speech and music."""
    snr_db: float | None = None
    """Of steady white noise on the whole call; None: none."""
    deviation: Deviation = field(default_factory=Deviation)
    loss: float = 0.0
    """Share of packets that do not come, those that come too late for their slot among them."""
    drift_ppm: float = 0.0

    @property
    def noise_dbm0(self) -> float:
        """Level of the noise; minus infinity without any."""
        return float("-inf") if self.snr_db is None else self.level_dbm0 - self.snr_db


def drawn(rng: np.random.Generator, degraded: bool) -> Degradation:
    """Return the degradation of one call; the clean ones are A-law at a usual level and nothing else."""
    if not degraded:
        return Degradation(level_dbm0=float(rng.uniform(-22.0, -10.0)))
    level = float(rng.uniform(-35.0, -10.0))
    noise: float | None = None
    if rng.random() < 0.6:
        # Between -49 and -41 dBm0 a line is neither silent nor noisy: no truth can be told there.
        choices = [snr for snr in np.arange(15.0, 41.0) if not -49.0 < level - snr < -41.0]
        noise = float(rng.choice(choices))
    return Degradation(
        law="alaw" if rng.random() < 0.6 else "ulaw",
        level_dbm0=level,
        snr_db=noise,
        deviation=Deviation(
            hz=float(rng.uniform(-15.0, 15.0)),
            on=float(rng.uniform(0.92, 1.08)),
            off=float(rng.uniform(0.92, 1.08)),
        ),
        loss=float(rng.choice([0.0, 0.01, 0.03, 0.05])),
        drift_ppm=float(rng.uniform(-200.0, 200.0)),
    )


def applied(samples: Floats, what: Degradation, rng: np.random.Generator) -> tuple[Floats, Bools]:
    """Return the sound [n * 160] as it arrives, lost packets as zeros, and which columns [n] came."""
    sound = samples
    if what.drift_ppm:
        # The far clock is fast or slow: what it took for `len` samples are a few more or less of ours.
        count = round(len(sound) * (1.0 + what.drift_ppm * 1e-6))
        at = np.arange(count) / (1.0 + what.drift_ppm * 1e-6)
        sound = np.interp(at, np.arange(len(sound)), sound).astype(np.float32)
    if what.snr_db is not None:
        hiss = rng.standard_normal(len(sound), np.float32)
        sound = sound + hiss * np.float32(amplitude(what.noise_dbm0) / np.sqrt(2.0))
    sound = through(what.law, np.clip(sound, -1.0, 1.0))
    columns = -(-len(sound) // _COLUMN)
    padded = np.zeros(columns * _COLUMN, np.float32)
    padded[: len(sound)] = sound
    came = _came(columns, what.loss, rng)
    return (padded.reshape(-1, _COLUMN) * came[:, None]).reshape(-1).astype(np.float32), came


def _came(columns: int, loss: float, rng: np.random.Generator) -> Bools:
    came = rng.random(columns) >= loss * (1.0 - _RUN_SHARE)
    for first in np.flatnonzero(rng.random(columns) < loss * _RUN_SHARE / 2.5):
        came[first : first + int(rng.integers(2, 4))] = False
    return came


def at_level(sound: Floats, dbm0: float) -> Floats:
    """Return the sound with its active part (what is within 25 dB of its loudest 20 ms) at this level, clipped at 1."""
    count = max(len(sound) // _COLUMN, 1)
    power = np.mean(np.square(np.resize(sound, count * _COLUMN).reshape(count, -1)), axis=1)
    active = power[power > power.max(initial=0.0) * 10.0**-2.5]
    rms = float(np.sqrt(active.mean())) if len(active) else 0.0
    scaled = sound * (amplitude(dbm0) / np.sqrt(2.0) / max(rms, 1e-9))
    return np.clip(scaled, -1.0, 1.0).astype(np.float32)


def duration_ms(samples: Floats) -> float:
    """Return the length of a sound."""
    return len(samples) * 1000.0 / RATE_HZ
