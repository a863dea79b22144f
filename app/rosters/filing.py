"""Verbs of filing rosters (报送值班表): versions, deadlines, who filed late or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.directory import tree_queries
from app.directory.models import Unit, UnitRegime
from app.errors import BadInputError, ConflictError, Fault
from app.rosters import repository
from app.rosters.models import Roster, Shift
from app.rosters.service import LONGEST_SHIFT

MOST_SHIFTS = 60


@dataclass(frozen=True, slots=True)
class ShiftEntry:
    """One person's turn as it was filed."""

    name: str
    start_at: datetime
    end_at: datetime
    title: str = ""
    phone: str = ""
    person_id: int | None = None


@dataclass(frozen=True, slots=True)
class Late:
    """A roster that was first filed after its deadline."""

    day: date
    kind: str
    filed_at: datetime
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Filing:
    """What one unit filed for a period."""

    unit: Unit
    missing: tuple[tuple[date, str], ...]
    """Day and kind of what was not filed and is past its deadline."""
    awaited: tuple[tuple[date, str], ...]
    """Day and kind of what was not filed and has time yet."""
    late: tuple[Late, ...]


async def file_roster(
    session: AsyncSession,
    unit: Unit,
    day: date,
    kind: str,
    shifts: Sequence[ShiftEntry],
    who: str,
    zone: ZoneInfo,
    *,
    note: str = "",
    source: str = "entered",
    seen_version: int | None = None,
) -> Roster:
    """File a unit's roster for a day as a new version; earlier ones stay as they are.

    `seen_version` is the version that the caller saw, 0 for none. A version without shifts takes an earlier one back.

    Raises `BadInputError` that names the shift, `ConflictError` where another version came between.
    """
    name = unit.name  # not to be read any more once the database has refused
    newest = await repository.newest_version(session, unit.id, day, kind)
    if seen_version is not None and seen_version != newest:
        raise _filed_between(name, day, newest, seen_version)
    check_shifts(shifts, day, zone, is_first=newest == 0)
    await _people_are_there(session, shifts)
    roster = Roster(
        unit_id=unit.id,
        day=day,
        kind=kind,
        version=newest + 1,
        filed_at=clock.now(),
        filed_by=who,
        source=source,
        note=note,
        shifts=[_row(shift) for shift in sorted(shifts, key=lambda shift: shift.start_at)],
    )
    session.add(roster)
    try:
        await session.flush()
    except IntegrityError as error:
        raise ConflictError(f"“{name}”{day} 的值班表刚由他人报送；请重读后再报") from error
    return roster


def _filed_between(name: str, day: date, newest: int, seen: int) -> ConflictError:
    return ConflictError(
        f"“{name}”{day} 的值班表已有第 {newest} 版（所据为第 {seen} 版）；请重读后再报",
        [Fault("seen_version", f"现为 {newest}")],
    )


def check_shifts(shifts: Sequence[ShiftEntry], day: date, zone: ZoneInfo, *, is_first: bool) -> None:
    """Raise `BadInputError` for turns that cannot be one day's: of another day, backwards, twice at one time."""
    if not shifts and is_first:
        raise BadInputError("值班表没有班次", [Fault("shifts", "至少一个班次")])
    if len(shifts) > MOST_SHIFTS:
        raise BadInputError(f"一日至多 {MOST_SHIFTS} 个班次", [Fault("shifts", f"<= {MOST_SHIFTS}")])
    for position, shift in enumerate(shifts):
        where = f"shifts[{position}]"
        if shift.start_at.astimezone(zone).date() != day:
            raise BadInputError(
                f"第 {position + 1} 个班次不在 {day} 开始；跨日的班次报在开始那一日",
                [Fault(f"{where}.start_at", f"须在 {day} 当日")],
            )
        if not timedelta(0) < shift.end_at - shift.start_at <= LONGEST_SHIFT:
            raise BadInputError(
                f"第 {position + 1} 个班次的起止时间不对：结束须晚于开始，至多 72 小时",
                [Fault(f"{where}.end_at", "须晚于 start_at，至多 72 小时")],
            )
    _nobody_twice(shifts)


