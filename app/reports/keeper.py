"""Lets exports be made one after the other, each in a process of its own, and deletes their files in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Awaitable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.database import Database
from app.reports import repository
from app.reports.service import KEPT
from app.reports.worker import folder_of
from app.settings import Settings

log = structlog.get_logger(__name__)
LOOK_S = 300.0
"""How often it is looked for files whose time is over."""
PATIENCE_S = 5.0
"""How long a process may take to end once its pipe is closed."""


class ExportKeeper:
    """Takes the exports that wait, oldest first."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._called = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin: what an earlier process left half made is marked as interrupted."""
        self._task = asyncio.create_task(self._keep())

    def call(self) -> None:
        """Say that an export waits."""
        self._called.set()

    async def stop(self) -> None:
        """End; an export under way is interrupted."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def _keep(self) -> None:
        await self._safely(self._sweep_all())
        while True:
            self._called.clear()
            await self._safely(self._make_all())
            await self._safely(self.delete_old())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._called.wait()

    async def _safely(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (SQLAlchemyError, OSError):
            log.exception("exports could not be looked after")

    async def _sweep_all(self) -> None:
        """Mark what a dead process left, and delete files that belong to nothing."""
        async with self._database.unit_of_work() as session:
            count = await repository.interrupt(session, clock.now())
            kept = await repository.files_in_use(session)
        if count:
            log.warning("exports were interrupted by the end of the service", exports=count)
        for path in folder_of(self._settings).iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in kept:
                path.unlink(missing_ok=True)

    async def _make_all(self) -> None:
        while True:
            async with self._database.reading() as session:
                job_id = await repository.next_waiting(session)
            if job_id is None:
                return
            status = await self._make(job_id)
            async with self._database.unit_of_work() as session:
                # A process that was killed says nothing any more.
                ended = {"state": "failed", "error": f"exit {status}", "finished_at": clock.now()}
                await repository.move(session, job_id, ("waiting", "running"), **ended)

    async def _make(self, job_id: int) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "app.reports.worker", str(job_id)),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; it ends in good order with its pipe.
            env=os.environ | self._settings.environment(),
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                await _end(process)

    async def delete_old(self) -> None:
        """Delete the files of exports that were kept long enough."""
        async with self._database.unit_of_work() as session:
            for job in await repository.expired(session, clock.now() - KEPT):
                (folder_of(self._settings) / job.file).unlink(missing_ok=True)
                await repository.move(session, job.id, ("done",), state="deleted")


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
