"""The hourly work of retention: what is over is deleted, what was begun is finished, what is not settled is settled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import alarms
from app.checks.models import Recording
from app.database import Database
from app.evidence import holding, leaving, retention
from app.reviews.opening import MACHINE
from app.settings import Settings
from recordings import Archive

log = structlog.get_logger(__name__)

Which = Callable[[AsyncSession, int, int], Awaitable[Sequence[int]]]
BATCH = 50
REASON = "保存期限已过"
MOST_FAILURES = 5
"""In a row: then the store does not answer, and the rest waits for the next hour."""


@dataclass(slots=True)
class Purged:
    """What one run did."""

    settled: int = 0
    deleted: int = 0
    failed: int = 0


class Retention:
    """Deletes what has expired. Where the archive fails, the next run tries again."""

    def __init__(self, database: Database, settings: Settings, open_: Callable[[Settings], Archive]) -> None:
        self._database = database
        self._settings = settings
        self._open_archive = open_
        self._archive: Archive | None = None
        """Of the run: what it knows of the manifest serves all that it deletes."""

    async def run(self, _: datetime | None = None) -> Purged:
        """Do the hour's work, in small units of work. Nothing is deleted while this machine's clock is off."""
        done = Purged()
        self._archive = None
        done.settled = await self._settle()
        await self._go_through(leaving.unfinished, _always, done)
        await self._go_through(_over, self._expire, done)
        await self._tell(done)
        if done.deleted or done.failed:
            log.info("retention", deleted=done.deleted, failed=done.failed)
        return done

    def _open(self) -> Archive:
        if self._archive is None:
            self._archive = self._open_archive(self._settings)
        return self._archive

    async def _settle(self) -> int:
        count = 0
        while True:
            async with self._database.unit_of_work() as session:
                found = await retention.settle_rest(session, self._settings, BATCH)
            count += found
            if found < BATCH:
                return count

    async def _go_through(self, which: Which, ready: Callable[[int], Awaitable[bool]], done: Purged) -> None:
        after = in_a_row = 0
        while True:
            async with self._database.reading() as session:
                # By a clock that has jumped every recording would be over.
                keys = await which(session, after, BATCH) if await alarms.clock_ok(session) else ()
            for after in keys:
                try:
                    if await ready(after) and await leaving.erase(self._database, self._open, after):
                        done.deleted += 1
                    in_a_row = 0
                except leaving.STORE_FAILS as error:
                    log.error("recording could not be deleted", recording=after, reason=type(error).__name__)
                    done.failed, in_a_row = done.failed + 1, in_a_row + 1
                    if in_a_row == MOST_FAILURES:
                        return
            if len(keys) < BATCH:
                return

    async def _expire(self, recording_id: int) -> bool:
        """Condemn a recording whose time is over; return whether it was, by all that is known now."""
        async with self._database.unit_of_work() as session:
            row = await leaving.locked(session, recording_id)
            if row.gone_why is not None:
                return False
            now = clock.now()
            until = await retention.term(session, row, self._settings)
            if until > now:
                row.keep_until = until
                return False
            if not await _is_free(session, recording_id, now):
                return False
            await leaving.condemn(session, row, "expired", REASON, MACHINE)
            return True

    async def _tell(self, done: Purged) -> None:
        async with self._database.unit_of_work() as session:
            if done.failed:
                detail = f"存储没有响应，{done.failed} 份录音尚未删除，每小时再试"
                await alarms.raise_alarm(session, leaving.ALARM, "", detail)
            else:
                await alarms.clear_alarm(session, leaving.ALARM)


async def _over(session: AsyncSession, after: int, limit: int) -> Sequence[int]:
    """Keys of recordings that are over and that nothing keeps, from the one after this key on."""
    now = clock.now()
    query = (
        select(Recording.id)
        .where(Recording.keep_until <= now, Recording.gone_why.is_(None), Recording.id > after)
        .where(~holding.held(now), ~holding.removal_asked())
        .order_by(Recording.id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def _is_free(session: AsyncSession, recording_id: int, now: datetime) -> bool:
    query = select(Recording.id).where(
        Recording.id == recording_id, ~holding.held(now), ~holding.removal_asked()
    )
    return await session.scalar(query) is not None


async def _always(_: int) -> bool:
    return True
