"""Stretches of sound beside the exchange tones: gathered column by column, classified while they last."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.announced import REPEATED, Repetitions, is_repeated
from sip.progress.middle import places
from sip.progress.plan import TonePlan
from sip.progress.sounds import SOUND_FLOOR_DBM0, classify
from sip.record import Segment

_PAUSE_MS = 600.0
"""A longer pause ends a stretch."""
_LONGEST_MS = 15_000.0
"""What lasts longer is classified in parts, so that memory and work stay bounded."""
_SHORTEST_LOUD_MS = 60.0
"""Less sound is a click."""
_FIRST_LOOK_MS = 240.0
_LATEST_LOOK_MS = 3_000.0

Columns = npt.NDArray[np.float32]


class SoundRegions:
    """Turns the columns of one call that hold no exchange tone into segments."""

    def __init__(self, plan: TonePlan) -> None:
        """Start with nothing heard."""
        self._plan = plan
        self._parts: list[Columns] = []
        self._start_ms = 0.0
        self._count = 0
        self._loud = 0
        self._last_loud = -1
        self._look_at_ms = 0.0
        self._open: list[Segment] = []
        self._look_due = False
        self._part_of_long = False
        self._repetitions = Repetitions()
        self.closed: list[Segment] = []
        """Segments that will not change any more, not yet taken away by the owner."""

    @property
    def open(self) -> list[Segment]:
        """Segments of the stretch in progress as far as they can be told; the last lasts until its last sound.

        It is classified when somebody asks and there is markedly more of it than at the last time.
        """
        if self._look_due:
            self._look_due = False
            self._open = [segment for segment, _ in self._segments()]
        if not self._open:
            return []
        last = self._open[-1]
        end_ms = max(self._start_ms + (self._last_loud + 1) * f.COLUMN_MS, last.end_ms)
        return [*self._open[:-1], dataclasses.replace(last, end_ms=end_ms)]

    def push(self, start_ms: float, columns: Columns, levels: npt.NDArray[np.floating]) -> None:
        """Add columns [n, F] without gaps; `levels` [n] in dBm0, -inf for those that belong to an exchange tone."""
        tone = np.isneginf(levels)
        if not tone.any():
            self._push(start_ms, columns, levels)
            return
        edges = places(tone[1:] != tone[:-1]) + 1
        for first, after in itertools.pairwise([0, *edges.tolist(), len(columns)]):
            if tone[first]:
                # What lies on the two sides of a burst need not be the same sound.
                self._close()
            else:
                self._push(start_ms + first * f.COLUMN_MS, columns[first:after], levels[first:after])

    def _push(self, start_ms: float, columns: Columns, levels: npt.NDArray[np.floating]) -> None:
        loud = places(levels > SOUND_FLOOR_DBM0)
        if not len(loud) and not self._count:
            return
        at = 0
        while at < len(columns):
            if not self._count:
                nexts = loud[loud >= at]
                if not len(nexts):
                    return
                at = int(nexts[0])
                self._start_ms = start_ms + at * f.COLUMN_MS
            at = self._fill(start_ms, columns, loud, at)

    def finish(self) -> None:
        """End the stretch in progress."""
        self._close()

    def _fill(self, start_ms: float, columns: Columns, loud: npt.NDArray[np.integer], at: int) -> int:
        """Add columns from `at` on until the stretch ends; return where it ended."""
        pause = int(_PAUSE_MS / f.COLUMN_MS)
        here = self._count - at
        end = len(columns)
        last = self._last_loud
        added = 0
        for index in loud[loud >= at].tolist():
            if here + index - last > pause and last >= 0:
                break
            last = here + index
            added += 1
        ended = here + end - 1 - last > pause
        if ended:
            end = max(last + pause + 1 - here, at)
        self._parts.append(columns[at:end])
        self._count += end - at
        self._loud += added
        self._last_loud = last
        if ended:
            self._close()
        elif self._count * f.COLUMN_MS >= _LONGEST_MS:
            self._close(goes_on=True)
        elif self._count * f.COLUMN_MS >= self._look_at_ms:
            self._look()
        return end

    def _look(self) -> None:
        """Have what there is classified, and again when there is markedly more."""
        lasted_ms = self._count * f.COLUMN_MS
        self._look_at_ms = lasted_ms + min(max(lasted_ms, _FIRST_LOOK_MS), _LATEST_LOOK_MS)
        self._look_due = True

    def _close(self, goes_on: bool = False) -> None:
        if self._count:
            for segment, columns in self._segments():
                self._keep(self._announced(segment, columns))
        self._part_of_long = goes_on
        self._parts, self._open, self._look_due = [], [], False
        self._count = self._loud = 0
        self._last_loud = -1
        self._look_at_ms = _FIRST_LOOK_MS

    def _announced(self, segment: Segment, columns: Columns) -> Segment:
        """Name a voice that was heard before in this call an announcement, and the earlier one too."""
        if segment.kind != "speech":
            return segment
        found = self._repetitions.add(segment.start_ms, columns)
        if found is None:
            last = self.closed[-1] if self.closed else None
            goes_on = last is not None and segment.start_ms - last.end_ms <= _PAUSE_MS and is_repeated(last)
            # The rest of a recording that something broke in two.
            return dataclasses.replace(segment, kind="announcement") if goes_on else segment
        earlier_ms, alike = found
        for number, past in enumerate(self.closed):
            if past.start_ms <= earlier_ms < past.end_ms:
                self.closed[number] = _named_announcement(past, alike)
        return _named_announcement(segment, alike)

    def _segments(self) -> list[tuple[Segment, Columns]]:
        """Return the segments of the stretch, each with its columns."""
        if self._loud * f.COLUMN_MS < _SHORTEST_LOUD_MS and not self._part_of_long:
            return []
        columns = np.concatenate(self._parts)[: self._last_loud + 1]
        if not len(columns):
            return []
        found = []
        for piece in classify(columns, self._plan):
            head = _first_quarter(columns[piece.first]) * f.QUARTER_MS
            tail = _last_quarter(columns[piece.after - 1]) * f.QUARTER_MS
            start_ms = self._start_ms + piece.first * f.COLUMN_MS + head
            end_ms = self._start_ms + (piece.after - 1) * f.COLUMN_MS + tail
            segment = Segment(piece.kind, start_ms, end_ms, piece.confidence, measured=piece.measured)
            found.append((segment, columns[piece.first : piece.after]))
        return found

    def _keep(self, segment: Segment) -> None:
        """Keep a finished segment, joined to the one before it when it only continues that."""
        if self.closed:
            last = self.closed[-1]
            if last.kind == segment.kind and segment.start_ms - last.end_ms <= _PAUSE_MS:
                confidence = max(last.confidence, segment.confidence)
                longer = max(last, segment, key=lambda part: part.end_ms - part.start_ms)
                self.closed[-1] = dataclasses.replace(
                    last, end_ms=segment.end_ms, confidence=confidence, measured=longer.measured
                )
                return
        self.closed.append(segment)


def _named_announcement(segment: Segment, alike: float) -> Segment:
    measured = {**(segment.measured or {}), REPEATED: round(alike, 3)}
    return dataclasses.replace(segment, kind="announcement", measured=measured)


def _first_quarter(column: Columns) -> int:
    """Return the first quarter with sound; 0 when none stands out."""
    loud = places(f.power_dbm0(column[f.POWER]) > SOUND_FLOOR_DBM0)
    return int(loud[0]) if len(loud) else 0


def _last_quarter(column: Columns) -> int:
    """Return the number of quarters until the last with sound; all when none stands out."""
    loud = places(f.power_dbm0(column[f.POWER]) > SOUND_FLOOR_DBM0)
    return int(loud[-1]) + 1 if len(loud) else f.QUARTERS
