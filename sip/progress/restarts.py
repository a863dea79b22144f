"""Ringback that stops and begins again unlike before (回铃音重新起振): a sign that the call went elsewhere.

One exchange rings with one generator: its period, its level and its frequency stay the same to a few parts in a
hundred for the whole call. Where a call is forwarded the second exchange rings with its own. What is compared is the
ring with those before it since the last restart, never with the nominal figures where the line has shown its own: a
line whose pauses are 20 % short is no restart at each of its rings.

A burst lost in transit leaves the phase as it was, so a pause that holds a whole number of periods more is none; nor
is a pause that loss made longer by a piece of a burst, and no such pause counts as one that the line has shown. What
only the signalling can tell is left to the reader: `since_ms` and `t_ms` bound the moment of the change, so that one
at which another early dialog was taken over, or one after the answer, is left out there.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sip.record import Segment

RestartKind = Literal["cadence", "level", "frequency", "plan", "music"]

_TOO_LATE = 1.5 / 4.0
_TOO_EARLY = 0.5 / 4.0
"""Of the nominal pause: a pause of 4 s is broken when it lasts more than 5.5 s or less than 3.5 s."""
_TOLERANCE = 0.2
"""A line that has shown no pause of its own yet may be so far from the nominal one."""
_ANOTHER_CALL_MS = 30_000.0
"""After so long a pause it is another ringing, not the same one again."""
_TORN_MS = 500.0
"""A shorter pause is a hole of lost packets in one burst."""
_IN_PHASE_MS = 350.0
_MOST_LOST = 5
_LEVEL_DB = 6.0
_FREQUENCY_HZ = 5.0
_MEASURABLE_MS = 200.0
"""Of a shorter piece of a ring neither level nor frequency is taken."""
_MUSIC_MS = 1_500.0


@dataclass(frozen=True, slots=True)
class HeardRing:
    """One ring with the cadence of the plan that it belongs to."""

    start_ms: float
    end_ms: float
    frequency_hz: float
    level_dbm0: float
    plan: str
    """Name of its tone plan."""
    on_ms: float
    """Nominal length of a ring, inner pauses of a double ring included."""
    off_ms: float
    """Nominal pause between two rings."""

    @property
    def whole(self) -> bool:
        """Whether it is as long as a ring of its plan may be at the least."""
        return self.end_ms - self.start_ms >= (1.0 - _TOLERANCE) * self.on_ms

    @property
    def measurable(self) -> bool:
        """Whether it is long enough for its level and frequency to count."""
        return self.end_ms - self.start_ms >= _MEASURABLE_MS


@dataclass(frozen=True, slots=True)
class RingRestart:
    """A moment at which the ringback became another one."""

    t_ms: float
    """Beginning of the first ring, or of the music, that is unlike what was before."""
    what: RestartKind
    """The clearest difference: `plan` before `frequency`, `level` and `cadence`."""
    detail: str
    """The figures, in English."""
    since_ms: float
    """End of the last ring before it."""


def ring_restarts(rings: Sequence[HeardRing], segments: Iterable[Segment] = ()) -> tuple[RingRestart, ...]:
    """Return the restarts among the rings of a call, in order of time, and the change from ringback to music.

    `segments`: what else was heard; of it only music of at least 1.5 s counts.
    """
    found: list[RingRestart] = []
    series: list[HeardRing] = []
    for at, ring in enumerate(rings):
        if series and ring.start_ms - series[-1].end_ms > _ANOTHER_CALL_MS:
            series = []
        restart = _restart(series, ring, rings[at + 1 :]) if series else None
        if restart is not None:
            found.append(restart)
            series = []
        series.append(ring)
    music = _music(rings, segments)
    return tuple(sorted([*found, *music], key=lambda restart: restart.t_ms))


def _restart(series: Sequence[HeardRing], ring: HeardRing, later: Sequence[HeardRing]) -> RingRestart | None:
    last = series[-1]
    difference = (
        _other_plan(series, ring)
        or _other_frequency(series, ring)
        or _other_level(series, ring)
        or _other_cadence(series, ring, later)
    )
    if difference is None:
        return None
    what, detail = difference
    return RingRestart(ring.start_ms, what, detail, last.end_ms)


def _other_plan(series: Sequence[HeardRing], ring: HeardRing) -> tuple[RestartKind, str] | None:
    plan = series[-1].plan
    if ring.plan == plan or abs(ring.frequency_hz - series[-1].frequency_hz) <= _FREQUENCY_HZ:
        return None
    return "plan", f"ringback of plan {ring.plan} after that of plan {plan}"


def _other_frequency(series: Sequence[HeardRing], ring: HeardRing) -> tuple[RestartKind, str] | None:
    known = [r.frequency_hz for r in series if r.measurable]
    if not known or not ring.measurable:
        return None
    before_hz = statistics.median(known)
    if abs(ring.frequency_hz - before_hz) <= _FREQUENCY_HZ:
        return None
    return "frequency", f"ringback at {ring.frequency_hz:.1f} Hz after {before_hz:.1f} Hz"


def _other_level(series: Sequence[HeardRing], ring: HeardRing) -> tuple[RestartKind, str] | None:
    known = [r.level_dbm0 for r in series if r.measurable]
    if not known or not ring.measurable:
        return None
    before = statistics.median(known)
    if abs(ring.level_dbm0 - before) <= _LEVEL_DB:
        return None
    return "level", f"ringback at {ring.level_dbm0:.1f} dBm0 after {before:.1f} dBm0"


def _other_cadence(
    series: Sequence[HeardRing], ring: HeardRing, later: Sequence[HeardRing]
) -> tuple[RestartKind, str] | None:
    gap_ms = ring.start_ms - series[-1].end_ms
    if gap_ms < _TORN_MS:
        return None
    nominal_ms = ring.off_ms
    own = _own_pause(series, ring, later)
    pause_ms = nominal_ms if own is None else own
    early_ms = _TOO_EARLY * nominal_ms if own is not None else (_TOLERANCE + 0.01) * nominal_ms
    if pause_ms - early_ms <= gap_ms <= pause_ms + _TOO_LATE * nominal_ms:
        return None
    period_ms = pause_ms + ring.on_ms
    slack_ms = _IN_PHASE_MS if own is not None else _TOLERANCE * period_ms
    for lost in range(1, _MOST_LOST + 1):
        # A single pause of a line says little of its period: the longer the silence, the less is known of the phase.
        if abs(gap_ms - pause_ms - lost * period_ms) <= slack_ms * (1 if own is not None else lost + 1):
            return None
    expected = f"{pause_ms / 1000.0:.1f} s" + (" (nominal)" if own is None else "")
    return "cadence", f"a pause of {gap_ms / 1000.0:.1f} s where the line's is {expected}"


def _own_pause(series: Sequence[HeardRing], ring: HeardRing, later: Sequence[HeardRing]) -> float | None:
    """Return the pause that this line has shown: before the ring, else after it; None where it showed none.

    Only between whole rings: where loss took a piece of one, the pause beside it holds that piece.
    """
    for rings in (series, [ring, *later]):
        pauses = [
            after.start_ms - before.end_ms
            for before, after in itertools.pairwise(rings)
            if before.whole and after.whole
        ]
        usual = [p for p in pauses if abs(p - ring.off_ms) <= (_TOLERANCE + 0.01) * ring.off_ms]
        if usual:
            return statistics.median(usual)
    return None


def _music(rings: Sequence[HeardRing], segments: Iterable[Segment]) -> list[RingRestart]:
    """Return where ringback gave way to music; after the answer that is only a waiting loop."""
    found: list[RingRestart] = []
    for segment in segments:
        if segment.kind != "music" or segment.end_ms - segment.start_ms < _MUSIC_MS:
            continue
        before = [ring for ring in rings if ring.end_ms <= segment.start_ms + 1.0]
        if before and (not found or found[-1].since_ms != before[-1].end_ms):
            found.append(RingRestart(segment.start_ms, "music", "music after ringback", before[-1].end_ms))
    return found
