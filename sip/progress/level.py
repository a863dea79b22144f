"""The loudness of a line over time: few numbers, however long the call."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.record import LevelTrack

MOST_STEPS = 3_000
_STEP_COLUMNS = 5
"""Columns in a step of 100 ms; twice as many each time that the track would grow beyond its bound."""
_GROWTH = 256

_NOTHING = np.float32(-1.0)
"""No power: nothing came."""
_QUARTER = np.full(f.QUARTERS, 1.0 / f.QUARTERS, np.float32)


class LevelMeter:
    """Keeps the loudest 20 ms of each step: 100 ms, or 200, 400, ... ms where a call is longer than 5 minutes."""

    def __init__(self) -> None:
        self._columns = _STEP_COLUMNS
        self._origin_ms: float | None = None
        self._steps = np.full(_GROWTH, _NOTHING, np.float32)
        self._count = 0

    def push(
        self, start_ms: float, features: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]
    ) -> None:
        """Add columns [n, F] of 20 ms each that begin at `start_ms`; `present` [n]: sound came for the column."""
        if not len(features):
            return
        if self._origin_ms is None:
            self._origin_ms = start_ms
        first = max(round((start_ms - self._origin_ms) / f.COLUMN_MS), 0)
        power = features[:, f.POWER] @ _QUARTER
        if not present.all():
            power = np.where(present, power, _NOTHING)
        self._make_room(first + len(power))
        begin, last = first // self._columns, (first + len(power) - 1) // self._columns
        parts = [0, *range((begin + 1) * self._columns - first, len(power), self._columns)]
        here = self._steps[begin : last + 1]
        np.maximum(here, np.maximum.reduceat(power, parts), out=here)
        self._count = max(self._count, last + 1)

    def track(self) -> LevelTrack | None:
        """Return the track until now; None while nothing was pushed."""
        if self._origin_ms is None:
            return None
        powers = self._steps[: self._count]
        levels = f.power_dbm0(powers)
        dbm0 = tuple(
            None if nothing else round(level)
            for level, nothing in zip(levels.tolist(), (powers < 0.0).tolist(), strict=True)
        )
        return LevelTrack(self._origin_ms, self._columns * f.COLUMN_MS, dbm0)

    def _make_room(self, columns: int) -> None:
        while -(-columns // self._columns) > MOST_STEPS:
            self._count = -(-self._count // 2)
            halved = self._steps.reshape(-1, 2).max(axis=1)
            self._steps[: len(halved)], self._steps[len(halved) :] = halved, _NOTHING
            self._columns *= 2
        missing = -(-columns // self._columns) - len(self._steps)
        if missing > 0:
            more = -(-missing // _GROWTH) * _GROWTH
            self._steps = np.concatenate((self._steps, np.full(more, _NOTHING, np.float32)))
