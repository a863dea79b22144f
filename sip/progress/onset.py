"""Where, after a burst of ringback, the line begins to sound unlike its own pauses: the onset of an answer.

What is a pause on this line was heard between the rings, or before the first: its hiss may lie anywhere. A sound that
stands 4 dB above that for the better part of 60 ms, and goes on, is somebody else's: the noise of a room, a breath, a
voice. A click by itself is none; the hook-switch makes one, but so does every bad contact.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.middle import places
from sip.progress.tones import mean_square

FRAME_MS = 10.0
_ABSENT = -1.0
_KEPT_MS = 60_000.0
_OVER = 10.0**0.4
"""4 dB; levels of 10 ms of noise scatter by 0.7 dB."""
_LEAST = mean_square(-50.0)
"""Quieter than -50 dBm0 no sound of a person is, whatever the line's silence."""
_EDGE_MS = 15.0
"""Beside a burst a frame may hold a piece of it."""
_ENOUGH = 15
"""Frames, 150 ms: so much of its pauses must be known."""
_WINDOW, _OF_WINDOW = 6, 4
_AHEAD, _OF_AHEAD = 100, 6
_LOOKED_AT = 300
"""Frames of a sound, 3 s, in which its end is looked for."""
_PAUSE = 60
"""Frames: a longer one ends a sound."""
_EVEN = 10.0**0.6
"""6 dB between the quiet and the loud tenth of a steady sound."""
_BACKGROUND_MS = 2_000.0
_MOST_BLOCKS = 500
_MOST_CHANGES = 256

Powers = npt.NDArray[np.float32]
Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Change:
    """Where a line departs from the sound of its pauses, if it does."""

    onset_ms: float | None = None
    end_ms: float = 0.0
    """Where that sound makes its first pause of 0.6 s; 3 s after the onset, or the end of what was heard, without."""
    known: bool = False
    """Whether the line's own sound is known; then what is no change is that."""


class LevelHistory:
    """The power of one call's line in steps of 10 ms, and the onsets found in it."""

    def __init__(self) -> None:
        """Start with an empty stream."""
        self._blocks: list[Powers] = []
        self._frames: Powers = np.zeros(0, np.float32)
        self._start_ms = 0.0
        self._changes: dict[float, tuple[int, Change]] = {}
        self._backgrounds: dict[tuple[int, float], float | None] = {}

    def push(self, start_ms: float, columns: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> None:
        """Add columns [n, F] without gaps; `start_ms` counts for the first ones only."""
        if not self._blocks and not len(self._frames):
            self._start_ms = start_ms
        power = (
            columns[:, f.POWER.start : f.POWER.stop : 2] + columns[:, f.POWER.start + 1 : f.POWER.stop : 2]
        )
        power *= np.float32(0.5)
        if not present.all():
            power[~present] = _ABSENT
        self._blocks.append(power.reshape(-1))
        if len(self._blocks) > _MOST_BLOCKS:
            self._all()

    def change(self, rings: Spans, until_ms: float) -> Change | None:
        """Return where the line's sound changes between the last of `rings` and `until_ms`.

        The pauses between the rings, or what came before the first, are the line's own
        sound; where neither came, the quietest tenth of what follows is. None where the last ring lies further back
        than the line is remembered (60 s), and what followed it was not asked for in time.
        """
        end_ms = rings[-1][1]
        upto = round(until_ms / f.COLUMN_MS)
        known = self._changes.get(end_ms)
        if known is not None:
            asked, change = known
            over = (
                change.onset_ms is not None and change.end_ms < asked * f.COLUMN_MS - _PAUSE * FRAME_MS - 20.0
            )
            if asked == upto or (over and asked <= upto):
                return change
        frames = self._all()
        if end_ms < self._start_ms - FRAME_MS:
            # Where the memory begins, nothing begins.
            return None
        change = self._find(frames, end_ms, rings, until_ms)
        if len(self._changes) > _MOST_CHANGES:
            del self._changes[next(iter(self._changes))]
        self._changes[end_ms] = (upto, change)
        return change

    def _find(self, frames: Powers, end_ms: float, rings: Spans, until_ms: float) -> Change:
        first, after = self._index(end_ms + _EDGE_MS / 2.0), self._index(until_ms)
        here = frames[first:after]
        if not len(here):
            return Change()
        key = (len(rings), end_ms)
        if key not in self._backgrounds:
            if len(self._backgrounds) > _MOST_CHANGES:
                self._backgrounds.clear()
            self._backgrounds[key] = self._background(frames, rings)
        background = self._backgrounds[key]
        known = background is not None
        if background is None:
            came = here[here != _ABSENT]
            background = float(np.sort(came)[len(came) // 10]) if len(came) else _LEAST
        over = here > max(background * _OVER, _LEAST)
        sums = np.concatenate(([0], np.cumsum(over)))
        at = np.arange(len(over))
        soon = sums[np.minimum(at + _WINDOW, len(over))] - sums[at]
        later = sums[np.minimum(at + _AHEAD, len(over))] - sums[at]
        found = places(over & (soon >= _OF_WINDOW) & (later >= _OF_AHEAD))
        if not len(found):
            return Change(known=known)
        begin = int(found[0])
        loud = begin + places(over[begin : begin + _LOOKED_AT])
        pauses = places(np.diff(loud) > _PAUSE)
        last = int(loud[pauses[0]] if len(pauses) else loud[-1])
        return Change(max(self._ms(first + begin), end_ms), self._ms(first + last + 1), known)

    def _background(self, frames: Powers, rings: Spans) -> float | None:
        """Return the power of the line's own sound, None where too little of it came."""
        between = [
            frames[self._index(before[1] + _EDGE_MS) : self._index(after[0] - _EDGE_MS)]
            for before, after in itertools.pairwise(rings)
        ]
        level = _usual(np.concatenate(between)) if between else None
        if level is not None:
            return level
        start_ms = rings[0][0] - _EDGE_MS
        return _usual(frames[self._index(start_ms - _BACKGROUND_MS) : self._index(start_ms)])

    def _all(self) -> Powers:
        if self._blocks:
            self._frames = np.concatenate((self._frames, *self._blocks))
            self._blocks = []
            excess = len(self._frames) - int(_KEPT_MS / FRAME_MS)
            if excess > 0:
                self._frames = self._frames[excess:]
                self._start_ms += excess * FRAME_MS
        return self._frames

    def _index(self, at_ms: float) -> int:
        return max(int(np.ceil((at_ms - self._start_ms) / FRAME_MS - 1e-6)), 0)

    def _ms(self, frame: int) -> float:
        return self._start_ms + frame * FRAME_MS


def _usual(frames: Powers) -> float | None:
    """Return the power of an even sound, None where there is too little of it or it is not even."""
    came = frames[frames != _ABSENT]
    if len(came) < _ENOUGH:
        return None
    ordered = np.sort(came)
    low, level, high = (float(ordered[int(part * len(ordered))]) for part in (0.1, 0.5, 0.9))
    return level if high <= _EVEN * low or high <= _LEAST else None
