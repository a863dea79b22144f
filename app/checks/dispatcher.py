"""The dispatcher: takes due checks, writes the ledger, lets the phone dial, stores what comes of it.

Order of commits for one attempt: claimed (before anything is sent), each journal entry (the phone waits for
it), and at the end facts, recording and verdict together, with what follows for the order: a repeat, or its end.
What a dead process left behind becomes `interrupted`, its far end is told, its recording repaired.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import alarms, conclusions, queue, repository, retry, service
from app.checks.disk import DiskWatch
from app.checks.engine import LedgerEngine, TaskEngine
from app.checks.known import by_trunk, numbers_of
from app.checks.models import Attempt
from app.checks.ports import CallOrder, CallPlacer
from app.checks.scripts import CallScript, PromptError, PromptShelf, script_of
from app.checks.watching import CallWatch
from app.database import Database
from app.directory import repository as directory
from app.insisting import insist
from app.planning.spec import MOST_TALK_S
from app.settings import SettingError, Settings
from sip.core import LocalProtocolError
from sip.record import CallRecord, RecordingInfo

log = structlog.get_logger(__name__)

RECOVERY_PATIENCE_S = 5.0
"""How long a start waits for the far ends of a dead process before it goes on calling others."""
HANG_UP_PATIENCE_S = 6.0
"""How long calls may take to hang up when the phone stops."""
BLIND_PAUSE_S = 5.0
"""Between two looks while our own rules cannot be read."""


def new_owner() -> str:
    """Return a name for this process that no other process ever has."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


