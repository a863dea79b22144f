"""What a plan would do, as its page shows it: loads by day and window, what is against a start; never a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from app.planning.calendar import CalendarBook
from app.planning.draw import Contradiction
from app.planning.service import Preview
from app.web.plans.choices import WINDOW_KINDS
from app.web.plans.problems import Problem, of_faults

MOST_SHOWN = 50
LEVELS = 5
WHY: Mapping[str, str] = {
    "no_line": "没有可拨打的值班电话",
    "no_time": "时段、豁免与交接班避让之后，没有可用的时间",
    "caps": "线路的次数上限或最短间隔不容许更多",
    "most": "“每周期最多”不容许更多",
    "coverage": "该年度内线路的次数上限或最短间隔不容许更多",
}


@dataclass(frozen=True, slots=True)
class DayLoad:
    """One day of the heat map."""

    day: date
    calls: float
    """Calls to expect."""
    level: int
    """0 for none, 1 to 5 by its share of the busiest day."""
    inside: bool
    """Whether the plan calls on this day at all."""


@dataclass(frozen=True, slots=True)
class WindowLoad:
    """One stretch of a kind of day, over the whole plan."""

    kind: str
    """In Chinese."""
    start: str
    end: str
    days: int
    calls: float

    @property
    def mean(self) -> float:
        """Calls to expect on one such day."""
        return self.calls / self.days if self.days else 0.0


@dataclass(frozen=True, slots=True)
class Against:
    """A guarantee that cannot be kept."""

    unit: str
    unit_id: int
    span: str
    label: str
    wanted: int
    done: int
    possible: int
    why: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview as a page shows it."""

    units: int
    lines: int
    calls: float
    busiest: DayLoad | None
    weeks: Sequence[Sequence[DayLoad]]
    """From Monday."""
    windows: Sequence[WindowLoad]
    chart: Sequence[tuple[str, float]]
    hindrances: Sequence[tuple[str, Problem]]
    against: Sequence[Against]
    against_count: int
    over: int
    uncallable: Sequence[str]
    pending: int
    unknown_days: int

    @property
    def startable(self) -> bool:
        """Whether nothing is against a start."""
        return not (self.hindrances or self.against_count)


def shown(seen: Preview, book: CalendarBook, names: Mapping[int, str], zone: ZoneInfo) -> Shown:
    """Make what the page shows of a preview; `names`: of the units that may be seen."""
    by_day: dict[date, float] = {}
    for load in seen.loads:
        by_day[load.day] = by_day.get(load.day, 0.0) + load.expected
    most = max(by_day.values(), default=0.0)
    days = {day: DayLoad(day, calls, _level(calls, most), True) for day, calls in by_day.items()}
    return Shown(
        units=len(seen.inputs.units),
        lines=sum(len(unit.lines) for unit in seen.inputs.units),
        calls=sum(by_day.values()),
        busiest=max(days.values(), key=lambda item: item.calls, default=None),
        weeks=_weeks(days),
        windows=_windows(seen, book, zone),
        chart=[(day.isoformat(), round(calls, 2)) for day, calls in sorted(by_day.items())],
        hindrances=of_faults(seen.hindrances),
        against=[_against(item, names) for item in seen.contradictions[:MOST_SHOWN]],
        against_count=len(seen.contradictions),
        over=seen.over,
        uncallable=[names.get(item.unit_id, item.code) for item in seen.uncallable],
        pending=seen.pending,
        unknown_days=seen.unknown_days,
    )


def _level(calls: float, most: float) -> int:
    return 0 if calls <= 0 or most <= 0 else min(LEVELS, 1 + int(calls / most * LEVELS * 0.999))


def _weeks(days: Mapping[date, DayLoad]) -> list[list[DayLoad]]:
    if not days:
        return []
    first, last = min(days), max(days)
    day = first - timedelta(days=first.weekday())
    found = []
    while day <= last:
        week = [day + timedelta(days=number) for number in range(7)]
        found.append([days.get(item, DayLoad(item, 0.0, 0, False)) for item in week])
        day += timedelta(days=7)
    return found


def _windows(seen: Preview, book: CalendarBook, zone: ZoneInfo) -> list[WindowLoad]:
    sums: dict[tuple[str, str, str], tuple[set[date], float]] = {}
    for load in seen.loads:
        info = book.day(load.day)
        kind = WINDOW_KINDS["sensitive" if info.sensitive else info.kind]
        start = load.start.astimezone(zone).strftime("%H:%M")
        end = load.end.astimezone(zone).strftime("%H:%M")
        days, calls = sums.get((kind, start, end), (set(), 0.0))
        sums[kind, start, end] = days | {load.day}, calls + load.expected
    order = list(WINDOW_KINDS.values())
    return [
        WindowLoad(kind, start, "24:00" if end == "00:00" else end, len(days), calls)
        for (kind, start, end), (days, calls) in sorted(
            sums.items(), key=lambda item: (order.index(item[0][0]), item[0][1:])
        )
    ]


def _against(item: Contradiction, names: Mapping[int, str]) -> Against:
    unit = names.get(item.unit_id, str(item.unit_id))
    counts = item.wanted, item.done, item.possible
    return Against(unit, item.unit_id, item.span, item.label, *counts, WHY[item.kind])
