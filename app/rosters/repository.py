"""All queries of the rosters and of the whereabouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from app.rosters.models import Roster


async def versions_between(
    session: AsyncSession, unit_ids: Sequence[int], first: date, last: date
) -> Sequence[Roster]:
    """Every version of the rosters of these units for these days, both inclusive, with its shifts, in order."""
    query = (
        select(Roster)
        .where(Roster.unit_id.in_(unit_ids), Roster.day.between(first, last))
        .options(selectinload(Roster.shifts))
        .order_by(Roster.unit_id, Roster.day, Roster.kind, Roster.version)
    )
    return (await session.scalars(query)).all()
