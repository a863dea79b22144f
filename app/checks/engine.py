"""Who calls which order, and when: the `TaskEngine` port, and the engine that works on our own tables.

An engine gives each due order to one caller, lets one call at a time go to a line, and learns of callers that die:
whoever holds an attempt puts its lease off every few seconds, and an attempt whose lease runs out is `interrupted` by
whoever sweeps. Its caller must not go on dialling then: before each INVITE the lease is looked at. An interrupted
attempt is never dialled again by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import alarms, conclusions, queue, repository, service
from app.checks.conclusions import ConcludedError
from app.checks.guard import NeverDialledError, TargetError
from app.checks.models import Attempt
from app.database import Database
from app.settings import Settings

log = structlog.get_logger(__name__)
T = TypeVar("T")

LEASE_S = 30.0
"""How long an attempt stays its caller's without a sign of life."""
BEAT_S = 5.0
"""How often a caller gives one."""


@dataclass(frozen=True, slots=True)
class Released:
    """What one tick of the clock made due, and what it found too late."""

    due: int = 0
    missed: int = 0


class TaskEngine(Protocol):
    """Hands out due orders."""

    @property
    def owner(self) -> str:
        """Name of this caller, which no other caller ever has."""
        ...

    async def due(self, room: int) -> Sequence[int]:
        """Keys of at most `room` orders that may be called now, the earliest first.

        None while our clock is off or there is no room to record them.
        """
        ...

    async def claim(self, order_id: int) -> Attempt | None:
        """Take a due order and write its attempt; None when it is not to be called, now or at all."""
        ...

    async def refuse(self, order_id: int) -> None:
        """End a due order whose target must not be dialled."""
        ...

    async def renew(self, attempt_ids: Collection[int]) -> frozenset[int]:
        """Put off the leases of attempts of ours; return those that are still ours."""
        ...

    async def journal(self, attempt_id: int, snapshot: dict[str, Any]) -> None:
        """Write down the dialog. Raises `service.LeaseLostError` before an INVITE that must not leave any more."""
        ...

    async def done(self, write: Callable[[AsyncSession], Awaitable[T]]) -> T | None:
        """Write how an attempt ended, in one unit of work; None where it was concluded before."""
        ...

    async def sweep(self) -> int:
        """Interrupt the attempts whose lease has run out; return how many."""
        ...

    async def release(self, now: datetime) -> Released:
        """Make due what was planned or is to be repeated, once its moment has come."""
        ...


class LedgerEngine:
    """The engine over the ledger's own tables: every step is a conditional update."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        owner: str,
        *,
        lease_s: float = LEASE_S,
        clock_offset_ms: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._owner = owner
        self._lease_s = lease_s
        self._offset_ms = clock_offset_ms

    @property
    def owner(self) -> str:
        """Name of this caller."""
        return self._owner

    async def due(self, room: int) -> Sequence[int]:
        """Keys of the orders to call now, the earliest first."""
        async with self._database.reading() as session:
            if not (await alarms.clock_ok(session) and await alarms.disk_ok(session)):
                return ()
            return await queue.due(session, room)

    async def claim(self, order_id: int) -> Attempt | None:
        """Take a due order; None when another caller took it, its line is engaged, or it is not called."""
        try:
            async with self._database.unit_of_work() as session:
                return await service.claim(
                    session,
                    order_id,
                    self._owner,
                    self._settings.misfire_grace_s,
                    settings=self._settings,
                    lease_s=self._lease_s,
                    clock_offset_ms=self._offset_ms(),
                )
        except IntegrityError:
            # Another order of the same line is under way; this one stays due.
            return None
        except (NeverDialledError, TargetError) as error:
            log.error("target refused", check=order_id, reason=type(error).__name__)
            await self.refuse(order_id)
            return None

    async def refuse(self, order_id: int) -> None:
        """Withdraw a due order, or close it with the calls that it has."""
        async with self._database.unit_of_work() as session:
            await service.refuse(session, order_id, self._settings)

    async def renew(self, attempt_ids: Collection[int]) -> frozenset[int]:
        """Put off the leases of attempts of ours. One that has run out is ours until somebody sweeps it."""
        until = clock.now() + timedelta(seconds=self._lease_s)
        async with self._database.unit_of_work() as session:
            return await queue.renew(session, self._owner, attempt_ids, until)

    async def journal(self, attempt_id: int, snapshot: dict[str, Any]) -> None:
        """Write down the dialog."""
        async with self._database.unit_of_work() as session:
            await service.journal(session, attempt_id, snapshot)

    async def done(self, write: Callable[[AsyncSession], Awaitable[T]]) -> T | None:
        """Write how an attempt ended."""
        try:
            async with self._database.unit_of_work() as session:
                return await write(session)
        except ConcludedError as error:
            log.warning("attempt was concluded before", reason=str(error))
            return None

    async def sweep(self) -> int:
        """Interrupt what nobody gives a sign of life for. Its far end is told by the next start of a phone."""
        async with self._database.reading() as session:
            expired = await queue.expired(session, self._owner, clock.now())
        count = 0
        for attempt_id in expired:
            with contextlib.suppress(ConcludedError):
                async with self._database.unit_of_work() as session:
                    attempt = await repository.attempt(session, attempt_id)
                    if attempt.lease_until is not None and attempt.lease_until < clock.now():
                        await conclusions.interrupt(session, attempt, None, self._settings)
                        count += 1
        return count

    async def release(self, now: datetime) -> Released:
        """Make due what was planned or is to be repeated. Most ticks have nothing to do and only read."""
        async with self._database.reading() as session:
            planned = await repository.planned_until(session, now)
            repeats = await queue.repeats_due(session, now)
        if not planned and not repeats:
            return Released()
        due = missed = 0
        async with self._database.unit_of_work() as session:
            if planned:
                due, missed = await service.release_due(session, now, self._settings.misfire_grace_s)
            if repeats:
                more, late = await service.release_repeats(
                    session, now, self._settings.misfire_grace_s, self._settings
                )
                due, missed = due + more, missed + late
        return Released(due, missed)
