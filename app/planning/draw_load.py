"""What a plan may be told beforehand: how many calls to expect in each window, never when they come."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from app.planning.draw_inputs import PPM, DrawInputs
from app.planning.draw_units import Board, Demand, UnitState

_Calls = dict[tuple[int, Demand], float]
"""Means by group of lines and demand."""


@dataclass(frozen=True, slots=True)
class Load:
    """Calls to expect in one stretch of a window, on one local day."""

    day: date
    start: datetime
    end: datetime
    night: bool
    expected: float
    """Mean over all draws that there could be, all units together; what the caps take off is not taken off."""


def expected_load(inputs: DrawInputs) -> tuple[Load, ...]:
    """Return the calls to expect in each stretch of the plan's windows that is still to come, in order of time.

    Guards of handovers inside a stretch are not shown; nor is any moment, which only the seed knows.
    """
    board = Board(inputs)
    calls: _Calls = {}
    # Units with the same times, counts and weights expect alike.
    known: dict[object, Sequence[tuple[tuple[int, Demand], float]]] = {}
    for unit in inputs.units:
        groups = tuple(line.group for line in unit.lines)
        alike = groups, inputs.short_periods(unit), inputs.short_years(unit), unit.weight_ppm
        if alike not in known:
            known[alike] = _means(board.state(unit))
        for key, mean in known[alike]:
            calls[key] = calls.get(key, 0.0) + mean
    starts = [piece.start for piece in inputs.pieces]
    expected: Counter[int] = Counter()
    shares: Counter[int] = Counter()
    for (group, demand), mean in calls.items():
        time = board.open_time(group)
        span = time.span(*demand)
        whole = time.seconds(span)
        for index in range(*span):
            piece = bisect_right(starts, time.starts[index]) - 1
            # In millionths of a call: sums of fractions would depend on their order.
            expected[piece] += round(mean * PPM * (time.ends[index] - time.starts[index]) / whole)
            shares[piece] += 1
    return tuple(_load(inputs, piece, expected[piece]) for piece in sorted(shares))


def _load(inputs: DrawInputs, number: int, expected_ppm: int) -> Load:
    piece = inputs.pieces[number]
    start = max(piece.start, inputs.from_at)
    return Load(
        date.fromordinal(piece.day),
        datetime.fromtimestamp(start, UTC),
        datetime.fromtimestamp(piece.end, UTC),
        piece.night,
        expected_ppm / PPM,
    )


def _means(state: UnitState) -> list[tuple[tuple[int, Demand], float]]:
    """Return the means of a unit, line by line."""
    found: list[tuple[tuple[int, Demand], float]] = []
    of_years: dict[int, float] = {}
    periods = range(len(state.inputs.periods))
    years_first = len(periods) == 1
    means: dict[Demand, float] = {}
    for demand in state.demands():
        mean = float(state.missing(demand))
        if demand[0] == "period":
            if years_first:
                mean = max(0.0, mean - sum(means.values()))
            mean += _further(state, demand[1])
        elif not years_first:
            mean = max(0.0, mean - of_years.get(demand[1], 0.0))
        means[demand] = mean
        if demand[0] == "period" and not years_first:
            for year, share in _years_of(state, demand[1]):
                of_years[year] = of_years.get(year, 0.0) + state.missing(demand) * share
    for demand, mean in means.items():
        whole = state.open_seconds(demand)
        for line, made in zip(state.lines, state.unit.lines, strict=True):
            seconds = line.open.seconds(line.open.span(*demand))
            if mean and seconds:
                found.append(((made.group, demand), mean * seconds / whole))
    return found


def _further(state: UnitState, number: int) -> float:
    whole_s = sum(line.open.whole_s[number] for line in state.lines)
    rest_s = state.open_seconds(("period", number))
    mean = state.inputs.extra_ppm * state.unit.weight_ppm / PPM**2
    return mean * rest_s / whole_s if whole_s else 0.0


def _years_of(state: UnitState, number: int) -> list[tuple[int, float]]:
    """Share of a period's open time that lies in each calendar year."""
    seconds: Counter[int] = Counter()
    for line in state.lines:
        time = line.open
        first, last = time.span("period", number)
        for year in {time.years[first], time.years[last - 1]} if last > first else ():
            low, high = time.span("year", year)
            low, high = max(low, first), min(high, last)
            seconds[year] += time.seconds((low, high)) if high > low else 0
    whole = sum(seconds.values())
    return [(year, count / whole) for year, count in seconds.items()] if whole else []
