"""One line during a draw: the time that is open to it, the checks that it has, and what its caps still allow."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from app.planning.draw_inputs import NIGHT_CALLS_PER_MONTH, Caps, DrawInputs, DrawLine, Group, Used

GUARD_S = 900
"""Nobody is called so close to a handover (交接班)."""
SpanKind = Literal["period", "year"]
Span = tuple[int, int]
"""From which to which stretch, the last one not included."""
NO_TIME: Span = (0, 0)


class Place(NamedTuple):
    """A moment that a line could be called at."""

    at: int
    stretch: int
    """Number of the stretch of open time that it lies in."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    end: int
    day: int
    period: int
    night: bool


class OpenTime:
    """When the lines of one group may be called: windows without guards, closed times, unapproved nights, the past."""

    def __init__(self, inputs: DrawInputs, group: Group) -> None:
        whole = list(_without(_open_pieces(inputs), _barred(inputs, group)))
        self.whole_s = _seconds_by_period(whole)
        """Open seconds of each period, those that are over by the time of the draw too."""
        rest = [stretch for stretch in whole if stretch.end > inputs.from_at]
        self.starts = [max(stretch.start, inputs.from_at) for stretch in rest]
        self.ends = [stretch.end for stretch in rest]
        self.days = [stretch.day for stretch in rest]
        self.weeks = [week_of(stretch.day) for stretch in rest]
        months = {day: month_of(day) for day in set(self.days)}
        self.months = [months[day] for day in self.days]
        self.nights = [stretch.night for stretch in rest]
        self.before = [0]
        """Open seconds before each stretch."""
        for start, end in zip(self.starts, self.ends, strict=True):
            self.before.append(self.before[-1] + end - start)
        periods = [stretch.period for stretch in rest]
        years = {day: date.fromordinal(day).year for day in set(self.days)}
        self._spans: dict[tuple[SpanKind, int], Span] = {
            **{("period", number): _span(periods, number) for number in set(periods)},
            **{
                ("year", year): _span([years[day] for day in self.days], year) for year in set(years.values())
            },
        }
        self.periods = periods
        self.years = [years[day] for day in self.days]

    def span(self, kind: SpanKind, number: int) -> Span:
        """Return the stretches of a period or a calendar year."""
        return self._spans.get((kind, number), NO_TIME)

    def seconds(self, span: Span) -> int:
        """Return how many seconds a span is open."""
        return self.before[span[1]] - self.before[span[0]]

    def bearing(self, caps: Caps, used: Sequence[Used]) -> tuple[object, ...]:
        """Return what earlier checks of a line mean for this time: where it is the same, the same moments are allowed.

        Checks of yesterday at unlike seconds mostly bear alike: they fill the same week, and their gap is over.
        """
        if not used or not self.starts:
            return ()
        first = self.starts[0]
        # Of those before, only the end of the latest one's gap bears, and where that is closed, the next opening.
        free_from = max(check.at for check in used) + caps.gap_s
        if any(check.at > first for check in used):
            return tuple(used)
        stretch = bisect_right(self.ends, free_from)
        if stretch == len(self.ends):
            return ("never",)
        days = Counter(check.day for check in used)
        weeks = Counter(week_of(check.day) for check in used)
        nights = Counter(month_of(check.day) for check in used if check.night)
        return (
            max(free_from, self.starts[stretch]),
            tuple((day, count) for day, count in sorted(days.items()) if day >= self.days[0]),
            tuple((week, count) for week, count in sorted(weeks.items()) if week >= self.weeks[0]),
            tuple((month, count) for month, count in sorted(nights.items()) if month >= self.months[0]),
        )

    def place(self, span: Span, second: int) -> Place:
        """Return the moment at this open second of a span, counted from 0."""
        wanted = self.before[span[0]] + second
        stretch = bisect_right(self.before, wanted) - 1
        return Place(self.starts[stretch] + wanted - self.before[stretch], stretch)


