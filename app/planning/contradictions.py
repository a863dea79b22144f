"""Whether what a plan guarantees can be met under its caps, and if not, what is against it, with numbers.

The calls of a unit are set as early as they may be, period after period. No other arrangement has more calls before any
moment: caps of days and weeks and the gap are caps of unbroken stretches of time, so a call that is moved forward frees
what follows it. Two things are not of that kind and are searched for: which night of a month a line is called at, and
which periods take more than their own calls so that the year is covered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from app.planning.draw_inputs import DrawInputs
from app.planning.draw_units import Board, Demand, Pick, UnitState

ContradictionKind = Literal["no_line", "no_time", "caps", "most", "coverage"]
MOST_TRIALS = 300
"""Arrangements that are tried for one unit before it counts as impossible."""
VAIN_SEARCHES = 5
"""After so many unlike units were searched in vain the plan cannot start whatever the others say: those are not
searched, so that the preview of an impossible plan of thousands of units does not last for hours. One of them that is
short as its calls are set as early as may be is named too, though another arrangement might have room."""


class Contradiction(NamedTuple):
    """Something that a plan guarantees and cannot keep. There may be some for each unit and period."""

    kind: ContradictionKind
    """`no_line`: nobody to call. `no_time`: no window is left open. `caps`: the caps of its lines allow fewer.
    `most`: the most calls per period allow fewer than the year wants. `coverage`: the year has no room for them."""
    unit_id: int
    span: Literal["period", "year"]
    label: str
    """First day of the period, or the year."""
    wanted: int
    done: int
    """How many of them were counted before the draw."""
    possible: int
    """How many further ones can be placed."""

    def __str__(self) -> str:
        return (
            f"unit {self.unit_id}, {self.span} {self.label}: {self.wanted} calls are guaranteed, {self.done} were made "
            f"and {self.possible} more are possible: {_REASONS[self.kind]}"
        )

    @property
    def zh(self) -> str:
        """The same for a page."""
        span = f"{self.label} 起的周期" if self.span == "period" else f"{self.label} 年"
        return (
            f"单位 {self.unit_id}，{span}：应抽查 {self.wanted} 次，已完成 {self.done} 次，"
            f"还可安排 {self.possible} 次。{_REASONS_ZH[self.kind]}"
        )


_REASONS: Mapping[str, str] = {
    "no_line": "it has no line that may be called",
    "no_time": "no window is open to its lines: windows, exemptions and handovers leave no time",
    "caps": "the caps of its lines allow no more",
    "most": "most_per_unit allows no more in the periods of that year",
    "coverage": "the caps of its lines allow no more in that year",
}
_REASONS_ZH: Mapping[str, str] = {
    "no_line": "该单位没有可拨打的值班电话。",
    "no_time": "其值班电话没有可用的抽查时段。",
    "caps": "已达到线路的次数上限或最短间隔。",
    "most": "已达到每周期次数上限（most_per_unit）。",
    "coverage": "该年度内已达到线路的次数上限或最短间隔。",
}


@dataclass(frozen=True, slots=True)
class Completion:
    """The calls that a unit still lacks, placed as early as possible."""

    picks: tuple[Pick, ...]
    short: Mapping[Demand, int] = field(default_factory=dict)
    """Demands that cannot be met, and by how many calls."""

    @property
    def shortage(self) -> int:
        """Calls that cannot be placed."""
        return sum(self.short.values())


def complete(state: UnitState, *, search: bool = True) -> Completion:
    """Place what a unit lacks. The state itself stays as it is. Without `search` one arrangement is tried."""
    found = _once(state)
    if not found.short or not search:
        return found
    trials = _Trials()
    if _used_nights(state, found):
        found, state = _with_chosen_nights(state, found, trials)
    if any(kind == "year" for kind, _ in found.short) and len(state.inputs.periods) > 1:
        found = _with_fuller_periods(state, found, trials)
    return found


@dataclass(slots=True)
class _Trials:
    made: int = 0

    def left(self) -> bool:
        self.made += 1
        return self.made <= MOST_TRIALS


def _once(state: UnitState, spans: Collection[str] = ("period", "year")) -> Completion:
    trial = state.copy()
    picks: list[Pick] = []
    short: dict[Demand, int] = {}
    for demand in trial.demands():
        if demand[0] not in spans:
            continue
        while missing := trial.missing(demand):
            pick = trial.earliest(demand)
            if pick is None:
                short[demand] = missing
                break
            trial.put(pick)
            picks.append(pick)
    return Completion(tuple(picks), short)


def _with_chosen_nights(state: UnitState, best: Completion, trials: _Trials) -> tuple[Completion, UnitState]:
    """Settle for each month whether, and on which day, its night is used, as long as that helps."""
    chosen: dict[int, int] = {}
    best_state = state
    least = _once(_with_free_nights(state)).shortage
    better = True
    while better and best.shortage > least:
        better = False
        for month, day in _night_choices(state, _used_nights(state, best)):
            if chosen.get(month) == day or not trials.left():
                continue
            trial = _only_nights(state, {**chosen, month: day})
            found = _once(trial)
            if found.shortage < best.shortage:
                chosen, best, best_state, better = {**chosen, month: day}, found, trial, True
                break
    return best, best_state


def _used_nights(state: UnitState, found: Completion) -> frozenset[int]:
    """Return the months whose night an arrangement uses: only there another choice may leave more room."""
    months = set()
    for pick in found.picks:
        time = state.lines[pick.line].open
        if time.nights[pick.place.stretch]:
            months.add(time.months[pick.place.stretch])
    return frozenset(months)


def _night_choices(state: UnitState, months: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Return months with the day whose night may be used, 0 for none."""
    choices: dict[int, set[int]] = {}
    for line in state.lines:
        time = line.open
        for month, day, night in zip(time.months, time.days, time.nights, strict=True):
            if night and month in months:
                choices.setdefault(month, {0}).add(day)
    for month, days in sorted(choices.items()):
        for day in sorted(days):
            yield month, day


