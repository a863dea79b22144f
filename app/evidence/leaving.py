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
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import structlog
from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks import alarms
from app.checks.models import Attempt, Recording
from app.checks.service import recording_name
from app.database import Database
from app.errors import ConflictError, NotFoundError
from app.evidence.forgetting import forget_all
from app.settings import SettingError
from app.transcripts import search
from recordings import Archive, RecordingError
from recordings.archive import Erasure

log = structlog.get_logger(__name__)

WHY_ZH: dict[str, str] = {"expired": "保存期满", "removed": "提前删除", "withdrawn": "封存"}
ALARM = "retention_failed"
"""Stands while there is a sound that should be deleted and is not."""
STORE_FAILS = (RecordingError, OSError, SettingError)
"""What comes where a sound could not be deleted, or the archive not opened; it is tried again."""


OpenArchive = Callable[[], Archive]
"""Opens the archive; may raise as its use does, `SettingError` too."""


async def seen(session: AsyncSession, recording_id: int) -> None:
    """Raise `NotFoundError` for a recording that is not there for who asks."""
    if await session.scalar(select(Recording.id).where(Recording.id == recording_id)) is None:
        raise NotFoundError(f"没有录音 {recording_id} (no such recording)")


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


async def condemn(session: AsyncSession, row: Recording, why: Erasure, reason: str, who: str) -> None:
    """Decide that a recording goes, and forget every word that was made of it. The row comes from `locked`."""
    check_kept(row)
    row.gone_why, row.gone_reason, row.gone_by = why, reason, who
    await session.flush()
    await forget_all(session, row.id)
    # Whoever forgets may let go of what the session holds.
    await session.refresh(row)


async def unfinished(session: AsyncSession, after: int, limit: int) -> Sequence[int]:
    """Keys of recordings that go and are not gone, from the one after this key on."""
    query = select(Recording.id).where(
        Recording.gone_why.is_not(None), Recording.gone_at.is_(None), Recording.id > after
    )
    return (await session.scalars(query.order_by(Recording.id).limit(limit))).all()


async def erase(database: Database, open_: OpenArchive, recording_id: int) -> bool:
    """Delete the sound of a condemned recording and say so; return whether it was there until now.

    Raises one of `STORE_FAILS` where that cannot be done: the row then stays as it is.
    """
    async with database.reading() as session:
        row = await session.get(Recording, recording_id)
        if row is None or row.gone_why is None or row.gone_at is not None:
            return False
        attempt = None if row.attempt_id is None else await session.get(Attempt, row.attempt_id)
        others = await _kept_alike(session, row)
    name = None if attempt is None else recording_name(attempt)
    # Outside of any unit of work: a store on another machine may take its time, and calls write meanwhile.
    await asyncio.to_thread(_erase, open_, row, name, others)
    async with database.unit_of_work() as session:
        gone = update(Recording).where(Recording.id == recording_id, Recording.gone_at.is_(None))
        found = await session.execute(
            gone.values(gone_at=clock.now()).execution_options(synchronize_session=False)
        )
        assert isinstance(found, CursorResult)
        if found.rowcount == 1:
            detail = f"{WHY_ZH[row.gone_why]}：{row.gone_reason}（SHA-256 {row.sha256}）"
            await audit.record(session, "erase", f"recording:{row.id}", detail, row.gone_by or "")
        return found.rowcount == 1


async def erase_now(database: Database, open_: OpenArchive, recording_ids: Iterable[int]) -> bool:
    """Delete what was just condemned; return whether all is deleted.

    What the store does not delete is an alarm: nobody hears it, and each hour it is tried again.
    """
    left = []
    for key in recording_ids:
        try:
            await erase(database, open_, key)
        except STORE_FAILS as error:
            log.error("recording could not be deleted", recording=key, reason=type(error).__name__)
            left.append(str(key))
    if left:
        async with database.unit_of_work() as session:
            detail = f"录音 {'、'.join(left)} 已不可收听，声音尚未删除：存储没有响应，每小时再试"
            await alarms.raise_alarm(session, ALARM, "", detail)
    async with database.unit_of_work() as session:
        await search.compact(session)
    await database.scrub()
    return not left


def _erase(open_: OpenArchive, row: Recording, name: str | None, others: int) -> None:
    archive = open_()
    given = (row.path, row.sha256, cast(Erasure, row.gone_why), row.gone_reason or "", row.gone_by or "")
    for each in _names(archive, row, name, others):
        archive.erase(*given, name=each)


def _names(archive: Archive, row: Recording, name: str | None, others: int) -> list[str | None]:
    """Under which names the sound goes; the archive deletes it with the last one that it is kept under.

    The same file may be brought twice, and which of two reports is which the archive cannot tell: as many stay as there
    are `others`. What is withdrawn goes under every name.
    """
    if name is not None and row.gone_why != "withdrawn":
        return [name]
    known = archive.index.refresh().by_key.get(row.path)
    if known is None or not known.live:
        return [name]
    return [entry.members["name"] for entry in known.entries[: max(0, len(known.entries) - others)]]


async def _kept_alike(session: AsyncSession, row: Recording) -> int:
    """How many other recordings are kept that have the very same sound."""
    query = select(func.count()).where(
        Recording.path == row.path, Recording.id != row.id, Recording.gone_why.is_(None)
    )
    return await session.scalar(query.execution_options(every_unit=True)) or 0
