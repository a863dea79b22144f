"""The sounds of `benchmarks.fingerprints`: where they come from, and what a line makes of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from sip.progress import features as f
from sip.progress.marking import columns_of
from sip.simulator.clips import clips, sound
from tests.line_sounds import BUSY, RINGBACK, amplitude, cadence, chords, lose, through, voice, white_noise

RATE_HZ: Final = 8_000
LONGEST_S: Final = 180
"""So much of a file is used."""
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
_LEVELS_DBM0 = (-35.0, -10.0)
_TONES_EVERY = 40


@dataclass(frozen=True, slots=True)
class Piece:
    """A sound and where it is from."""

    name: str
    """Path or formula."""
    speed: float
    wave: Floats

    def __str__(self) -> str:
        return _called(self.name, self.speed)


def _called(name: str, speed: float) -> str:
    return name if speed == 1.0 else f"{name} at speed {speed:.3f}"


@dataclass(frozen=True, slots=True)
class Material:
    """Sounds of one part, decoded when they are needed."""

    entries: list[dict[str, Any]]
    folder: Path | None
    seed: int

    def __iter__(self) -> Iterator[Piece]:
        """Yield sounds without end, each different from the ones before."""
        if self.folder is None:
            yield from _by_formula(self.seed)
            return
        rng = np.random.default_rng(self.seed)
        speed = 1.0
        while True:
            for index in rng.permutation(len(self.entries)):
                entry = self.entries[index]
                wave = _read(self.folder / entry["path"])
                if wave is not None and len(wave) >= RATE_HZ:
                    turned = wave if speed == 1.0 else _at_speed(wave, speed)
                    yield Piece(entry["path"], speed, turned)
            # Everything was used once: from here on it is augmented.
            speed = rng.uniform(0.85, 1.15)


def material(split: str, seed: int) -> Material:
    """Return the sounds of a part: `train` or `test`."""
    named = os.environ.get("DUTYRING_LINE_SOURCES")
    if not named:
        return Material([], None, seed if split == "test" else seed + 1)
    index = json.loads((Path(named) / "index.json").read_text(encoding="utf-8"))
    entries = [e for e in index if e["split"] == split and e["kind"] != "noise"]
    return Material(entries, Path(named), seed)


def _read(path: Path) -> Floats | None:
    raw = {"format": "RAW", "subtype": "GSM610", "samplerate": RATE_HZ, "channels": 1}
    try:
        with soundfile.SoundFile(path, **(raw if path.suffix == ".gsm" else {})) as file:
            rate = file.samplerate
            wave = file.read(LONGEST_S * rate, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError):
        return None
    mono = np.ascontiguousarray(wave.mean(axis=1))
    return mono if rate == RATE_HZ else soxr.resample(mono, rate, RATE_HZ).astype(np.float32)


def _at_speed(wave: Floats, speed: float) -> Floats:
    return np.asarray(soxr.resample(wave, RATE_HZ, RATE_HZ / speed), np.float32)


def _by_formula(seed: int) -> Iterator[Piece]:
    number = seed * 100_000
    spoken = [(name, (sound(name) / 32768.0).astype(np.float32)) for name in clips()]
    rng = np.random.default_rng(seed)
    while True:
        number += 1
        yield Piece(f"voice {number}", 1.0, voice(rng.uniform(3, 9), number))
        yield Piece(f"chords {number}", 1.0, chords(rng.uniform(3, 9), number))
        # Steps of a tenth, even for one part and odd for the other: no clip comes twice at nearly one speed.
        speed = 1.0 + int(rng.integers(-2, 3)) * 0.1 + (0.05 if seed % 2 else 0.0)
        name, wave = spoken[int(rng.integers(len(spoken)))]
        yield Piece(name, speed, _at_speed(wave, speed))


def at_level(wave: Floats, dbm0: float) -> Floats:
    """Return a sound at this level of its active parts."""
    powers = np.mean(wave[: len(wave) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    active = max(float(powers[powers >= powers.max() * 1e-3].mean()), 1e-9)
    return np.clip(wave * amplitude(dbm0) / np.sqrt(2 * active), -1, 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Degraded:
    """What a line makes of a sound."""

    columns: Floats
    came: Bools
    start_ms: float
    """Where the sound begins."""
    told: str
    """What was done to it."""


def degraded(wave: Floats, rng: np.random.Generator) -> Degraded:
    """Put a sound through a line: level, noise, drift, G.711, loss, any phase."""
    dbm0, snr_db = rng.uniform(*_LEVELS_DBM0), rng.uniform(15, 40)
    ppm = rng.uniform(-200, 200)
    place = np.arange(0, len(wave) - 1, 1 + ppm * 1e-6)
    drifted = np.interp(place, np.arange(len(wave)), at_level(wave, dbm0))
    lead = int(rng.integers(4_000, 12_000))
    line = np.concatenate((np.zeros(lead), drifted, np.zeros(4_000)))
    line += white_noise(len(line) / RATE_HZ + 1, dbm0 - snr_db, int(rng.integers(1 << 30)))[: len(line)]
    law = str(rng.choice(["alaw", "ulaw"]))
    coded = through(law, np.clip(line, -1, 1).astype(np.float32))
    loss = rng.uniform(0, 0.03)
    holed, came = lose(coded, loss, int(rng.integers(1 << 30)))
    columns = columns_of(holed)
    told = f"{law}, {dbm0:.1f} dBm0, {snr_db:.1f} dB SNR, {100 * loss:.1f} % lost, {ppm:.0f} ppm"
    return Degraded(columns, came[: len(columns)], lead / 8, told)


@dataclass(frozen=True, slots=True)
class OtherLine:
    """Columns of a line on which no sample is played."""

    name: str
    speed: float
    columns: Floats

    def __str__(self) -> str:
        return _called(self.name, self.speed)

    def sound(self) -> Floats | None:
        """Return the sound before its level was set and G.711 had it; None for what is made by formula."""
        named = os.environ.get("DUTYRING_LINE_SOURCES")
        wave = _read(Path(named) / self.name) if named else None
        return wave if wave is None or self.speed == 1.0 else _at_speed(wave, self.speed)


SAME = 0.7
"""Correlation of two waveforms from which on they are one recording.

