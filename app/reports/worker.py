"""Makes one table in a process of its own: `python -m app.reports.worker JOB`. Pages go on meanwhile.

It ends when its standard input closes. What it wrote of a table that was cancelled, or went wrong, it deletes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from pathlib import Path

import structlog

import app.accounts.scope  # noqa: F401 - limits every query
from app import clock
from app.accounts.principal import enter
from app.database import Database, make_private_folder
from app.logs import configure
from app.reports import repository, service
from app.reports.exporting import Maker, Wanted, collect, write
from app.reports.models import ExportJob
from app.settings import Settings, get_settings
from app.tables.workbook import discard

log = structlog.get_logger(__name__)


class StoppedError(Exception):
    """Somebody cancelled the export."""


def folder_of(settings: Settings) -> Path:
    """The folder of exports, for its owner alone."""
    folder = settings.data_dir / "exports"
    make_private_folder(folder)
    return folder


async def run(job_id: int, settings: Settings, database: Database) -> str:
    """Make the table of a job that waits; return the state that it ended in."""
    async with database.unit_of_work() as session:
        if not await repository.move(session, job_id, ("waiting",), state="running"):
            return "taken"
        job = await repository.job(session, job_id)
    assert job is not None
    enter(service.principal_of(job))
    path = folder_of(settings) / job.file
    try:
        await _make(job, settings, database, path)
        return "done"
    except StoppedError:
        discard(path)
        return "cancelled"
    except BaseException as error:
        discard(path)
        await _failed(job_id, database, error)
        raise


async def _make(job: ExportJob, settings: Settings, database: Database, path: Path) -> None:
    wanted = Wanted(**job.asked)
    async with database.reading() as session:
        keys = await collect(session, wanted, settings, until=job.created_at)
    await _tell(database, job.id, total=len(keys))

    async def progress(rows: int) -> None:
        await _tell(database, job.id, done=rows)

    maker = Maker(job.who, job.created_at, job.told, bool(job.rights.get("numbers")))
    rows = await write(database, settings, path, wanted, keys, maker, progress)
    size, digest = await asyncio.to_thread(_measure, path)
    async with database.unit_of_work() as session:
        values = {"state": "done", "done": rows, "size": size, "sha256": digest}
        if not await repository.move(session, job.id, ("running",), finished_at=clock.now(), **values):
            raise StoppedError
        await service.note_export(session, wanted.table, wanted.form, rows, job.told)


async def _tell(database: Database, job_id: int, **values: int) -> None:
    """Write down how far it is. Raises `StoppedError` where somebody cancelled it."""
    async with database.unit_of_work() as session:
        if not await repository.move(session, job_id, ("running",), **values):
            raise StoppedError


async def _failed(job_id: int, database: Database, error: BaseException) -> None:
    state = "interrupted" if isinstance(error, asyncio.CancelledError) else "failed"
    with contextlib.suppress(Exception):
        async with database.unit_of_work() as session:
            told = {"state": state, "error": type(error).__name__, "finished_at": clock.now()}
            await repository.move(session, job_id, ("running",), **told)


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


async def _main(job_id: int) -> int:
    settings = get_settings()
    configure(settings)
    async with Database(settings.url) as database:
        work = asyncio.ensure_future(run(job_id, settings, database))
        parent = asyncio.ensure_future(asyncio.to_thread(sys.stdin.buffer.read))
        await asyncio.wait({work, parent}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
        try:
            state = await work
        except asyncio.CancelledError:
            state = "interrupted"
        except Exception:
            log.exception("an export failed", job=job_id)
            state = "failed"
        log.info("an export ended", job=job_id, state=state)
        return 1 if state == "failed" else 0


if __name__ == "__main__":
    import os

    status = asyncio.new_event_loop().run_until_complete(_main(int(sys.argv[1])))
    sys.stderr.flush()
    # The thread that waits for the pipe would hold the end up.
    os._exit(status)
