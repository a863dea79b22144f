"""How a recording goes, in three steps, so that no crash and no failing store leaves anything between.

1. `condemn`: in one unit of work the row says why it goes, and every word that was made of it is gone. From then on
   nobody hears it, and nobody can hold it any more.
2. The archive deletes the sound: the entry of its manifest first, then the object and what was derived from it.
3. The row says when it was gone.

After a crash, or while the store does not answer, the row stands between 1 and 3: `unfinished` finds it, the hourly
work goes on with it. Nothing is said to be gone that is not. The row and its hash stay for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal, Protocol, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks.models import Recording
from app.database import Database
from app.errors import ConflictError, NotFoundError
from app.evidence.forgetting import forget_all
from recordings import RecordingError

Why = Literal["expired", "removed", "withdrawn"]
WHY_ZH: dict[str, str] = {"expired": "保存期满", "removed": "提前删除", "withdrawn": "封存"}
STORE_FAILS = (RecordingError, OSError)
"""What the archive raises where the sound could not be deleted; it is tried again."""


class Eraser(Protocol):
    """What is needed of the archive."""

    def erase(self, key: str, sha256: str, why: Why, reason: str, who: str) -> None:
        """Delete a sound and what was derived from it, after its entry in the manifest; again is no error."""
        ...


async def locked(session: AsyncSession, recording_id: int) -> Recording:
    """A recording that nobody else holds, withdraws or deletes before this unit of work is over.

    Raises `NotFoundError`.
    """
    query = select(Recording).where(Recording.id == recording_id).with_for_update()
    row = await session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise NotFoundError(f"没有录音 {recording_id} (no such recording)")
    return row


def check_kept(row: Recording) -> None:
    """Raise `ConflictError` where a recording is gone or goes."""
    if row.gone_why is not None:
        raise ConflictError(
            f"录音 {row.id} 已因{WHY_ZH[row.gone_why]}不再保存 (the recording is {row.gone_why})"
        )


async def condemn(session: AsyncSession, row: Recording, why: Why, reason: str, who: str) -> None:
    """Decide that a recording goes, and forget every word that was made of it. The row comes from `locked`."""
    check_kept(row)
    row.gone_why, row.gone_reason, row.gone_by = why, reason, who
    await session.flush()
    await forget_all(session, row.id)


async def unfinished(session: AsyncSession, after: int, limit: int) -> Sequence[int]:
    """Keys of recordings that go and are not gone, from the one after this key on."""
    query = select(Recording.id).where(
        Recording.gone_why.is_not(None), Recording.gone_at.is_(None), Recording.id > after
    )
    return (await session.scalars(query.order_by(Recording.id).limit(limit))).all()


async def erase(database: Database, archive: Eraser, recording_id: int) -> bool:
    """Delete the sound of a condemned recording and say so; return whether it was there until now.

    Raises `RecordingError` or OSError where the store fails: the row then stays as it is.
    """
    async with database.reading() as session:
        row = await session.get(Recording, recording_id)
        if row is None or row.gone_why is None or row.gone_at is not None:
            return False
        shared = await _is_shared(session, row)
    if not shared:
        # Outside of any unit of work: a store on another machine may take its time, and calls write meanwhile.
        why, reason, who = cast(Why, row.gone_why), row.gone_reason or "", row.gone_by or ""
        await asyncio.to_thread(archive.erase, row.path, row.sha256, why, reason, who)
    async with database.unit_of_work() as session:
        gone = update(Recording).where(Recording.id == recording_id, Recording.gone_at.is_(None))
        found = await session.execute(
            gone.values(gone_at=clock.now()).execution_options(synchronize_session=False)
        )
        assert isinstance(found, CursorResult)
        if found.rowcount == 1:
            note = "；与另一份录音内容相同，声音随那一份保存" if shared else ""
            detail = f"{WHY_ZH[row.gone_why]}：{row.gone_reason}（SHA-256 {row.sha256}）{note}"
            await audit.record(session, "erase", f"recording:{row.id}", detail, row.gone_by or "")
        return found.rowcount == 1


async def _is_shared(session: AsyncSession, row: Recording) -> bool:
    """Whether another recording has the very same sound: calls without a sound of equal length may."""
    query = select(Recording.id).where(
        Recording.path == row.path, Recording.id != row.id, Recording.gone_why.is_(None)
    )
    return await session.scalar(query.limit(1)) is not None
