"""All queries of proposals and of what mitigates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app.checks.models import Attempt, Mitigation, SpotCheck, StoredProposal
from app.directory.models import DutyLine


async def order(session: AsyncSession, check_id: int) -> SpotCheck | None:
    """One order with its line."""
    query = select(SpotCheck).where(SpotCheck.id == check_id).options(joinedload(SpotCheck.line))
    return await session.scalar(query)


async def line(session: AsyncSession, line_id: int) -> DutyLine:
    """The line of an order, with its unit."""
    query = select(DutyLine).where(DutyLine.id == line_id).options(joinedload(DutyLine.unit))
    return (await session.scalars(query)).one()


async def attempts(session: AsyncSession, check_ids: Sequence[int]) -> Sequence[Attempt]:
    """The calls of some orders with their facts, in the order in which they were made."""
    query = (
        select(Attempt)
        .where(Attempt.check_id.in_(check_ids))
        .options(selectinload(Attempt.facts))
        .order_by(Attempt.check_id, Attempt.number)
    )
    return (await session.scalars(query)).all()


async def ended_near(
    session: AsyncSession, unit_id: int, trunk: str, first: datetime, last: datetime
) -> Sequence[Attempt]:
    """Calls of closed orders to a unit by a trunk that ended between two moments, with their facts."""
    query = (
        select(Attempt)
        .join(SpotCheck, SpotCheck.id == Attempt.check_id)
        .where(
            Attempt.unit_id == unit_id,
            Attempt.trunk == trunk,
            Attempt.ended_at >= first,
            Attempt.ended_at <= last,
            SpotCheck.state == "done",
        )
        .options(selectinload(Attempt.facts))
        .order_by(Attempt.id)
    )
    return (await session.scalars(query)).all()


async def proposal(session: AsyncSession, check_id: int, rule_set: str) -> StoredProposal | None:
    """What these rules made of an order."""
    return await session.scalar(
        select(StoredProposal).where(StoredProposal.check_id == check_id, StoredProposal.rule_set == rule_set)
    )


async def in_force(session: AsyncSession, check_ids: Sequence[int]) -> dict[int, StoredProposal]:
    """By order, what the rules in force at its call made of it."""
    query = select(StoredProposal).where(StoredProposal.check_id.in_(check_ids), StoredProposal.in_force)
    return {row.check_id: row for row in await session.scalars(query.order_by(StoredProposal.id))}


async def judged_by(session: AsyncSession, check_ids: Sequence[int], rule_set: str) -> frozenset[int]:
    """Which of these orders were judged by these rules already."""
    query = select(StoredProposal.check_id).where(
        StoredProposal.check_id.in_(check_ids), StoredProposal.rule_set == rule_set
    )
    return frozenset((await session.scalars(query)).all())


async def labels(session: AsyncSession, check_id: int) -> frozenset[str]:
    """Labels of the rules by which an order was judged."""
    query = select(StoredProposal.rule_set).where(StoredProposal.check_id == check_id)
    return frozenset((await session.scalars(query)).all())


async def retire(session: AsyncSession, check_id: int) -> None:
    """Let what stood for an order only compare from now on."""
    await session.execute(
        update(StoredProposal)
        .where(StoredProposal.check_id == check_id, StoredProposal.in_force)
        .values(in_force=False)
        .execution_options(synchronize_session="fetch")
    )


async def closed_orders(
    session: AsyncSession,
    first: datetime,
    until: datetime,
    unit_ids: frozenset[int] | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> Sequence[SpotCheck]:
    """Closed orders whose first moment lies in [first, until), the earliest first; 核号 calls are never judged."""
    query = (
        select(SpotCheck)
        .where(
            SpotCheck.first_due_at >= first,
            SpotCheck.first_due_at < until,
            SpotCheck.state == "done",
            SpotCheck.kind != "verification",
        )
        .options(joinedload(SpotCheck.line))
        .order_by(SpotCheck.first_due_at, SpotCheck.id)
        .limit(limit)
    )
    if unit_ids is not None:
        query = query.where(SpotCheck.unit_id.in_(unit_ids))
    if after is not None:
        query = query.where(tuple_(SpotCheck.first_due_at, SpotCheck.id) > tuple_(*after))
    return (await session.scalars(query)).all()


async def mitigations(session: AsyncSession, check_id: int) -> Sequence[Mitigation]:
    """What was recorded beside an order, as it was entered."""
    query = select(Mitigation).where(Mitigation.check_id == check_id).order_by(Mitigation.id)
    return (await session.scalars(query)).all()
