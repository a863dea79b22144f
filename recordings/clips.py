"""Clips: a stretch of a recording, exact to the sample, as a sound file of its own."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt
import soundfile

from recordings.decoding import decoding
from recordings.errors import RecordingError

Channel = Literal["both", "us", "them"]
SoundKind = Literal["wav", "flac"]
MOST_S: Final = 1800
"""A clip is held in memory; what is longer is no clip."""
_COLUMN: Final = {"us": 0, "them": 1}


class ClipError(ValueError):
    """There is no such stretch; `where` names the bound that is wrong."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of sound."""

    samples: npt.NDArray[np.int16]
    """[samples, channels]."""
    sample_rate: int
    first: int
    """Its first sample's number in the recording."""

    @property
    def start_ms(self) -> float:
        """Where it begins in the recording."""
        return self.first * 1000 / self.sample_rate

    @property
    def end_ms(self) -> float:
        """Where it ends in the recording."""
        return (self.first + len(self.samples)) * 1000 / self.sample_rate

    def encode(self, kind: SoundKind) -> bytes:
        """Return the clip as a file, 16 bit, the samples as they are in the recording."""
        file = io.BytesIO()
        soundfile.write(file, self.samples, self.sample_rate, format=kind.upper(), subtype="PCM_16")
        return file.getvalue()


def cut(
    sound: BinaryIO, from_ms: float, to_ms: float, lead_in_ms: float = 0.0, channel: Channel = "both"
) -> Clip:
    """Cut [from_ms - lead_in_ms, to_ms) out of a recording; what lies outside of it is left out.

    Decodes little more than the stretch. Raises `ClipError` where nothing is left, `RecordingError` for no sound file.
    """
    if to_ms <= from_ms:
        raise ClipError("to_ms", f"must lie behind from_ms, which is {from_ms:g}")
    with decoding(sound) as file:
        rate, frames = int(file.samplerate), int(file.frames)
        first = max(0, round((from_ms - lead_in_ms) * rate / 1000))
        last = min(frames, round(to_ms * rate / 1000))
        if round(from_ms * rate / 1000) >= frames:
            raise ClipError("from_ms", f"lies behind the end of the recording, {frames * 1000 / rate:.3f} ms")
        if last - first > MOST_S * rate:
            raise ClipError(
                "to_ms", f"leaves more than {MOST_S} s, the most of a clip; take the whole recording"
            )
        if last <= first:
            raise ClipError("to_ms", "leaves not one sample")
        column = None if channel == "both" else _COLUMN[channel]
        if column is not None and column >= file.channels:
            raise ClipError("channel", "the recording has one channel; take both")
        file.seek(first)
        samples = file.read(last - first, dtype="int16", always_2d=True)
    if len(samples) != last - first:
        raise RecordingError("recording", "cannot be decoded to its end")
    return Clip(samples if column is None else samples[:, column : column + 1], rate, first)
