"""The sound of a recording as recognisers take it: each side apart, 8 kHz."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from recordings.transcription.ports import Sound

RATE_HZ = 8000


class BrokenSoundError(Exception):
    """The file holds no sound that can be read; the text says why."""


def sides(file: BinaryIO, kind: str) -> dict[str, Sound]:
    """Return what is to be transcribed of a recording of this kind, by channel. Raises `BrokenSoundError`.

    Of a check only the far side: what we say is our prompts. Of a report both sides, where it has two; its one
    channel, or the mean of more than two, counts as theirs.
    """
    try:
        with soundfile.SoundFile(file) as sound:
            rate_hz = sound.samplerate
            wave = sound.read(dtype="int16", always_2d=True)
    except (soundfile.LibsndfileError, ValueError, RuntimeError) as error:
        raise BrokenSoundError("it is no sound file that can be read") from error
    if wave.shape[1] == 2:
        found = {"us": wave[:, 0], "them": wave[:, 1]} if kind == "report" else {"them": wave[:, 1]}
    elif wave.shape[1] == 1:
        found = {"them": wave[:, 0]}
    else:
        found = {"them": wave.mean(axis=1).astype(np.int16)}
    return {name: _at_rate(side, rate_hz) for name, side in found.items()}


def _at_rate(side: Sound, rate_hz: int) -> Sound:
    if rate_hz == RATE_HZ:
        return np.ascontiguousarray(side)
    found: Sound = soxr.resample(side, rate_hz, RATE_HZ)
    return found


def cut(side: Sound, start_ms: float, end_ms: float) -> Sound:
    """Return a stretch of one side."""
    first, last = (max(round(at * RATE_HZ / 1000), 0) for at in (start_ms, end_ms))
    return side[first:last]
