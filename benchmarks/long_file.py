"""What a recording of two hours costs `dutyring analyze --plot`: `python -m benchmarks.long_file [--json]`.

A busy day of a line, made by formula, is written again and again into one file; the file is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sip.progress import Spectrogram, analyse_file
from tests.line_sounds import BUSY, RATE_HZ, RINGBACK, cadence, chords, silence, voice, white_noise

SCHEMA = "dutyring.bench.long_file/1"
HOURS = 2.0


def write(path: Path, hours: float) -> None:
    """Write hours of ringing, speech, music, busy tone, noise and silence, as 16-bit FLAC."""
    parts = (
        cadence(RINGBACK, 22.0)[0],
        voice(60.0),
        silence(5.0),
        cadence(BUSY, 12.0)[0],
        chords(30.0),
        white_noise(20.0, -40.0),
        silence(151.0),
    )
    pattern = np.concatenate([part.astype(np.float32) for part in parts])
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as sound:
        for _ in range(round(hours * 3600.0 * RATE_HZ / len(pattern))):
            sound.write(pattern)


def measure(hours: float) -> dict[str, Any]:
    """Analyse such a file with a spectrogram; times in seconds, memory in MB above that of the empty process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.flac")
        # In a process of its own: what it takes is not to be counted.
        maker = multiprocessing.get_context("spawn").Process(target=write, args=(path, hours))
        maker.start()
        maker.join()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun, begun_cpu = time.perf_counter(), time.process_time()
        spectrogram = Spectrogram()
        result = analyse_file(path, spectrogram=spectrogram)
        wall_s, cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "schema": SCHEMA,
        "hours": hours,
        "wall_s": round(wall_s, 2),
        "cpu_s": round(cpu_s, 2),
        "memory_mb": round((after - before) / 1024.0, 1),
        "segments": len(result["segments"]),
        "rings": result["rings"]["count"],
        "level_steps": len(result["level"]["dbm0"]),
        "spectrogram_columns": spectrogram.levels().shape[1],
        "errors": result["errors"],
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.hours)
    print(
        json.dumps(found)
        if arguments.json
        else "\n".join(f"{name}: {value}" for name, value in found.items())
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
