"""What is heard, on the calls' own time lines.

All calls share one matrix of G.711 codes: a row is a call, and a row is a ring of 20 ms columns. A position
is a sample count since the call's time 0. Packets are written at their positions; each tick reads one column
of every call with one gather; once a second a call's ring is emptied up to a moment that no packet can reach
any more, which yields the sound for the capture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sip.media.g711 import DECODE_FLOAT, SILENCE, TRANSLATE
from sip.media.model import COLUMN_SAMPLES, Codec

RING_COLUMNS: Final = 256
RING_SAMPLES: Final = RING_COLUMNS * COLUMN_SAMPLES
QUARTERS: Final = 4
"""Of a column: in steps of 5 ms it is told what came."""
_MISSING_SAMPLES: Final = 4
"""A quarter may lack so many of its 40 samples: packets that are made longer or shorter leave as little out."""
_SILENT: Final = np.float32(9 / 32_768)
"""Nothing received reads as no more than this, whichever the law."""

PACKET_SAMPLES: Final = (80, 160, 240, 320)
"""Packets of 10 to 40 ms, which are written many at once."""

Rows = npt.NDArray[np.intp]
Positions = npt.NDArray[np.int64]


class HeardMatrix:
    """The rings of all calls."""

    def __init__(self, capacity: int) -> None:
        self.codes = np.zeros((capacity, RING_COLUMNS, COLUMN_SAMPLES), np.uint8)
        """Silence in the rows of calls (see `TimeLine`); memory that no call has used yet is not taken."""
        self.filled = np.zeros((capacity, RING_COLUMNS), np.int32)
        """Samples received per column; may count a sample twice, never forgets one."""
        self.comfort = np.zeros(capacity, np.bool_)
        """Rows whose far side announced silence (RFC 3389)."""
        self.law = np.zeros(capacity, np.uint16)
        """0 for A-law, 256 for µ-law: the offset into `DECODE_FLOAT`."""
        self.floor = np.zeros(capacity, np.int64)
        """Positions before which everything has been taken out."""
        self._strips = {size: _strips(self.codes, size) for size in PACKET_SAMPLES}

    def column(self, rows: Rows, columns: Rows) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return ([n, 160] sound in units of full scale, [n, QUARTERS] which quarters were received).

        Of a column that came in part, the most silent quarters are those that did not come.
        """
        ring = columns % RING_COLUMNS
        # Any index fits, and "clip" spares the check of each.
        pcm = DECODE_FLOAT.take(self.codes[rows, ring] + self.law[rows, None], mode="clip")
        filled, comfort = self.filled[rows, ring], self.comfort[rows]
        came = np.repeat(((filled > 0) | comfort)[:, None], QUARTERS, axis=1)
        parts = ((filled > 0) & (filled < COLUMN_SAMPLES) & ~comfort).nonzero()[0]
        if len(parts):
            came[parts] = ~_lost_quarters(pcm[parts], COLUMN_SAMPLES - filled[parts])
        return pcm, came

    def write(self, rows: Rows, starts: Positions, payloads: npt.NDArray[np.void], size: int) -> None:
        """Put one packet of `size` samples, one of `PACKET_SAMPLES`, into each of some different rows.

        `starts` count from the beginning of the ring; none of them may reach over its end.
        """
        self._strips[size][rows * RING_SAMPLES + starts] = payloads
        column, offset = np.divmod(starts, COLUMN_SAMPLES)
        rest = np.full(len(rows), size, np.int64)
        while True:
            part = np.minimum(COLUMN_SAMPLES - offset, rest)
            self.filled[rows, column] += part.astype(np.int32)
            rest = rest - part
            more = rest.nonzero()[0]
            if not len(more):
                return
            rows, column, rest = rows[more], column[more] + 1, rest[more]
            offset = np.zeros(len(more), np.int64)


