"""All queries of test calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import DutyLine
from app.trunks.models import TrunkTest

_ADVISORY_KEY = 0x_D017_0017
"""Of PostgreSQL's lock on asking; SQLite has one writer anyway."""


async def lock(session: AsyncSession) -> None:
    """Wait until nobody else asks for a test call; they wait until this unit of work is over."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})


async def trial(session: AsyncSession, test_id: int) -> TrunkTest | None:
    """One test call."""
    return await session.get(TrunkTest, test_id)


async def page(
    session: AsyncSession, trunk: str | None, before: int | None, limit: int
) -> Sequence[TrunkTest]:
    """Test calls of a trunk, or of all, newest first."""
    query = select(TrunkTest).order_by(TrunkTest.id.desc()).limit(limit)
    if trunk is not None:
        query = query.where(TrunkTest.trunk == trunk)
    if before is not None:
        query = query.where(TrunkTest.id < before)
    return (await session.scalars(query)).all()


async def standing(session: AsyncSession) -> Sequence[TrunkTest]:
    """Those that wait or are under way, the oldest first."""
    query = select(TrunkTest).where(TrunkTest.ended_at.is_(None)).order_by(TrunkTest.id)
    return (await session.scalars(query)).all()


async def asked_since(session: AsyncSession, since: datetime) -> int:
    """How many were asked for since then."""
    query = select(func.count()).select_from(TrunkTest).where(TrunkTest.asked_at > since)
    return await session.scalar(query) or 0


async def unreleased(session: AsyncSession, owner: str) -> Sequence[TrunkTest]:
    """Those that another process took and whose far ends nobody has told."""
    query = select(TrunkTest).where(
        TrunkTest.taken_at.is_not(None), TrunkTest.released_at.is_(None), TrunkTest.owner != owner
    )
    return (await session.scalars(query.order_by(TrunkTest.id))).all()


async def change(session: AsyncSession, test_id: int, states: Sequence[str], **values: Any) -> bool:
    """Change a test call that is in one of these states; return whether it was."""
    statement = (
        update(TrunkTest)
        .where(TrunkTest.id == test_id, TrunkTest.state.in_(states))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def forget(session: AsyncSession, before: datetime) -> int:
    """Delete those that were asked for before; return how many."""
    statement = delete(TrunkTest).where(TrunkTest.asked_at < before, TrunkTest.ended_at.is_not(None))
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount


async def line_numbers(session: AsyncSession) -> Sequence[str]:
    """What is dialled and what is printed for every line of the directory, those in no use any more too."""
    rows = await session.execute(select(DutyLine.target, DutyLine.number).execution_options(every_unit=True))
    return [number for row in rows for number in row]
