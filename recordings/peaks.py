"""Peaks of a recording, for its picture: the least and the greatest sample of each short stretch, as 8-bit values.

They are measured once, 200 a second, in blocks, so that an hour of sound is never in memory; coarser ones follow from
them exactly, because the least of the least is the least.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import soundfile

from recordings.decoding import decoding

MOST_PER_SECOND: Final = 200
RATES: Final = tuple(rate for rate in range(1, MOST_PER_SECOND + 1) if MOST_PER_SECOND % rate == 0)
"""How many stretches of a second may be asked for."""
STEREO: Final = ("us", "them")
MONO: Final = ("them",)
"""A report of one channel holds the far side alone."""
_BLOCK_S: Final = 30
_MAGIC: Final = b"dutyring.peaks/1\n"
_HEAD: Final = struct.Struct("<QIB")

Columns = npt.NDArray[np.int8]
"""[channels, stretches, 2]: least and greatest sample, of 128."""


class PeaksError(ValueError):
    """Stored peaks cannot be read; they are measured again."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """The peaks of a recording at one rate."""

    frames: int
    """Samples of each channel."""
    sample_rate: int
    per_second: int
    columns: Columns

    @property
    def duration_ms(self) -> float:
        """Length of the recording."""
        return self.frames * 1000 / self.sample_rate

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels: left is us, right is them."""
        return MONO if len(self.columns) == 1 else STEREO

    def coarser(self, per_second: int) -> Peaks:
        """Return the peaks at another rate of `RATES`. Raises ValueError for one that is none."""
        if per_second not in RATES:
            raise ValueError(f"{per_second} is none of {', '.join(map(str, RATES))}")
        step = self.per_second // per_second
        starts = np.arange(0, self.columns.shape[1], step)
        least = np.minimum.reduceat(self.columns[:, :, 0], starts, axis=1)
        most = np.maximum.reduceat(self.columns[:, :, 1], starts, axis=1)
        return Peaks(self.frames, self.sample_rate, per_second, np.stack([least, most], axis=2))

    def to_json(self) -> dict[str, object]:
        """Return what the API gives: for each channel least, greatest, least, greatest, ..."""
        return {
            "duration_ms": round(self.duration_ms, 3),
            "per_second": self.per_second,
            "channels": dict(
                zip(self.names, self.columns.reshape(len(self.columns), -1).tolist(), strict=True)
            ),
        }

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads; only of peaks as they were measured."""
        head = _HEAD.pack(self.frames, self.sample_rate, len(self.columns))
        return _MAGIC + head + self.columns.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Peaks:
        """Read stored peaks. Raises `PeaksError`."""
        body = len(_MAGIC) + _HEAD.size
        if not data.startswith(_MAGIC) or len(data) < body:
            raise PeaksError("these are no peaks")
        frames, rate, channels = _HEAD.unpack_from(data, len(_MAGIC))
        if not rate or channels not in (1, 2):
            raise PeaksError("these are the peaks of no recording")
        stretches = _stretches(frames, rate)
        if len(data) != body + channels * stretches * 2:
            raise PeaksError("these peaks are not whole")
        columns = np.frombuffer(data, np.int8, offset=body).reshape(channels, stretches, 2)
        return cls(frames, rate, MOST_PER_SECOND, columns)


def measure(sound: BinaryIO) -> Peaks:
    """Measure the peaks of a sound file, block by block. Raises `RecordingError` for what is none."""
    with decoding(sound) as file:
        rate = int(file.samplerate)
        channels = min(2, int(file.channels))
        blocks = [_columns(block[:, :channels], rate) for block in _blocks(file, rate)]
        frames = int(file.frames)
    columns = np.concatenate(blocks, axis=1) if blocks else np.zeros((channels, 0, 2), np.int8)
    return Peaks(frames, rate, MOST_PER_SECOND, columns)


def _blocks(file: soundfile.SoundFile, rate: int) -> Iterator[npt.NDArray[np.int16]]:
    yield from file.blocks(blocksize=rate * _BLOCK_S, dtype="int16", always_2d=True)


def _stretches(frames: int, rate: int) -> int:
    """How many stretches begin at a sample that is there."""
    return (frames - 1) * MOST_PER_SECOND // rate + 1 if frames else 0


def _columns(block: npt.NDArray[np.int16], rate: int) -> Columns:
    """Return [channels, stretches, 2] of a block that begins at a whole second."""
    count = _stretches(len(block), rate)
    # Stretch k begins at the first sample that is not before k / 200 s.
    starts = -(-np.arange(count, dtype=np.int64) * rate // MOST_PER_SECOND)
    least = np.minimum.reduceat(block, starts, axis=0)
    most = np.maximum.reduceat(block, starts, axis=0)
    columns = np.stack([least, most], axis=2).astype(np.float32) / 256.0
    whole: Columns = np.clip(np.rint(columns), -128, 127).astype(np.int8)
    return whole.transpose(1, 0, 2)
