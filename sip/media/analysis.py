"""Feature columns of all calls: one decode and one push per tick."""

from __future__ import annotations

import importlib
import time
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from sip.media.call import Call
from sip.media.channel import Message
from sip.media.model import COLUMN_SAMPLES, SAMPLE_RATE_HZ
from sip.media.timeline import QUARTERS, RING_COLUMNS, HeardMatrix

READ_DELAY_S: Final = 0.1
"""How long after its time a column is read: packets that are later than this are not analysed."""
_COLUMNS_PER_S: Final = SAMPLE_RATE_HZ // COLUMN_SAMPLES
_NEVER: Final = np.iinfo(np.intp).max
BLOCK_COLUMNS: Final = 10
"""Columns that go to the parent together."""

Floats = npt.NDArray[np.float32]


class Bank(Protocol):
    """What turns sound into features; `sip.progress.FeatureBank` is the one of the product."""

    def reset(self, row: int) -> None:
        """Begin a new call in a row."""

    def push(self, rows: npt.NDArray[np.intp], pcm: Floats) -> Floats:
        """Return [n, F] features of [n, 160] samples (full scale 1.0) of the rows.

        A row comes once, or, at the end of its call, alone with several columns in their order.
        """


def load_bank(name: str, capacity: int) -> Bank:
    """Return a new bank of the class `module:Class`."""
    module, _, attribute = name.partition(":")
    bank: Bank = getattr(importlib.import_module(module), attribute)(capacity)
    return bank


class Analyst:
    """Reads the columns of all calls as they fall due, and keeps each call's unsent features."""

    def __init__(self, matrix: HeardMatrix, bank: Bank, capacity: int) -> None:
        self._matrix = matrix
        self._bank = bank
        self._features: Floats = np.zeros((capacity, BLOCK_COLUMNS, 0), np.float32)
        self._present = np.zeros((capacity, BLOCK_COLUMNS, QUARTERS), np.bool_)
        self._numbers = [0] * capacity
        self._t0 = np.zeros(capacity)
        self._next = np.zeros(capacity, np.intp)
        self._limit = np.full(capacity, _NEVER, np.intp)
        self._held = np.zeros(capacity, np.intp)
        self._rows = np.zeros(0, np.intp)
        """The rows in use."""
        self.bank_s = 0.0
        """What the bank took in the last `run`."""

    def begin(self, call: Call) -> None:
        """Start a call in its row."""
        row = call.row
        self._bank.reset(row)
        self._numbers[row] = call.number
        self._t0[row], self._next[row], self._held[row] = call.t0, 0, 0
        self._limit[row] = _NEVER
        self._rows = np.append(self._rows, row)

    def column(self, call: Call) -> int:
        """Return the column that a call is read next."""
        return int(self._next[call.row])

    def limit(self, call: Call, column: int | None) -> None:
        """Read a call no further than before `column` until told otherwise; None: as far as it is due."""
        self._limit[call.row] = _NEVER if column is None else column

    def run(self, now: float) -> list[Message]:
        """Analyse every column that is due at `now`; return the blocks that are full."""
        self.bank_s = 0.0
        blocks: list[Message] = []
        due = ((now - READ_DELAY_S - self._t0[self._rows]) * _COLUMNS_PER_S).astype(np.intp)
        due = np.minimum(due, self._limit[self._rows])
        while True:
            waiting = self._next[self._rows] < due
            if not waiting.any():
                return blocks
            blocks += self._push(self._rows[waiting])

    def finish(self, call: Call, end_s: float) -> list[Message]:
        """Analyse the rest of a call that ended `end_s` after its beginning, and forget it.

        All its columns go through the bank at once: one by one each would cost as much as those of a hundred calls.
        """
        blocks: list[Message] = []
        row, last = call.row, int(end_s * _COLUMNS_PER_S)
        while (count := min(last - int(self._next[row]), RING_COLUMNS)) > 0:
            columns = np.arange(self._next[row], self._next[row] + count)
            features, present = self._analyse(np.full(count, row), columns)
            first = 0
            while first < count:
                first += self._fill(row, features[first:], present[first:])
                if self._next[row] < last:
                    blocks += self._blocks(np.array([row]))
        self.forget(call)
        return [*blocks, *self._blocks(np.array([row]))]

    def _fill(self, row: int, features: Floats, present: npt.NDArray[np.bool_]) -> int:
        """Put the next columns of one row into its block until that is full; return how many."""
        held, start = int(self._held[row]), int(self._next[row])
        count = min(len(present), BLOCK_COLUMNS - held, BLOCK_COLUMNS - (start + row) % BLOCK_COLUMNS)
        self._features[row, held : held + count] = features[:count]
        self._present[row, held : held + count] = present[:count]
        self._next[row] += count
        self._held[row] += count
        return count

    def forget(self, call: Call) -> None:
        """Read a call's row no more."""
        self._rows = self._rows[self._rows != call.row]

    def _push(self, rows: npt.NDArray[np.intp]) -> list[Message]:
        """Analyse the next column of some rows. Different rows fill their blocks in different ticks."""
        features, present = self._analyse(rows, self._next[rows])
        held = self._held[rows]
        self._features[rows, held] = features
        self._present[rows, held] = present
        self._next[rows] += 1
        self._held[rows] += 1
        full = ((self._next[rows] + rows) % BLOCK_COLUMNS == 0) | (held + 1 == BLOCK_COLUMNS)
        return self._blocks(rows[full])

    def _analyse(
        self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return ([n, F] features, [n, QUARTERS] which quarters were received) of columns of some rows."""
        pcm, present = self._matrix.column(rows, columns)
        begun = time.perf_counter()
        features = self._bank.push(rows, pcm)
        self.bank_s += time.perf_counter() - begun
        if self._features.shape[2] != features.shape[1]:
            self._features = np.zeros((*self._present.shape[:2], features.shape[1]), np.float32)
        return features, present

    def _blocks(self, rows: npt.NDArray[np.intp]) -> list[Message]:
        """Return the columns that some rows hold, those of blocks of one length in one message."""
        messages: list[Message] = []
        held = self._held[rows]
        for count in sorted(set(held.tolist()) - {0}):
            some = rows[held == count]
            numbers = [self._numbers[row] for row in some.tolist()]
            first = (self._next[some] - count).tolist()
            features, present = self._features[some, :count], self._present[some, :count]
            messages.append(("heard", numbers, first, count, features.tobytes(), present.tobytes()))
        self._held[rows] = 0
        return messages
