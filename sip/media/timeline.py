"""What is heard, on the calls' own time lines.

All calls share one matrix of G.711 codes: a row is a call, and a row is a ring of 20 ms columns. A position
is a sample count since the call's time 0. Packets are written at their positions; each tick reads one column
of every call with one gather; twice a second a call's ring is emptied up to a moment that no packet can reach
any more, which yields the sound for the capture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from sip.media.g711 import DECODE_FLOAT, SILENCE, TRANSLATE
from sip.media.model import COLUMN_SAMPLES, Codec

RING_COLUMNS: Final = 256
RING_SAMPLES: Final = RING_COLUMNS * COLUMN_SAMPLES
_PRESENT_SAMPLES: Final = COLUMN_SAMPLES // 2
"""A column counts as present from this many received samples on."""

Rows = npt.NDArray[np.intp]


class HeardMatrix:
    """The rings of all calls."""

    def __init__(self, capacity: int) -> None:
        self.codes = np.full((capacity, RING_COLUMNS, COLUMN_SAMPLES), SILENCE["PCMA"], np.uint8)
        self.filled = np.zeros((capacity, RING_COLUMNS), np.int32)
        """Samples received per column; may count a sample twice, never forgets one."""
        self.comfort = np.zeros(capacity, np.bool_)
        """Rows whose far side announced silence (RFC 3389)."""
        self.law = np.zeros(capacity, np.uint16)
        """0 for A-law, 256 for µ-law: the offset into `DECODE_FLOAT`."""

    def column(self, rows: Rows, columns: Rows) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return ([n, 160] sound in units of full scale, [n] whether anything was received)."""
        ring = columns % RING_COLUMNS
        pcm = DECODE_FLOAT.take(self.codes[rows, ring] + self.law[rows, None])
        return pcm, (self.filled[rows, ring] >= _PRESENT_SAMPLES) | self.comfort[rows]


class TimeLine:
    """One call's row of the matrix."""

    def __init__(self, matrix: HeardMatrix, row: int) -> None:
        self._matrix = matrix
        self._row = row
        self._codes = matrix.codes[row].reshape(-1)
        self._view = memoryview(self._codes)
        self._filled = memoryview(matrix.filled[row])
        self.codec: Codec = "PCMA"
        self.floor = 0
        """Everything before this position has been taken out."""
        self._clear_all()

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
        if position < self.floor:
            payload = payload[self.floor - position :]
            position = self.floor
        count = len(payload)
        if position + count > self.floor + RING_SAMPLES:
            count = self.floor + RING_SAMPLES - position
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

    def _count(self, start: int, count: int) -> None:
        filled = self._filled
        while count > 0:
            column, offset = divmod(start, COLUMN_SAMPLES)
            part = min(COLUMN_SAMPLES - offset, count)
            filled[column] += part
            start = (start + part) % RING_SAMPLES
            count -= part

    def take(self, end: int) -> tuple[int, bytes] | None:
        """Empty the ring up to the column of `end`; return (position, codes), None where nothing was heard."""
        start = self.floor // COLUMN_SAMPLES
        stop = end // COLUMN_SAMPLES
        if stop <= start:
            return None
        self.floor = stop * COLUMN_SAMPLES
        first = max(start, stop - RING_COLUMNS)
        low, high = first % RING_COLUMNS, (stop - 1) % RING_COLUMNS + 1
        spans = [(low, high)] if low < high else [(low, RING_COLUMNS), (0, high)]
        if not any(any(self._filled[a:b]) for a, b in spans):
            return None
        return first * COLUMN_SAMPLES, b"".join(self._empty(a, b) for a, b in spans)

    def _empty(self, start: int, stop: int) -> bytes:
        a, b = start * COLUMN_SAMPLES, stop * COLUMN_SAMPLES
        codes = bytes(self._view[a:b])
        self._codes[a:b] = SILENCE[self.codec]
        self._matrix.filled[self._row, start:stop] = 0
        return codes
