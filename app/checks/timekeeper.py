"""The clock's work: each second it makes due what is due, and now and then it tidies up.

APScheduler only ticks. One process at a time keeps the time, by a lease in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import alarms, leases
from app.checks.engine import TaskEngine
from app.database import Database

log = structlog.get_logger(__name__)

Tick = Callable[[datetime], Awaitable[int]]
"""Asked each second; returns how many orders it made due."""
Purge = Callable[[AsyncSession, datetime], Awaitable[object]]
"""Done at the start and each hour, e.g. deletes what has expired."""
Job = Callable[[datetime], Awaitable[object]]
"""Done as often, but beside the ticks and outside of any unit of work: it may take its time."""
SWEEP_S = 5.0
PURGE_S = 3600.0


class Timekeeper:
    """Keeps the time for one database. `wake` is called when something has come due."""

    def __init__(
        self,
        database: Database,
        engine: TaskEngine,
        wake: Callable[[], None],
        ticks: Sequence[Tick] = (),
        purges: Sequence[Purge] = (),
        jobs: Sequence[Job] = (),
    ) -> None:
        self._database = database
        self._engine = engine
        self._wake = wake
        self._ticks = ticks
        self._purges = purges
        self._jobs = jobs
        self._at_work: dict[int, asyncio.Task[None]] = {}
        """By the job's place, those that are not done yet."""
        self._held_until: datetime | None = None
        self._renew_at: datetime | None = None
        self._sweep_at: datetime | None = None
        self._purge_at: datetime | None = None

    async def seize(self) -> None:
        """Take the clock from whoever held it: for a process that knows that it is the only one."""
        async with self._database.unit_of_work() as session:
            await leases.seize(session, leases.CLOCK, self._engine.owner)

    async def end(self) -> None:
        """Let go of the clock; what works beside it is cut short."""
        at_work = list(self._at_work.values())
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
        async with self._database.unit_of_work() as session:
            await leases.give_back(session, leases.CLOCK, self._engine.owner)

    async def tick(self) -> None:
        """Do what the second brings. A database that does not answer is asked again at the next tick."""
        now = clock.now()
        try:
            if await self._keeps_time(now):
                right = await self._release(now)
                await self._tidy(now, right)
        except SQLAlchemyError:
            log.exception("the clock could not do its work")

    async def _keeps_time(self, now: datetime) -> bool:
        if self._renew_at is None or now >= self._renew_at or now < self._renew_at - timedelta(minutes=1):
            # A clock that was set back must not wait for the old time.
            async with self._database.unit_of_work() as session:
                held = await leases.hold(session, leases.CLOCK, self._engine.owner)
            self._held_until = now + timedelta(seconds=leases.LEASE_S) if held else None
            self._renew_at = now + timedelta(seconds=leases.RENEW_S)
        return self._held_until is not None and now < self._held_until

    async def _release(self, now: datetime) -> bool:
        """Make due what is due; return whether the clock may be trusted."""
        due = 0
        for tick in self._ticks:
            try:
                due += await tick(now)
            except Exception:
                # Repeats and what is under way must not stand still because a plan cannot be drawn or written down.
                log.exception("a part of the clock's work failed")
        async with self._database.reading() as session:
            right = await alarms.clock_ok(session)
        if right:
            released = await self._engine.release(now)
            due += released.due
            if released.missed:
                log.warning("checks were missed", count=released.missed)
        if due:
            log.info("checks released", count=due)
            self._wake()
        return right

    async def _tidy(self, now: datetime, right: bool) -> None:
        # By a clock that has jumped every lease would have run out.
        if right and (self._sweep_at is None or now >= self._sweep_at):
            self._sweep_at = now + timedelta(seconds=SWEEP_S)
            swept = await self._engine.sweep()
            if swept:
                log.error("attempts whose caller gave no sign of life were interrupted", count=swept)
        if self._purge_at is None or now >= self._purge_at:
            self._purge_at = now + timedelta(seconds=PURGE_S)
            for purge in self._purges:
                async with self._database.unit_of_work() as session:
                    await purge(session, now)
            self._begin_jobs(now)

    def _begin_jobs(self, now: datetime) -> None:
        """Begin every job that is not still at work from the last time."""
        for place, job in enumerate(self._jobs):
            if place not in self._at_work:
                self._at_work[place] = asyncio.create_task(self._do(place, job, now))

    async def _do(self, place: int, job: Job, now: datetime) -> None:
        try:
            await job(now)
        except Exception:
            # The next hour brings it again.
            log.exception("a part of the hourly work failed")
        finally:
            self._at_work.pop(place, None)
