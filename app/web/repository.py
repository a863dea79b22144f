"""Queries that only the pages need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.checks.facts import Facts
from app.checks.models import Attempt, CallFacts, SpotCheck
from app.directory.models import DutyLine

UNPLACED = ("missed", "withdrawn")


async def rang_ms(session: AsyncSession, attempts: Iterable[Attempt]) -> Mapping[int, float | None]:
    """How long each unanswered one of these attempts rang, by its key."""
    unanswered = [a.id for a in attempts if a.outcome in ("no_answer", "rejected")]
    if not unanswered:
        return {}
    found = await session.scalars(select(CallFacts).where(CallFacts.attempt_id.in_(unanswered)))
    return {facts.attempt_id: Facts.from_json(facts.content).rung_ms for facts in found}


async def unplaced(
    session: AsyncSession, now: datetime, unit_id: int | None, limit: int
) -> Sequence[SpotCheck]:
    """Checks that were never dialled though their moment is over, newest first, with line and unit."""
    query = (
        select(SpotCheck)
        .where(SpotCheck.state.in_(UNPLACED), SpotCheck.due_at <= now, ~SpotCheck.attempts.any())
        .options(joinedload(SpotCheck.line).joinedload(DutyLine.unit))
        .order_by(SpotCheck.due_at.desc(), SpotCheck.id.desc())
        .limit(limit)
    )
    if unit_id is not None:
        query = query.where(SpotCheck.line.has(DutyLine.unit_id == unit_id))
    return (await session.scalars(query)).all()


async def own_failures(session: AsyncSession, since: datetime) -> int:
    """How many calls failed on our side since then."""
    query = (
        select(func.count())
        .select_from(Attempt)
        .where(Attempt.verdict_code == "our_side", Attempt.claimed_at >= since)
    )
    return await session.scalar(query) or 0
