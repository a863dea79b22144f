"""The dispatcher's queries: what is to be called, who holds which attempt, and what a dead process left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.checks.models import IS_LIVE, Attempt, SpotCheck
from app.directory.models import DutyLine
from app.planning.models import Plan


async def due(session: AsyncSession, limit: int) -> Sequence[int]:
    """Keys of the orders to call now, earliest first; lines with a live attempt and paused plans wait."""
    busy_lines = select(Attempt.line_id).where(IS_LIVE)
    paused = select(Plan.id).where(Plan.running.is_(False), Plan.state.not_in(("cancelled", "finished")))
    query = (
        select(SpotCheck.id)
        .where(
            SpotCheck.state == "due",
            SpotCheck.line_id.not_in(busy_lines),
            or_(SpotCheck.plan_id.is_(None), SpotCheck.plan_id.not_in(paused)),
        )
        .order_by(SpotCheck.due_at, SpotCheck.id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def targets_of_orders(session: AsyncSession, order_ids: Collection[int]) -> dict[int, str]:
    """What is dialled for each of some orders, as the directory has it now."""
    query = select(SpotCheck.id, DutyLine.target).join(SpotCheck.line).where(SpotCheck.id.in_(order_ids))
    return {row[0]: row[1] for row in await session.execute(query)}


async def attempts_in(session: AsyncSession, check_id: int) -> Sequence[Attempt]:
    """The calls of an order, the first one first."""
    query = select(Attempt).where(Attempt.check_id == check_id).order_by(Attempt.number)
    return (await session.scalars(query)).all()


async def repeats_due(session: AsyncSession, now: datetime) -> bool:
    """Whether the moment of a repeat has come."""
    query = select(SpotCheck.id).where(SpotCheck.state == "retry", SpotCheck.due_at <= now).limit(1)
    return await session.scalar(query) is not None


async def late_repeats(session: AsyncSession, not_before: datetime) -> Sequence[SpotCheck]:
    """Orders whose repeat was not called in time, with line and plan."""
    query = (
        select(SpotCheck)
        .where(SpotCheck.state == "retry", SpotCheck.due_at < not_before)
        .options(joinedload(SpotCheck.line), joinedload(SpotCheck.plan))
        .order_by(SpotCheck.due_at)
    )
    return (await session.scalars(query)).all()


async def release_repeats(session: AsyncSession, now: datetime) -> int:
    """Turn the repeats whose moment has come `due`; return how many."""
    statement = update(SpotCheck).where(SpotCheck.state == "retry", SpotCheck.due_at <= now)
    return await changed(session, statement.values(state="due"))


async def take_over(session: AsyncSession, attempt_id: int, state: str) -> bool:
    """Move a live attempt to its last state; False when somebody else has concluded it."""
    statement = update(Attempt).where(Attempt.id == attempt_id, IS_LIVE)
    return await changed(session, statement.values(state=state)) == 1


async def move(session: AsyncSession, attempt: Attempt, state: str) -> None:
    """Move an attempt that is still live to another live state; one that was concluded meanwhile stays as it is."""
    statement = update(Attempt).where(Attempt.id == attempt.id, IS_LIVE)
    await changed(session, statement.values(state=state))
    await session.refresh(attempt, ["state"])


async def renew(
    session: AsyncSession, owner: str, attempt_ids: Collection[int], until: datetime
) -> frozenset[int]:
    """Put off the leases of attempts of ours; return those that are still ours."""
    ours = (Attempt.id.in_(attempt_ids), Attempt.owner == owner, IS_LIVE)
    await changed(session, update(Attempt).where(*ours).values(lease_until=until))
    return frozenset(await session.scalars(select(Attempt.id).where(*ours)))


async def expired(session: AsyncSession, owner: str, now: datetime) -> Sequence[int]:
    """Keys of the live attempts of others whose lease has run out.

    Our own need nobody's sweeping: we know whether they live. Those without a lease are an earlier version's.
    """
    query = select(Attempt.id).where(IS_LIVE, Attempt.lease_until < now, Attempt.owner != owner)
    return (await session.scalars(query.order_by(Attempt.id))).all()


async def live_lines(session: AsyncSession, attempt_ids: Collection[int]) -> Sequence[tuple[int, int, int]]:
    """Of attempts: their key, line and unit."""
    query = select(Attempt.id, Attempt.line_id, Attempt.unit_id).where(Attempt.id.in_(attempt_ids))
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


async def unjudged(session: AsyncSession, limit: int = 200) -> Sequence[SpotCheck]:
    """Closed orders whose proposal could not be made, the oldest first, with line and plan."""
    query = (
        select(SpotCheck)
        .where(
            SpotCheck.state == "done",
            SpotCheck.code.is_(None),
            SpotCheck.closed_at.is_not(None),
            SpotCheck.kind != "verification",
        )
        .options(joinedload(SpotCheck.line), joinedload(SpotCheck.plan))
        .order_by(SpotCheck.id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def called_since(session: AsyncSession, since: datetime) -> Sequence[Attempt]:
    """Calls of scored orders that ended since, the last one first."""
    query = (
        select(Attempt)
        .join(Attempt.check)
        .where(
            # Nobody rings longer than an hour; the bound lets an index find them.
            Attempt.claimed_at >= since - timedelta(hours=1),
            Attempt.ended_at >= since,
            Attempt.state == "finished",
            SpotCheck.kind.in_(("random", "designated")),
        )
        .order_by(Attempt.ended_at.desc())
    )
    return (await session.scalars(query)).all()


async def changed(session: AsyncSession, statement: Any) -> int:
    """Carry out an update; return how many rows it changed."""
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount
