"""How well the engine keeps its pace."""

from __future__ import annotations

from typing import Final

import numpy as np

from sip.media.model import EngineHealth

_KEPT: Final = 4096


class Pace:
    """The durations of the last ticks, what the bank took of them and how late they began, in fixed memory."""

    def __init__(self) -> None:
        self._late = np.zeros(_KEPT, np.float32)
        self._work = np.zeros(_KEPT, np.float32)
        self._bank = np.zeros(_KEPT, np.float32)
        self._ticks = 0
        np.percentile(self._work, 50)  # loads what it needs now: not in a tick, nor when files have run out

    def note(self, late_s: float, work_s: float, bank_s: float) -> None:
        """Take one tick."""
        index = self._ticks % _KEPT
        self._late[index] = late_s
        self._work[index] = work_s
        self._bank[index] = bank_s
        self._ticks += 1

    def health(self, sessions: int, blocks_dropped: int, ticks: int | None = None) -> EngineHealth:
        """Return the summary of the last `ticks` ticks; None: of all that are kept."""
        kept = max(1, min(self._ticks, _KEPT, _KEPT if ticks is None else ticks))
        last = np.arange(self._ticks - kept, self._ticks) % _KEPT
        median, slow = np.percentile(self._work[last], (50, 99)) * 1000
        late, bank = (float(np.percentile(times[last], 99)) * 1000 for times in (self._late, self._bank))
        return EngineHealth(self._ticks, sessions, float(median), float(slow), late, blocks_dropped, bank)