class LineState:
    """The checks of one line, and what its caps still allow."""

    __slots__ = (
        "_days",
        "_gap",
        "_most_day",
        "_most_week",
        "_nights",
        "_weeks",
        "free_nights",
        "moments",
        "only_nights",
        "open",
    )

    def __init__(self, open_time: OpenTime, caps: Caps, line: DrawLine) -> None:
        self.open = open_time
        self.only_nights: Mapping[int, int] = {}
        """Of some months the one day whose night may be used, 0 for none; of the others any may."""
        self.free_nights = False
        """Whether nights are not counted: for a bound of what any choice of nights could give."""
        self._most_day, self._most_week, self._gap = caps
        self.moments = sorted(used.at for used in line.used)
        self._days = Counter(used.day for used in line.used)
        self._weeks = Counter(week_of(used.day) for used in line.used)
        self._nights = Counter(month_of(used.day) for used in line.used if used.night)

    def copy(self) -> LineState:
        """Return the same line, to try things on."""
        twin = LineState.__new__(LineState)
        twin.open, twin.only_nights, twin.free_nights = self.open, self.only_nights, self.free_nights
        twin._most_day, twin._most_week, twin._gap = self._most_day, self._most_week, self._gap
        twin.moments = [*self.moments]
        twin._days, twin._weeks, twin._nights = self._days.copy(), self._weeks.copy(), self._nights.copy()
        return twin

    def fits(self, place: Place) -> bool:
        """Whether the caps allow one more check at this moment."""
        if not self._has_room(place.stretch):
            return False
        index = bisect_left(self.moments, place.at)
        if index < len(self.moments) and self.moments[index] - place.at < self._gap:
            return False
        return index == 0 or place.at - self.moments[index - 1] >= self._gap

    def _has_room(self, stretch: int) -> bool:
        time = self.open
        if self._days[time.days[stretch]] >= self._most_day:
            return False
        if self._weeks[time.weeks[stretch]] >= self._most_week:
            return False
        if self.free_nights or not time.nights[stretch]:
            return True
        month, day = time.months[stretch], time.days[stretch]
        return self._nights[month] < NIGHT_CALLS_PER_MONTH and self.only_nights.get(month, day) == day

    def put(self, place: Place) -> None:
        """Enter a check."""
        insort(self.moments, place.at)
        self._count(place.stretch, 1)

    def take(self, place: Place) -> None:
        """Take a check out again."""
        del self.moments[bisect_left(self.moments, place.at)]
        self._count(place.stretch, -1)

    def _count(self, stretch: int, step: int) -> None:
        time = self.open
        self._days[time.days[stretch]] += step
        self._weeks[time.weeks[stretch]] += step
        if time.nights[stretch]:
            self._nights[time.months[stretch]] += step

    def free(self, span: Span) -> list[tuple[int, int, int]]:
        """Return all that the caps leave of a span: start, end and number of the stretch."""
        found = []
        for stretch in range(*span):
            if self._has_room(stretch):
                found += [(start, end, stretch) for start, end in self._gaps(stretch)]
        return found

    def _gaps(self, stretch: int) -> Iterator[tuple[int, int]]:
        start, end = self.open.starts[stretch], self.open.ends[stretch]
        index = bisect_right(self.moments, start - self._gap)
        while index < len(self.moments) and self.moments[index] - self._gap < end:
            moment = self.moments[index]
            # The moment that lies a whole gap before is free itself.
            if start <= moment - self._gap:
                yield start, moment - self._gap + 1
            start = max(start, moment + self._gap)
            index += 1
        if start < end:
            yield start, end

    def earliest(self, span: Span, not_before: int = 0) -> Place | None:
        """Return the first moment of a span that the caps allow, None where there is none."""
        first = max(span[0], bisect_right(self.open.ends, not_before))
        for stretch in range(first, span[1]):
            if self._has_room(stretch):
                for start, end in self._gaps(stretch):
                    if max(start, not_before) < end:
                        return Place(max(start, not_before), stretch)
        return None


def week_of(day: int) -> int:
    """Return the number of the calendar week, from Monday, that a day's ordinal lies in."""
    return (day - 1) // 7


def month_of(day: int) -> int:
    """Return the number of the month that a day's ordinal lies in."""
    found = date.fromordinal(day)
    return found.year * 12 + found.month


def _open_pieces(inputs: DrawInputs) -> Iterator[_Stretch]:
    for piece in inputs.pieces:
        if inputs.night or not piece.night:
            yield _Stretch(*piece)


def _barred(inputs: DrawInputs, group: Group) -> list[tuple[int, int]]:
    """When a group is not called, in order; the stretches may overlap."""
    found = [*group.closed]
    for mark in inputs.days:
        # Where the clocks are changed on a day, the handover may lie that much to either side.
        guard = GUARD_S + abs(mark.length - 86_400)
        for minute in group.handovers:
            handover = mark.midnight + 60 * minute
            found.append((handover - guard + 1, handover + guard))
    return sorted(found)


def _without(stretches: Iterator[_Stretch], barred: list[tuple[int, int]]) -> Iterator[_Stretch]:
    """Cut the barred times out."""
    first = 0
    latest_end = _running_latest(barred)
    for stretch in stretches:
        while first < len(barred) and latest_end[first] <= stretch.start:
            first += 1
        start, index = stretch.start, first
        while index < len(barred) and barred[index][0] < stretch.end:
            if start < barred[index][0]:
                yield _Stretch(start, barred[index][0], stretch.day, stretch.period, stretch.night)
            start = max(start, barred[index][1])
            index += 1
        if start < stretch.end:
            yield _Stretch(start, stretch.end, stretch.day, stretch.period, stretch.night)


def _running_latest(barred: list[tuple[int, int]]) -> list[int]:
    found: list[int] = []
    for _, end in barred:
        found.append(max(end, found[-1]) if found else end)
    return found


def _seconds_by_period(stretches: list[_Stretch]) -> Counter[int]:
    found: Counter[int] = Counter()
    for stretch in stretches:
        found[stretch.period] += stretch.end - stretch.start
    return found


def _span(numbers: list[int], wanted: int) -> Span:
    """Where a number stands in an ascending list."""
    return bisect_left(numbers, wanted), bisect_right(numbers, wanted)
