"""From a plan's windows and the calendar to open time in seconds: what a draw may choose from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import chain, pairwise
from zoneinfo import ZoneInfo

import numpy as np

from app.planning.calendar import CalendarBook
from app.planning.draw_inputs import (
    PPM,
    Caps,
    DayMark,
    DrawInputs,
    DrawLine,
    DrawUnit,
    Group,
    Piece,
    Used,
    check,
)
from app.planning.spec import DAY_MIN, NIGHT_END_MIN, PlanSpec, days_between, period_of, time_of

DAY_S = 86_400
MOST_WEIGHT = 1_000.0
_ONE_DAY = timedelta(days=1)
_MEMORY = timedelta(days=32)
"""An earlier check counts in no week, month or gap of a draw any more once it is this much older, and the gap."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A line as the draw needs it."""

    line_id: int
    used: Sequence[datetime] = ()
    """First moments of its checks that are made or ordered, by any plan or person."""
    closed: Sequence[tuple[datetime, datetime]] = ()
    """When it must not be called: before and after its validity, exempted, under maintenance."""


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A unit as the draw needs it."""

    unit_id: int
    lines: Sequence[LineFacts]
    """A line of several units (综合值班室) belongs to the one that answers for it."""
    handovers: Sequence[int] = ()
    """Local times of 交接班, in minutes of the day."""
    weight: float = 1.0
    done: Sequence[int] = ()
    """Moments of this plan's checks of the unit that count for its periods, in seconds since 1970."""
    done_years: Mapping[int, int] = field(default_factory=dict)
    """Random checks of the unit by calendar year, of any plan, that count for the coverage."""


@dataclass(frozen=True, slots=True)
class DrawMoment:
    """Which draw of a run it is."""

    epoch: int
    from_at: datetime
    night_approved: bool = False
    best_effort: bool = False


