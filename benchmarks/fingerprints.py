"""Whether marked recordings are known again, what else is taken for one, and what it costs.

    python -m benchmarks.fingerprints [--hours 10] [--samples 1000] [--seed 1]

The library is cut from sounds of the train part and the other sound from those of the test part of the folder that
DUTYRING_LINE_SOURCES names (`index.json`: path, kind, split, seconds). Without it, library and other sound are the
simulator's clips, formulas, and both at other speeds: enough to see that it works. Prints the figures and exits 1
when a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from benchmarks.table import percentile, show
from sip.progress.marking import Marked, MarkError, columns_of, mark
from sip.progress.sample_matcher import SampleMatcher
from sip.progress.samples import Sample, SampleHeard, SampleLibrary
from sip.progress.stretches import alike
from sip.simulator.clips import clips, sound
from tests.line_sounds import BUSY, RINGBACK, amplitude, cadence, chords, lose, through, voice, white_noise

SCHEMA = "dutyring.bench.fingerprints/1"
RATE_HZ = 8_000
LIMITS = {"recall": 0.99, "false_matches": 0, "lookup_ms_per_s": 5.0, "edge_ms_p95": 60.0}
BLOCK = 10
"""Columns that the media engine delivers at a time."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Material:
    """Sounds of one part, decoded when they are needed."""

    entries: list[dict[str, Any]]
    folder: Path | None
    seed: int

    def __iter__(self) -> Iterator[Floats]:
        """Yield sounds without end, each different from the ones before."""
        if self.folder is None:
            yield from _by_formula(self.seed)
        rng = np.random.default_rng(self.seed)
        speed = 1.0
        while True:
            for index in rng.permutation(len(self.entries)):
                wave = _read(self.folder / self.entries[index]["path"])  # type: ignore[operator]
                if wave is not None and len(wave) >= RATE_HZ:
                    yield wave if speed == 1.0 else _at_speed(wave, speed)
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
    try:
        raw = {"format": "RAW", "subtype": "GSM610", "samplerate": RATE_HZ, "channels": 1}
        wave, rate = soundfile.read(
            path, dtype="float32", always_2d=True, **(raw if path.suffix == ".gsm" else {})
        )
    except (soundfile.LibsndfileError, OSError):
        return None
    mono = np.ascontiguousarray(wave[: 180 * rate].mean(axis=1))
    return mono if rate == RATE_HZ else soxr.resample(mono, rate, RATE_HZ).astype(np.float32)


def _at_speed(wave: Floats, speed: float) -> Floats:
    return np.asarray(soxr.resample(wave, RATE_HZ, RATE_HZ / speed), np.float32)


def _by_formula(seed: int) -> Iterator[Floats]:
    number = seed * 100_000
    spoken = [(sound(name) / 32768.0).astype(np.float32) for name in clips()]
    rng = np.random.default_rng(seed)
    while True:
        number += 1
        yield voice(rng.uniform(3, 9), number)
        yield chords(rng.uniform(3, 9), number)
        # Steps of a tenth, even for one part and odd for the other: no clip comes twice at nearly one speed.
        step = int(rng.integers(-2, 3)) * 0.1 + (0.05 if seed % 2 else 0.0)
        yield _at_speed(spoken[int(rng.integers(len(spoken)))], 1.0 + step)


def fill(count: int, seed: int) -> tuple[SampleLibrary, list[Floats]]:
    """Return a library of so many different samples, and the sound of each."""
    rng = np.random.default_rng(seed)
    samples: list[Sample] = []
    waves: list[Floats] = []
    for wave in material("train", seed):
        if len(samples) == count:
            break
        length = int(RATE_HZ * rng.uniform(2.0, 9.0))
        begin = int(rng.integers(max(len(wave) - length, 0) + 1))
        part = wave[begin : begin + length]
        try:
            marked: Marked = mark(part)
        except MarkError:
            continue
        samples.append(Sample(len(samples), "other", "", marked.phases, marked.length_ms))
        waves.append(part[round(marked.start_ms * 8) : round(marked.end_ms * 8)])
    return SampleLibrary(tuple(samples)), waves


