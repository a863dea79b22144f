"""One call's line, listened to while the call lasts: columns in, segments and ringback bursts out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.assembly import Labelled, assemble
from sip.progress.cadence import Labels, label_bursts, recognised_tones
from sip.progress.exchange import ExchangeTones
from sip.progress.heard import Heard, RecognisedTone, clipped
from sip.progress.level import LevelMeter
from sip.progress.middle import places
from sip.progress.onset import Change, LevelHistory
from sip.progress.plan import Tone, TonePlan, default_plan, foreign_ringbacks
from sip.progress.regions import SoundRegions
from sip.progress.restarts import HeardRing, ring_restarts
from sip.progress.signals import SignalTracker
from sip.progress.tones import ToneBurst
from sip.record import Burst

_LAG = 7
"""Columns that wait until it is known whether they belong to an exchange tone: 60 ms of it and the tracker's
look-ahead."""
_YOUNG_MS = 2_000.0
"""So long after its end a burst's meaning still depends on what follows it."""
_NAMELESS_MS = 1_300.0
"""So long after its end a burst may stay without a name: the pause after it has to be longer than congestion's."""
_LOSS_MS = 400.0
_TRAIN_MS = 6_000.0
"""After so much quiet no earlier burst changes the meaning of a later one."""
_LONG_TRAIN = 40
_CONTEXT = 10

_QUARTER = np.full(f.QUARTERS, 1.0 / f.QUARTERS, np.float32)

Columns = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


