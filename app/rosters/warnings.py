"""What is wrong with rosters, told before anybody is called. Pure: rosters, people, regimes and days in, warnings out.

A warning is a hint to the unit and to the duty office; it is no finding and takes no points. The rules are those of
the notices that this system was made after (带班领导不得同时履行多个单位的带班职责; 严禁同一人同时承担值班、带班;
重要时段 2 人及以上同时在岗; 每班不少于 8 小时; 值班人员月均不少于 2 次; 正式干部值班; 双带班). Each limit is a
member of `RosterRules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from app.planning.calendar import CalendarBook

WARNING_CODES = {
    "leader_two_units": "一名领导同时带班多个单位",
    "duty_and_leader": "同一人同时值班、带班",
    "too_few_on_duty": "重要时段在岗人数不足",
    "too_few_leaders": "双带班缺人",
    "short_shift": "班次过短",
    "gap": "24 小时值守有空档",
    "overlap": "班次交错重叠",
    "ineligible_staff": "人员性质不宜单独值班",
    "few_duties": "月均值班次数不足",
}
INELIGIBLE = ("contract", "rehired", "intern", "worker")
STAFFING_ZH = {"contract": "临聘", "rehired": "退休返聘", "intern": "实习", "worker": "工勤"}
KINDS_ZH = {"duty": "值班", "leader": "带班"}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RosterRules:
    """The limits; each customer's document may set others."""

    least_shift: timedelta = timedelta(hours=8)
    least_on_sensitive_days: Mapping[str, int] = field(default_factory=lambda: {"county": 2})
    """How many are on duty at one time in 重要时段, by category of the unit."""
    least_duties_a_month: float = 2.0
    ineligible: tuple[str, ...] = INELIGIBLE


@dataclass(frozen=True, slots=True)
class Turn:
    """One person's turn, from the newest version of a roster."""

    unit_id: int
    kind: str
    name: str
    start_at: datetime
    end_at: datetime
    person_id: int | None = None
    phone: str = ""
    staffing: str = "unknown"

    def meets(self, other: Turn) -> bool:
        """Whether both are on at one time."""
        return self.start_at < other.end_at and other.start_at < self.end_at


@dataclass(frozen=True, slots=True)
class UnitRosters:
    """What is known of one unit for a period."""

    unit_id: int
    category: str
    turns: tuple[Turn, ...]
    """Those that reach into the period, begun before it too."""
    filed: frozenset[tuple[date, str]]
    """Days and kinds for which a roster was filed."""
    double_days: frozenset[date] = frozenset()
    """Days on which two leaders are on (双带班), by the unit's regime."""
    officers: tuple[tuple[int, str, date | None, date | None], ...] = ()
    """Key, name, first and last day of the people who keep duty in it (值班员)."""


@dataclass(frozen=True, slots=True)
class RosterWarning:
    """One thing that a person should look at."""

    code: str
    unit_id: int
    day: date
    message: str
    """In Chinese, for the unit."""
    names: tuple[str, ...] = ()
    certain: bool = True
    """False: it hangs on two people of one name being the same."""


def warnings_of(
    units: Iterable[UnitRosters],
    elsewhere: Sequence[Turn],
    period: tuple[date, date],
    book: CalendarBook,
    zone: ZoneInfo,
    rules: RosterRules | None = None,
) -> Iterator[RosterWarning]:
    """Tell what is wrong with the rosters of these units in a period, both days inclusive.

    `elsewhere` are turns in which people of these names stand, those of other units above all.
    """
    rules = rules or RosterRules()
    leading = _Leading(turn for turn in elsewhere if turn.kind == "leader")
    for unit in units:
        begun = [turn for turn in unit.turns if period[0] <= _day(turn.start_at, zone) <= period[1]]
        yield from _two_units(unit, begun, leading, zone)
        yield from _duty_and_leader(unit, leading, period, zone)
        yield from _short(unit, begun, rules, zone)
        yield from _ineligible(unit, begun, rules, zone)
        yield from _cover(unit, period, zone)
        yield from _overlaps(unit, begun, zone)
        yield from _too_few(unit, period, book, zone, rules)
        yield from _too_few_leaders(unit, period, zone)
        yield from _few_duties(unit, period, zone, rules)


def same_person(one: Turn, other: Turn) -> bool | None:
    """Tell whether two turns are one person's; None where only the name says so.

    People are entered for each unit anew, so one leader of two units has two keys: name and telephone then decide.
    """
    if one.person_id is not None and one.person_id == other.person_id:
        return True
    if one.name != other.name:
        return False
    mine, theirs = _digits(one.phone), _digits(other.phone)
    if mine and theirs:
        return mine == theirs
    if one.unit_id != other.unit_id:
        return None
    # Two entries of one name in one unit are two people.
    return one.person_id is None or other.person_id is None


