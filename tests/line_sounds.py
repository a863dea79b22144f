"""Sounds of telephone lines made by formula, and what a packet network does to them. For tests and benchmarks."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np

from sip.progress import FeatureBank, Heard, LineListener

RATE_HZ = 8_000
RINGBACK = (1.0, 4.0)
BUSY = (0.35, 0.35)
CONGESTION = (0.7, 0.7)
UNOBTAINABLE = (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.4)
CALL_WAITING = (0.4, 4.0)


def amplitude(dbm0: float) -> float:
    """Return the amplitude of a sine of this level; a full-scale sine is +3.14 dBm0."""
    return float(10.0 ** ((dbm0 - 3.14) / 20.0))


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def sine(seconds: float, hz: float = 450.0, dbm0: float = -10.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude(dbm0) * np.sin(2 * np.pi * hz * t + 0.3)).astype(np.float32)


def cadence(on_off_s, seconds: float, hz: float = 450.0, dbm0: float = -10.0, lead_s: float = 0.0):
    """Return the sound and its bursts as (start_ms, end_ms), the last cut off by the end."""
    sound = np.zeros(round(seconds * RATE_HZ), np.float32)
    wave = sine(seconds, hz, dbm0)
    at = lead_s
    bursts = []
    for index, period in enumerate(itertools.cycle(on_off_s)):
        if at >= seconds:
            return sound, bursts
        if index % 2 == 0:
            # A switch gates its tone at a sample.
            first, after = round(at * RATE_HZ), min(round((at + period) * RATE_HZ), len(sound))
            sound[first:after] = wave[first:after]
            bursts.append((first * 1000.0 / RATE_HZ, after * 1000.0 / RATE_HZ))
        at += period
    raise AssertionError("unreachable")


def white_noise(seconds: float, dbm0: float, seed: int = 0) -> np.ndarray:
    """Return noise whose power equals that of a sine of this level."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=round(seconds * RATE_HZ)) * amplitude(dbm0) / np.sqrt(2.0)).astype(np.float32)


def chords(seconds: float, seed: int = 0, dbm0: float = -12.0) -> np.ndarray:
    """Return music: plucked chords of a pentatonic scale with five partials to each note."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * RATE_HZ))
    step = int(rng.choice([2000, 3000, 4000]))
    for first in range(0, len(sound), step):
        t = np.arange(min(2 * step, len(sound) - first)) / RATE_HZ
        for note in rng.choice([0, 2, 4, 7, 9, 12, 14, 16], 3, replace=False):
            decay = np.exp(-t * rng.uniform(0.5, 4.0))
            for partial in range(1, 6):
                hz = 220.0 * 2.0 ** (note / 12.0) * partial
                sound[first : first + len(t)] += np.sin(2 * np.pi * hz * t) * decay / partial**1.3
    return _at_level(sound, dbm0)


def voice(seconds: float, seed: int = 0, dbm0: float = -16.0) -> np.ndarray:
    """Return speech-like sound: gliding pitch, two formants that wander, syllables, pauses, hissing onsets."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * RATE_HZ))
    at = 0
    while at < len(sound):
        length = int(RATE_HZ * rng.uniform(0.12, 0.28))
        t = np.arange(length) / RATE_HZ
        pitch = rng.uniform(110, 230) * (1.0 + rng.uniform(-0.25, 0.25) * t / t[-1])
        phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
        first_hz, second_hz = rng.uniform(300, 800), rng.uniform(900, 2300)
        syllable = np.zeros(length)
        for partial in range(1, 28):
            hz = partial * pitch.mean()
            if hz > 3300:
                break
            gain = 1 / (1 + ((hz - first_hz) / 110) ** 2) + 0.4 / (1 + ((hz - second_hz) / 160) ** 2)
            syllable += gain * np.sin(partial * phase)
        syllable *= np.sin(np.pi * np.minimum(t / t[-1], 1.0)) ** 0.7
        hiss = int(RATE_HZ * 0.04)
        syllable[:hiss] += rng.normal(size=hiss) * 0.15
        end = min(at + length, len(sound))
        sound[at:end] += syllable[: end - at] * rng.uniform(0.4, 1.0)
        at += length + int(RATE_HZ * (rng.uniform(0.02, 0.09) if rng.random() < 0.85 else 0.3))
    return _at_level(sound, dbm0)


def _at_level(sound: np.ndarray, dbm0: float) -> np.ndarray:
    scaled = sound * amplitude(dbm0) / np.sqrt(2.0) / max(np.sqrt(np.mean(sound**2)), 1e-9)
    return np.clip(scaled, -1.0, 1.0).astype(np.float32)


def _alaw_values() -> np.ndarray:
    values = [
        sign * (((2 * m + 1) * 8) if e == 0 else ((2 * m + 33) * 8) << (e - 1))
        for sign in (-1, 1)
        for e in range(8)
        for m in range(16)
    ]
    return np.sort(np.array(values)) / 32768.0


def _ulaw_values() -> np.ndarray:
    values = [
        sign * ((((2 * m + 33) << e) - 33) * 4) for sign in (-1, 1) for e in range(8) for m in range(16)
    ]
    return np.sort(np.array(values)) / 32768.0


def through(law: str, sound: np.ndarray) -> np.ndarray:
    """Return the sound after G.711 of this law: each sample becomes the nearest value the law has."""
    values = {"alaw": _alaw_values(), "ulaw": _ulaw_values()}[law]
    middle = (values[1:] + values[:-1]) / 2
    return values[np.searchsorted(middle, sound)].astype(np.float32)


def lose(sound: np.ndarray, fraction: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the sound with lost packets of 20 ms as silence, and which columns came."""
    rng = np.random.default_rng(seed)
    columns = -(-len(sound) // 160)
    came = rng.random(columns) >= fraction
    holed = sound * np.repeat(came, 160)[: len(sound)]
    return holed.astype(np.float32), came


def columns_of(sound: np.ndarray) -> np.ndarray:
    """Return the feature columns [n, F] of a sound, its end filled with zeros."""
    count = -(-len(sound) // 160)
    padded = np.zeros(count * 160, np.float32)
    padded[: len(sound)] = sound
    return FeatureBank(count).push(np.arange(count), padded.reshape(-1, 160))


def listen(
    sound: np.ndarray, start_ms: float = 0.0, came: np.ndarray | None = None, block: int = 10
) -> Heard:
    """Return what a listener finally heard of a sound pushed in blocks."""
    columns = columns_of(sound)
    present = np.ones(len(columns), np.bool_) if came is None else came
    listener = LineListener()
    for at in range(0, len(columns), block):
        listener.push(start_ms + at * 20.0, columns[at : at + block], present[at : at + block])
    return listener.finish(start_ms + len(columns) * 20.0)


def shared_sounds(kind: str) -> list[Path]:
    """Return the files of a folder of the shared sounds; none when DUTYRING_TEST_AUDIO is unset."""
    folder = os.environ.get("DUTYRING_TEST_AUDIO")
    if not folder:
        return []
    return sorted(p for p in (Path(folder) / kind).iterdir() if p.suffix in (".wav", ".flac"))
