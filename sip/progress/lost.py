"""Which quarters of 5 ms of a line were lost, and what a hole of them tells of the tones beside it."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from sip.progress.middle import places

Complex = npt.NDArray[np.complex64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Quarters = tuple[Complex, Floats]
"""Their amplitudes at 450 Hz, and their powers."""

SPLINTER = 5
"""Quarters that one packet between two lost ones lies in."""
_PURITY = 0.7
"""Share of a splinter's power that is tone."""
_EDGES = 4
"""Quarters of a hole that were not lost: a tone's edge lies within one."""
_MOST_BESIDE = 12
"""Three packets of 20 ms. Where more is missing beside a burst mostly nothing was sent: the stream began, or paused."""
_REMEMBERED = 400
"""Quarters, 2 s: a hole may lie behind a whole ring."""
_PAUSE = 40
"""So many at once are no hole that anything reaches over."""


class LostQuarters:
    """Remembers the newest quarters of one line that were lost; all places are counts of quarters since its start."""

    def __init__(self, floor: float) -> None:
        """Start with an empty line; `floor`: the power that a tone has at least."""
        self._floor = floor
        self._lost: list[int] = []
        self._blank: list[int] = []
        """Those that tell of no pause: the lost ones, and those of tone right beside them."""

    def note(self, first: int, lost: Bools, quarters: Quarters, before: Quarters) -> None:
        """Add whether the quarters from `first` on were lost; `before`: the `SPLINTER` before them, and more."""
        if not (lost.any() or (self._lost and self._lost[-1] >= first - SPLINTER)):
            return
        if len(lost) >= _PAUSE and lost.all():
            self._lost, self._blank = [], []
            return
        self._lost = [at for at in self._lost if at >= first - _REMEMBERED]
        early = first - SPLINTER
        around = np.concatenate((np.zeros(SPLINTER, np.bool_), lost))
        around[[at - early for at in self._lost[bisect_left(self._lost, early) :]]] = True
        near = np.convolve(around, np.ones(2 * SPLINTER + 1))[SPLINTER:-SPLINTER] > 0.5
        z, p = (np.concatenate((old[-SPLINTER:], new)) for old, new in zip(before, quarters, strict=True))
        strong = np.square(z.real) + np.square(z.imag)
        blank = around | (near & (strong > self._floor) & (strong > _PURITY * p))
        kept = bisect_left(self._blank, early)
        self._blank = [at for at in self._blank[:kept] if at >= first - _REMEMBERED]
        self._blank += (places(blank) + early).tolist()
        self._lost += (places(lost) + first).tolist()

    def is_hole(self, start: float, end: float, longest: int) -> bool:
        """Tell whether nothing tells of a pause between two moments that are `longest` quarters apart at most."""
        if end - start > longest:
            return False
        blank = bisect_left(self._blank, math.ceil(end)) - bisect_left(self._blank, math.floor(start))
        return blank > 0 and end - start - blank <= _EDGES

    def before(self, start: float) -> int:
        """Return how many quarters right before a moment were lost."""
        return self._beside(math.ceil(start) - 1, -1)

    def after(self, end: float) -> int:
        """Return how many quarters right after a moment were lost."""
        return self._beside(math.floor(end), 1)

    def _beside(self, quarter: int, step: int) -> int:
        count = 0
        while count <= _MOST_BESIDE:
            wanted = quarter + count * step
            at = bisect_left(self._lost, wanted)
            if at == len(self._lost) or self._lost[at] != wanted:
                return count
            count += 1
        return 0