class _Leading:
    """Turns of leaders by who may stand in them: a whole county's are looked through for each person."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._turns: dict[str | int, list[Turn]] = {}
        for turn in turns:
            for who in _marks(turn):
                self._turns.setdefault(who, []).append(turn)

    def beside(self, turn: Turn) -> Iterator[Turn]:
        """Those at the same time that may be the same person's."""
        found = {id(other): other for who in _marks(turn) for other in self._turns.get(who, ())}
        return (other for other in found.values() if turn.meets(other))


def _marks(turn: Turn) -> tuple[str | int, ...]:
    return (turn.name,) if turn.person_id is None else (turn.name, turn.person_id)


def _two_units(
    unit: UnitRosters, turns: Iterable[Turn], leading: _Leading, zone: ZoneInfo
) -> Iterator[RosterWarning]:
    told: set[tuple[date, str, int]] = set()
    for turn in turns:
        if turn.kind != "leader":
            continue
        for other in leading.beside(turn):
            if other.unit_id == unit.unit_id:
                continue
            same = same_person(turn, other)
            key = (_day(turn.start_at, zone), turn.name, other.unit_id)
            if same is False or key in told:
                continue
            told.add(key)
            message = f"带班领导“{turn.name}”同一时间还在单位 {other.unit_id} 带班"
            yield RosterWarning(
                "leader_two_units", unit.unit_id, key[0], _hedged(message, same), (turn.name,), same is True
            )


def _duty_and_leader(
    unit: UnitRosters, elsewhere: _Leading, period: tuple[date, date], zone: ZoneInfo
) -> Iterator[RosterWarning]:
    """In this unit, or on duty here while leading elsewhere; the unit of the duty turn is told."""
    told: set[tuple[date, str]] = set()
    here = _Leading(turn for turn in unit.turns if turn.kind == "leader")
    for turn in unit.turns:
        if turn.kind != "duty":
            continue
        away = (leader for leader in elsewhere.beside(turn) if leader.unit_id != unit.unit_id)
        for leader in (*here.beside(turn), *away):
            same = same_person(turn, leader)
            key = (_day(max(turn.start_at, leader.start_at), zone), turn.name)
            if same is False or key in told or not period[0] <= key[0] <= period[1]:
                continue
            told.add(key)
            message = f"“{turn.name}”同一时间既值班又带班"
            yield RosterWarning(
                "duty_and_leader", unit.unit_id, key[0], _hedged(message, same), (turn.name,), same is True
            )


def _short(
    unit: UnitRosters, turns: Iterable[Turn], rules: RosterRules, zone: ZoneInfo
) -> Iterator[RosterWarning]:
    for turn in turns:
        if turn.kind == "duty" and turn.end_at - turn.start_at < rules.least_shift:
            message = (
                f"“{turn.name}”{_span(turn.start_at, turn.end_at, zone)} 的班次不足 "
                f"{_hours(rules.least_shift)} 小时"
            )
            yield RosterWarning("short_shift", unit.unit_id, _day(turn.start_at, zone), message, (turn.name,))


def _ineligible(
    unit: UnitRosters, turns: Iterable[Turn], rules: RosterRules, zone: ZoneInfo
) -> Iterator[RosterWarning]:
    for turn in turns:
        if turn.staffing in rules.ineligible:
            staffing = STAFFING_ZH.get(turn.staffing, turn.staffing)
            message = f"{KINDS_ZH[turn.kind]}人员“{turn.name}”为{staffing}，应安排正式在编人员"
            yield RosterWarning(
                "ineligible_staff", unit.unit_id, _day(turn.start_at, zone), message, (turn.name,)
            )


def _cover(unit: UnitRosters, period: tuple[date, date], zone: ZoneInfo) -> Iterator[RosterWarning]:
    """Times of a day, from midnight to midnight, that nobody holds; of days that a roster was filed for."""
    for kind in KINDS_ZH:
        turns = [turn for turn in unit.turns if turn.kind == kind]
        for day in _days(period):
            if (day, kind) not in unit.filed:
                continue
            for start, end, count in _counts(turns, day, zone):
                if count == 0:
                    message = f"{KINDS_ZH[kind]}表 {_span(start, end, zone)} 无人"
                    yield RosterWarning("gap", unit.unit_id, day, message)