def build_inputs(
    spec: PlanSpec, book: CalendarBook, zone: ZoneInfo, units: Iterable[UnitFacts], moment: DrawMoment
) -> DrawInputs:
    """Write down all that a draw depends on besides its seed."""
    starts = sorted({_period(spec, day) for day in days_between(spec.first_day, spec.last_day)})
    pieces = pieces_of(spec, book, zone)
    groups: dict[Group, int] = {}
    caps = Caps(spec.caps.line_day, spec.caps.line_week, round(spec.caps.least_gap_h * 3600))
    since = moment.from_at - _MEMORY - timedelta(seconds=caps.gap_s)
    writer = _UnitWriter(zone, groups, since)
    wanted = sorted(units, key=lambda unit: unit.unit_id)
    done = _periods([unit.done for unit in wanted], pieces, [_moment(start, 0, zone) for start in starts])
    listed = tuple(writer.unit(unit, periods) for unit, periods in zip(wanted, done, strict=True))
    found = DrawInputs(
        epoch=moment.epoch,
        from_at=-int(-moment.from_at.timestamp() // 1),
        night=moment.night_approved,
        best_effort=moment.best_effort,
        calls=spec.calls_per_unit,
        extra_ppm=round(spec.extra_per_unit * PPM),
        most=spec.most_per_unit,
        coverage=spec.yearly_coverage,
        caps=caps,
        periods=tuple(max(start, spec.first_day).isoformat() for start in starts),
        years=tuple(range(spec.first_day.year, spec.last_day.year + 1)),
        pieces=pieces,
        days=_marks(pieces, zone),
        groups=tuple(groups),
        units=listed,
    )
    check(found)
    return found


def _period(spec: PlanSpec, day: date) -> date:
    return period_of(spec.period, day, spec.first_day)


def _periods(
    done: Sequence[Sequence[int]], pieces: Sequence[Piece], midnights: Sequence[int]
) -> Iterable[Sequence[int]]:
    """For each unit the periods of its moments: whose window one lies in, outside the windows that of its day.

    `midnights` are those with which periods begin. All moments together: a year of a city has ten thousands.
    """
    seconds = np.fromiter(chain.from_iterable(done), np.int64)
    found = np.maximum(np.searchsorted(np.array(midnights, np.int64), seconds, "right") - 1, 0)
    if pieces:
        starts, ends, periods = (
            np.array([getattr(piece, name) for piece in pieces], np.int64)
            for name in ("start", "end", "period")
        )
        at = np.searchsorted(starts, seconds, "right") - 1
        found = np.where((at >= 0) & (seconds < ends[at]), periods[at], found)
    each = found.tolist()
    first = 0
    for moments in done:
        yield each[first : first + len(moments)]
        first += len(moments)


@dataclass(frozen=True, slots=True)
class _UnitWriter:
    zone: ZoneInfo
    groups: dict[Group, int]
    since: datetime

    def unit(self, unit: UnitFacts, periods: Sequence[int]) -> DrawUnit:
        handovers = tuple(sorted(set(unit.handovers)))
        return DrawUnit(
            unit.unit_id,
            round(min(unit.weight, MOST_WEIGHT) * PPM),
            tuple([self._line(line, handovers) for line in sorted(unit.lines, key=_line_id)]),
            tuple(sorted(Counter(periods).items())) if periods else (),
            tuple(sorted((year, count) for year, count in unit.done_years.items() if count)),
        )

    def _line(self, line: LineFacts, handovers: tuple[int, ...]) -> DrawLine:
        closed: tuple[tuple[int, int], ...] = ()
        if line.closed:
            closed = joined(
                [(int(first.timestamp()), -int(-last.timestamp() // 1)) for first, last in line.closed]
            )
        group = self.groups.setdefault(Group(handovers, closed), len(self.groups))
        used = sorted([self._used(at) for at in line.used if at >= self.since])
        return DrawLine(line.line_id, group, tuple(used))

    def _used(self, at: datetime) -> Used:
        local = at.astimezone(self.zone)
        return Used(int(at.timestamp()), local.toordinal(), local.hour * 60 < NIGHT_END_MIN)


def _line_id(line: LineFacts) -> int:
    return line.line_id


def joined(stretches: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the union of stretches of seconds, in order, the empty ones left out."""
    found: list[tuple[int, int]] = []
    for start, end in sorted((max(start, 0), end) for start, end in stretches):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def pieces_of(spec: PlanSpec, book: CalendarBook, zone: ZoneInfo) -> tuple[Piece, ...]:
    """Return the windows of every day of a plan, cut at midnight and at 06:00.

    Where windows overlap, also one of the day before that goes on after midnight, the earlier one has the time.
    """
    starts = sorted({_period(spec, day) for day in days_between(spec.first_day, spec.last_day)})
    number = {start: index for index, start in enumerate(starts)}
    found: list[Piece] = []
    reached = 0
    # By kind of day: there are few, and days of them by the hundred.
    cut: dict[tuple[str, bool], Sequence[tuple[int, int]]] = {}
    for info in book.span(spec.first_day, spec.last_day):
        period = number[_period(spec, info.day)]
        kind = info.kind, info.sensitive
        if kind not in cut:
            windows = sorted(window.minutes for window in spec.windows_of(*kind))
            cut[kind] = [piece for window in windows for piece in _cut(*window)]
        for start_min, end_min in cut[kind]:
            start = max(_moment(info.day, start_min, zone), reached)
            end = _moment(info.day, end_min, zone)
            if start < end:
                night = start_min % DAY_MIN < NIGHT_END_MIN
                found.append(Piece(start, end, info.day.toordinal() + start_min // DAY_MIN, period, night))
                reached = end
    return tuple(found)


def _cut(first: int, last: int) -> Iterable[tuple[int, int]]:
    """Cut a stretch of minutes, counted from a midnight, at 06:00 and at midnight."""
    marks = [NIGHT_END_MIN, DAY_MIN, DAY_MIN + NIGHT_END_MIN]
    edges = [first, *(mark for mark in marks if first < mark < last), last]
    return pairwise(edges)


def _moment(day: date, minute: int, zone: ZoneInfo) -> int:
    """Return the second since 1970 of a local minute, counted from the midnight on which the day begins."""
    wanted = day + _ONE_DAY * (minute // DAY_MIN)
    return int(datetime.combine(wanted, time_of(minute), zone).timestamp())


def _marks(pieces: Sequence[Piece], zone: ZoneInfo) -> tuple[DayMark, ...]:
    days = {piece.day + step for piece in pieces for step in (-1, 0, 1)}
    found = []
    for number in sorted(days):
        midnight, following = (_moment(date.fromordinal(number + step), 0, zone) for step in (0, 1))
        found.append(DayMark(number, midnight, following - midnight))
    return tuple(found)