def _nobody_twice(shifts: Sequence[ShiftEntry]) -> None:
    for position, shift in enumerate(shifts):
        for earlier in shifts[:position]:
            is_same = (shift.person_id, shift.name) == (earlier.person_id, earlier.name)
            if is_same and shift.start_at < earlier.end_at and earlier.start_at < shift.end_at:
                raise BadInputError(
                    f"“{shift.name}”有两个重叠的班次",
                    [Fault(f"shifts[{position}].start_at", "与同一人的另一班次重叠")],
                )


def deadline_of(day: date, days_ahead: int, zone: ZoneInfo) -> datetime:
    """Until when a roster must be there that is due so many days ahead (提前 n 天): the end of that day."""
    return datetime.combine(day - timedelta(days=days_ahead - 1), time(), zone)


async def filings(
    session: AsyncSession,
    units: Sequence[Unit],
    period: tuple[date, date],
    kinds: Sequence[str],
    days_ahead: int,
    zone: ZoneInfo,
    *,
    together: bool,
) -> list[Filing]:
    """What each unit filed for the days of a period, both inclusive.

    `together`: one table for the whole period, e.g. a holiday; all of it is due before its first day. Otherwise each
    day is due by itself. A unit that has no leader on duty by its regime owes no 带班表.
    """
    unit_ids = [unit.id for unit in units]
    filed = await repository.first_filings(session, unit_ids, *period)
    regimes = await tree_queries.regimes_of(session, unit_ids)
    now = clock.now()
    deadlines = {day: deadline_of(day, days_ahead, zone) for day in _days(*period)}
    found = []
    for unit in units:
        missing: list[tuple[date, str]] = []
        awaited: list[tuple[date, str]] = []
        late: list[Late] = []
        for day, kind in _owed(unit, period, kinds, regimes):
            begins = max(period[0], unit.first_day or period[0]) if together else day
            deadline = deadlines[begins]
            filed_at = filed.get((unit.id, day, kind))
            if filed_at is None:
                (missing if now >= deadline else awaited).append((day, kind))
            elif filed_at >= deadline:
                late.append(Late(day, kind, filed_at, deadline))
        found.append(Filing(unit, tuple(missing), tuple(awaited), tuple(late)))
    return found


def _owed(
    unit: Unit, period: tuple[date, date], kinds: Sequence[str], regimes: Iterable[UnitRegime]
) -> Iterable[tuple[date, str]]:
    own = [regime for regime in regimes if regime.unit_id == unit.id]
    first = max(period[0], unit.first_day or period[0])
    last = min(period[1], unit.last_day or period[1])
    for day in _days(first, last):
        yield from ((day, kind) for kind in kinds if kind != "leader" or _has_leader(own, day))


def _days(first: date, last: date) -> Iterable[date]:
    return (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))


def _has_leader(regimes: Iterable[UnitRegime], day: date) -> bool:
    held = [row for row in regimes if row.first_day <= day and (row.last_day is None or row.last_day >= day)]
    return not any(row.leader == "none" for row in held)


async def _people_are_there(session: AsyncSession, shifts: Sequence[ShiftEntry]) -> None:
    wanted = {shift.person_id for shift in shifts if shift.person_id is not None}
    missing = wanted - await repository.present_people(session, wanted)
    for position, shift in enumerate(shifts):
        if shift.person_id in missing:
            raise BadInputError(
                f"第 {position + 1} 个班次：没有编号为 {shift.person_id} 的人员",
                [Fault(f"shifts[{position}].person_id", "无此人员")],
            )


def _row(shift: ShiftEntry) -> Shift:
    return Shift(
        person_id=shift.person_id,
        name=shift.name,
        title=shift.title,
        phone=shift.phone,
        start_at=shift.start_at,
        end_at=shift.end_at,
    )


def by_unit(rosters: Iterable[Roster]) -> Mapping[tuple[int, date, str], Roster]:
    """The newest version of each unit's roster, by unit, day and kind."""
    newest: dict[tuple[int, date, str], Roster] = {}
    for roster in rosters:
        key = (roster.unit_id, roster.day, roster.kind)
        if key not in newest or newest[key].version < roster.version:
            newest[key] = roster
    return newest
