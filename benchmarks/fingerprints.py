"""Whether marked recordings are known again, what else is taken for one, and what it costs.

    python -m benchmarks.fingerprints [--hours 10] [--samples 1000] [--seed 1] [--cache FOLDER]

The library is cut from sounds of the train part and the other sound from those of the test part of the folder that
DUTYRING_LINE_SOURCES names (`index.json`: path, kind, split, seconds). Without it, library and other sound are the
simulator's clips, formulas, and both at other speeds: enough to see that it works. Prints what each miss and each
false match was, then the figures; exits 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.fingerprint_sounds import (
    RATE_HZ,
    SAME,
    Degraded,
    Floats,
    correlation,
    degraded,
    material,
    other_lines,
)
from benchmarks.table import percentile, show
from sip.progress import fingerprint as fp
from sip.progress.features import COLUMN_MS
from sip.progress.marking import Marked, MarkError, mark
from sip.progress.sample_matcher import SampleMatcher
from sip.progress.samples import Sample, SampleHeard, SampleLibrary
from sip.progress.stretches import worst_window

SCHEMA = "dutyring.bench.fingerprints/1"
LIMITS = {"recall": 0.99, "false_matches": 0, "lookup_ms_per_s": 5.0, "edge_ms_p95": 60.0}
BLOCK = 10
"""Columns that the media engine delivers at a time."""


def fill(count: int, seed: int) -> tuple[SampleLibrary, list[Floats]]:
    """Return a library of so many samples, and the sound of each. Their labels say where they are from."""
    rng = np.random.default_rng(seed)
    samples: list[Sample] = []
    waves: list[Floats] = []
    for piece in material("train", seed):
        if len(samples) == count:
            break
        length = int(RATE_HZ * rng.uniform(2.0, 9.0))
        begin = int(rng.integers(max(len(piece.wave) - length, 0) + 1))
        part = piece.wave[begin : begin + length]
        try:
            marked: Marked = mark(part)
        except MarkError:
            continue
        label = f"{piece} from {begin / RATE_HZ + marked.start_ms / 1000:.2f} s"
        samples.append(Sample(len(samples), "other", label, marked.phases, marked.length_ms))
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
    library: SampleLibrary, columns: Floats, came: npt.NDArray[np.bool_], tally: Tally
) -> list[SampleHeard]:
    """Hear a line as a call does; only the matching is timed, for the columns come from the engine anyway."""
    matcher = SampleMatcher(library)
    heard: list[SampleHeard] = []
    begun = time.process_time()
    for at in range(0, len(columns), BLOCK):
        new = matcher.push(at * COLUMN_MS, columns[at : at + BLOCK], came[at : at + BLOCK])
        tally.late_ms += [(at + BLOCK) * COLUMN_MS - item.end_ms for item in new]
        heard += new
    heard += matcher.finish()
    tally.cpu_s += time.process_time() - begun
    tally.seconds += len(columns) * COLUMN_MS / 1000
    return heard


def recall(library: SampleLibrary, waves: list[Floats], seed: int) -> Tally:
    """Play each sample through a line of its own."""
    tally, rng = Tally(), np.random.default_rng(seed)
    for sample, wave in zip(library.samples, waves, strict=True):
        line = degraded(wave, rng)
        heard = listen(library, line.columns, line.came, tally)

        def is_played(
            item: SampleHeard, sample: Sample = sample, wave: Floats = wave, line: Degraded = line
        ) -> bool:
            # Packages of prompts hold some recordings twice.
            begin = round((item.start_ms - line.start_ms) * 8)
            return item.sample.id == sample.id or correlation(waves[item.sample.id], wave, begin) >= SAME

        right = [item for item in heard if is_played(item)]
        wrong = [item for item in heard if item not in right]
        tally.found += bool(right)
        tally.missed += not right
        tally.wrong += len(wrong)
        for item in right[:1]:
            end_ms = line.start_ms + len(wave) / 8
            tally.edges_ms += [abs(item.start_ms - line.start_ms), abs(item.end_ms - end_ms)]
        if not right:
            fit = _compared(sample, line.columns, line.came, line.start_ms)
            print(f"missed: {_told(sample)}; through {line.told}; where it is {fit}")
        for item in wrong:
            fit = _compared(item.sample, line.columns, line.came, item.start_ms)
            print(f"wrong sample: {_told(item.sample)}; played was {_told(sample)}; {fit}")
    return tally


def others(
    library: SampleLibrary, waves: list[Floats], hours: float, seed: int, cache: Path | None
) -> tuple[Tally, int]:
    """Listen to so many hours of other sound; return what was heard, and how often it was the recording itself.

    Packages of sounds hold some recordings twice, in both parts. Whether a match is one of those is not asked of the
    prints but of the waveforms.
    """
    tally, same = Tally(), 0
    for line in other_lines(hours, seed, cache):
        came = np.ones(len(line.columns), np.bool_)
        for item in listen(library, line.columns, came, tally):
            sound = line.sound()
            begin = round(item.start_ms * 8)
            like = 0.0 if sound is None else correlation(waves[item.sample.id], sound, begin)
            same += like >= SAME
            tally.wrong += like < SAME
            print(
                f"{'same recording' if like >= SAME else 'false match'}: {_told(item.sample)}; in {line} at "
                f"{item.start_ms / 1000:.2f} s; {_compared(item.sample, line.columns, came, item.start_ms)}; "
                f"waveforms correlate {like:.2f}"
            )
    return tally, same


def _told(sample: Sample) -> str:
    bits = int(np.bitwise_count(sample.phases[0].strong).sum())
    return (
        f"sample {sample.id} ({sample.meaning}): {sample.label}, {sample.length_ms / 1000:.2f} s, {bits} bits"
    )


def _compared(sample: Sample, columns: Floats, came: npt.NDArray[np.bool_], start_ms: float) -> str:
    """Say how a sample agrees with a line where it begins at `start_ms`, or beside that."""
    prints = fp.prints_of(columns, came)
    known = np.where(prints.known, np.uint16(0xFFFF), np.uint16(0))
    fits: list[tuple[float, float, int]] = []
    for phase in sample.phases:
        for first in range(max(round(start_ms / COLUMN_MS) - 2, 0), round(start_ms / COLUMN_MS) + 3):
            count = min(len(phase.bits), len(prints) - first)
            mine = slice(first, first + count)
            weight = phase.strong[:count] & known[mine]
            wrong = np.bitwise_count((phase.bits[:count] ^ prints.bits[mine]) & weight)
            compared = np.bitwise_count(weight)
            total = int(compared.sum())
            fits.append((int(wrong.sum()) / max(total, 1), worst_window(wrong, compared), total))
    rate, worst, total = min(fits)
    return f"{rate:.3f} of {total} bits differ, {worst:.3f} in the worst window"


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0, help="of other sound [10]")
    parser.add_argument("--samples", type=int, default=1_000, help="in the library [1000]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder that keeps the columns of the other sound")
    options = parser.parse_args()
    library, waves = fill(options.samples, options.seed)
    played = recall(library, waves, options.seed + 10)
    strange, same = others(library, waves, options.hours, options.seed + 20, options.cache)
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
        "same_recordings": same,
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