def _overlaps(unit: UnitRosters, turns: Iterable[Turn], zone: ZoneInfo) -> Iterator[RosterWarning]:
    """Turns that cross: neither holds the other. Two who stand together, or one who helps out, is as it should be."""
    ordered = sorted(turns, key=lambda turn: (turn.start_at, turn.end_at))
    for position, one in enumerate(ordered):
        for other in ordered[position + 1 :]:
            if other.start_at >= one.end_at:
                break
            if one.kind == other.kind and one.start_at < other.start_at and one.end_at < other.end_at:
                span = _span(other.start_at, one.end_at, zone)
                message = f"“{one.name}”与“{other.name}”的{KINDS_ZH[one.kind]}班次在 {span} 交错"
                yield RosterWarning(
                    "overlap", unit.unit_id, _day(other.start_at, zone), message, (one.name, other.name)
                )


def _too_few(
    unit: UnitRosters,
    period: tuple[date, date],
    book: CalendarBook,
    zone: ZoneInfo,
    rules: RosterRules,
) -> Iterator[RosterWarning]:
    least = rules.least_on_sensitive_days.get(unit.category, 0)
    for day in _days(period):
        spans = _held_by_fewer(unit, "duty", least, day, zone) if book.day(day).sensitive else ""
        if spans:
            yield RosterWarning("too_few_on_duty", unit.unit_id, day, f"重要时段 {spans} 在岗不足 {least} 人")


def _too_few_leaders(unit: UnitRosters, period: tuple[date, date], zone: ZoneInfo) -> Iterator[RosterWarning]:
    for day in _days(period):
        spans = _held_by_fewer(unit, "leader", 2, day, zone) if day in unit.double_days else ""
        if spans:
            yield RosterWarning("too_few_leaders", unit.unit_id, day, f"双带班，{spans} 只有一名带班领导")


def _held_by_fewer(unit: UnitRosters, kind: str, least: int, day: date, zone: ZoneInfo) -> str:
    """The times of a day that somebody holds, but fewer people than needed; those that nobody holds are gaps."""
    if (day, kind) not in unit.filed:
        return ""
    turns = [turn for turn in unit.turns if turn.kind == kind]
    short = [(start, end) for start, end, count in _counts(turns, day, zone) if 0 < count < least]
    return "、".join(_span(start, end, zone) for start, end in _joined(short))


def _few_duties(
    unit: UnitRosters, period: tuple[date, date], zone: ZoneInfo, rules: RosterRules
) -> Iterator[RosterWarning]:
    """By whole months alone: half a month says nothing of a monthly average."""
    months = list(_whole_months(period))
    for key, name, first, last in unit.officers:
        held = [
            month for month in months if (first or month[0]) <= month[0] and month[1] <= (last or month[1])
        ]
        if not held:
            continue
        begun = [
            _day(turn.start_at, zone)
            for turn in unit.turns
            if turn.kind == "duty"
            and (turn.person_id == key if turn.person_id is not None else turn.name == name)
        ]
        count = sum(1 for day in begun if any(month[0] <= day <= month[1] for month in held))
        if count / len(held) < rules.least_duties_a_month:
            message = f"“{name}”{len(held)} 个月值班 {count} 次，月均不足 {rules.least_duties_a_month:g} 次"
            yield RosterWarning("few_duties", unit.unit_id, held[0][0], message, (name,))


def _counts(turns: Sequence[Turn], day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, int]]:
    """The pieces of a day between one change and the next, with how many people are on."""
    # In UTC, as the turns are: comparing across zones costs twenty times as much.
    begin, end = (midnight(each, zone).astimezone(UTC) for each in (day, day + _DAY))
    own = [turn for turn in turns if turn.start_at < end and turn.end_at > begin]
    marks = {begin, end}
    for turn in own:
        marks |= {mark for mark in (turn.start_at, turn.end_at) if begin < mark < end}
    for start, stop in pairwise(sorted(marks)):
        on = {(turn.person_id, turn.name) for turn in own if turn.start_at <= start and stop <= turn.end_at}
        yield start, stop, len(on)


def _joined(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _whole_months(period: tuple[date, date]) -> Iterator[tuple[date, date]]:
    first = period[0] if period[0].day == 1 else _next_month(period[0])
    while (following := _next_month(first)) - _DAY <= period[1]:
        yield first, following - _DAY
        first = following


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which a local day begins."""
    return datetime.combine(day, time(), zone)


def _days(period: tuple[date, date]) -> Iterator[date]:
    for number in range(period[0].toordinal(), period[1].toordinal() + 1):
        yield date.fromordinal(number)


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def _span(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    first, last = start.astimezone(zone), end.astimezone(zone)
    until = "24:00" if last == midnight(first.date() + _DAY, zone) else f"{last:%H:%M}"
    return f"{first:%H:%M}-{until}"


def _hours(length: timedelta) -> str:
    return f"{length / timedelta(hours=1):g}"


def _digits(phone: str) -> str:
    return "".join(sign for sign in phone if sign.isdigit())


def _hedged(message: str, same: bool | None) -> str:
    return message if same else f"{message}（仅据同名，请核对是否同一人）"
