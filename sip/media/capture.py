"""The raw sound of a call on disk, as the writer leaves it.

A capture is a header and blocks, only ever appended. Each block stands for itself and carries a checksum, so
a file that was cut off anywhere, or damaged in the middle, still yields every whole block:

```
header  8s "DUTYRING"  u16 version  u16 0  f64 wall time of time 0 (seconds, 0 = unknown)  u32 CRC-32 of all
before block   4s "blk:"  u8 kind  u8 codec  u16 0  i64 position  u32 length  u32 CRC-32 of (kind .. length,
payload)  payload
```

All numbers are little-endian; a position counts 8 kHz samples since the call's time 0. Kinds: 1 heard and 2
sent sound (payload: one G.711 code per sample), 3 the call was still going on at `position`, 4 it ended
there, 5 the far end sent nothing from there on (payload: u32, for how many samples). Between heard sound,
where there is neither sound nor such a pause, something was lost.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np
import numpy.typing as npt

from sip.media.capture_header import CRC, HEADER, MAGIC, VERSION
from sip.media.errors import CaptureError
from sip.media.g711 import CODECS, decode
from sip.media.model import SAMPLE_RATE_HZ, Codec

BlockKind = Literal["heard", "sent", "alive", "ended", "paused"]
_KINDS: Final[tuple[BlockKind, ...]] = ("heard", "sent", "alive", "ended", "paused")
_SYNC: Final = b"blk:"
_BLOCK: Final = struct.Struct("<BBHqI")
_OVERHEAD: Final = len(_SYNC) + _BLOCK.size + CRC.size
_KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS, 1)}
_CODEC_NUMBERS: Final = {codec: number for number, codec in enumerate(CODECS)}
_SAMPLES: Final = struct.Struct("<I")
_LEAST_MISSING: Final = SAMPLE_RATE_HZ // 100
"""A shorter hole is no lost packet."""
_LONGEST: Final = 1 << 20
"""No block holds more codes than this; a larger length is damage."""
_LONGEST_CALL: Final = 24 * 3600 * SAMPLE_RATE_HZ
"""A position beyond a day is damage."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a capture."""

    kind: BlockKind
    position: int
    codec: Codec = "PCMA"
    codes: bytes = b""

    @classmethod
    def pause(cls, start: int, end: int) -> Block:
        """Say that nothing was sent to us between two positions."""
        return cls("paused", start, codes=_SAMPLES.pack(min(end - start, _LONGEST_CALL)))

    @property
    def end(self) -> int:
        """The position after its last sample."""
        if self.kind == "paused":
            return self.position + int(_SAMPLES.unpack(self.codes)[0])
        return self.position + len(self.codes)

    def pack(self) -> bytes:
        """Return the block as it stands in the file."""
        head = _BLOCK.pack(
            _KIND_NUMBERS[self.kind], _CODEC_NUMBERS[self.codec], 0, self.position, len(self.codes)
        )
        return b"".join((_SYNC, head, CRC.pack(zlib.crc32(self.codes, zlib.crc32(head))), self.codes))


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """Both sides of a call from its time 0, silence where there was none."""

    left: npt.NDArray[np.int16]
    """Us as sent, 8 kHz."""
    right: npt.NDArray[np.int16]
    """Them as heard, 8 kHz, as long as `left`."""
    wall_time_s: float | None
    """Unix time of time 0."""
    ended: bool
    """Whether the call was closed; False after a crash."""
    notes: tuple[str, ...] = field(default=())
    """What is damaged."""
    missing: tuple[tuple[int, int], ...] = field(default=())
    """Where nothing came between heard sounds though something was sent, as far as is known: (start, end) in samples,
    in order. There `right` is silent."""
    written: tuple[int, int] = field(default=(0, 0))
    """Until which sample what we sent, and what was heard, is known to have been written: a disk that fills up may take
    the one and not the other. Both are the whole length where the call was closed."""

    @property
    def duration_ms(self) -> float:
        """How long the call is known to have lasted."""
        return len(self.left) * 1000 / SAMPLE_RATE_HZ


