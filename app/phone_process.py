"""The phone process: dispatcher and clock, beside the web process.

    python -m app.phone_process

It ends when its standard input closes, so it never outlives the process that started it; only one runs on a
data folder. `ready` on standard output says that it is looking for due checks.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import text

from app.checks import repository, service
from app.checks.dispatcher import Dispatcher
from app.checks.ports import CallPlacer
from app.database import Database, make_private_folder, open_private, upgrade
from app.logs import configure
from app.settings import SettingError, Settings, get_settings, problem

log = structlog.get_logger(__name__)

TICK_S = 1.0
"""How often the clock releases due checks."""
EXIT_TAKEN = 4
"""Another phone process runs on the same data."""
EXIT_ARGUMENT = 2
"""A setting is wrong."""
_ADVISORY_KEY = 0x_D017_0001
"""Key of the PostgreSQL advisory lock of the one phone process."""

PlacerFactory = Callable[[Settings, Database], AbstractAsyncContextManager[CallPlacer]]


class PhoneTakenError(RuntimeError):
    """Another phone process runs on the same data."""


async def run(settings: Settings, make_placer: PlacerFactory, ended: Awaitable[object]) -> None:
    """Run dispatcher and clock until `ended` is done. Raises PhoneTakenError when another process does already."""
    async with Database(settings.url) as database:
        with only_one(settings):
            async with _only_one_on(database), make_placer(settings, database) as placer:
                await _work(database, settings, placer, ended)


async def _work(database: Database, settings: Settings, placer: CallPlacer, ended: Awaitable[object]) -> None:
    dispatcher = Dispatcher(database, placer, settings)
    interrupted = await dispatcher.recover()
    if interrupted:
        log.warning("attempts of an earlier process were interrupted", count=interrupted)
    clock = make_clock(database, settings)
    clock.start()
    calling = asyncio.create_task(dispatcher.run())
    waits = {calling, asyncio.ensure_future(ended)}
    lost = getattr(placer, "lost", None)
    if lost is not None:
        waits.add(lost)
    print("ready", flush=True)  # noqa: T201 - the parent waits for this line
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if lost is not None and lost.done():
            # The calls under way conclude by themselves; the parent starts a new process.
            log.error("media engine lost", reason=lost.result())
            await asyncio.wait_for(dispatcher.idle(), timeout=5.0)
            raise RuntimeError("media engine lost")
    finally:
        clock.shutdown(wait=False)
        await dispatcher.stop()
        await calling


def make_clock(database: Database, settings: Settings) -> AsyncIOScheduler:
    """The clock: releases due checks of plans. Jobs live in memory, the plan lives in our tables."""

    async def release() -> None:
        async with database.reading() as session:
            # Most ticks have nothing to do, and the write lock belongs to the calls.
            if not await repository.planned_until(session, datetime.now(UTC)):
                return
        async with database.unit_of_work() as session:
            released, missed = await service.release_due(session, datetime.now(UTC), settings.misfire_grace_s)
        if missed:
            log.warning("planned checks were missed", count=missed)
        if released:
            log.info("checks released", count=released)

    clock = AsyncIOScheduler(
        jobstores={"default": MemoryJobStore()},
        executors={"default": AsyncIOExecutor()},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 60},
        timezone=settings.zone,
    )
    clock.add_job(
        release, "interval", seconds=TICK_S, id="release", next_run_time=datetime.now(settings.zone)
    )
    return clock


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the data folder's phone lock; the kernel gives it back however the process ends."""
    make_private_folder(settings.data_dir)
    with open_private(settings.data_dir / "phone.lock") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PhoneTakenError(f"another phone process runs on {settings.data_dir}") from error
        yield


@asynccontextmanager
async def _only_one_on(database: Database) -> AsyncIterator[None]:
    """On PostgreSQL hold an advisory lock too: other machines share the tables, not the folder."""
    if database.engine.dialect.name != "postgresql":
        yield
        return
    async with database.engine.connect() as connection:
        taken = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
        if not taken:
            raise PhoneTakenError("another phone process runs on this database")
        await connection.commit()
        yield
        await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_KEY})


async def stdin_closed() -> None:
    """Return when standard input ends."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()

    def read() -> None:
        # os.read, not sys.stdin: a thread inside its buffer's lock would break the interpreter's shutdown.
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    await closed.wait()


def main(make_placer: PlacerFactory | None = None) -> int:
    """Run the process; return its exit status."""
    try:
        settings = get_settings()
    except ValueError as error:
        reason = problem(error)
        if reason is None:
            raise
        print(f"dutyring: {reason}", file=sys.stderr)  # noqa: T201
        return EXIT_ARGUMENT
    configure(settings)
    if make_placer is None:
        from app.checks.placer import PhonePlacer

        make_placer = PhonePlacer
    upgrade(settings)
    try:
        asyncio.run(run(settings, make_placer, stdin_closed()))
    except PhoneTakenError as error:
        log.error("phone not started", reason=str(error))
        return EXIT_TAKEN
    except SettingError as error:
        print(f"dutyring: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_ARGUMENT
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
