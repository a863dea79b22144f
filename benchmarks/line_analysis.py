"""What the line analysis costs and how often it is right: `python -m benchmarks.line_analysis [--json]`.

Times are the best of several runs, milliseconds of process time on one core. Accuracy on real speech,
announcements and music needs the shared sounds: set DUTYRING_TEST_AUDIO to their folder, else that part is null.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from benchmarks.table import show_parts
from sip.progress import FeatureBank, LineListener
from tests.line_sounds import (
    BUSY,
    RINGBACK,
    cadence,
    chords,
    columns_of,
    listen,
    shared_sounds,
    silence,
    through,
    voice,
    white_noise,
)

SCHEMA = "dutyring.bench.line_analysis/1"


def _best_ms(work: Callable[[], object], repeat: int = 25) -> float:
    best = float("inf")
    for _ in range(repeat):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best * 1000.0


def features_per_tick(rows: int) -> float:
    """Return the cost of one tick's columns of `rows` calls."""
    bank, index = FeatureBank(rows), np.arange(rows)
    pcm = white_noise(rows * 0.02, -15.0).reshape(rows, 160)
    return _best_ms(lambda: bank.push(index, pcm))


def listener_per_block() -> dict[str, float]:
    """Return the mean cost of a block of 200 ms in a varied call, of `push` and of `heard` after each."""
    parts = (cadence(RINGBACK, 12.3)[0], silence(0.4), voice(12.0), chords(15.0), cadence(BUSY, 10.0)[0])
    columns = columns_of(through("alaw", np.concatenate((*parts, white_noise(8.0, -40.0)))))
    blocks = [columns[at : at + 10] for at in range(0, len(columns) - 9, 10)]
    present = np.ones(10, np.bool_)

    def run(ask: bool) -> None:
        listener = LineListener()
        for number, block in enumerate(blocks):
            listener.push(number * 200.0, block, present)
            if ask:
                listener.heard()

    push_ms = _best_ms(lambda: run(False), 7) / len(blocks)
    both_ms = _best_ms(lambda: run(True), 7) / len(blocks)
    return {"push_ms": push_ms, "push_and_heard_ms": both_ms}


def formula_accuracy(lines: int = 40) -> dict[str, float]:
    """Return edge errors and miscounts over random ringback within tolerance, A-law, 20 dB SNR."""
    rng = np.random.default_rng(7)
    errors: list[float] = []
    miscounted = 0
    for seed in range(lines):
        on, off, lead = rng.uniform(0.8, 1.2), rng.uniform(3.2, 4.8), rng.uniform(0.1, 1.0)
        dbm0 = rng.uniform(-38.0, -5.0)
        sound, bursts = cadence((on, off), lead + 3 * (on + off) - 0.01, rng.uniform(425, 475), dbm0, lead)
        heard = listen(
            through("alaw", sound + white_noise(len(sound) / 8000, dbm0 - 20.0, seed)[: len(sound)])
        )
        if len(heard.bursts) != len(bursts):
            miscounted += 1
            continue
        for burst, (start_ms, end_ms) in zip(heard.bursts, bursts, strict=True):
            errors += [abs(burst.start_ms - start_ms), abs(burst.end_ms - end_ms)]
    return {
        "lines": lines,
        "miscounted": miscounted,
        "edge_error_p50_ms": float(np.percentile(errors, 50)),
        "edge_error_max_ms": float(max(errors)),
    }


def _as_called(path: Path, dbm0: float) -> np.ndarray:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = sound.mean(axis=1)
    if rate != 8_000:
        mono = soxr.resample(mono, rate, 8_000)
    level = 10.0 ** ((dbm0 - 3.14) / 20.0) / np.sqrt(2.0)
    return through("alaw", np.clip(mono * level / np.sqrt(np.mean(mono**2)), -1.0, 1.0))


def _excerpts(sound: np.ndarray, seconds: float) -> list[np.ndarray]:
    size = round(seconds * 8_000)
    return [sound[at : at + size] for at in range(0, max(len(sound) - size, 0) + 1, size)]


def shared_accuracy() -> dict[str, Any] | None:
    """Return the share of sounding time with the right name, by folder, level and excerpt; and false rings."""
    if not shared_sounds("music"):
        return None
    found: dict[str, Any] = {}
    cases = [("speech-zh", "speech", None), ("announcements", "speech", None)]
    cases += [("music", "music", seconds) for seconds in (5.0, 15.0, 60.0)]  # type: ignore[list-item]
    for folder, expected, seconds in cases:
        for dbm0 in (-12.0, -18.0, -26.0):
            name = f"{folder}{f' {seconds:g} s' if seconds else ''} at {dbm0:g} dBm0"
            found[name] = _share_right(folder, expected, seconds, dbm0)
    return found


def _share_right(folder: str, expected: str, seconds: float | None, dbm0: float) -> dict[str, float]:
    right = total = 0.0
    rings = mislabelled = clips = 0
    for path in shared_sounds(folder):
        sound = _as_called(path, dbm0)
        for clip in _excerpts(sound, seconds) if seconds else [sound]:
            heard = listen(clip)
            rings += len(heard.bursts)
            lengths = [(s.kind, s.end_ms - s.start_ms) for s in heard.segments if s.kind != "silence"]
            good = sum(length for kind, length in lengths if kind == expected)
            whole = sum(length for _, length in lengths)
            right, total, clips = right + good, total + whole, clips + 1
            mislabelled += good < 0.5 * whole
    return {"clips": clips, "mislabelled": mislabelled, "time_right": right / max(total, 1.0), "rings": rings}


def measure() -> dict[str, Any]:
    """Return every figure."""
    return {
        "schema": SCHEMA,
        "features_ms_per_tick": {str(rows): features_per_tick(rows) for rows in (1, 100, 1_000)},
        "listener_ms_per_200_ms": listener_per_block(),
        "formula": formula_accuracy(),
        "shared": shared_accuracy(),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    figures = measure()
    show_parts(figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
