"""What a draw must keep, read from the plan itself: nothing here uses the draw's own open time, caps or order.

`faults` walks the plan's windows with local times. `possible` decides by search whether any arrangement exists: a call
can be moved forward to the start of its stretch or to a whole gap behind the call before it without breaking anything,
so those moments alone need be looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from app.planning.calendar import CalendarBook
from app.planning.draw import DrawInputs, DrawnSlot
from app.planning.spec import PlanSpec
from app.planning.windows import DrawMoment, LineFacts, UnitFacts, build_inputs

ZONE = ZoneInfo("Asia/Shanghai")
GUARD = timedelta(minutes=15)
STEP = timedelta(minutes=5)


@dataclass(frozen=True)
class World:
    """A plan, its calendar and its units."""

    spec: PlanSpec
    units: Sequence[UnitFacts]
    book: CalendarBook = field(default_factory=CalendarBook)
    moment: DrawMoment | None = None
    zone: ZoneInfo = ZONE

    @property
    def drawn(self) -> DrawMoment:
        first = datetime.combine(self.spec.first_day, time(), self.zone)
        return self.moment or DrawMoment(0, first)

    def inputs(self) -> DrawInputs:
        return build_inputs(self.spec, self.book, self.zone, self.units, self.drawn)


def window_day(world: World, at: datetime) -> date | None:
    """The day whose window a moment lies in, the earlier one where two do."""
    spec = world.spec
    local = at.astimezone(world.zone)
    for day in (local.date() - timedelta(days=1), local.date()):
        if not spec.first_day <= day <= spec.last_day:
            continue
        info = world.book.day(day)
        given = spec.windows.get("sensitive") if info.sensitive else None
        if given is None:
            stand_in = {"makeup_workday": "workday", "lieu_day": "holiday"}.get(info.kind, info.kind)
            given = spec.windows.get(info.kind, spec.windows.get(stand_in, []))
        for window in given:
            start = _local(day, window.start, world.zone)
            ends_on = day + timedelta(days=1) if window.end < window.start else day
            if start <= at < _local(ends_on, window.end, world.zone):
                return day
    return None


def _counting_day(world: World, second: int) -> date:
    """The day by which an earlier call counts for a period: that of its window, else its own."""
    at = datetime.fromtimestamp(second, UTC)
    return window_day(world, at) or at.astimezone(world.zone).date()


def _local(day: date, text: str, zone: ZoneInfo) -> datetime:
    hours, minutes = int(text[:2]), int(text[3:])
    return datetime.combine(day + timedelta(days=hours // 24), time(hours % 24, minutes), zone)


def period_start(spec: PlanSpec, day: date) -> str:
    """The period of a day, as text."""
    if spec.period == "week":
        return f"{day.isocalendar().year}-{day.isocalendar().week}"
    if spec.period == "month":
        return f"{day:%Y-%m}"
    if spec.period == "quarter":
        return f"{day.year} {(day.month + 2) // 3}"
    return str(day.year) if spec.period == "year" else "whole"


def missing(unit_id: int, span: str) -> str:
    """The fault of a unit that has too few calls in a period or year."""
    return f"unit {unit_id} lacks calls in {span}"


def faults(world: World, slots: Sequence[DrawnSlot]) -> list[str]:
    """What is wrong with a draw; nothing where it keeps all that the plan says."""
    found: list[str] = []
    lines = {line.line_id: (unit, line) for unit in world.units for line in unit.lines}
    calls: dict[int, list[datetime]] = {key: [*line.used] for key, (_, line) in lines.items()}
    periods: Counter[tuple[int, str]] = Counter()
    years: Counter[tuple[int, int]] = Counter()
    for slot in slots:
        unit, _ = lines[slot.line_id]
        if unit.unit_id != slot.unit_id:
            found.append(f"line {slot.line_id} is none of unit {slot.unit_id}")
        found += _time_faults(world, slot)
        calls[slot.line_id].append(slot.at)
        day = window_day(world, slot.at)
        periods[slot.unit_id, period_start(world.spec, day or date.min)] += 1
        years[slot.unit_id, slot.at.astimezone(world.zone).year] += 1
    for key, moments in calls.items():
        found += _cap_faults(world, key, moments, {slot.at for slot in slots if slot.line_id == key})
    return [*found, *_count_faults(world, periods, years)]


def _time_faults(world: World, slot: DrawnSlot) -> Iterator[str]:
    unit = next(unit for unit in world.units if unit.unit_id == slot.unit_id)
    line = next(line for line in unit.lines if line.line_id == slot.line_id)
    local = slot.at.astimezone(world.zone)
    if slot.at < world.drawn.from_at:
        yield f"{local} lies before the draw"
    if window_day(world, slot.at) is None:
        yield f"{local} lies in no window"
    if local.hour < 6 and not world.drawn.night_approved:
        yield f"{local} lies in the night"
    if any(first <= slot.at < last for first, last in line.closed):
        yield f"{local}: the line is closed"
    for day in (local.date() + timedelta(days=step) for step in (-1, 0, 1)):
        for minute in unit.handovers:
            handover = datetime.combine(day, time(), world.zone) + timedelta(minutes=minute)
            if abs(slot.at - handover) < GUARD:
                yield f"{local} is close to the handover at {handover}"


def _cap_faults(world: World, key: int, moments: list[datetime], drawn: set[datetime]) -> Iterator[str]:
    caps = world.spec.caps
    local = sorted(at.astimezone(world.zone) for at in moments)
    # What was ordered by hand may break a cap; what was drawn may not add to it.
    new = {at.astimezone(world.zone) for at in drawn}
    for name, most, count in (
        ("day", caps.line_day, Counter(at.date() for at in local)),
        ("week", caps.line_week, Counter(at.date().isocalendar()[:2] for at in local)),
        ("nights", 1, Counter((at.year, at.month) for at in local if at.hour < 6)),
    ):
        for at in new & set(local):
            where = {"day": at.date(), "week": at.date().isocalendar()[:2], "nights": (at.year, at.month)}[
                name
            ]
            if count[where] > most and (name != "nights" or at.hour < 6):
                yield f"line {key}: {count[where]} in the {name} of {at}"
    gap = timedelta(hours=caps.least_gap_h)
    for one, other in pairwise(local):
        if other - one < gap and (one in new or other in new):
            yield f"line {key}: {one} and {other} are too close"


def _count_faults(
    world: World, periods: Counter[tuple[int, str]], years: Counter[tuple[int, int]]
) -> Iterator[str]:
    spec = world.spec
    days = [spec.first_day + timedelta(days=n) for n in range((spec.last_day - spec.first_day).days + 1)]
    for unit in world.units:
        done = Counter(period_start(spec, _counting_day(world, at)) for at in unit.done)
        for period in {period_start(spec, day) for day in days}:
            count = periods[unit.unit_id, period] + done[period]
            if count < spec.calls_per_unit:
                yield missing(unit.unit_id, period)
            most = spec.most_per_unit
            if most is not None and periods[unit.unit_id, period] > max(0, most - done[period]):
                yield f"unit {unit.unit_id} has {count} calls in {period}, more than the most"
        for year in {day.year for day in days}:
            count = years[unit.unit_id, year] + unit.done_years.get(year, 0)
            if count < spec.yearly_coverage:
                yield missing(unit.unit_id, str(year))


@dataclass(frozen=True)
class _Stretch:
    start: int
    end: int
    day: date
    period: str
    night: bool


@dataclass(frozen=True)
class _Spot:
    at: int
    line: int
    stretch: _Stretch


def possible(world: World, unit: UnitFacts) -> bool:
    """Whether any arrangement gives a unit what the plan guarantees. By search: for small worlds."""
    spec = world.spec
    gap = round(spec.caps.least_gap_h * 3600)
    steps = range(spec.calls_per_unit * 4 + spec.yearly_coverage * 2 + 1)
    spots: list[_Spot] = []
    for number, line in enumerate(unit.lines):
        used = [int(at.timestamp()) for at in line.used]
        stretches = list(_stretches(world, unit, line))
        bases = [stretch.start for stretch in stretches] + [at + gap for at in used]
        wanted = {base + step * gap for base in bases for step in steps}
        spots += [
            _Spot(at, number, stretch)
            for stretch in stretches
            for at in wanted
            if stretch.start <= at < stretch.end and all(abs(at - other) >= gap for other in used)
        ]
    return _Search(world, unit, sorted(spots, key=lambda spot: (spot.at, spot.line))).succeeds()


class _Search:
    """Looks through the arrangements of spots, the earliest first."""

    def __init__(self, world: World, unit: UnitFacts, spots: Sequence[_Spot]) -> None:
        spec = self.spec = world.spec
        self.unit, self.spots = unit, spots
        self.gap = round(spec.caps.least_gap_h * 3600)
        self.days: Counter[tuple[int, date]] = Counter()
        self.weeks: Counter[tuple[int, tuple[int, int]]] = Counter()
        self.nights: Counter[tuple[int, int, int]] = Counter()
        for number, line in enumerate(unit.lines):
            for at in (moment.astimezone(world.zone) for moment in line.used):
                self.days[number, at.date()] += 1
                self.weeks[number, at.date().isocalendar()[:2]] += 1
                self.nights[number, at.year, at.month] += at.hour < 6
        self.done = Counter(period_start(spec, _counting_day(world, at)) for at in unit.done)
        length = (spec.last_day - spec.first_day).days + 1
        span = [spec.first_day + timedelta(days=number) for number in range(length)]
        self.periods = {period_start(spec, day) for day in span}
        self.years = {day.year for day in span}
        self.most = spec.calls_per_unit * len(self.periods) + spec.yearly_coverage * len(self.years)

    def succeeds(self) -> bool:
        """Whether some arrangement has enough calls."""

        @cache
        def reach(index: int, chosen: tuple[int, ...]) -> bool:
            if self._enough(chosen):
                return True
            return len(chosen) < self.most and any(
                reach(later + 1, (*chosen, later))
                for later in range(index, len(self.spots))
                if self._allowed(chosen, later)
            )

        return reach(0, ())

    def _enough(self, chosen: tuple[int, ...]) -> bool:
        mine = [self.spots[index].stretch for index in chosen]
        of_periods = self.done + Counter(stretch.period for stretch in mine)
        of_years = Counter(self.unit.done_years) + Counter(stretch.day.year for stretch in mine)
        return all(of_periods[period] >= self.spec.calls_per_unit for period in self.periods) and all(
            of_years[year] >= self.spec.yearly_coverage for year in self.years
        )

    def _allowed(self, chosen: tuple[int, ...], index: int) -> bool:
        spot, caps = self.spots[index], self.spec.caps
        line, stretch = spot.line, spot.stretch
        mine = [self.spots[each] for each in (*chosen, index)]
        own = [each for each in mine if each.line == line]
        if len(own) > 1 and spot.at - own[-2].at < self.gap:
            return False
        week, month = stretch.day.isocalendar()[:2], (stretch.day.year, stretch.day.month)
        of_day = sum(each.stretch.day == stretch.day for each in own)
        of_week = sum(each.stretch.day.isocalendar()[:2] == week for each in own)
        of_month = sum(
            each.stretch.night and (each.stretch.day.year, each.stretch.day.month) == month for each in own
        )
        of_period = sum(each.stretch.period == stretch.period for each in mine)
        most = self.spec.most_per_unit
        return (
            of_day + self.days[line, stretch.day] <= caps.line_day
            and of_week + self.weeks[line, week] <= caps.line_week
            and (not stretch.night or of_month + self.nights[line, *month] <= 1)
            and (most is None or of_period + self.done[stretch.period] <= most)
        )


def _stretches(world: World, unit: UnitFacts, line: LineFacts) -> Iterator[_Stretch]:
    """Open time of a line, put together in steps of five minutes: all that happens here happens at such."""
    spec = world.spec
    at = datetime.combine(spec.first_day, time(), world.zone)
    end = datetime.combine(spec.last_day + timedelta(days=2), time(), world.zone)
    running: _Stretch | None = None
    while at < end:
        found = _open_at(world, unit, at, line.closed)
        now = int(at.timestamp())
        if running is not None and (
            found is None
            or (found.day, found.period, found.night) != (running.day, running.period, running.night)
        ):
            yield running
            running = None
        if found is not None:
            start = running.start if running else now
            running = _Stretch(start, now + STEP.seconds, found.day, found.period, found.night)
        at += STEP


def _open_at(
    world: World, unit: UnitFacts, at: datetime, closed: Sequence[tuple[datetime, datetime]]
) -> _Stretch | None:
    day = window_day(world, at)
    if day is None or at < world.drawn.from_at or any(first <= at < last for first, last in closed):
        return None
    local = at.astimezone(world.zone)
    if local.hour < 6 and not world.drawn.night_approved:
        return None
    for minute in unit.handovers:
        distance = abs((local.hour * 60 + local.minute - minute + 720) % 1440 - 720)
        if distance < 15:
            return None
    return _Stretch(0, 0, local.date(), period_start(world.spec, day), local.hour < 6)
