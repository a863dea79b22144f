"""The phone's side of test calls: takes those that wait, places them, and writes down what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, runtime_checkable

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.ports import Journal
from app.checks.service import state_in
from app.checks.targets import alerts
from app.database import Database
from app.insisting import insist
from app.settings import SettingError, Settings
from app.trunks import trials, trials_repository
from app.trunks.models import TrunkTest
from sip.core import LocalProtocolError
from sip.guard import NeverDialledError
from sip.record import CallRecord
from sip.targets import TargetError
from sip.trunks import TrunkError

log = structlog.get_logger(__name__)
LOOK_S = 0.5
"""How often it is looked whether one waits."""
WATCH_S = 0.2
"""The same while one is under way: a stop must reach it within a second."""
MOST_S = 120.0
"""How long one may take from its taking, its wait for a free line of the trunk included; then it is hung up."""
HANG_UP_PATIENCE_S = 6.0
RECOVERY_PATIENCE_S = 5.0


@runtime_checkable
class TrialPhone(Protocol):
    """What the desk needs of a phone; one that has none of it takes no test calls."""

    async def call_by(self, trunk: str, number: str, journal: Journal, stop: asyncio.Event) -> CallRecord:
        """Place a short call by one trunk, without any capture; `stop` hangs it up.

        Raises `TrunkError`, `TargetError` and `NeverDialledError` before anything is sent.
        """
        ...

    async def recover(self, snapshot: dict[str, Any]) -> None:
        """End what a killed process left of this dialog."""
        ...


class TrialDesk:
    """Places the test calls of one phone process, one at a time on each trunk."""

    def __init__(self, database: Database, phone: object, settings: Settings, owner: str) -> None:
        self._database = database
        self._phone = phone if isinstance(phone, TrialPhone) else None
        self._settings = settings
        self._owner = owner
        self._draining = False
        self._ending = False
        self._live: dict[int, asyncio.Event] = {}
        """What hangs up each call under way."""
        self._why: dict[int, str] = {}
        """Why a call was hung up by us."""
        self._calls: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Task[None]] = set()
        self._taking = asyncio.Lock()

    async def recover(self) -> int:
        """Mark what a dead process left as interrupted and tell its far ends; return how many there were.

        Call it before `run`, while no other phone process runs.
        """
        if self._phone is None:
            return 0
        async with self._database.unit_of_work() as session:
            left = await trials_repository.unreleased(session, self._owner)
            for row in left:
                await trials.conclude(session, row.id, "interrupted", "phone_ended", released=False)
        for row in left:
            self._keep(self._releases, self._release(self._phone, row))
        if self._releases:
            await asyncio.wait(set(self._releases), timeout=RECOVERY_PATIENCE_S)
        return len(left)

    async def run(self) -> None:
        """Place test calls until cancelled."""
        while self._phone is not None:
            try:
                if self._live:
                    await asyncio.shield(self._hang_up_stopped())
                await asyncio.shield(self._take_waiting(self._phone))
            except SettingError as error:
                log.error("no test call is placed", reason=str(error))
            except Exception:
                # Whatever it was: a desk that ended would take no test call any more.
                log.exception("test calls could not be looked up")
            await asyncio.sleep(WATCH_S if self._live else LOOK_S)

    def drain(self) -> None:
        """Take no more; those under way go on."""
        self._draining = True

    async def idle(self) -> None:
        """Wait until none is under way."""
        while self._calls:
            await asyncio.wait(set(self._calls))

    async def stop(self) -> None:
        """Take no more, hang up those under way and wait until that is written down."""
        self._draining = self._ending = True
        for test_id in tuple(self._live):
            self._hang_up(test_id, "phone_ended")
        async with self._taking:
            # What is being taken at this moment is hung up too.
            calls = set(self._calls)
        if calls:
            await asyncio.wait(calls, timeout=HANG_UP_PATIENCE_S)
        tasks = self._calls | self._releases
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_waiting(self, phone: TrialPhone) -> None:
        async with self._taking:
            async with self._database.reading() as session:
                rows = await trials_repository.standing(session)
            for row in rows:
                if row.state == "waiting" and not self._draining:
                    await self._take(phone, row)

    async def _take(self, phone: TrialPhone, row: TrunkTest) -> None:
        async with self._database.reading() as session:
            of_directory = await trials.is_now_of_directory(session, self._settings, row)
        async with self._database.unit_of_work() as session:
            taken = await trials.take(session, row.id, self._owner, of_directory=of_directory)
        if taken is not None:
            self._live[row.id] = asyncio.Event()
            self._keep(self._calls, self._call(phone, taken))
            if self._ending:
                self._hang_up(row.id, "phone_ended")

    async def _hang_up_stopped(self) -> None:
        async with self._database.reading() as session:
            if not await trials.is_stopped(session):
                return
        for test_id in tuple(self._live):
            self._hang_up(test_id, "stopped")

    def _hang_up(self, test_id: int, why: str) -> None:
        if test_id in self._live:
            self._why.setdefault(test_id, why)
            self._live[test_id].set()

    async def _call(self, phone: TrialPhone, row: TrunkTest) -> None:
        stop = self._live[row.id]
        limit = asyncio.get_running_loop().call_later(MOST_S, stop.set)
        try:
            await self._place(phone, row, stop)
        finally:
            limit.cancel()
            self._live.pop(row.id, None)
            self._why.pop(row.id, None)

    async def _place(self, phone: TrialPhone, row: TrunkTest, stop: asyncio.Event) -> None:
        async def journal(snapshot: dict[str, Any]) -> None:
            # A cancelled unit of work is rolled back: what is to be written here must be.
            await asyncio.shield(self._journal(row.id, snapshot))

        try:
            record = await phone.call_by(row.trunk, row.target, journal, stop)
        except asyncio.CancelledError:
            # It did not hang up in time: the next start tells the far end again.
            await asyncio.shield(self._conclude(row.id, "interrupted", "phone_ended", released=False))
            raise
        except (NeverDialledError, TargetError):
            await asyncio.shield(self._conclude(row.id, "refused", "never_dialled"))
        except TrunkError:
            await asyncio.shield(self._conclude(row.id, "refused", "no_trunk"))
        except Exception as error:
            log.exception("test call failed on our side", test_call=row.id)
            reason = f"{type(error).__name__}: {error}"[: trials.LONGEST_ERROR]
            await asyncio.shield(self._conclude(row.id, "failed", "own_error", {"errors": [reason]}))
        else:
            why = self._why.get(row.id, "") if record.outcome == "cancelled" else ""
            await asyncio.shield(self._conclude(row.id, "finished", why, trials.result_of(record)))

    async def _journal(self, test_id: int, snapshot: dict[str, Any]) -> None:
        async with self._database.unit_of_work() as session:
            ours = await trials.journal(session, test_id, snapshot, state_in(snapshot))
            stopped = await trials.is_stopped(session)
        if stopped or (not ours and not alerts(snapshot)):
            # Before an INVITE leaves this keeps it from leaving.
            self._hang_up(test_id, "stopped" if stopped else "phone_ended")

    async def _conclude(
        self,
        test_id: int,
        state: str,
        why: str = "",
        result: dict[str, Any] | None = None,
        *,
        released: bool = True,
    ) -> None:
        async def write(session: AsyncSession) -> None:
            await trials.conclude(session, test_id, state, why, result, released=released)

        await self._written(test_id, write)

    async def _written(self, test_id: int, write: Callable[[AsyncSession], Awaitable[None]]) -> None:
        """Write how one ended; where that never succeeds the next start finds it under way."""

        async def once() -> None:
            async with self._database.unit_of_work() as session:
                await write(session)

        await insist(once, "test call could not be concluded", test_call=test_id)

    async def _release(self, phone: TrialPhone, row: TrunkTest) -> None:
        """Tell every far end of a dead process's call. What fails stays unreleased: the next start tries again."""
        try:
            for snapshot in row.snapshots.values():
                try:
                    await phone.recover(snapshot)
                except LocalProtocolError:
                    # A snapshot that names no call leaves nobody to tell.
                    continue
            async with self._database.unit_of_work() as session:
                await trials.release(session, row.id)
        except Exception:
            # One far end that cannot be told must not keep the others from it.
            log.exception("far end of a test call could not be told", test_call=row.id)

    def _keep(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
