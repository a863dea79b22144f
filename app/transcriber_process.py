"""The transcriber process: what waits in the queue becomes transcripts, and calls under way are read along.

    python -m app.transcriber_process

It ends when its standard input closes, and runs once on a data folder; on several machines that share a database each
may have one. `ready` on standard output says that it works. It and its workers give way to everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager

import structlog

from app.archive import open_archive
from app.database import Database, upgrade
from app.engines import engine_of, transcriber_of
from app.folder_lock import folder_lock
from app.logs import configure
from app.pipe import StdinClosed
from app.settings import SettingError, Settings, get_settings, problem
from app.transcripts import queue
from app.transcripts.live import LiveReader
from app.transcripts.ports import Recognition
from app.transcripts.scribe import Scribe, Sounds
from app.transcripts.warming import Warmer
from recordings.transcription import EngineError

log = structlog.get_logger(__name__)
NICENESS = 5
STREAMS = 4
"""Calls under way that one more worker reads along (`recordings.transcription.pool.Limits.streams`)."""
EXIT_TAKEN = 4
"""Another transcriber process runs on the same data folder."""
EXIT_ARGUMENT = 2
"""A setting is wrong."""
EXIT_NO_ENGINE = 5
"""Nothing that recognises speech is there."""

RecognitionFactory = Callable[[Settings], AbstractAsyncContextManager[Recognition]]


class TranscriberTakenError(RuntimeError):
    """Another transcriber process runs on the same data folder."""


def workers_of(settings: Settings) -> int:
    """How many recordings are transcribed at one time."""
    return settings.transcription_workers or max((os.cpu_count() or 1) // 2, 1)


async def run(settings: Settings, make: RecognitionFactory, ended: Awaitable[object]) -> None:
    """Transcribe until `ended` is done. Raises TranscriberTakenError when another process does already."""
    with only_one(settings):
        async with Database(settings.url) as database, make(settings) as recognition:
            await _work(database, settings, recognition, ended)


async def _work(
    database: Database, settings: Settings, recognition: Recognition, ended: Awaitable[object]
) -> None:
    most = workers_of(settings)

    def sounds() -> Sounds:
        return open_archive(settings)

    scribe = Scribe(database, settings, recognition, sounds, queue.new_owner(settings.data_dir), most)
    async with database.unit_of_work() as session:
        left = await queue.seize(session, settings.data_dir)
    if left:
        log.warning("recordings of an earlier process are taken up again", count=left)
    tasks = [asyncio.create_task(scribe.run()), asyncio.ensure_future(ended)]
    tasks.append(asyncio.create_task(Warmer(database, recognition).run()))
    if recognition.info is not None and recognition.info.streams:
        live = LiveReader(database, settings, recognition, most * STREAMS)
        tasks.append(asyncio.create_task(live.run()))
    print("ready", flush=True)  # noqa: T201 - the parent waits for this line
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        scribe.stop()
        for task in tasks[2:]:
            task.cancel()
        await asyncio.gather(tasks[0], *tasks[2:], return_exceptions=True)


def only_one(settings: Settings) -> AbstractContextManager[None]:
    """Hold the data folder's lock of this kind of process. Raises TranscriberTakenError."""
    return folder_lock(settings, "transcriber", TranscriberTakenError)


@contextlib.asynccontextmanager
async def engine(settings: Settings) -> AsyncIterator[Recognition]:
    """The engine of the settings. Raises EngineError where there is none."""
    if engine_of(settings) is None:
        raise EngineError("nothing that recognises speech is installed")
    async with transcriber_of(settings) as transcriber:
        yield transcriber


def main(make: RecognitionFactory = engine) -> int:
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
    os.nice(NICENESS)
    upgrade(settings)
    try:
        asyncio.run(run(settings, make, StdinClosed()))
    except SettingError as error:
        print(f"dutyring: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_ARGUMENT
    except TranscriberTakenError as error:
        log.error("transcriber not started", reason=str(error))
        return EXIT_TAKEN
    except EngineError as error:
        log.error("transcriber not started", reason=str(error))
        return EXIT_NO_ENGINE
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