def _lost_quarters(pcm: npt.NDArray[np.float32], missing: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Return [n, QUARTERS] of columns [n, 160] of which so many samples are missing.

    No more of them are lost than samples are missing: a pause within the sound is silent too.
    """
    silent = (np.abs(pcm).reshape(len(pcm), QUARTERS, -1) <= _SILENT).sum(axis=2)
    order = (-silent).argsort(axis=1, kind="stable").argsort(axis=1)
    size = COLUMN_SAMPLES // QUARTERS
    most = (missing + size - _MISSING_SAMPLES - 1) // size
    lost: npt.NDArray[np.bool_] = (silent > _MISSING_SAMPLES) & (order < most[:, None])
    return lost


def _strips(codes: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.void]:
    """Return a view in which each element is the `size` codes that begin at one sample of `codes`.

    Assigning to it copies packets whole, wherever they begin; an index per sample would cost far more.
    """
    count = max(0, codes.size - size + 1)
    return np.ndarray((count,), np.dtype((np.void, size)), codes.data, 0, (1,))


class Taken(NamedTuple):
    """What was taken out of a ring."""

    position: int
    codes: bytes
    holes: list[tuple[int, int]]
    """Positions (start, end) between which nothing came."""

    def spans(self) -> Iterator[tuple[int, bytes]]:
        """Yield (position, codes) of what came without a hole."""
        first, end = self.position, self.position + len(self.codes)
        for start, stop in [*self.holes, (end, end)]:
            if start > first:
                yield first, self.codes[first - self.position : start - self.position]
            first = stop


class TimeLine:
    """One call's row of the matrix."""

    def __init__(self, matrix: HeardMatrix, row: int) -> None:
        self._matrix = matrix
        self._row = row
        self._codes = matrix.codes[row].reshape(-1)
        self._view = memoryview(self._codes)
        self._filled = memoryview(matrix.filled[row])
        self._floor = matrix.floor.data
        self.codec: Codec = "PCMA"
        self.pauses: list[tuple[int, int]] = []
        """Positions (start, end) between which nothing was sent, until somebody takes them."""
        self._in_hole = True
        """Whether nothing had come right before the floor."""
        self.floor = 0
        self._clear_all()

    @property
    def floor(self) -> int:
        """Everything before this position has been taken out."""
        position: int = self._floor[self._row]
        return position

    @floor.setter
    def floor(self, position: int) -> None:
        self._floor[self._row] = position

    def _clear_all(self) -> None:
        self._codes[:] = SILENCE[self.codec]
        self._matrix.filled[self._row] = 0
        self._matrix.comfort[self._row] = False
        self._matrix.law[self._row] = 0

    def comfort(self, announced: bool) -> None:
        """Say whether the far side announced silence."""
        self._matrix.comfort[self._row] = announced

    def switch(self, codec: Codec) -> None:
        """Receive another law from now on; what is still in the ring is translated."""
        if codec != self.codec:
            self._codes[:] = np.frombuffer(self._codes.tobytes().translate(TRANSLATE[codec]), np.uint8)
            self._matrix.law[self._row] = 256 if codec == "PCMU" else 0
            self.codec = codec

    def write(self, position: int, payload: bytes) -> None:
        """Put sound at its position; what lies outside the ring is dropped."""
        floor = self.floor
        if position < floor:
            payload = payload[floor - position :]
            position = floor
        count = min(len(payload), floor + RING_SAMPLES - position)
        if count <= 0:
            return
        start = position % RING_SAMPLES
        column, offset = divmod(start, COLUMN_SAMPLES)
        if (
            offset + count <= 2 * COLUMN_SAMPLES
            and start + count <= RING_SAMPLES
            and offset + count > COLUMN_SAMPLES
        ):
            self._view[start : start + count] = payload[:count]
            self._filled[column] += COLUMN_SAMPLES - offset
            self._filled[column + 1] += offset + count - COLUMN_SAMPLES
            return
        first = min(count, RING_SAMPLES - start)
        self._view[start : start + first] = payload[:first]
        if first < count:
            self._view[: count - first] = payload[first:count]
        self._count(start, count)

    def _count(self, start: int, count: int, sign: int = 1) -> None:
        filled = self._filled
        while count > 0:
            column, offset = divmod(start, COLUMN_SAMPLES)
            part = min(COLUMN_SAMPLES - offset, count)
            filled[column] += sign * part
            start = (start + part) % RING_SAMPLES
            count -= part

    def move(self, start: int, end: int, by: int) -> int:
        """Move what lies between two positions by `by` (below 0) or less, never over what lies before it.

        Returns by how much. What had been received there is received at its new place.
        """
        low = max(self.floor, start + by)
        end = min(end, self.floor + RING_SAMPLES)
        columns = range(low // COLUMN_SAMPLES, -(-end // COLUMN_SAMPLES))
        holes = [hole for hole in self._holes(columns, in_hole=True) if hole[0] < end and hole[1] > low]
        room = next((start - max(low, first) for first, last in holes if first < start <= last), 0)
        if not room or end <= start:
            return 0
        edges = [start, *(min(max(edge, start), end) for hole in holes for edge in hole), end]
        spans = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]
        sounds = [(first, self._lift(first, last)) for first, last in spans]
        for first, codes in sounds:
            self.write(first - room, codes)
        return -room

    def _lift(self, start: int, end: int) -> bytes:
        """Take the sound between two positions away, as if it had never come."""
        place, count = start % RING_SAMPLES, end - start
        spans = [(place, min(place + count, RING_SAMPLES)), (0, max(0, place + count - RING_SAMPLES))]
        codes = b"".join(bytes(self._view[first:last]) for first, last in spans)
        for first, last in spans:
            self._codes[first:last] = SILENCE[self.codec]
        self._count(place, count, -1)
        return codes

    def _holes(self, columns: range, *, in_hole: bool) -> list[tuple[int, int]]:
        """Return the positions between which nothing came; `in_hole` tells of the moment before these columns.

        Of a column in which something is missing the counts say how much, and what came before it on which side.
        """
        holes: list[tuple[int, int]] = []
        filled = self._filled
        for column in columns:
            missing = COLUMN_SAMPLES - filled[column % RING_COLUMNS]
            if missing <= 0:
                in_hole = False
                continue
            start = column * COLUMN_SAMPLES
            end = start + COLUMN_SAMPLES
            if missing == COLUMN_SAMPLES:  # as nearly all that are missing: no need to look at its codes
                in_hole = True
                if holes and holes[-1][1] == start:
                    start = holes.pop()[0]
                holes.append((start, end))
                continue
            before = self._missing_at_start(column, missing, in_hole)
            in_hole = before < missing
            for first, last in ((start, start + before), (end - missing + before, end)):
                if holes and holes[-1][1] == first < last:
                    first = holes.pop()[0]
                if first < last:
                    holes.append((first, last))
        return holes

    def _missing_at_start(self, column: int, missing: int, in_hole: bool) -> int:
        """Return how many of a column's missing samples lie at its beginning: as far as it is silent, behind a hole."""
        first = column % RING_COLUMNS * COLUMN_SAMPLES
        codes, silence = bytes(self._view[first : first + COLUMN_SAMPLES]), bytes([SILENCE[self.codec]])
        if in_hole:
            return min(missing, COLUMN_SAMPLES - len(codes.lstrip(silence)))
        return missing - min(missing, COLUMN_SAMPLES - len(codes.rstrip(silence)))

    def take(self, end: int) -> Taken | None:
        """Empty the ring up to the column of `end`; return what was heard, None where nothing was."""
        start = self.floor // COLUMN_SAMPLES
        stop = end // COLUMN_SAMPLES
        if stop <= start:
            return None
        self.floor = stop * COLUMN_SAMPLES
        last = min(stop, start + RING_COLUMNS)  # nothing beyond was written
        low, high = start % RING_COLUMNS, (last - 1) % RING_COLUMNS + 1
        spans = [(low, high)] if low < high else [(low, RING_COLUMNS), (0, high)]
        counts = [count for a, b in spans for count in self._filled[a:b].tolist()]
        if not any(counts):
            self._in_hole = True
            return None
        # Of nearly every call all has come.
        whole = min(counts) >= COLUMN_SAMPLES
        holes = [] if whole else self._holes(range(start, last), in_hole=self._in_hole)
        self._in_hole = stop > last or (bool(holes) and holes[-1][1] == self.floor)
        return Taken(start * COLUMN_SAMPLES, b"".join(self._empty(a, b) for a, b in spans), holes)

    def _empty(self, start: int, stop: int) -> bytes:
        a, b = start * COLUMN_SAMPLES, stop * COLUMN_SAMPLES
        codes = bytes(self._view[a:b])
        self._codes[a:b] = SILENCE[self.codec]
        self._matrix.filled[self._row, start:stop] = 0
        return codes
