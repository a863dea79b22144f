"""One unit during a draw: its lines, what it has already, what is still guaranteed to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.planning.caps import LineState, OpenTime, Place, SpanKind
from app.planning.draw_inputs import DrawInputs, DrawUnit

Demand = tuple[SpanKind, int]
"""A period by its number, or a calendar year, in which calls are guaranteed."""


class Pick(NamedTuple):
    """A line of the unit, by its place in the list, and a moment."""

    line: int
    place: Place


class UnitState:
    """What a unit has and lacks. Guaranteed calls are drawn for the inner demands first, then for the outer ones.

    Inner are the periods, and the coverage of the year is what is left to do; where the plan is one period over several
    years, it is the other way round.
    """

    def __init__(self, inputs: DrawInputs, unit: DrawUnit, lines: list[LineState]) -> None:
        self.inputs = inputs
        self.unit = unit
        self.lines = lines
        self.counts: Counter[Demand] = Counter()
        for number, count in unit.done:
            self.counts["period", number] += count
        for year, count in unit.done_years:
            self.counts["year", year] += count
        self.waived: Counter[Demand] = Counter()
        """Calls that cannot be placed any more."""
        self.raised: Counter[Demand] = Counter()
        """Calls that a period takes over its own need, for the sake of its year."""
        self.most = inputs.most
        """Most calls of a period."""
        self.crowded = False
        """Whether some moment was drawn that its caps did not allow."""

    def copy(self) -> UnitState:
        """Return the same unit, to try things on."""
        twin = UnitState.__new__(UnitState)
        twin.inputs, twin.unit, twin.most, twin.crowded = self.inputs, self.unit, self.most, self.crowded
        twin.lines = [line.copy() for line in self.lines]
        twin.counts, twin.waived, twin.raised = self.counts.copy(), self.waived.copy(), self.raised.copy()
        return twin

    def demands(self) -> Iterator[Demand]:
        """Return all demands, inner before outer, each in the order of time."""
        periods: list[Demand] = [("period", number) for number in range(len(self.inputs.periods))]
        years: list[Demand] = [("year", year) for year in self.inputs.years]
        return iter([*years, *periods] if len(periods) == 1 else [*periods, *years])

    def wanted(self, demand: Demand) -> int:
        """Return how many calls a demand guarantees."""
        return self.inputs.calls if demand[0] == "period" else self.inputs.coverage

    def missing(self, demand: Demand) -> int:
        """Return how many calls a demand still lacks."""
        wanted = self.wanted(demand) - self.waived[demand] + self.raised[demand]
        return max(0, wanted - self.counts[demand])

    def has_room(self, pick: Pick) -> bool:
        """Whether the most calls of its period allow this one."""
        if self.most is None:
            return True
        return self.counts["period", self.lines[pick.line].open.periods[pick.place.stretch]] < self.most

    def put(self, pick: Pick) -> None:
        """Enter a call."""
        self.lines[pick.line].put(pick.place)
        self._count(pick, 1)

    def take(self, pick: Pick) -> None:
        """Take a call out again."""
        self.lines[pick.line].take(pick.place)
        self._count(pick, -1)

    def _count(self, pick: Pick, step: int) -> None:
        for demand in self.served(pick):
            self.counts[demand] += step

    def served(self, pick: Pick) -> tuple[Demand, Demand]:
        """Return the period and the year that a call counts for."""
        time = self.lines[pick.line].open
        return ("period", time.periods[pick.place.stretch]), ("year", time.years[pick.place.stretch])

    def open_seconds(self, demand: Demand) -> int:
        """Return how many seconds of a demand are open, all lines together."""
        return sum(line.open.seconds(line.open.span(*demand)) for line in self.lines)

    def earliest(self, demand: Demand) -> Pick | None:
        """Return the first moment of a demand that caps and the most calls allow; None where there is none."""
        found: Pick | None = None
        for index, line in enumerate(self.lines):
            pick = self._earliest_of(index, line, demand)
            if pick is not None and (found is None or pick.place.at < found.place.at):
                found = pick
        return found

    def _earliest_of(self, index: int, line: LineState, demand: Demand) -> Pick | None:
        first, last = line.open.span(*demand)
        while first < last:
            place = line.earliest((first, last))
            if place is None:
                return None
            if self.has_room(Pick(index, place)):
                return Pick(index, place)
            # This period is full: go on behind it.
            first = line.open.span("period", line.open.periods[place.stretch])[1]
        return None

    def free(self, demand: Demand) -> list[tuple[int, int, Pick]]:
        """Return all open time of a demand that is still allowed: its seconds so far, its own, where it begins."""
        found: list[tuple[int, int, Pick]] = []
        before = 0
        for index, line in enumerate(self.lines):
            for start, end, stretch in line.free(line.open.span(*demand)):
                pick = Pick(index, Place(start, stretch))
                if self.has_room(pick):
                    found.append((before, end - start, pick))
                    before += end - start
        return found


class Board:
    """Makes the states of units; open time is worked out once for each group of lines."""

    def __init__(self, inputs: DrawInputs) -> None:
        self.inputs = inputs
        self._open: dict[int, OpenTime] = {}

    def open_time(self, group: int) -> OpenTime:
        """Return the open time of a group."""
        if group not in self._open:
            self._open[group] = OpenTime(self.inputs, self.inputs.groups[group])
        return self._open[group]

    def state(self, unit: DrawUnit) -> UnitState:
        """Return a unit as it stands before the draw."""
        lines = [LineState(self.open_time(line.group), self.inputs.caps, line) for line in unit.lines]
        return UnitState(self.inputs, unit, lines)


def at_random(picks: Sequence[tuple[int, int, Pick]], second: int) -> Pick:
    """Return the moment at this second of free time, counted from 0."""
    low, high = 0, len(picks)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if picks[middle][0] <= second else (low, middle)
    before, _, pick = picks[low]
    return Pick(pick.line, Place(pick.place.at + second - before, pick.place.stretch))
