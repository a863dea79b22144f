"""Queries that only the pages need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.api.newest import Asked, newest
from app.checks.facts import Facts
from app.checks.listing import ORDERS, shelf_group, unit_group
from app.checks.models import Attempt, CallFacts, SpotCheck
from app.checks.shelves import ORDER_LABELS
from app.directory.models import DutyLine, Unit
from app.transcripts import repository as transcripts

UNPLACED = ("missed", "withdrawn")


async def rang_ms(session: AsyncSession, attempts: Iterable[Attempt]) -> Mapping[int, float | None]:
    """How long each unanswered one of these attempts rang, by its key."""
    unanswered = [a.id for a in attempts if a.outcome in ("no_answer", "rejected")]
    if not unanswered:
        return {}
    found = await session.scalars(select(CallFacts).where(CallFacts.attempt_id.in_(unanswered)))
    read = await transcripts.readings(session, unanswered)
    contents = {facts.attempt_id: facts.content for facts in found}
    contents |= {key: row.content for key, row in read.items()}
    return {key: Facts.from_json(content).rung_ms for key, content in contents.items()}


async def readings(session: AsyncSession, attempts: Iterable[Attempt]) -> Mapping[int, Mapping[str, Any]]:
    """By attempt, the calls among these that were read again with their words."""
    found = await transcripts.readings(session, (attempt.id for attempt in attempts))
    return {key: row.content for key, row in found.items()}


async def unplaced(
    session: AsyncSession, now: datetime, unit_id: int | None, limit: int
) -> Sequence[SpotCheck]:
    """Checks that were never dialled though their moment is over, newest first, with line and unit."""
    unit = None if unit_id is None else await unit_group(session, ORDERS, unit_id, alone=False)
    shelf = await shelf_group(session, ORDERS, ORDER_LABELS, lambda found: found["state"] in UNPLACED)
    groups = [group for group in (unit, shelf) if group is not None]
    until = now + timedelta(microseconds=1)
    # Some were called once before they were withdrawn; they are left out below.
    keys = await newest(session, ORDERS, Asked(groups, until=until), 3 * limit)
    query = (
        select(SpotCheck)
        .where(SpotCheck.id.in_(keys), SpotCheck.state.in_(UNPLACED), ~SpotCheck.attempts.any())
        .options(joinedload(SpotCheck.line).joinedload(DutyLine.unit))
        .order_by(SpotCheck.first_due_at.desc(), SpotCheck.id.desc())
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def unit_names(session: AsyncSession) -> Sequence[Row[int, str]]:
    """Key and name of every unit, by code."""
    return (await session.execute(select(Unit.id, Unit.name).order_by(Unit.code))).all()


async def own_failures(session: AsyncSession, since: datetime) -> int:
    """How many calls failed on our side since then."""
    query = (
        select(func.count())
        .select_from(Attempt)
        .where(Attempt.verdict_code == "our_side", Attempt.claimed_at >= since)
    )
    return await session.scalar(query) or 0
