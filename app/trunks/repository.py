"""All queries of trunks and of the dial policy's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.trunks.models import PolicyNumber, TrunkEvent, TrunkRecord, TrunkState


async def records(session: AsyncSession) -> Sequence[TrunkRecord]:
    """Every trunk that was entered, in the order in which they are tried."""
    query = select(TrunkRecord).order_by(TrunkRecord.position, TrunkRecord.name)
    return (await session.scalars(query)).all()


async def record(session: AsyncSession, name: str) -> TrunkRecord | None:
    """The trunk that was entered under this name."""
    return await session.scalar(select(TrunkRecord).where(TrunkRecord.name == name))


async def states(session: AsyncSession) -> Sequence[TrunkState]:
    """What the phone last said of each trunk, by name."""
    return (await session.scalars(select(TrunkState).order_by(TrunkState.name))).all()


async def state(session: AsyncSession, name: str) -> TrunkState | None:
    """What the phone last said of a trunk."""
    return await session.get(TrunkState, name)


async def forget_states(session: AsyncSession, names: Sequence[str]) -> None:
    """Drop what was said of other trunks than these; what happened to them stays."""
    await session.execute(delete(TrunkState).where(TrunkState.name.not_in(names)))


async def touch_states(session: AsyncSession, names: Sequence[str], now: datetime) -> None:
    """Note that the phone has spoken of these trunks."""
    await session.execute(update(TrunkState).where(TrunkState.name.in_(names)).values(told_at=now))


async def events(session: AsyncSession, trunk: str | None = None, limit: int = 50) -> Sequence[TrunkEvent]:
    """What happened to a trunk, or to all, newest first."""
    query = select(TrunkEvent).order_by(TrunkEvent.at.desc(), TrunkEvent.id.desc()).limit(limit)
    if trunk is not None:
        query = query.where(TrunkEvent.trunk == trunk)
    return (await session.scalars(query)).all()


async def numbers(session: AsyncSession, kind: str | None = None) -> Sequence[PolicyNumber]:
    """The numbers of the dial policy."""
    query = select(PolicyNumber).order_by(PolicyNumber.kind, PolicyNumber.number)
    if kind is not None:
        query = query.where(PolicyNumber.kind == kind)
    return (await session.scalars(query)).all()


async def number(session: AsyncSession, kind: str, plain: str) -> PolicyNumber | None:
    """One number of the dial policy."""
    return await session.scalar(
        select(PolicyNumber).where(PolicyNumber.kind == kind, PolicyNumber.number == plain)
    )