This asks nothing of the prints. The recordings that the packages hold twice have 0.86 and more, also where they
were coded anew; 1,500 pairs of different ones 0.24 at most.
"""
_NEAR = RATE_HZ // 20


def correlation(one: Floats, other: Floats, begin: int) -> float:
    """Return how far `one` is the waveform of `other` from about sample `begin` on: 1.0 for a copy at any level.

    The median over seconds, each within 50 ms of where it belongs: clocks of two recorders differ.
    """
    found = []
    for at in range(0, len(one) - RATE_HZ + 1, RATE_HZ):
        first = begin + at - _NEAR
        theirs = other[max(first, 0) : first + RATE_HZ + 2 * _NEAR].astype(np.float64)
        found.append(_correlation(one[at : at + RATE_HZ].astype(np.float64), theirs))
    return float(np.median(found)) if found else 0.0


def _correlation(mine: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> float:
    """Return the highest correlation of `mine` with any part of `theirs`, which is longer; 0 where it is not."""
    if len(theirs) < len(mine):
        return 0.0
    length = 1 << len(theirs).bit_length()
    spectrum = np.fft.rfft(theirs, length) * np.conj(np.fft.rfft(mine, length))
    products = np.fft.irfft(spectrum, length)[: len(theirs) - len(mine) + 1]
    sums = np.concatenate((np.zeros(1), np.cumsum(theirs**2)))
    powers = np.maximum(sums[len(mine) :] - sums[: -len(mine)], 1e-12)
    return float((np.abs(products) / np.sqrt(powers * max(float(mine @ mine), 1e-12))).max())


def other_lines(hours: float, seed: int, cache: Path | None) -> Iterator[OtherLine]:
    """Yield so many hours of other sound at all levels, tones among it.

    The columns of one seed are always the same: they are kept in the folder `cache` and read from there next time.
    """
    if cache is None:
        yield from _made(hours, seed)
        return
    named = cache / f"fingerprints_{hours:g}h_{seed}_{_sources()}.npz"
    if not named.exists():
        lines = list(_made(hours, seed))
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(
            named,
            names=np.array([line.name for line in lines]),
            speeds=np.array([line.speed for line in lines]),
            counts=np.array([len(line.columns) for line in lines]),
            bands=np.concatenate([line.columns[:, f.BAND] for line in lines]),
        )
    with np.load(named) as kept:
        names, speeds, counts = kept["names"].tolist(), kept["speeds"].tolist(), kept["counts"].tolist()
        bands = kept["bands"]
    at = 0
    for name, speed, count in zip(names, speeds, counts, strict=True):
        # Prints are made of the bands alone.
        columns = np.zeros((count, len(f.FEATURES)), np.float32)
        columns[:, f.BAND] = bands[at : at + count]
        at += count
        yield OtherLine(name, speed, columns)


def _made(hours: float, seed: int) -> Iterator[OtherLine]:
    rng = np.random.default_rng(seed)
    tones = {
        "ringback": cadence(RINGBACK, 20.0)[0],
        "busy": cadence(BUSY, 10.0)[0],
        "noise": white_noise(10.0, -30.0),
    }
    left = round(hours * 3_600_000 / f.COLUMN_MS)
    for number, piece in enumerate(material("test", seed)):
        if left <= 0:
            break
        if number % _TONES_EVERY == 0:
            name, speed = list(tones)[number // _TONES_EVERY % len(tones)], 1.0
            played = tones[name]
        else:
            name, speed = piece.name, piece.speed
            played = at_level(piece.wave, rng.uniform(*_LEVELS_DBM0))
        columns = columns_of(through("alaw", np.clip(played, -1, 1).astype(np.float32)))
        left -= len(columns)
        yield OtherLine(name, speed, columns)


def _sources() -> str:
    """Return what names the sources; other sources give another cache."""
    named = os.environ.get("DUTYRING_LINE_SOURCES")
    return hashlib.sha256((Path(named) / "index.json").read_bytes()).hexdigest()[:12] if named else "formula"
