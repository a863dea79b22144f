"""Feature columns of all calls: one decode and one push per tick."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from sip.media.call import Call
from sip.media.channel import Message
from sip.media.model import COLUMN_SAMPLES, SAMPLE_RATE_HZ
from sip.media.timeline import HeardMatrix

READ_DELAY_S: Final = 0.1
"""How long after its time a column is read: packets that are later than this are not analysed."""
_COLUMNS_PER_S: Final = SAMPLE_RATE_HZ // COLUMN_SAMPLES
BLOCK_COLUMNS: Final = 10
"""Columns that go to the parent together."""

Floats = npt.NDArray[np.float32]


class Bank(Protocol):
    """What turns sound into features; `sip.progress.FeatureBank` is the one of the product."""

    def reset(self, row: int) -> None:
        """Begin a new call in a row."""

    def push(self, rows: npt.NDArray[np.intp], pcm: Floats) -> Floats:
        """Return [n, F] features of [n, 160] samples (full scale 1.0) of the rows, each row at most once."""


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
        self._present = np.zeros((capacity, BLOCK_COLUMNS), np.bool_)
        self._held = [0] * capacity

    def begin(self, call: Call) -> None:
        """Start a call in its row."""
        self._bank.reset(call.row)
        self._held[call.row] = 0

    def run(self, calls: Sequence[Call], now: float) -> list[Message]:
        """Analyse every column that is due at `now`; return the blocks that are full."""
        blocks: list[Message] = []
        counts = {c.number: int((now - (c.t0 or now) - READ_DELAY_S) * _COLUMNS_PER_S) for c in calls}
        due = [call for call in calls if call.next_column < counts[call.number]]
        while due:
            blocks += self._push(due)
            due = [call for call in due if call.next_column < counts[call.number]]
        return blocks

    def finish(self, call: Call, end_s: float) -> list[Message]:
        """Analyse the rest of a call that ended `end_s` after its beginning."""
        blocks: list[Message] = []
        while call.next_column < int(end_s * _COLUMNS_PER_S):
            blocks += self._push([call])
        return [*blocks, *self._block(call)]

    def _push(self, calls: list[Call]) -> list[Message]:
        rows = np.array([call.row for call in calls], np.intp)
        columns = np.array([call.next_column for call in calls], np.intp)
        pcm, present = self._matrix.column(rows, columns)
        features = self._bank.push(rows, pcm)
        if self._features.shape[2] != features.shape[1]:
            self._features = np.zeros((*self._present.shape, features.shape[1]), np.float32)
        held = np.array([self._held[call.row] for call in calls], np.intp)
        self._features[rows, held] = features
        self._present[rows, held] = present
        return [block for call in calls for block in self._advance(call)]

    def _advance(self, call: Call) -> list[Message]:
        """Count a column; the rows send their blocks in different ticks."""
        call.next_column += 1
        self._held[call.row] += 1
        if (call.next_column + call.row) % BLOCK_COLUMNS == 0 or self._held[call.row] == BLOCK_COLUMNS:
            return self._block(call)
        return []

    def _block(self, call: Call) -> list[Message]:
        held = self._held[call.row]
        if not held:
            return []
        self._held[call.row] = 0
        features = self._features[call.row, :held].tobytes()
        present = self._present[call.row, :held].tobytes()
        return [("heard", call.number, call.next_column - held, held, features, present)]
