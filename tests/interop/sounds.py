"""Sounds of a telephone line by formula, as A-law at 8000 Hz. Independent of the product's own tone and G.711 code."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RATE_HZ = 8000
FULL_SCALE_DBM0 = 3.14
"""A full-scale sine of A-law is +3.14 dBm0 (ITU-T G.711)."""

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sound:
    """What the far end sends from one moment on."""

    alaw: bytes
    loop: bool = False
    ptime_ms: int = 20
    suppress_silence: bool = False
    """Leave out packets that hold nothing: the sequence goes on, the timestamp jumps."""
    digits: str = ""
    """Pressed before the sound begins, as telephone events of 100 ms (RFC 4733)."""


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ))


def tone(seconds: float, hz: float = 450.0, dbm0: float = -10.0) -> Samples:
    amplitude = 10 ** ((dbm0 - FULL_SCALE_DBM0) / 20)
    return amplitude * np.sin(2 * math.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def cadence(on_s: float, off_s: float, cycles: int) -> Samples:
    return np.concatenate([part for _ in range(cycles) for part in (tone(on_s), silence(off_s))])


def ringback(bursts: int) -> Samples:
    """National ringback: 450 Hz, 1 s on, 4 s off (GB 3380)."""
    return cadence(1.0, 4.0, bursts)


def busy(cycles: int) -> Samples:
    """Busy tone: 450 Hz, 0.35 s on and off (GB 3380)."""
    return cadence(0.35, 0.35, cycles)


def babble(seconds: float) -> Samples:
    """Something like a voice: a buzz of 120 Hz with two moving formants, four syllables a second, a little breath."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch = 120 + 15 * np.sin(2 * math.pi * 0.7 * t)
    phase = 2 * math.pi * np.cumsum(pitch) / RATE_HZ
    first, second = 550 + 250 * np.sin(2 * math.pi * 1.3 * t), 1500 + 500 * np.sin(2 * math.pi * 0.9 * t)
    buzz = np.zeros_like(t)
    for harmonic in range(1, 28):
        hz = harmonic * pitch
        weight = np.exp(-(((hz - first) / 180) ** 2)) + 0.5 * np.exp(-(((hz - second) / 220) ** 2)) + 0.02
        buzz += weight * np.sin(harmonic * phase)
    syllables = np.clip(np.sin(2 * math.pi * 2.0 * t) ** 2 * 1.3 - 0.25, 0, 1)
    breath = np.random.default_rng(62).normal(0, 0.004, t.size)
    voiced = buzz * syllables
    return 0.3 * voiced / np.max(np.abs(voiced)) + breath


def alaw(samples: Samples) -> bytes:
    """Encode samples of +-1 as G.711 A-law, by the segments of the standard's table 1a."""
    linear = np.clip(np.round(samples * 4096), -4096, 4095).astype(np.int32)
    magnitude = np.where(linear >= 0, linear, -linear - 1)
    segment = np.clip(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0, 7)
    shift = np.where(segment < 2, 1, segment)
    code = (segment << 4) | ((magnitude >> shift) & 0x0F)
    return ((code | np.where(linear >= 0, 0x80, 0)) ^ 0x55).astype(np.uint8).tobytes()


SILENT_BYTE = alaw(np.zeros(1))
