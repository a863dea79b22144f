"""Tones of telephone lines by formula, each with its truth: where it begins and ends, and the bursts in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sip.record import SegmentKind

Floats = npt.NDArray[np.float32]

RATE_HZ: Final = 8_000
FULL_SCALE_SINE_DBM0: Final = 3.14
"""ITU-T G.711, A-law."""

CADENCES: Final[dict[SegmentKind, tuple[float, ...]]] = {
    "ringback": (1.0, 4.0),
    "busy": (0.35, 0.35),
    "congestion": (0.7, 0.7),
    "unobtainable": (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.4),
    "call_waiting": (0.4, 4.0),
}
"""Seconds on and off in turn, all of 450 Hz (GB 3380-82, YDN 065-1997)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A stretch of one kind, milliseconds from the first sample."""

    kind: SegmentKind
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples at 8 kHz with what they are; times from the first of them."""

    samples: Floats
    segments: tuple[Truth, ...]
    bursts: tuple[tuple[float, float], ...] = ()
    """Bursts of ringback, begin and end."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far a tone is off its nominal values."""

    hz: float = 0.0
    on: float = 1.0
    off: float = 1.0
    """Factors of the on and off periods."""


def amplitude(dbm0: float) -> float:
    """Return the amplitude of a sine of this level."""
    return float(10.0 ** ((dbm0 - FULL_SCALE_SINE_DBM0) / 20.0))


def sine(seconds: float, hz: float, dbm0: float, phase: float = 0.0) -> Floats:
    """Return a steady tone."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude(dbm0) * np.sin(2.0 * np.pi * hz * t + phase)).astype(np.float32)


def cadenced(
    kind: SegmentKind, cycles: float, dbm0: float, deviation: Deviation | None = None, hz: float = 450.0
) -> Sound:
    """Return a call progress tone of `cycles` periods; a fraction ends within a period.

    The pause after the last whole period belongs to the tone, as in the contract.
    """
    deviation = deviation or Deviation()
    plan = CADENCES[kind]
    periods = [
        period * (deviation.on if number % 2 == 0 else deviation.off) for number, period in enumerate(plan)
    ]
    length = round(cycles * sum(periods) * RATE_HZ)
    wave = sine(length / RATE_HZ, hz + deviation.hz, dbm0)
    samples = np.zeros(length, np.float32)
    bursts: list[tuple[float, float]] = []
    at = 0.0
    for number, period in enumerate(itertools.cycle(periods)):
        first, after = round(at * RATE_HZ), min(round((at + period) * RATE_HZ), length)
        if first >= length:
            break
        if number % 2 == 0:
            samples[first:after] = wave[first:after]
            bursts.append((first * 1000.0 / RATE_HZ, after * 1000.0 / RATE_HZ))
        at += period
    truth = Truth(kind, 0.0, length * 1000.0 / RATE_HZ)
    return Sound(samples, (truth,), tuple(bursts) if kind == "ringback" else ())


def steady(kind: SegmentKind, seconds: float, hz: float, dbm0: float) -> Sound:
    """Return a continuous tone: dial tone, a beep, CED."""
    samples = sine(seconds, hz, dbm0)
    return Sound(samples, (Truth(kind, 0.0, len(samples) * 1000.0 / RATE_HZ),))


def howler(seconds: float, dbm0: float, hz_off: float = 0.0) -> Sound:
    """Return the howler: 950 Hz that rises in five steps, the last at `dbm0` (催挂音)."""
    samples = sine(seconds, 950.0 + hz_off, dbm0)
    steps = np.minimum(np.arange(len(samples)) * 5 // max(len(samples), 1), 4)
    samples *= (10.0 ** ((steps - 4) * 4.0 / 20.0)).astype(np.float32)
    return Sound(samples, (Truth("howler", 0.0, len(samples) * 1000.0 / RATE_HZ),))


def fax_cng(times: int, dbm0: float, hz_off: float = 0.0) -> Sound:
    """Return CNG: 1,100 Hz, 0.5 s on and 3 s off (T.30); the pauses are silence."""
    on, off = sine(0.5, 1_100.0 + hz_off, dbm0), np.zeros(3 * RATE_HZ, np.float32)
    truth: list[Truth] = []
    for number in range(times):
        at = number * 3_500.0
        truth += [Truth("fax_cng", at, at + 500.0), Truth("silence", at + 500.0, at + 3_500.0)]
    return Sound(np.concatenate([on, off] * times), tuple(truth))


def fax_answer(seconds: float, dbm0: float, hz_off: float = 0.0, modulated: bool = False) -> Sound:
    """Return CED, or with `modulated` ANSam: 15 Hz of amplitude modulation, phase reversed every 450 ms (V.8)."""
    samples = sine(seconds, 2_100.0 + hz_off, dbm0)
    if modulated:
        t = np.arange(len(samples)) / RATE_HZ
        samples *= (1.0 + 0.2 * np.sin(2.0 * np.pi * 15.0 * t)).astype(np.float32)
        samples *= np.where((t / 0.45).astype(np.int64) % 2 == 0, 1.0, -1.0).astype(np.float32)
    return Sound(samples, (Truth("fax_ced", 0.0, len(samples) * 1000.0 / RATE_HZ),))
