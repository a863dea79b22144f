"""All queries of the directory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.directory.models import (
    CALLED_KINDS,
    DutyLine,
    LineExemption,
    LineUnit,
    NumberChange,
    Person,
    Unit,
    UnitExemption,
    UnitRegime,
)
from app.directory.numbers import needs_main


async def units(session: AsyncSession) -> Sequence[Unit]:
    """Every unit, by code."""
    return (await session.scalars(select(Unit).order_by(Unit.code))).all()


async def count_units(session: AsyncSession) -> int:
    """How many units there are."""
    return await session.scalar(select(func.count()).select_from(Unit)) or 0


async def unit_by_code(session: AsyncSession, code: str) -> Unit | None:
    """The unit with this code."""
    return await session.scalar(select(Unit).where(Unit.code == code))


async def line(session: AsyncSession, line_id: int) -> DutyLine | None:
    """One line with its unit."""
    return await session.scalar(
        select(DutyLine).where(DutyLine.id == line_id).options(joinedload(DutyLine.unit))
    )


async def lines_of_unit(session: AsyncSession, unit_id: int) -> Sequence[DutyLine]:
    """The lines of a unit, those that it shares with others (综合值班室) among them."""
    shared = select(LineUnit.line_id).where(LineUnit.unit_id == unit_id)
    query = (
        select(DutyLine)
        .where(or_(DutyLine.unit_id == unit_id, DutyLine.id.in_(shared)))
        .order_by(DutyLine.id)
    )
    return (await session.scalars(query)).all()


async def active_lines(session: AsyncSession) -> Sequence[DutyLine]:
    """Every line that may be called, with its unit, by the unit's code."""
    return (
        await session.scalars(
            select(DutyLine)
            .join(DutyLine.unit)
            .where(DutyLine.active)
            .options(joinedload(DutyLine.unit))
            .order_by(Unit.code, DutyLine.id)
        )
    ).all()


async def dialled_numbers(session: AsyncSession) -> frozenset[str]:
    """What is dialled and what is printed for every line that may be called.

    Asks for columns that every version of the database has: it is read before a newer version brings it up, too. What
    is printed without its switchboard (转8012) is no number by itself.
    """
    rows = await session.execute(select(DutyLine.target, DutyLine.number).where(DutyLine.active))
    return frozenset(text for row in rows for text in row if not needs_main(text))


async def exemptions_on(session: AsyncSession, line_id: int, day: date) -> Sequence[LineExemption]:
    """The exemptions of a line that hold on a day."""
    return (
        await session.scalars(
            select(LineExemption)
            .where(
                LineExemption.line_id == line_id,
                LineExemption.first_day <= day,
                or_(LineExemption.last_day.is_(None), LineExemption.last_day >= day),
            )
            .order_by(LineExemption.id)
        )
    ).all()


def in_subtree(path: str, head: str) -> bool:
    """Whether the unit with this path is the one with the path `head`, or below it."""
    return bool(head) and path.startswith(head)


def below(head: Unit) -> ColumnElement[bool]:
    """The condition on `Unit` for a unit and all below it."""
    return Unit.path.startswith(head.path, autoescape=True) if head.path else Unit.id == head.id


async def unit(session: AsyncSession, unit_id: int) -> Unit | None:
    """One unit."""
    return await session.get(Unit, unit_id)


async def subtree_ids(session: AsyncSession, unit_id: int) -> frozenset[int]:
    """The keys of a unit and of all below it; none where there is no such unit."""
    head = await session.get(Unit, unit_id)
    if head is None:
        return frozenset()
    return frozenset((await session.scalars(select(Unit.id).where(below(head)))).all())


async def regime_on(session: AsyncSession, unit_id: int, day: date) -> UnitRegime | None:
    """How a unit keeps duty on a day; None where nobody has said."""
    query = (
        select(UnitRegime)
        .where(UnitRegime.unit_id == unit_id, holds_on(UnitRegime, day))
        .order_by(UnitRegime.first_day.desc())
        .limit(1)
    )
    return await session.scalar(query)


def holds_on(
    table: type[UnitRegime | DutyLine | Unit | LineExemption | Person], day: date
) -> ColumnElement[bool]:
    """The condition that a row's days, both inclusive and either open, hold this day."""
    return and_(
        or_(table.first_day.is_(None), table.first_day <= day),
        or_(table.last_day.is_(None), table.last_day >= day),
    )


async def unit_exemptions_at(
    session: AsyncSession, unit_id: int, line_id: int | None, at: datetime
) -> Sequence[UnitExemption]:
    """What kept findings from a unit's line at a moment: of the line by whichever unit, or of all the unit's lines.

    An exemption begins with `first_at` and is over at `last_at`.
    """
    whole = and_(UnitExemption.unit_id == unit_id, UnitExemption.line_id.is_(None))
    query = (
        select(UnitExemption)
        .where(
            or_(whole, UnitExemption.line_id == line_id) if line_id is not None else whole,
            UnitExemption.first_at <= at,
            or_(UnitExemption.last_at.is_(None), UnitExemption.last_at > at),
        )
        .order_by(UnitExemption.id)
    )
    return (await session.scalars(query)).all()


async def changes_pending_at(
    session: AsyncSession, unit_id: int, line_id: int | None, at: datetime
) -> Sequence[NumberChange]:
    """Changes of number that were received but not yet entered at a moment: a call then was made on old knowledge.

    Of this line, or of the unit where it did not say which line.
    """
    whole = and_(NumberChange.unit_id == unit_id, NumberChange.line_id.is_(None))
    query = (
        select(NumberChange)
        .where(
            or_(whole, NumberChange.line_id == line_id) if line_id is not None else whole,
            NumberChange.received_at <= at,
            or_(NumberChange.entered_at.is_(None), NumberChange.entered_at > at),
        )
        .order_by(NumberChange.received_at, NumberChange.id)
    )
    return (await session.scalars(query)).all()


async def callable_lines(session: AsyncSession, day: date) -> Sequence[DutyLine]:
    """Every line that checks may call on a day, with its unit, by the unit's code: no fax, nothing out of its dates.

    Lines whose number still awaits its 核号 call are among them: see `verification`.
    """
    query = (
        select(DutyLine)
        .join(DutyLine.unit)
        .where(DutyLine.active, DutyLine.kind.in_(CALLED_KINDS), holds_on(DutyLine, day), holds_on(Unit, day))
        .options(joinedload(DutyLine.unit))
        .order_by(Unit.code, DutyLine.id)
    )
    return (await session.scalars(query)).all()


async def further_units(session: AsyncSession, line_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """For each shared line (综合值班室) among these, the keys of the further units that it reaches."""
    query = (
        select(LineUnit).where(LineUnit.line_id.in_(line_ids)).order_by(LineUnit.line_id, LineUnit.unit_id)
    )
    found: dict[int, tuple[int, ...]] = {}
    for row in await session.scalars(query):
        found[row.line_id] = (*found.get(row.line_id, ()), row.unit_id)
    return found


async def present_units(session: AsyncSession, unit_ids: Iterable[int]) -> frozenset[int]:
    """Which of these keys are units."""
    return frozenset((await session.scalars(select(Unit.id).where(Unit.id.in_(list(unit_ids))))).all())


async def forget_shared(session: AsyncSession, line_id: int) -> None:
    """Take every further unit off a line."""
    await session.execute(delete(LineUnit).where(LineUnit.line_id == line_id))
