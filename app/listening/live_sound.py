"""The sound of a call under way, read from its growing capture: both sides, as far as they are written down.

The media process appends the sound of a call to its capture twice a second, and ten times a second while somebody
listens (`app.checks.live_board.want_to_hear`); it holds back 0.3 s for packets that come late. So a listener is some
half a second behind the line. The capture is only read: whoever listens cannot harm the recording.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from sip.media.capture import Block, CaptureReader
from sip.media.g711 import decode
from sip.media.model import COLUMN_SAMPLES

RATE_HZ = 8000
BEFORE_SAMPLES = RATE_HZ // 10
"""So much of what was before is given at the beginning."""
HEADER = struct.Struct("<dII")
"""Before each piece of sound: the Unix seconds of the call's time 0, the position of its first sample since then, and
how many samples there are."""
_SIDES = {"sent": 0, "heard": 1}

Stereo = npt.NDArray[np.int16]


class LiveSound:
    """Reads one capture from its present end on. Use it as a context manager, from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._offset = 0
        self._until = 0
        """Position up to which both sides are known."""
        self._given: int | None = None
        """Position up to which sound was given away."""
        self._pieces: list[Block] = []
        self.began_at: float | None = None
        """Unix seconds of the call's time 0, once the capture has begun."""
        self.ended = False
        """Whether the capture was closed: nothing more comes."""

    def __enter__(self) -> LiveSound:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> tuple[int, Stereo]:
        """Return the position (8 kHz samples) and the sound [n, 2], us and them, that has come since the last time.

        Nothing as long as there is no capture. Raises OSError for one that cannot be read, and
        `sip.media.CaptureError` for what is none.
        """
        if not self._open():
            return 0, np.zeros((0, 2), np.int16)
        for block in self._blocks():
            if block.kind in _SIDES:
                self._pieces.append(block)
            elif block.kind == "alive":
                # What was heard is written down in whole columns.
                self._until = max(self._until, block.position // COLUMN_SAMPLES * COLUMN_SAMPLES)
            elif block.kind == "ended":
                self._until, self.ended = max(self._until, block.position), True
        return self._take()

    def _open(self) -> bool:
        if self._file is None:
            with contextlib.suppress(FileNotFoundError):
                self._file = self._path.open("rb")
        if self._file is None:
            return False
        if self._file.seek(0, 2) < self._offset:
            # Another destination is tried: its sound begins anew, with a time of its own.
            self._offset, self._until, self._given, self._pieces = 0, 0, None, []
            self.began_at = None
        return True

    def _blocks(self) -> Iterator[Block]:
        assert self._file is not None
        self._file.seek(0)
        reader = CaptureReader(self._file, self._path)
        if reader.notes:
            # Its header is still being written.
            return
        self.began_at = reader.wall_time_s
        self._offset = self._offset or self._file.tell()
        self._file.seek(self._offset)
        for block in reader.blocks():
            # What is cut off in the middle is read whole at the next look.
            self._offset = self._file.tell()
            yield block

    def _take(self) -> tuple[int, Stereo]:
        if self._given is None:
            self._given = max(0, self._until - BEFORE_SAMPLES)
        start, end = self._given, max(self._given, self._until)
        sound = np.zeros((end - start, 2), np.int16)
        left: list[Block] = []
        for block in self._pieces:
            first, after = max(block.position, start), min(block.end, end)
            if after > first:
                codes = block.codes[first - block.position : after - block.position]
                sound[first - start : after - start, _SIDES[block.kind]] = decode(codes, block.codec)
            if block.end > end:
                left.append(block)
        self._pieces, self._given = left, end
        return start, sound


def pack(began_at: float, position: int, sound: Stereo) -> bytes:
    """Return a piece of sound as it goes to a listener: header, then little-endian samples, us and them in turn."""
    return HEADER.pack(began_at, position, len(sound)) + sound.astype("<i2").tobytes()
