"""All queries of the directory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.directory.models import DutyLine, LineExemption, Unit


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
    """The lines of a unit."""
    return (
        await session.scalars(select(DutyLine).where(DutyLine.unit_id == unit_id).order_by(DutyLine.id))
    ).all()


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

    Asks for columns that every version of the database has: it is read before a newer version brings it up, too.
    """
    rows = await session.execute(select(DutyLine.target, DutyLine.number).where(DutyLine.active))
    return frozenset(text for row in rows for text in row)


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