class LineListener:
    """Hears one line. Push its columns in order; ask for `heard` at any moment; `finish` once at the end."""

    def __init__(self, plan: TonePlan | None = None) -> None:
        """Listen with this tone plan; by default the one of mainland China."""
        self._plan = plan or default_plan()
        self._foreign = foreign_ringbacks(self._plan.name)
        self._tones = ExchangeTones(self._plan, (*self._plan.exchange, *self._foreign))
        self._signals = SignalTracker(self._plan)
        self._levels = LevelHistory()
        self._ringbacks = [t for t in (*self._plan.exchange, *self._foreign) if t.kind == "ringback"]
        self._regions = SoundRegions(self._plan)
        self._level = LevelMeter()
        self._origin_ms: float | None = None
        self._count = 0
        """Columns pushed, gaps included."""
        self._pending: Columns = np.zeros((0, len(f.FEATURES)), np.float32)
        self._pending_at = 0
        self._first_ms: float | None = None
        self._came: list[list[float]] = []
        self._settled: list[Labelled] = []
        self._recognised: list[RecognisedTone] = []
        self._labels: Labels = []
        self._labelled_ms = -1.0
        self._labelled_change = -1
        self._end_ms: float | None = None
        self._last: Heard | None = None
        """The answer to the last question, good until more is pushed."""

    def push(self, start_ms: float, features: Columns, present: Bools) -> None:
        """Add columns [n, F] of 20 ms each that begin at `start_ms`.

        `present` [n, QUARTERS], or [n] for whole columns: sound came for it. A lost packet lies in two columns, and
        of either only a part is missing: exchange tones are heard in just what came, all else in the columns of which
        half came.

        A start before the end of what was pushed is an error of the caller: the columns follow on. A start
        after it leaves a gap in which nothing came.
        """
        if not len(features):
            return
        if self._origin_ms is None:
            self._origin_ms = start_ms
        if present.ndim == 1:
            present = np.repeat(present[:, None], f.QUARTERS, axis=1)
        self._level.push(start_ms, features, f.half_came(present))
        missing = round((start_ms - self._now_ms()) / f.COLUMN_MS)
        while missing > 0:
            count = min(missing, 500)
            self._push(
                np.zeros((count, len(f.FEATURES)), np.float32), np.zeros((count, f.QUARTERS), np.bool_)
            )
            missing -= count
        self._push(features, present)

    def heard(self) -> Heard:
        """Return everything heard until now."""
        now_ms = self._now_ms()
        if self._last is not None and self._last.until_ms == now_ms:
            return self._last
        labels = self._current_labels()
        bursts = [*self._settled, *zip(self._tones.bursts, labels, strict=True)]
        sounds = [*self._regions.closed, *self._regions.open]
        segments = assemble(
            bursts, sounds, self._came, now_ms, self._plan, self._signals.segments, self._onset
        )
        rings = _rings(bursts, now_ms)
        self._last = Heard(
            segments=clipped(segments, 0.0, now_ms),
            bursts=tuple(ring for ring, _ in rings),
            until_ms=now_ms,
            recognised=(*self._recognised, *self._newly_recognised(labels)),
            first_ms=self._first_ms,
            unnamed=self._unnamed(bursts),
            present=tuple((start_ms, end_ms) for start_ms, end_ms in self._came),
            restarts=ring_restarts([_heard_ring(ring, tone) for ring, tone in rings], segments),
            level=self._level.track() if self._end_ms is not None else None,
        )
        return self._last

    def finish(self, end_ms: float) -> Heard:
        """End the stream at `end_ms` (nothing came after the last column) and return the final state."""
        if self._end_ms is None:
            if self._origin_ms is None:
                self._origin_ms = end_ms
            self._tones.finish()
            self._signals.finish()
            self._sort_out(len(self._pending))
            self._regions.finish()
            self._end_ms = end_ms
            self._last = None
            self._labelled_ms = -1.0
            for burst in self._tones.bursts:
                burst.open = False
        return self.heard()

    def _onset(self, rings: Sequence[tuple[float, float]], until_ms: float) -> Change | None:
        """Return where the line's sound changes after these rings; a tone that is still unknown is no change."""
        known_ms = until_ms if self._end_ms is not None else self._now_ms() - _LAG * f.COLUMN_MS
        return self._levels.change(rings, min(until_ms, known_ms))

    def _unnamed(self, bursts: list[Labelled]) -> Burst | None:
        """Return the last burst if it has no name yet but may still become a ring."""
        if not bursts or self._end_ms is not None:
            return None
        burst, label = bursts[-1]
        young = burst.open or self._now_ms() - burst.end_ms < _NAMELESS_MS
        if label is not None or not young:
            return None
        hopes = (tone.on_ms for tone in self._ringbacks if tone.suits(burst.frequencies_hz))
        if burst.on_ms > max(map(self._plan.longest, hopes), default=0.0):
            return None
        return _ring(burst, self._now_ms())

    def _now_ms(self) -> float:
        if self._end_ms is not None:
            return self._end_ms
        return (self._origin_ms or 0.0) + self._count * f.COLUMN_MS

    def _push(self, columns: Columns, present: Bools) -> None:
        self._tones.push(self._now_ms(), columns, present)
        present = f.half_came(present)
        if not present.all():
            columns = np.where(present[:, None], columns, np.float32(0.0))
        self._note_presence(present)
        self._signals.push(self._now_ms(), columns)
        self._levels.push(self._now_ms(), columns, present)
        self._pending = np.concatenate((self._pending, columns))
        self._count += len(columns)
        self._sort_out(len(self._pending) - _LAG)
        self._settle()

    def _note_presence(self, present: Bools) -> None:
        """Keep the stretches in which sound came, as [start, end] in milliseconds."""
        here = self._now_ms()
        for first, after in _stretches(present):
            start_ms, end_ms = here + first * f.COLUMN_MS, here + after * f.COLUMN_MS
            if self._first_ms is None:
                self._first_ms = start_ms
            # Lost packets are no gap in what the line says.
            if self._came and start_ms - self._came[-1][1] <= _LOSS_MS:
                self._came[-1][1] = end_ms
            else:
                self._came.append([start_ms, end_ms])

    def _sort_out(self, count: int) -> None:
        """Hand the oldest `count` pending columns to the sounds, silenced where they are exchange tone."""
        if count <= 0:
            return
        columns, self._pending = self._pending[:count], self._pending[count:]
        start_ms = (self._origin_ms or 0.0) + self._pending_at * f.COLUMN_MS
        self._pending_at += count
        levels = f.power_dbm0(columns[:, f.POWER] @ _QUARTER)
        end_ms = start_ms + count * f.COLUMN_MS
        for burst in reversed(self._tones.bursts):
            if burst.end_ms <= start_ms:
                break
            if burst.start_ms < end_ms:
                first = int(max(burst.start_ms - start_ms, 0.0) // f.COLUMN_MS)
                after = int(-(-(burst.end_ms - start_ms) // f.COLUMN_MS))
                levels[first:after] = -np.inf
        self._regions.push(start_ms, columns, levels)

    def _current_labels(self) -> Labels:
        """Return the meaning of the unsettled bursts: worked out again when they changed or are still young."""
        bursts = self._tones.bursts
        if not bursts:
            return []
        now_ms = self._now_ms()
        old = (
            self._labelled_change == self._tones.changes and self._labelled_ms - bursts[-1].end_ms > _YOUNG_MS
        )
        if not old and self._labelled_ms != now_ms:
            over = self._end_ms is not None
            self._labels = label_bursts(bursts, now_ms, self._plan, self._foreign, over=over)
            self._labelled_ms, self._labelled_change = now_ms, self._tones.changes
        return self._labels

    def _newly_recognised(self, labels: Labels) -> list[RecognisedTone]:
        """Return the recognised tones among the unsettled bursts, without what only continues a settled one."""
        found = recognised_tones(self._tones.bursts, labels, self._now_ms(), self._plan)
        if found and self._settled and self._recognised:
            burst, label = self._settled[-1]
            continued = (
                label is not None
                and found[0].kind == label.kind
                and found[0].start_ms - burst.end_ms < _TRAIN_MS
            )
            if continued and self._recognised[-1].kind == found[0].kind:
                return found[1:]
        return found

    def _settle(self) -> None:
        """Fix the meaning of bursts that nothing can change any more, so that work stays bounded."""
        bursts = self._tones.bursts
        if not bursts or bursts[-1].open:
            return
        if self._now_ms() - bursts[-1].end_ms > _TRAIN_MS:
            keep = 0
        elif len(bursts) > _LONG_TRAIN:
            keep = _CONTEXT
        else:
            return
        labels = self._current_labels()
        self._recognised += self._newly_recognised(labels)
        if not keep:
            self._look_behind(labels)
        count = len(bursts) - keep
        self._settled += zip(bursts[:count], labels[:count], strict=True)
        self._tones.forget(count)
        self._labelled_ms = -1.0
        self._labelled_change = -1

    def _look_behind(self, labels: Labels) -> None:
        """Have it found now what follows the last ring: a file asks only at its end, when the levels are forgotten."""
        rings = itertools.takewhile(
            lambda pair: pair[1] is labels[-1],
            zip(reversed(self._tones.bursts), reversed(labels), strict=True),
        )
        if labels[-1] is not None and labels[-1].kind == "ringback":
            self._onset([(burst.start_ms, burst.end_ms) for burst, _ in rings][::-1], self._now_ms())


def _stretches(flags: Bools) -> list[tuple[int, int]]:
    """Return [first, after) of each run of True."""
    if flags.all():
        return [(0, len(flags))]
    edges = places(np.diff(np.concatenate(([False], flags, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _rings(bursts: list[Labelled], now_ms: float) -> list[tuple[Burst, Tone]]:
    """Return the rings with their tones; the bursts of a double ring are one."""
    rings: list[tuple[Burst, Tone]] = []
    inside = 0
    for burst, tone in bursts:
        if tone is None or tone.kind != "ringback":
            inside = 0
            continue
        ring = _ring(burst, now_ms)
        if inside and rings and rings[-1][1] is tone:
            rings[-1] = (replace(rings[-1][0], end_ms=ring.end_ms), tone)
            inside -= 1
        else:
            rings.append((ring, tone))
            inside = len(tone.on_off_ms) // 2 - 1
    return rings


def _heard_ring(ring: Burst, tone: Tone) -> HeardRing:
    return HeardRing(
        ring.start_ms,
        ring.end_ms,
        ring.frequency_hz,
        ring.level_dbm0,
        tone.plan,
        tone.sounding_ms,
        tone.off_ms,
    )


def _ring(burst: ToneBurst, now_ms: float) -> Burst:
    return Burst(burst.start_ms, min(burst.end_ms, now_ms), burst.frequency_hz, burst.level_dbm0)