class Dispatcher:
    """Places due checks: at most `settings.concurrency` at once, no more than our lines bear, one per line."""

    def __init__(
        self,
        database: Database,
        placer: CallPlacer,
        settings: Settings,
        engine: TaskEngine | None = None,
        disk: DiskWatch | None = None,
    ) -> None:
        self._engine: TaskEngine = engine or LedgerEngine(database, settings, new_owner())
        self._disk = disk
        self._database = database
        self._placer = placer
        self._settings = settings
        self._prompts = PromptShelf(settings)
        self._prompts_doubted = True
        """Whether an alarm may stand against the prompts: one of an earlier process too."""
        self._stopping = asyncio.Event()
        self._draining = False
        self._wake = asyncio.Event()
        self._live: dict[int, Attempt] = {}
        self._watch = CallWatch(database, self._engine, placer, self._live)
        self._calls: set[asyncio.Task[None]] = set()
        self._conclusions: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Task[None]] = set()

    @property
    def owner(self) -> str:
        """Name of this process in the ledger."""
        return self._engine.owner

    @property
    def under_way(self) -> int:
        """How many calls are under way."""
        return len(self._calls)

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
                await conclusions.interrupt(session, attempt, recording, self._settings)
            for attempt in silent:
                # An earlier start could not repair it, for instance because the disk was full.
                recording = repaired.get(service.recording_name(attempt))
                if recording is not None:
                    conclusions.attach(session, attempt, recording)
            for check in await queue.unjudged(session):
                await conclusions.propose(session, check, self._settings)
        async with self._database.reading() as session:
            unreleased = await repository.unreleased(session)
        for attempt in unreleased:
            self._keep(self._releases, self._release(attempt))
        if self._releases:
            await asyncio.wait(self._releases, timeout=RECOVERY_PATIENCE_S)
        return len(left)

    async def run(self) -> None:
        """Place due checks until `stop`."""
        watches = [
            asyncio.create_task(watch) for watch in (self._watch.keep_leases(), self._watch.keep_stops())
        ]
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                started, pause_s = 0, self._settings.poll_s
                try:
                    started = await self.place_due()
                except SQLAlchemyError:
                    # The calls under way need no new ones; the database may be there again at the next look.
                    log.exception("due checks could not be looked up")
                except SettingError as error:
                    # Numbers that must not be dialled cannot be read: nothing is dialled until they can be.
                    log.error("nothing is dialled", reason=str(error))
                    pause_s = BLIND_PAUSE_S
                if started == 0:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), pause_s)
            await self._all_hung_up()
        finally:
            for task in watches:
                task.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    def wake(self) -> None:
        """Look for due checks now."""
        self._wake.set()

    def drain(self) -> None:
        """Start no more calls; those under way go on. What is due stays so."""
        self._draining = True

    async def place_due(self) -> int:
        """Start what is due and fits; return how many calls were started."""
        if self._draining:
            return 0
        capacity = self._placer.capacity
        most = self._settings.concurrency if capacity is None else min(self._settings.concurrency, capacity)
        room = most - len(self._calls)
        if room <= 0:
            return 0
        order_ids = await self._engine.due(room)
        if order_ids and self._disk is not None:
            # What cannot be recorded whole stays due.
            order_ids = order_ids[: await self._disk.room(len(self._calls))]
        refused = await self._refused(order_ids) if order_ids else ()
        started = 0
        for order_id in order_ids:
            if self._draining:
                break
            if order_id in refused:
                log.error("target refused", check=order_id)
                await self._engine.refuse(order_id)
                continue
            attempt = await self._engine.claim(order_id)
            if attempt is not None:
                self._live[attempt.id] = attempt
                self._keep(self._calls, self._call(attempt))
                started += 1
        return started

    async def _refused(self, order_ids: Sequence[int]) -> frozenset[int]:
        """Those of these orders whose target our own rules forbid: no attempt is written for them."""
        async with self._database.reading() as session:
            dialled = await queue.targets_of_orders(session, order_ids)
        refused = await self._placer.refused(set(dialled.values()))
        return frozenset(order_id for order_id, target in dialled.items() if target in refused)

    async def idle(self) -> None:
        """Wait until no call is under way."""
        while self._calls or self._conclusions:
            await asyncio.wait(self._calls | self._conclusions)

    async def stop(self) -> None:
        """Start no more calls, hang up those under way and wait for their conclusion."""
        self._stopping.set()
        self._wake.set()
        self._placer.stop()
        if self._calls:
            await asyncio.wait(self._calls, timeout=HANG_UP_PATIENCE_S)
        tasks = self._calls | self._releases
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._conclusions, return_exceptions=True)

    async def _all_hung_up(self) -> None:
        """Wait for the calls that `stop` ends: their leases are kept until they are concluded."""
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=HANG_UP_PATIENCE_S)

    async def _call(self, attempt: Attempt) -> None:
        async def journal(snapshot: dict[str, Any]) -> None:
            # A cancelled unit of work is rolled back: what is to be written here must be.
            await asyncio.shield(self._watch.journal(attempt, snapshot))

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
            check = await repository.claimed(session, attempt.check_id)
            delays = await repository.ring_delays(session, attempt.line_id)
            lines = await directory.lines_of_unit(session, attempt.unit_id)
            calls = await queue.attempts_in(session, attempt.check_id)
            script = await script_of(session, check)
            earlier = [conclusions.call_made(row) for row in calls if row.number < attempt.number]
            avoided = retry.avoided_trunk(conclusions.retry_rule(check.plan), earlier)
        opening, closing = await self._sounds(script)
        return CallOrder(
            attempt.target,
            service.recording_name(attempt),
            owner=f"unit:{attempt.unit_id}",
            ring_history_ms=by_trunk(delays),
            same_unit=numbers_of(lines),
            opening=opening,
            closing=closing,
            prefer_trunk=script.trunk,
            avoid_trunk=avoided,
            max_ring_s=script.max_ring_s,
            max_talk_s=self._talk_s(check.kind, script),
        )

    def _talk_s(self, kind: str, script: CallScript) -> float | None:
        """Nobody is kept on the line longer than an unattended call may last, whatever the settings say."""
        if kind == "demo":
            return None
        return min(script.max_talk_s or self._settings.max_talk_s, MOST_TALK_S)

    async def _sounds(self, script: CallScript) -> tuple[Path | None, Path | None]:
        """The sounds of a call. One that is gone or was changed is an alarm, and the call is not placed without it."""
        try:
            sounds = await self._prompts.path_of(script.opening), await self._prompts.path_of(script.closing)
        except PromptError as error:
            async with self._database.unit_of_work() as session:
                await alarms.raise_alarm(session, "prompt_missing", "", str(error))
            self._prompts_doubted = True
            raise
        if self._prompts_doubted and script.opening is not None:
            async with self._database.unit_of_work() as session:
                await alarms.clear_alarm(session, "prompt_missing")
            self._prompts_doubted = False
        return sounds

    def _conclude(self, attempt: Attempt, write: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Write how an attempt ended, whatever becomes of the call's task; several times while that fails."""

        async def conclude_and_forget() -> None:
            try:
                # Where it never succeeds the row stays live: the next start finds it and the recording. No reason is
                # made up for it.
                await insist(write, "attempt could not be concluded", attempt=attempt.id)
            finally:
                self._live.pop(attempt.id, None)
                self._wake.set()

        return self._keep(self._conclusions, conclude_and_forget())

    async def _finish(self, attempt: Attempt, record: CallRecord) -> None:
        stopped = self._stopping.is_set()
        verdict = await self._engine.done(
            lambda session: conclusions.finish(session, attempt.id, record, self._settings, stopped=stopped)
        )
        code = None if verdict is None else verdict.code
        log.info("call finished", attempt=attempt.id, outcome=record.outcome, verdict=code)

    async def _fail(self, attempt: Attempt, reason: str) -> None:
        await self._engine.done(lambda session: conclusions.fail(session, attempt.id, reason, self._settings))

    async def _cut_off(self, attempt: Attempt) -> None:
        """The call did not hang up in time: the next start tells the far end again and finds the recording."""

        async def write(session: AsyncSession) -> None:
            row = await repository.attempt(session, attempt.id)
            await conclusions.interrupt(session, row, None, self._settings)

        await self._engine.done(write)

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
                row.released_at = clock.now()
        except Exception:
            # One far end that cannot be told must not keep the others from it; the next start tries again.
            log.exception("far end could not be told", attempt=attempt.id)

    async def _tell(self, snapshot: dict[str, Any] | None, target_id: int | None) -> None:
        with contextlib.suppress(LocalProtocolError):
            # A snapshot that names no call leaves nobody to tell.
            await self._placer.recover(snapshot or {})
        if target_id is not None:
            async with self._database.unit_of_work() as session:
                (await repository.target(session, target_id)).released_at = clock.now()

    def _keep(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task
