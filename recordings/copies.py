"""Listening copies: a recording as Ogg Opus or MP3, made by pydub and ffmpeg in a process of its own.

    maker = CopyMaker()
    data = await maker.once(f"{sha256}:opus", lambda: maker.convert(open_sound, "opus"))

A few are made at one time, whoever asks waits. Ten who ask for the same one share the work; when the last of them is
gone, or time is over, the process and its ffmpeg are killed. `close()` ends what is under way and waits for its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

CopyKind = Literal["opus", "mp3"]
AT_ONCE: Final = 2
TIMEOUT_S: Final = 120.0
"""Of one copy, from its turn on: an hour of a call takes about 20 s."""
LARGEST: Final = 512 * 2**20
"""Bytes of a copy."""
_BLOCK: Final = 256 * 1024
_PROGRAM: Final = Path(__file__).with_name("copy_process.py")
_PREFIX: Final = "dutyring-copy-"
_LEFT_BEHIND_S: Final = 3600.0
_PASSED_ON: Final = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "IMAGEIO_FFMPEG_EXE", "SYSTEMROOT")
_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 256 * 2**20


class CopyError(Exception):
    """A listening copy could not be made."""


@dataclass(slots=True)
class _Job:
    task: asyncio.Task[bytes]
    waiting: int = 0


class CopyMaker:
    """Makes listening copies for one event loop."""

    def __init__(self, at_once: int = AT_ONCE, timeout_s: float = TIMEOUT_S) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._timeout_s = timeout_s
        self._jobs: dict[str, _Job] = {}
        self._tasks: set[asyncio.Task[bytes]] = set()
        """Also those that nobody waits for any more and that still end their processes."""

    async def once(self, key: str, work: Callable[[], Awaitable[bytes]]) -> bytes:
        """Do some work once for all who ask under this key at the same time; cancelled when nobody waits any more."""
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = _Job(asyncio.ensure_future(_run(work)))
            job.task.add_done_callback(_look_at)
            self._tasks.add(job.task)
            job.task.add_done_callback(self._tasks.discard)
        job.waiting += 1
        try:
            return await asyncio.shield(job.task)
        finally:
            job.waiting -= 1
            if not job.waiting:
                job.task.cancel()
                if self._jobs.get(key) is job:
                    del self._jobs[key]

    async def close(self) -> None:
        """End the work of all who asked, and wait until its processes are gone."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def convert(self, sound: Callable[[], BinaryIO], kind: CopyKind) -> bytes:
        """Return a sound file as Opus or MP3. Raises `CopyError`, and whatever opening or reading it raises."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await _convert(sound, kind)
            except TimeoutError:
                raise CopyError(f"took more than {self._timeout_s:g} s") from None


async def _run(work: Callable[[], Awaitable[bytes]]) -> bytes:
    return await work()


def _look_at(task: asyncio.Task[bytes]) -> None:
    """An error that nobody waits for any more is no news."""
    if not task.cancelled():
        task.exception()


async def _convert(sound: Callable[[], BinaryIO], kind: CopyKind) -> bytes:
    with _scratch() as folder:
        async with _process(kind, folder) as process:
            file = await asyncio.to_thread(sound)
            try:
                _, data = await asyncio.gather(_feed(process, file), _collect(process))
            finally:
                file.close()
            status = await process.wait()
    if status or not data:
        raise CopyError(f"the converter ended with status {status}")
    return data


@asynccontextmanager
async def _process(kind: CopyKind, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the converter; it and all that it started are gone afterwards, whatever happened."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(_PROGRAM), kind),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        # No PATH: only the ffmpeg that comes with the product is meant.
        env=environment | {"PATH": "", "TMPDIR": str(folder)},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            # The group: ffmpeg would outlive the program that started it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _feed(process: asyncio.subprocess.Process, file: BinaryIO) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while block := await asyncio.to_thread(file.read, _BLOCK):
            process.stdin.write(block)
            await process.stdin.drain()
    process.stdin.close()


async def _collect(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    found = bytearray()
    while block := await process.stdout.read(_BLOCK):
        found += block
        if len(found) > LARGEST:
            raise CopyError("is larger than any copy may be")
    return bytes(found)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A private folder for plain sound, in memory where there is room, since recordings may be encrypted at rest."""
    parent = _MEMORY if _has_room(_MEMORY) else Path(tempfile.gettempdir())
    _tidy(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(folder: Path) -> bool:
    try:
        return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= _ROOM
    except OSError:
        return False


def _tidy(parent: Path) -> None:
    """Remove what a killed process left behind."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.stat()
            if found.st_uid == os.geteuid() and time.time() - found.st_mtime > _LEFT_BEHIND_S:
                shutil.rmtree(folder, ignore_errors=True)
