"""Writes down what the phone says of its trunks, so that pages and commands of other processes can show it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database
from app.trunks import service
from app.trunks.service import ALIVE_S, Said, Standing
from sip.trunks import PHONE, TrunkStatus

log = structlog.get_logger(__name__)

Look = Callable[[], Sequence[TrunkStatus]]


class TrunkWatcher:
    """Keeps the state of the trunks in the database: each change at once, and a sign of life now and then."""

    def __init__(self, database: Database, names: Sequence[str]) -> None:
        self._database = database
        self._names = [*names, PHONE]
        self._said: list[Said] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, look: Look) -> None:
        """Begin; `look` gives the state of all trunks."""
        async with self._database.unit_of_work() as session:
            await service.begin(session, self._names)
        self._task = asyncio.create_task(self._keep(look))

    def told(self, status: TrunkStatus) -> None:
        """Take a change of a trunk; never waits."""
        self._said.append(said(status))
        self._wake.set()

    async def end(self) -> None:
        """Write what is left, and that nothing more is known."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._write()
        with contextlib.suppress(SQLAlchemyError):
            async with self._database.unit_of_work() as session:
                await service.end(session, self._names)

    async def _keep(self, look: Look) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), ALIVE_S)
            if not self._wake.is_set():
                self._said += [said(status) for status in look()]
            self._wake.clear()
            # A cancelled unit of work is rolled back: what is to be written here must be.
            await asyncio.shield(self._write())

    async def _write(self) -> None:
        news, self._said = self._said, []
        try:
            async with self._database.unit_of_work() as session:
                for item in news:
                    await service.observe(session, item)
                await service.alive(session, self._names)
        except SQLAlchemyError:
            # The next sign of life writes all of it; a trunk's state is worth no call.
            log.exception("state of the trunks could not be written")


def said(status: TrunkStatus) -> Said:
    """Return what a status of the phone says, as it is stored."""
    until = status.registered_until
    return Said(
        name=status.name,
        state=status.state,
        at=datetime.now(UTC),
        registered_until=None if until is None else _time(until),
        calls=status.calls_now,
        alarms=tuple(Standing(a.kind.value, _time(a.since), a.detail) for a in status.alarms),
    )


def _time(posix_s: float) -> datetime:
    return datetime.fromtimestamp(posix_s, UTC)
