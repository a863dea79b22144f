"""One worker process as the pool sees it: started, asked, watched, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recordings.transcription import protocol
from recordings.transcription.choice import EngineChoice
from recordings.transcription.errors import EngineError, TranscriptionError, WorkerLost
from recordings.transcription.ports import Sound

LOAD_S = 120.0
"""Most time that loading a model may take."""
_STARVED = 0.8
"""A worker whose processor time is less than this share of the patience has been kept from work by other processes."""
_ALIVE_S = 0.005
"""Least processor time between two looks of a worker that does anything at all: less than the clock's tick."""
_MOST_LOOKS = 8


class WorkerProcess:
    """A worker with its model loaded. One question at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asking = asyncio.Lock()
        self.asked = 0
        """How many questions it has answered."""
        self.idle_since = 0.0
        """Loop time at which it was last handed back."""
        self.loaded_rss = 0
        """Its memory in bytes when its model was loaded; 0 where that cannot be told."""

    @classmethod
    async def start(
        cls, choice: EngineChoice, threads: int, nice: int, load_s: float = LOAD_S
    ) -> WorkerProcess:
        """Start a worker and wait until its model is loaded.

        Raises EngineError where the engine or the model cannot be used, WorkerLost where it died or took too long.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "recordings.transcription.worker"),
            *("--engine", choice.name, "--model", str(choice.folder), "--language", choice.language),
            *("--threads", str(threads), "--nice", str(nice)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(threads),
        )
        worker = cls(process)
        try:
            ready = await asyncio.wait_for(worker._read(), load_s)
        except (TimeoutError, EOFError, protocol.ProtocolError):
            await worker.kill()
            raise WorkerLost("the worker did not get as far as its model") from None
        except BaseException:
            await worker.kill()
            raise
        if "error" in ready:
            await worker.kill()
            raise EngineError(str(ready["error"]))
        worker.loaded_rss = worker.rss
        return worker

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Say whether it still runs."""
        return self._process.returncode is None

    @property
    def rss(self) -> int:
        """Return its memory in bytes; 0 where the system does not tell."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return 0

    async def ask(self, members: Mapping[str, Any], sound: Sound | None, patience_s: float) -> dict[str, Any]:
        """Ask and return the answer.

        Raises TranscriptionError where the engine could not do it, WorkerLost where the worker died or hung; it is
        killed then, as it is when the caller is cancelled: what it would say later is nobody's.
        """
        async with self._asking:
            try:
                answer = await self._answer(
                    protocol.pack(members, b"" if sound is None else sound.tobytes()), patience_s
                )
            except (EOFError, ConnectionError, protocol.ProtocolError):
                await self.kill()
                raise WorkerLost("the worker died") from None
            except TimeoutError:
                await self.kill()
                raise WorkerLost("the worker hung") from None
            except BaseException:
                await self.kill()
                raise
        self.asked += 1
        if "error" in answer:
            raise TranscriptionError(str(answer["error"]))
        return answer

    async def _answer(self, frame: bytes, patience_s: float) -> dict[str, Any]:
        task = asyncio.ensure_future(self._exchange(frame))
        try:
            await self._wait(task, patience_s)
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        return task.result()

    async def _wait(self, task: asyncio.Future[dict[str, Any]], patience_s: float) -> None:
        """Wait for the answer; TimeoutError for a worker that hangs, not for one that other processes hold up."""
        begun = last = _cpu_s(self.pid)
        for _ in range(_MOST_LOOKS):
            done, _pending = await asyncio.wait({task}, timeout=patience_s)
            if done:
                return
            now = _cpu_s(self.pid)
            if now - last < _ALIVE_S or now - begun > patience_s * _STARVED:
                break
            last = now
        raise TimeoutError

    async def _exchange(self, frame: bytes) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(frame)
        await self._process.stdin.drain()
        return await self._read()

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        text, sound = protocol.lengths(await self._process.stdout.readexactly(protocol.HEAD.size))
        return protocol.members_of(await self._process.stdout.readexactly(text + sound))

    async def end(self) -> None:
        """Close its input and wait until it has gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5.0)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await asyncio.shield(self._process.wait())


def _environment(threads: int) -> dict[str, str]:
    """Return our environment, without a way to a network of models and with so many threads."""
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
    }


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
