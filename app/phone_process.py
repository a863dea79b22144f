"""The phone process: dispatcher and clock, beside the web process.

    python -m app.phone_process

It ends when its standard input closes, so it never outlives the process that started it; `finish SECONDS` on it lets
the calls under way end by themselves before. Only one runs on a data folder. `ready` on standard output says that it is
looking for due checks.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.archive import open_archive
from app.archive_upkeep import Upkeep
from app.checks import engine_board
from app.checks.clock_offset import ClockWatch
from app.checks.disk import DiskWatch
from app.checks.dispatcher import Dispatcher, new_owner
from app.checks.engine import LedgerEngine
from app.checks.live_desk import LiveDesk, LivePhone
from app.checks.ports import CallPlacer
from app.checks.timekeeper import Job, Purge, Tick, Timekeeper
from app.database import Database, upgrade
from app.evidence.purging import Retention
from app.folder_lock import folder_lock
from app.imports import uploads
from app.logs import configure
from app.phone_records import sounds
from app.pipe import Parent
from app.planning import calendar_service
from app.planning.clockwork import Planner
from app.rosters import whereabouts
from app.settings import SettingError, Settings, get_settings, problem
from app.sntp import Server
from app.transcripts import queue as transcriptions
from app.trunks import trials
from app.trunks.trials_desk import TrialDesk
from sip.seldom import collect_seldom

log = structlog.get_logger(__name__)

TICK_S = 1.0
"""How often the clock ticks."""
PATIENCE_S = 0.2
"""How long a tick waits for the draw of a plan, which then goes on beside it."""
EXIT_TAKEN = 4
"""Another phone process runs on the same data."""
EXIT_ARGUMENT = 2
"""A setting is wrong."""
_ADVISORY_KEY = 0x_D017_0001
"""Key of the PostgreSQL advisory lock of the one phone process."""

PlacerFactory = Callable[[Settings, Database], AbstractAsyncContextManager[CallPlacer]]


class PhoneTakenError(RuntimeError):
    """Another phone process runs on the same data."""


async def run(
    settings: Settings,
    make_placer: PlacerFactory,
    ended: Awaitable[object],
    asked: Awaitable[float] | None = None,
) -> None:
    """Run dispatcher and clock until `ended` is done. Raises PhoneTakenError when another process does already.

    `asked`: done when calls under way are to be finished within so many seconds, and no other begun; then it ends too.
    """
    async with Database(settings.url) as database:
        with only_one(settings):
            async with _only_one_on(database), make_placer(settings, database) as placer:
                await _work(database, settings, placer, ended, asked)


async def _work(
    database: Database,
    settings: Settings,
    placer: CallPlacer,
    ended: Awaitable[object],
    asked: Awaitable[float] | None,
) -> None:
    watch = ClockWatch(database, Server.parse(settings.ntp_server) if settings.ntp_server else None)
    engine = LedgerEngine(database, settings, new_owner(), clock_offset_ms=lambda: watch.offset_ms)
    disk = DiskWatch(database, settings)
    dispatcher = Dispatcher(database, placer, settings, engine, disk)
    planner = Planner(database, settings, patience_s=PATIENCE_S)

    async def forget_uploads(*_: object) -> None:
        await asyncio.to_thread(uploads.purge, settings)
        await asyncio.to_thread(sounds.tidy, settings.data_dir)

    async def see_clock(_: datetime) -> int:
        # Before anything is done by it: the watch itself looks only once a second.
        await watch.look()
        return 0

    async def see_disk(_: datetime) -> int:
        await disk.look(dispatcher.under_way)
        return 0

    hourly: list[Purge] = [whereabouts.purge_expired, trials.purge_old, forget_uploads]
    hourly.append(calendar_service.keep_up(settings.zone))
    if settings.transcriber != "none":
        # The transcriber process looks each minute, if it lives.
        hourly.append(transcriptions.look_behind)
    upkeep = Upkeep(database, settings)
    ticks: list[Tick] = [see_clock, see_disk, planner.tick, upkeep.tick]
    jobs: list[Job] = [Retention(database, settings, open_archive).run]
    keeper = Timekeeper(database, engine, dispatcher.wake, ticks, hourly, jobs)
    interrupted = await dispatcher.recover()
    if interrupted:
        log.warning("attempts of an earlier process were interrupted", count=interrupted)
    desk = TrialDesk(database, placer, settings, dispatcher.owner)
    await desk.recover()
    # We hold the locks of the one phone process: whoever kept the time before is dead.
    await keeper.seize()
    watching = [asyncio.create_task(work) for work in (watch.run(), desk.run(), *_told(placer, settings))]
    clock = make_clock(keeper, settings)
    clock.start()
    calling = asyncio.create_task(dispatcher.run())
    waits: set[asyncio.Future[Any]] = {calling, asyncio.ensure_future(ended)}
    finishing = None if asked is None else asyncio.ensure_future(asked)
    lost = getattr(placer, "lost", None)
    if lost is not None:
        waits.add(lost)
    print("ready", flush=True)  # noqa: T201 - the parent waits for this line
    try:
        more = set() if finishing is None else {finishing}
        done, _ = await asyncio.wait(waits | more, return_when=asyncio.FIRST_COMPLETED)
        if finishing is not None and done == {finishing}:
            await _finish(dispatcher, desk, finishing.result(), waits)
        if lost is not None and lost.done():
            # The calls under way conclude by themselves; the parent starts a new process.
            log.error("media engine lost", reason=lost.result())
            await asyncio.wait_for(dispatcher.idle(), timeout=5.0)
            raise RuntimeError("media engine lost")
    finally:
        clock.shutdown(wait=False)
        for task in watching:
            task.cancel()
        await upkeep.stop()
        await asyncio.gather(dispatcher.stop(), desk.stop())
        await calling
        with contextlib.suppress(SQLAlchemyError):
            await keeper.end()


def _told(placer: CallPlacer, settings: Settings) -> Iterator[Coroutine[Any, Any, None]]:
    """What tells of a phone while it works, as far as there is something to tell of this one."""
    if isinstance(placer, LivePhone):
        yield LiveDesk(placer, settings).run()
    if isinstance(placer, engine_board.MeasuredPhone):
        yield engine_board.tell(placer, settings)


async def _finish(
    dispatcher: Dispatcher, desk: TrialDesk, within_s: float, ends: set[asyncio.Future[Any]]
) -> None:
    """Let the calls under way end by themselves, as long as that may take and nothing else ends us."""
    dispatcher.drain()
    desk.drain()
    log.info("calls under way are finished", calls=dispatcher.under_way, within_s=within_s)
    idle = asyncio.gather(dispatcher.idle(), desk.idle())
    await asyncio.wait({idle, *ends}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    if not idle.done():
        log.warning("calls under way are hung up", calls=dispatcher.under_way)
    idle.cancel()


def make_clock(keeper: Timekeeper, settings: Settings) -> AsyncIOScheduler:
    """The clock: it ticks on the whole second. Jobs live in memory, what is to be done in our tables."""
    clock = AsyncIOScheduler(
        jobstores={"default": MemoryJobStore()},
        executors={"default": AsyncIOExecutor()},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 60},
        timezone=settings.zone,
    )
    first = datetime.now(settings.zone).replace(microsecond=0) + timedelta(seconds=1)

    async def tick() -> None:
        # A tick that the end of the process cuts short has not failed: its unit of work is rolled back.
        with contextlib.suppress(asyncio.CancelledError):
            await keeper.tick()

    clock.add_job(tick, "interval", seconds=TICK_S, id="tick", next_run_time=first)
    return clock


def only_one(settings: Settings) -> AbstractContextManager[None]:
    """Hold the data folder's lock of this kind of process. Raises PhoneTakenError."""
    return folder_lock(settings, "phone", PhoneTakenError)


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
    parent = Parent()
    collect_seldom()
    try:
        asyncio.run(run(settings, make_placer, parent.gone, parent.asks_to_finish))
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
