"""Verbs of reported number changes and of exemptions. They never commit: the caller's unit of work does."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.directory import lines, repository, service
from app.directory.lines import Dialling, LineEntry
from app.directory.models import DutyLine, LineExemption, NumberChange, Unit, UnitExemption
from app.errors import BadInputError, ConflictError, Fault, NotFoundError


async def report(
    session: AsyncSession,
    unit: Unit,
    number: str,
    received_at: datetime,
    who: str,
    line_id: int | None = None,
    note: str = "",
) -> NumberChange:
    """Write down that a unit reported another number; empty: that it gave the line up.

    From `received_at` on, calls of the old number are our fault until the change is entered.

    Raises `BadInputError` for a line that is not the unit's, or a moment to come.
    """
    now = clock.now()
    if received_at > now:
        raise BadInputError("收到时间晚于现在", [Fault("received_at", "不得晚于现在")])
    if line_id is not None:
        await _line_of_unit(session, unit, line_id)
    elif not number:
        raise BadInputError("撤销线路须指明是哪一条", [Fault("line_id", "未填")])
    change = NumberChange(
        unit_id=unit.id,
        line_id=line_id,
        number=number,
        received_at=received_at,
        received_by=who,
        recorded_at=now,
        note=note,
    )
    session.add(change)
    await session.flush()
    return change


async def enter(
    session: AsyncSession, change: NumberChange, may: Dialling, who: str, line_id: int | None = None
) -> DutyLine:
    """Let the directory follow a reported change: the line gets the number, a further line is made, or one is ended.

    The new number gets a 核号 call first. `line_id` says which line, where the unit did not.

    Raises `ConflictError` for a change that was dealt with, else as `lines.change_line` does.
    """
    _still_pending(change)
    unit = await repository.unit(session, change.unit_id)
    assert unit is not None, "a change goes with its unit"
    chosen = change.line_id or line_id
    if chosen is None:
        line = await lines.enter_line(session, unit, LineEntry(number=change.number), may)
    else:
        await _line_of_unit(session, unit, chosen)
        line = await lines.locked(session, chosen)
        await _follow(session, line, change.number, may)
    change.line_id = line.id
    _settle(change, "entered", who)
    await session.flush()
    return line


async def dismiss(session: AsyncSession, change: NumberChange, reason: str, who: str) -> None:
    """Say that a reported change was none. Calls up to now keep its protection. Raises `ConflictError`."""
    _still_pending(change)
    _settle(change, "dismissed", who)
    change.note = f"{change.note}\n{reason}".strip()
    await session.flush()


async def locked(session: AsyncSession, change_id: int) -> NumberChange:
    """Read a reported change for a change of it. Raises `NotFoundError`."""
    change = await session.get(NumberChange, change_id, with_for_update=True, populate_existing=True)
    if change is None:
        raise NotFoundError(f"没有编号为 {change_id} 的号码变更")
    return change


async def exempt_line(
    session: AsyncSession,
    line: DutyLine,
    kind: str,
    reason: str,
    first_day: date,
    last_day: date | None,
) -> LineExemption:
    """Let a line do what others may not. Raises `BadInputError` for days in the wrong order."""
    if last_day is not None and last_day < first_day:
        raise BadInputError("截止日期早于起始日期", [Fault("last_day", "不得早于起始日期")])
    return await service.exempt(session, line, kind, first_day, reason, last_day)


async def exempt_unit(session: AsyncSession, unit: Unit, exemption: UnitExemption) -> UnitExemption:
    """Keep findings from a unit, or one line of it, for a time.

    Raises `BadInputError` for moments in the wrong order or a line that is not the unit's.
    """
    _in_order(exemption.first_at, exemption.last_at)
    if exemption.line_id is not None:
        await _line_of_unit(session, unit, exemption.line_id)
    exemption.unit_id, exemption.entered_at = unit.id, clock.now()
    session.add(exemption)
    await session.flush()
    return exemption


async def end_exemption(session: AsyncSession, exemption: UnitExemption, last_at: datetime) -> None:
    """Say when an exemption is over. Raises `BadInputError` for a moment before it began."""
    _in_order(exemption.first_at, last_at)
    exemption.last_at = last_at
    await session.flush()


async def end_line_exemption(session: AsyncSession, exemption: LineExemption, last_day: date) -> None:
    """Say on which day an exemption of a line holds for the last time. Raises `BadInputError` as above."""
    if last_day < exemption.first_day:
        raise BadInputError("截止日期早于起始日期", [Fault("last_day", "不得早于起始日期")])
    exemption.last_day = last_day
    await session.flush()


async def _follow(session: AsyncSession, line: DutyLine, number: str, may: Dialling) -> None:
    entry = LineEntry(
        number=number or line.number,
        target=None if number else line.target,
        name=line.name,
        kind=line.kind,
        trunk=line.trunk if line.trunk in may.trunks else None,
        pilot_numbers=tuple(line.pilot_numbers),
        first_day=line.first_day,
        last_day=line.last_day,
        active=line.active and bool(number),
    )
    await lines.change_line(session, line, entry, may)


async def _line_of_unit(session: AsyncSession, unit: Unit, line_id: int) -> None:
    own = await repository.lines_of_unit(session, unit.id)
    if line_id not in {line.id for line in own}:
        raise BadInputError(f"线路 {line_id} 不属于“{unit.name}”", [Fault("line_id", "不是该单位的线路")])


def _still_pending(change: NumberChange) -> None:
    if change.outcome != "pending":
        told = {"entered": "已录入", "dismissed": "已作废"}[change.outcome]
        raise ConflictError(f"该号码变更{told}，不能再办", [Fault("outcome", change.outcome)])


def _settle(change: NumberChange, outcome: str, who: str) -> None:
    change.outcome, change.entered_at, change.entered_by = outcome, clock.now(), who


def _in_order(first_at: datetime, last_at: datetime | None) -> None:
    if last_at is not None and last_at <= first_at:
        raise BadInputError("结束时间须晚于开始时间", [Fault("last_at", "须晚于 first_at")])
