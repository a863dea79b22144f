"""One reading of the calls under way for all who look: the ledger once a second, the phone's board more often.

Nothing is read while nobody looks. Each viewer takes what has changed since it looked last, so a slow one misses
steps and never holds the others up.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.checks import live_board
from app.database import Database
from app.settings import Settings
from app.web.live.calls import Call, Ledger, concluded, ledger, told, with_words

log = structlog.get_logger(__name__)
LOOK_S = 0.4
"""How often the phone's board is read."""
LEDGER_S = 1.0
"""How often the database is."""
KEPT_S = 20.0
"""How long a call that is over stays on the page."""


@dataclass(frozen=True, slots=True)
class Change:
    """What has changed since a version."""

    version: int
    calls: tuple[Call, ...]
    gone: tuple[int, ...]
    stops: tuple[int, ...]
    readable: bool
    """Whether the ledger could be read."""


class LiveHub:
    """Reads for every viewer of one service."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._task: asyncio.Task[None] | None = None
        self._viewers = 0
        self._version = 1
        self._calls: dict[int, tuple[int, Call]] = {}
        self._gone: dict[int, int] = {}
        """Version at which a call left the page."""
        self._over: dict[int, float] = {}
        """Monotonic time at which a call was seen to be over."""
        self._ledger = Ledger((), (), ())
        self._ledger_at = 0.0
        self._readable = True
        self._stops: tuple[int, ...] = ()
        self._changed = asyncio.Event()
        self._left = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Keep reading as long as somebody is in here."""
        self._viewers += 1
        if self._task is None:
            await self.look()
            # What is read is for everybody: the context of who came first must not limit it.
            context = contextvars.Context()
            self._task = asyncio.get_running_loop().create_task(self._run(), context=context)
        try:
            yield
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._left.set()

    async def close(self) -> None:
        """Wait until nothing is read any more; nobody looks by then."""
        self._left.set()
        if self._task is not None:
            await self._task

    async def calls(self) -> tuple[Call, ...]:
        """The calls at this moment, read anew unless somebody looks anyway."""
        if self._task is None:
            await self.look()
        return tuple(call for _, call in self._calls.values())

    def since(self, version: int, visible: Callable[[Call], bool]) -> Change:
        """What a viewer who knows a version has to learn; a call that is not visible is never told of."""
        changed = tuple(call for at, call in self._calls.values() if at > version and visible(call))
        gone = tuple(key for key, at in self._gone.items() if at > version)
        return Change(self._version, changed, gone, self._ledger.stops, self._readable)

    async def wait(self, timeout_s: float) -> None:
        """Return when something has changed, or after a while."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)

    async def look(self) -> None:
        """Read once. What a scope limits is limited when it is shown, not here."""
        await asyncio.get_running_loop().create_task(self._look(), context=contextvars.Context())

    async def _run(self) -> None:
        # It ends by itself: a cancelled database call would leave its connection behind.
        while self._viewers:
            try:
                await self._look()
            except Exception:
                # A reading that ended would leave every page standing still.
                log.exception("calls under way could not be read")
            self._left.clear()
            if self._viewers:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._left.wait(), LOOK_S)
        self._task = None

    async def _look(self) -> None:
        now = time.monotonic()
        if now - self._ledger_at >= LEDGER_S or self._task is None:
            await self._read_ledger(now)
        board = await asyncio.to_thread(live_board.read, self._settings)
        keys = self._ledger.keys
        found: dict[int, Call] = {}
        for row in self._ledger.calls:
            was = self._calls.get(row.id)
            call = told(row, board.get(row.name), None if was is None else was[1])
            found[row.id] = call if keys is None else with_words(call, self._settings, keys)
        await self._conclude(found, now)
        self._take(found)

    async def _read_ledger(self, now: float) -> None:
        try:
            async with self._database.reading() as session:
                self._ledger = await ledger(session, self._settings)
            self._ledger_at, readable = now, True
        except SQLAlchemyError as error:
            log.error("the ledger cannot be read", reason=type(error).__name__)
            readable = False
        if readable != self._readable:
            self._readable = readable
            self._tell()

    async def _conclude(self, found: dict[int, Call], now: float) -> None:
        """Add the calls that were there and have ended, for a while."""
        ended = [call for key, (_, call) in self._calls.items() if key not in found and key not in self._over]
        if ended:
            try:
                async with self._database.reading() as session:
                    over = await concluded(session, ended)
            except SQLAlchemyError:
                # As they stood; the next look tries again.
                found |= {call.id: call for call in ended}
                over = []
            self._over |= {call.id: now for call in over}
            found |= {call.id: call for call in over}
        for key in [key for key, at in self._over.items() if now - at >= KEPT_S]:
            del self._over[key]
        found |= {key: self._calls[key][1] for key in self._over if key in self._calls and key not in found}

    def _take(self, found: dict[int, Call]) -> None:
        """Make these the calls that are shown; each one that differs gets the next version."""
        following = self._version + 1
        stops = self._ledger.stops
        changed = {
            key for key, call in found.items() if key not in self._calls or self._calls[key][1] != call
        }
        gone = self._calls.keys() - found.keys()
        if not changed and not gone and stops == self._stops:
            return
        self._stops = stops
        before = self._calls
        self._calls = {
            key: (following if key in changed else before[key][0], call) for key, call in found.items()
        }
        self._gone = {key: at for key, at in self._gone.items() if at > following - 1000} | dict.fromkeys(
            gone, following
        )
        self._tell()

    def _tell(self) -> None:
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()


def now_s() -> float:
    """The office's clock as Unix seconds, by which a page counts."""
    return round(clock.now().timestamp(), 3)