class CaptureReader:
    """Walks through the blocks of an open capture; `notes` says afterwards what had to be skipped."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self.notes: list[str] = []
        self.wall_time_s = self._read_header()

    def _read_header(self) -> float | None:
        data = self._file.read(HEADER.size + CRC.size)
        if data[: len(MAGIC)] != MAGIC[: len(data)]:
            raise CaptureError(self._path, "is not a DutyRing capture")
        if len(data) < HEADER.size + CRC.size:
            self.notes.append("cut off within its header")
            return None
        _, version, _, wall_time_s = HEADER.unpack_from(data)
        if version != VERSION:
            raise CaptureError(self._path, f"is of version {version}, this program reads version {VERSION}")
        if zlib.crc32(data[: HEADER.size]) != CRC.unpack_from(data, HEADER.size)[0]:
            self.notes.append("damaged header")
            return None
        return wall_time_s or None

    def blocks(self) -> Iterator[Block]:
        """Yield every whole block, in the order of the file."""
        while lead := self._file.read(_OVERHEAD):
            start = self._file.tell() - len(lead)
            block = self._block(lead)
            if block is not None:
                yield block
            elif not self._resume(start + 1):
                self.notes.append(f"ends in the middle of a block at byte {start}")
                return
            else:
                self.notes.append(f"damaged at byte {start}")

    def _block(self, lead: bytes) -> Block | None:
        if len(lead) < _OVERHEAD or not lead.startswith(_SYNC):
            return None
        head = lead[len(_SYNC) : -CRC.size]
        kind, codec, _, position, length = _BLOCK.unpack(head)
        if length > _LONGEST:
            return None
        codes = self._file.read(length)
        if len(codes) < length or zlib.crc32(codes, zlib.crc32(head)) != CRC.unpack(lead[-CRC.size :])[0]:
            return None
        if not (1 <= kind <= len(_KINDS) and codec < len(CODECS) and 0 <= position < _LONGEST_CALL):
            return None
        if _KINDS[kind - 1] == "paused" and length != _SAMPLES.size:
            return None
        return Block(_KINDS[kind - 1], position, CODECS[codec], codes)

    def _resume(self, start: int) -> bool:
        """Move to the next place that looks like a block, from byte `start` on."""
        self._file.seek(start)
        keep = len(_SYNC) - 1
        tail = b""
        while data := self._file.read(1 << 16):
            found = (tail + data).find(_SYNC)
            if found >= 0:
                self._file.seek(start - len(tail) + found)
                return True
            start += len(data)
            tail = (tail + data)[-keep:]
        return False


def read_capture(path: Path) -> Capture:
    """Return a capture's sound as far as it is whole; `CaptureError` when there is none."""
    try:
        with path.open("rb") as file:
            reader = CaptureReader(file, path)
            blocks = list(reader.blocks())
    except OSError as error:
        raise CaptureError(path, error.strerror or str(error)) from error
    pauses = [block for block in blocks if block.kind == "paused"]
    blocks = [block for block in blocks if block.kind != "paused"]
    length = max((block.end for block in blocks), default=0)
    ends = [block.position for block in blocks if block.kind == "ended"]
    sides = {"sent": np.zeros(length, np.int16), "heard": np.zeros(length, np.int16)}
    for block in blocks:
        if block.codes:
            sides[block.kind][block.position : block.end] = decode(block.codes, block.codec)
    length = ends[-1] if ends else length
    written = (length, length) if ends else (_written(blocks, "sent"), _written(blocks, "heard"))
    missing = _missing(
        [block for block in blocks if block.kind == "heard" and block.position < length], pauses
    )
    return Capture(
        sides["sent"][:length],
        sides["heard"][:length],
        reader.wall_time_s,
        bool(ends),
        tuple(reader.notes),
        missing,
        written,
    )


def _written(blocks: list[Block], kind: str) -> int:
    """Return until where one side is written: to its last sound, or to where a later block says that the call stood."""
    return max((block.end for block in blocks if block.kind in (kind, "alive")), default=0)


def _missing(heard: list[Block], pauses: list[Block]) -> tuple[tuple[int, int], ...]:
    """Return the stretches between the first and the last heard block in which nothing was heard and no pause is."""
    if not heard:
        return ()
    first, last = min(block.position for block in heard), max(block.position for block in heard)
    found, known_to = [], first
    for block in sorted([*heard, *pauses], key=lambda block: block.position):
        if block.position - known_to >= _LEAST_MISSING and known_to < last:
            found.append((known_to, min(block.position, last)))
        known_to = max(known_to, block.end)
    return tuple(found)
