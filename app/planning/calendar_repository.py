"""Queries of the calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.planning.models import CalendarChange, CalendarDay


async def days(session: AsyncSession, first: date, last: date) -> Sequence[CalendarDay]:
    """The days that have a row, from the first to the last, both inclusive, in order."""
    query = select(CalendarDay).where(CalendarDay.day >= first, CalendarDay.day <= last)
    return (await session.scalars(query.order_by(CalendarDay.day))).all()


async def before_changes(
    session: AsyncSession, first: date, last: date, at: datetime
) -> Mapping[date, dict[str, Any] | None]:
    """What the days were like that were changed after `at`, before the first such change; None: not entered yet."""
    query = (
        select(CalendarChange.day, CalendarChange.before)
        .where(CalendarChange.day >= first, CalendarChange.day <= last, CalendarChange.changed_at > at)
        .order_by(CalendarChange.id.desc())
    )
    return {row.day: row.before for row in (await session.execute(query)).all()}


async def changes_of(session: AsyncSession, day: date, limit: int) -> Sequence[CalendarChange]:
    """What was changed on a day, newest first."""
    query = select(CalendarChange).where(CalendarChange.day == day)
    return (await session.scalars(query.order_by(CalendarChange.id.desc()).limit(limit))).all()


async def count_known(session: AsyncSession, first: date, last: date) -> int:
    """How many days of a span have a kind that was entered."""
    query = select(func.count()).where(CalendarDay.known, CalendarDay.day >= first, CalendarDay.day <= last)
    return await session.scalar(query) or 0
