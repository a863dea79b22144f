"""The dispatcher: takes due checks, writes the ledger, lets the phone dial, stores what comes of it.

Order of commits for one attempt: claimed (before anything is sent), each journal entry (the phone waits for
it), and at the end facts, recording and verdict together. Nothing is redialled here: a retry is a new order.
What a dead process left behind becomes `interrupted`, its far end is told, its recording repaired.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app.checks import repository, service
from app.checks.guard import NeverDialledError, TargetError
from app.checks.known import by_trunk, numbers_of
from app.checks.models import Attempt
from app.checks.ports import CallOrder, CallPlacer
from app.database import Database
from app.directory import repository as directory
from app.settings import Settings
from sip.core import LocalProtocolError
from sip.record import CallRecord, RecordingInfo

log = structlog.get_logger(__name__)

RECOVERY_PATIENCE_S = 5.0
"""How long a start waits for the far ends of a dead process before it goes on calling others."""
HANG_UP_PATIENCE_S = 6.0
"""How long calls may take to hang up when the phone stops."""
CONCLUDE_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between the tries to write how a call ended: facts are not lost to a database that is busy for a minute."""


def new_owner() -> str:
    """Return a name for this process that no other process ever has."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


class Dispatcher:
    """Places due checks: at most `settings.concurrency` at once, no more than our lines bear, one per line."""

    def __init__(self, database: Database, placer: CallPlacer, settings: Settings) -> None:
        self.owner = new_owner()
        self._database = database
        self._placer = placer
        self._settings = settings
        self._stopping = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._conclusions: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Task[None]] = set()

    async def recover(self) -> int:
        """Conclude what dead processes left; return how many attempts were interrupted.

        Call it once, before the first call and while no other phone process runs.
        """
        async with self._database.reading() as session:
            left = await repository.live_of_others(session, self.owner)
            silent = await repository.unrecorded(session)
        repaired = await self._repaired([service.recording_name(row) for row in (*left, *silent)])
        async with self._database.unit_of_work() as session:
            withdrawn = await service.withdraw_demonstration(session, self._settings)
            if withdrawn:
                log.warning("checks of a demonstration were withdrawn", count=withdrawn)
            left = await repository.live_of_others(session, self.owner)
            for attempt in left:
                recording = repaired.get(service.recording_name(attempt))
                await service.interrupt(session, attempt, recording, self._settings)
            for attempt in silent:
                # An earlier start could not repair it, for instance because the disk was full.
                recording = repaired.get(service.recording_name(attempt))
                if recording is not None:
                    service.attach(session, attempt, recording)
        async with self._database.reading() as session:
            unreleased = await repository.unreleased(session)
        for attempt in unreleased:
            self._keep(self._releases, self._release(attempt))
        if self._releases:
            await asyncio.wait(self._releases, timeout=RECOVERY_PATIENCE_S)
        return len(left)

    async def run(self) -> None:
        """Place due checks until `stop`."""
        while not self._stopping.is_set():
            started = 0
            try:
                started = await self.place_due()
            except SQLAlchemyError:
                # The calls under way need no new ones; the database may be there again at the next look.
                log.exception("due checks could not be looked up")
            if started == 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._settings.poll_s)

    async def place_due(self) -> int:
        """Start what is due and fits; return how many calls were started."""
        capacity = self._placer.capacity
        most = self._settings.concurrency if capacity is None else min(self._settings.concurrency, capacity)
        room = most - len(self._calls)
        if room <= 0:
            return 0
        async with self._database.reading() as session:
            check_ids = await repository.due(session, room)
        started = 0
        for check_id in check_ids:
            attempt = await self._claim(check_id)
            if attempt is not None:
                self._keep(self._calls, self._call(attempt))
                started += 1
        return started

    async def idle(self) -> None:
        """Wait until no call is under way."""
        while self._calls or self._conclusions:
            await asyncio.wait(self._calls | self._conclusions)

    async def stop(self) -> None:
        """Start no more calls, hang up those under way and wait for their conclusion."""
        self._stopping.set()
        self._placer.stop()
        if self._calls:
            await asyncio.wait(self._calls, timeout=HANG_UP_PATIENCE_S)
        tasks = self._calls | self._releases
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._conclusions, return_exceptions=True)

    async def _claim(self, check_id: int) -> Attempt | None:
        try:
            async with self._database.unit_of_work() as session:
                attempt = await service.claim(session, check_id, self.owner, self._settings.misfire_grace_s)
            if attempt is None:
                log.warning("check not dialled: too late, withdrawn or paused", check=check_id)
            return attempt
        except IntegrityError:
            # Another check of the same line is under way; this one stays due.
            return None
        except (NeverDialledError, TargetError) as error:
            log.error("target refused", check=check_id, reason=str(error))
            async with self._database.unit_of_work() as session:
                await service.refuse(session, check_id)
            return None

    async def _call(self, attempt: Attempt) -> None:
        async def journal(snapshot: dict[str, Any]) -> None:
            # A cancelled database call would leave its connection, and SQLite's one write lock, behind.
            await asyncio.shield(self._journal(attempt, snapshot))

        try:
            record = await self._placer.place(await self._order(attempt), journal)
        except asyncio.CancelledError:
            self._conclude(attempt, lambda: self._cut_off(attempt))
            raise
        except Exception as error:
            log.exception("call failed on our side", attempt=attempt.id)
            reason = f"{type(error).__name__}: {error}"
            await asyncio.shield(self._conclude(attempt, lambda: self._fail(attempt, reason)))
        else:
            await asyncio.shield(self._conclude(attempt, lambda: self._finish(attempt, record)))

    async def _order(self, attempt: Attempt) -> CallOrder:
        async with self._database.reading() as session:
            delays = await repository.ring_delays(session, attempt.line_id)
            lines = await directory.lines_of_unit(session, attempt.unit_id)
        return CallOrder(
            attempt.target,
            service.recording_name(attempt),
            owner=f"unit:{attempt.unit_id}",
            ring_history_ms=by_trunk(delays),
            same_unit=numbers_of(lines),
        )

    def _conclude(self, attempt: Attempt, write: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Write how an attempt ended, whatever becomes of the call's task; several times while that fails."""

        async def conclude() -> None:
            for pause_s in (*CONCLUDE_PAUSES_S, None):
                try:
                    await write()
                    return
                except SQLAlchemyError:
                    log.exception("attempt could not be concluded", attempt=attempt.id, again_in_s=pause_s)
                if pause_s is not None:
                    await asyncio.sleep(pause_s)
            # The row stays live: the next start finds it and the recording. No reason is made up for it.

        return self._keep(self._conclusions, conclude())

    async def _journal(self, attempt: Attempt, snapshot: dict[str, Any]) -> None:
        async with self._database.unit_of_work() as session:
            await service.journal(session, attempt.id, snapshot)

    async def _finish(self, attempt: Attempt, record: CallRecord) -> None:
        async with self._database.unit_of_work() as session:
            verdict = await service.finish(
                session, attempt.id, record, self._settings, stopped=self._stopping.is_set()
            )
        log.info("call finished", attempt=attempt.id, outcome=record.outcome, verdict=verdict.code)

    async def _fail(self, attempt: Attempt, reason: str) -> None:
        async with self._database.unit_of_work() as session:
            await service.fail(session, attempt.id, reason, self._settings)

    async def _cut_off(self, attempt: Attempt) -> None:
        """The call did not hang up in time: the next start tells the far end again and finds the recording."""
        async with self._database.unit_of_work() as session:
            row = await repository.attempt(session, attempt.id)
            await service.interrupt(session, row, None, self._settings)

    async def _repaired(self, names: list[str]) -> Mapping[str, RecordingInfo]:
        try:
            return await self._placer.repair(names)
        except Exception:
            # A damaged capture must not keep the far ends from being told.
            log.exception("recordings could not be repaired")
            return {}

    async def _release(self, attempt: Attempt) -> None:
        """Tell every far end of an attempt. What fails stays unreleased, so that the next start tries again."""
        try:
            left = [row for row in attempt.targets if row.released_at is None]
            told = [self._tell(row.snapshot, row.id) for row in left]
            if not attempt.targets:
                # An attempt of a version that kept no targets.
                told = [self._tell(attempt.snapshot, None)]
            failed = [e for e in await asyncio.gather(*told, return_exceptions=True) if e is not None]
            if failed:
                raise failed[0]
            async with self._database.unit_of_work() as session:
                row = await repository.attempt(session, attempt.id)
                row.released_at = datetime.now(UTC)
        except Exception:
            # One far end that cannot be told must not keep the others from it; the next start tries again.
            log.exception("far end could not be told", attempt=attempt.id)

    async def _tell(self, snapshot: dict[str, Any] | None, target_id: int | None) -> None:
        with contextlib.suppress(LocalProtocolError):
            # A snapshot that names no call leaves nobody to tell.
            await self._placer.recover(snapshot or {})
        if target_id is not None:
            async with self._database.unit_of_work() as session:
                (await repository.target(session, target_id)).released_at = datetime.now(UTC)

    def _keep(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task
