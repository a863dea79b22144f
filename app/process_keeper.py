"""Keeps a process of the service running beside the web process: it is started again, with growing pauses."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from typing import Literal

import structlog

from app.pipe import FINISH
from app.settings import Settings

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_S = 30.0
"""A process that lived this long starts again without having to wait."""
MOST_FAILURES = 3
"""So many processes in a row that died soon are no accident: somebody has to look."""
END_PATIENCE_S = 10.0
"""How long a process may take to end its calls once its pipe is closed."""


class ProcessKeeper:
    """Starts a process and starts it again, with growing pauses, when it dies.

    The process ends when its standard input closes, and says `ready` on its standard output once it works.
    """

    what = "process"
    module = ""
    """What `python -m` runs."""

    def __init__(self, settings: Settings, command: Sequence[str] | None = None) -> None:
        self._command = command or (sys.executable, "-m", self.module)
        self._environment = os.environ | settings.environment()
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._finish_until: float | None = None
        """Until when, by the monotonic clock, it may finish what it does."""
        self._hurry = asyncio.Event()
        self.starts = 0
        self.failures = 0
        """Processes in a row that ended before they were healthy."""
        self.last_status: int | None = None
        """Exit status of the last process that ended by itself; negative: the signal that ended it."""
        self.ready = asyncio.Event()
        """Set while the process works."""

    @property
    def pid(self) -> int | None:
        """Its process id, None between two processes."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def failing(self) -> bool:
        """Whether it does not come up, and trying again has not helped."""
        return self.failures >= MOST_FAILURES and not self.ready.is_set()

    @property
    def state(self) -> Literal["ready", "starting", "failing"]:
        """`ready` for its work, `starting`, or `failing`."""
        if self.ready.is_set():
            return "ready"
        return "failing" if self.failing else "starting"

    def start(self) -> None:
        """Begin keeping it."""
        self._task = asyncio.create_task(self._keep())

    def begin_finish(self, within_s: float) -> None:
        """Ask it to begin nothing more, to finish what it does within so many seconds, and to end; `stop` waits for it.

        It is not started again from now on.
        """
        if self._finish_until is not None:
            return
        self._finish_until = time.monotonic() + within_s
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            process.stdin.write(FINISH + f" {within_s:g}\n".encode())

    def hurry(self) -> None:
        """Give it no more time to finish."""
        self._hurry.set()

    async def stop(self) -> None:
        """Close its pipe, once it has finished where it was asked to, and wait for its end."""
        if self._task is None:
            return
        if self._finish_until is not None and self.pid is not None:
            await self._finished(self._task, self._finish_until - time.monotonic() + END_PATIENCE_S)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def _finished(self, task: asyncio.Task[None], patience_s: float) -> None:
        hurried = asyncio.create_task(self._hurry.wait())
        try:
            await asyncio.wait(
                {task, hurried}, timeout=max(patience_s, 0.0), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            hurried.cancel()

    async def permitted(self) -> None:
        """Return once the process may be started."""

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            await self.permitted()
            began = time.monotonic()
            status = await self._run_once()
            self.last_status = status
            if self._finish_until is not None:
                return
            self.failures += 1
            if time.monotonic() - began >= HEALTHY_S:
                pause_s, self.failures = FIRST_PAUSE_S, 0
            log.error(f"{self.what} ended, starting it again", status=status, pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; it ends in good order with its pipe.
            env=self._environment,
        )
        self._process = process
        self.starts += 1
        try:
            assert process.stdout is not None
            while line := await process.stdout.readline():
                if line.strip() == b"ready":
                    self.ready.set()
            return await process.wait()
        finally:
            self.ready.clear()
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(END_PATIENCE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