@dataclass(slots=True)
class Tally:
    """What was heard, and what it took."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    found: int = 0
    missed: int = 0
    wrong: int = 0
    edges_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)


def listen(
    library: SampleLibrary, wave: Floats, came: npt.NDArray[np.bool_], tally: Tally
) -> list[SampleHeard]:
    """Hear a line as a call does; only the matching is timed, for the columns come from the engine anyway."""
    columns = columns_of(wave)
    came = came[: len(columns)]
    matcher = SampleMatcher(library)
    heard: list[SampleHeard] = []
    begun = time.process_time()
    for at in range(0, len(columns), BLOCK):
        new = matcher.push(at * 20.0, columns[at : at + BLOCK], came[at : at + BLOCK])
        tally.late_ms += [(at + BLOCK) * 20.0 - item.end_ms for item in new]
        heard += new
    heard += matcher.finish()
    tally.cpu_s += time.process_time() - begun
    tally.seconds += len(columns) * 0.02
    return heard


def at_level(wave: Floats, dbm0: float) -> Floats:
    """Return a sound at this level of its active parts."""
    powers = np.mean(wave[: len(wave) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    active = max(float(powers[powers >= powers.max() * 1e-3].mean()), 1e-9)
    return np.clip(wave * amplitude(dbm0) / np.sqrt(2 * active), -1, 1).astype(np.float32)


def degraded(wave: Floats, rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.bool_], float]:
    """Return what a line makes of a sound, which columns came, and where the sound begins in milliseconds."""
    dbm0, snr_db = rng.uniform(-35, -10), rng.uniform(15, 40)
    ppm = rng.uniform(-200, 200)
    place = np.arange(0, len(wave) - 1, 1 + ppm * 1e-6)
    drifted = np.interp(place, np.arange(len(wave)), at_level(wave, dbm0))
    lead = int(rng.integers(4_000, 12_000))
    line = np.concatenate((np.zeros(lead), drifted, np.zeros(4_000)))
    line += white_noise(len(line) / RATE_HZ + 1, dbm0 - snr_db, int(rng.integers(1 << 30)))[: len(line)]
    coded = through(str(rng.choice(["alaw", "ulaw"])), np.clip(line, -1, 1).astype(np.float32))
    holed, came = lose(coded, rng.uniform(0, 0.03), int(rng.integers(1 << 30)))
    return holed, came, lead / 8


def recall(library: SampleLibrary, waves: list[Floats], seed: int) -> Tally:
    """Play each sample through a line of its own."""
    tally, rng = Tally(), np.random.default_rng(seed)
    for sample, wave in zip(library.samples, waves, strict=True):
        line, came, start_ms = degraded(wave, rng)
        heard = listen(library, line, came, tally)
        right = [item for item in heard if _is(item.sample, sample)]
        tally.found += bool(right)
        tally.missed += not right
        tally.wrong += sum(not _is(item.sample, sample) for item in heard)
        for item in right[:1]:
            end_ms = start_ms + len(wave) / 8
            tally.edges_ms += [abs(item.start_ms - start_ms), abs(item.end_ms - end_ms)]
    return tally


def _is(one: Sample, other: Sample) -> bool:
    """Whether two samples are one; packages of prompts hold some recordings twice."""
    return one.id == other.id or alike(one.phases, other.phases)


def others(library: SampleLibrary, hours: float, seed: int) -> Tally:
    """Listen to so many hours of other sound at all levels, tones among it."""
    tally, rng = Tally(), np.random.default_rng(seed)
    tones = [cadence(RINGBACK, 20.0)[0], cadence(BUSY, 10.0)[0], white_noise(10.0, -30.0)]
    for number, wave in enumerate(material("test", seed)):
        if tally.seconds >= hours * 3600:
            break
        played = (
            tones[number // 40 % len(tones)] if number % 40 == 0 else at_level(wave, rng.uniform(-35, -10))
        )
        line = through("alaw", np.clip(played, -1, 1).astype(np.float32))
        tally.wrong += len(listen(library, line, np.ones(len(line) // 160 + 1, np.bool_), tally))
    return tally


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0, help="of other sound [10]")
    parser.add_argument("--samples", type=int, default=1_000, help="in the library [1000]")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    library, waves = fill(options.samples, options.seed)
    played = recall(library, waves, options.seed + 10)
    strange = others(library, options.hours, options.seed + 20)
    cost = 1000 * (played.cpu_s + strange.cpu_s) / (played.seconds + strange.seconds)
    figures: dict[str, Any] = {
        "schema": SCHEMA,
        "real_sounds": bool(os.environ.get("DUTYRING_LINE_SOURCES")),
        "samples": len(library),
        "sample_hours": round(sum(s.length_ms for s in library.samples) / 3_600_000, 2),
        "recall": round(played.found / len(library), 4),
        "missed": played.missed,
        "wrong_sample": played.wrong,
        "hours_of_other_sound": round(strange.seconds / 3600, 2),
        "false_matches": strange.wrong,
        "edge_ms_p95": round(percentile(played.edges_ms, 0.95), 1),
        "edge_ms_worst": round(max(played.edges_ms, default=0.0), 1),
        "told_after_ms_p95": round(percentile(played.late_ms, 0.95), 1),
        "lookup_ms_per_s": round(cost, 2),
        "lookup_hit_ms_per_s": round(1000 * played.cpu_s / played.seconds, 2),
        "memory_mb": round(library.memory_bytes / 1e6, 1),
    }
    show(figures)
    missed = [
        name
        for name, limit in LIMITS.items()
        if (figures[name] < limit if name == "recall" else figures[name] > limit)
    ]
    if missed or played.wrong:
        print(f"limits missed: {', '.join(missed) or 'wrong_sample'}", file=sys.stderr)
    return 1 if missed or played.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
