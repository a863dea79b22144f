"""Sums over cases for the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import Unit
from app.reviews.models import COUNTING, Case

CLEARED = ("revoked", "overturned")
KINDS = ("random", "designated", "manual")


@dataclass(frozen=True, slots=True)
class Attention:
    """A unit with open or confirmed cases."""

    unit_id: int
    name: str
    cases: int
    """Proposed or found, and not cleared."""
    confirmed: int
    last_at: datetime


async def attention(session: AsyncSession, since: datetime, limit: int) -> Sequence[Attention]:
    """Units by their cases since a moment that were not cleared, confirmed ones first."""
    confirmed = func.sum(cast(case((Case.state.in_(COUNTING), 1), else_=0), Integer))
    last_at = func.max(Case.happened_at, type_=Case.happened_at.type)
    sums = (
        select(
            Case.unit_id,
            func.count().label("cases"),
            confirmed.label("confirmed"),
            last_at.label("last_at"),
        )
        .where(Case.happened_at >= since, Case.state.not_in(CLEARED), Case.kind.in_(KINDS))
        .group_by(Case.unit_id)
        .order_by(confirmed.desc(), func.count().desc(), last_at.desc())
        .limit(limit)
    )
    rows = (await session.execute(sums)).all()
    query = select(Unit.id, Unit.name).where(Unit.id.in_([row.unit_id for row in rows]))
    names = {row.id: row.name for row in await session.execute(query)}
    return [
        Attention(row.unit_id, names[row.unit_id], row.cases, row.confirmed, row.last_at)
        for row in rows
        if row.unit_id in names
    ]