def _with_free_nights(state: UnitState) -> UnitState:
    """Return the unit without the cap of its nights: no choice of nights can place more."""
    twin = state.copy()
    for line in twin.lines:
        line.free_nights = True
    return twin


def _only_nights(state: UnitState, chosen: Mapping[int, int]) -> UnitState:
    twin = state.copy()
    for line in twin.lines:
        line.only_nights = chosen
    return twin


def _with_fuller_periods(state: UnitState, best: Completion, trials: _Trials) -> Completion:
    """Let periods, the earliest first, take more calls than their own for the sake of the year."""
    trial = state.copy()
    # Calls set for the year alone, as early as may be: no arrangement has more of them.
    least = _once(state, ("year",)).shortage
    for number in range(len(trial.inputs.periods)):
        demand: Demand = ("period", number)
        while _short_of_years(best) > least and (
            trial.most is None or trial.wanted(demand) + trial.raised[demand] < trial.most
        ):
            trial.raised[demand] += 1
            found = _once(trial)
            if found.shortage >= best.shortage or not trials.left():
                trial.raised[demand] -= 1
                break
            best = found
    return best


def _short_of_years(found: Completion) -> int:
    return sum(lacking for (kind, _), lacking in found.short.items() if kind == "year")


def contradictions(inputs: DrawInputs) -> tuple[Contradiction, ...]:
    """Return what the inputs guarantee and cannot keep; nothing where they can be drawn."""
    board = Board(inputs)
    # Units with the same times, checks and counts stand alike.
    known: dict[object, Sequence[Contradiction]] = {}
    found: list[Contradiction] = []
    vain = 0
    for unit in inputs.units:
        lines = tuple(
            (line.group, board.open_time(line.group).bearing(inputs.caps, line.used)) for line in unit.lines
        )
        # More than its own calls matters to a period only where there is a most, or where a year has to be filled up.
        enough = inputs.most is None and inputs.is_covered(unit)
        done = inputs.short_periods(unit) if enough else unit.done
        alike = (enough, lines, done, inputs.short_years(unit))
        if alike not in known:
            state = board.state(unit)
            short = complete(state, search=vain < VAIN_SEARCHES).short
            known[alike] = [_contradiction(state, demand, lacking) for demand, lacking in short.items()]
            vain += bool(short)
        key = unit.unit_id
        found += [
            Contradiction(one.kind, key, one.span, one.label, one.wanted, one.done, one.possible)
            for one in known[alike]
        ]
    return tuple(found)


def _contradiction(state: UnitState, demand: Demand, lacking: int) -> Contradiction:
    span, number = demand
    label = state.inputs.periods[number] if span == "period" else str(number)
    done = state.counts[demand]
    possible = state.missing(demand) - lacking
    return Contradiction(
        _kind(state, demand),
        state.unit.unit_id,
        span,
        label,
        state.wanted(demand),
        done,
        max(possible, 0),
    )


def _kind(state: UnitState, demand: Demand) -> ContradictionKind:
    if not state.lines:
        return "no_line"
    if not state.open_seconds(demand):
        return "no_time"
    if state.most is not None:
        unbound = state.copy()
        unbound.most = None
        if demand not in complete(unbound).short:
            return "most"
    return "caps" if demand[0] == "period" else "coverage"
