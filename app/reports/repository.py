"""All queries of saved filters, chosen columns and exports under way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.reports.models import ExportJob, ListColumns, SavedFilter


async def filters(session: AsyncSession, account_id: int) -> Sequence[SavedFilter]:
    """The saved filters of an account, by name."""
    query = select(SavedFilter).where(SavedFilter.account_id == account_id).order_by(SavedFilter.name)
    return (await session.scalars(query)).all()


async def filter_named(session: AsyncSession, account_id: int, name: str) -> SavedFilter | None:
    """One saved filter by its name."""
    query = select(SavedFilter).where(SavedFilter.account_id == account_id, SavedFilter.name == name)
    return await session.scalar(query)


async def drop_filter(session: AsyncSession, account_id: int, filter_id: int) -> bool:
    """Delete a saved filter of an account; False where it has no such."""
    mine = (SavedFilter.id == filter_id, SavedFilter.account_id == account_id)
    return await _changed(session, delete(SavedFilter).where(*mine)) == 1


async def columns(session: AsyncSession, account_id: int) -> ListColumns | None:
    """The columns that an account chose."""
    return await session.get(ListColumns, account_id)


async def job(session: AsyncSession, job_id: int) -> ExportJob | None:
    """One export as it stands in the database."""
    return await session.get(ExportJob, job_id, populate_existing=True)


async def jobs(session: AsyncSession, account_id: int, limit: int = 30) -> Sequence[ExportJob]:
    """The last exports of an account, newest first."""
    query = select(ExportJob).where(ExportJob.account_id == account_id).order_by(ExportJob.id.desc())
    return (await session.scalars(query.limit(limit))).all()


async def count_open(session: AsyncSession, account_id: int) -> int:
    """How many exports of an account wait or are being made."""
    mine = (ExportJob.account_id == account_id, ExportJob.state.in_(("waiting", "running")))
    return await session.scalar(select(func.count()).select_from(ExportJob).where(*mine)) or 0


async def next_waiting(session: AsyncSession) -> int | None:
    """The oldest export that waits."""
    query = select(ExportJob.id).where(ExportJob.state == "waiting").order_by(ExportJob.id).limit(1)
    return await session.scalar(query)


async def expired(session: AsyncSession, before: datetime) -> Sequence[ExportJob]:
    """Exports whose files are older than that."""
    query = select(ExportJob).where(ExportJob.state == "done", ExportJob.finished_at < before)
    return (await session.scalars(query.order_by(ExportJob.id).limit(500))).all()


async def move(session: AsyncSession, job_id: int, sources: Sequence[str], **values: Any) -> bool:
    """Change an export as long as it stands in one of these states; False where it does not any more."""
    mine = (ExportJob.id == job_id, ExportJob.state.in_(sources))
    return await _changed(session, update(ExportJob).where(*mine).values(**values)) == 1


async def interrupt(session: AsyncSession, at: datetime) -> int:
    """Mark every export that was being made as interrupted: its process is gone. Return how many."""
    statement = update(ExportJob).where(ExportJob.state == "running")
    return await _changed(session, statement.values(state="interrupted", finished_at=at))


async def files_in_use(session: AsyncSession) -> frozenset[str]:
    """Names of files that belong to exports that are made or can be fetched."""
    query = select(ExportJob.file).where(ExportJob.state.in_(("running", "done")))
    return frozenset((await session.scalars(query)).all())


async def _changed(session: AsyncSession, statement: Any) -> int:
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount
