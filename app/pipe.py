"""The pipe by which a process of the service knows that its parent lives, and is asked to finish its work."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
FINISH = b"finish"
"""First word of the line by which a parent asks; the seconds that it may take follow."""


class Later(Generic[T]):
    """Awaited, it does what it was made for. Nothing is begun before, so that it may be left unused."""

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._begin = begin

    def __await__(self) -> Generator[Any, None, T]:
        return self._begin().__await__()


class Parent:
    """The process at the other end of our standard input."""

    def __init__(self) -> None:
        self._began = False
        self._closed = asyncio.Event()
        self._asked = asyncio.Event()
        self._within_s = 0.0

    @property
    def gone(self) -> Awaitable[None]:
        """Done when standard input ends."""
        return Later(self._until_closed)

    @property
    def asks_to_finish(self) -> Awaitable[float]:
        """Done when it asks us to finish what is under way; gives the seconds that this may take."""
        return Later(self._until_asked)

    async def _until_closed(self) -> None:
        self._read()
        await self._closed.wait()

    async def _until_asked(self) -> float:
        self._read()
        await self._asked.wait()
        return self._within_s

    def _read(self) -> None:
        if self._began:
            return
        self._began = True
        loop = asyncio.get_running_loop()

        def read() -> None:
            # os.read, not sys.stdin: a thread inside its buffer's lock would break the interpreter's shutdown.
            held = b""
            with contextlib.suppress(OSError, RuntimeError):
                while data := os.read(0, 1024):
                    *lines, held = (held + data)[-4096:].split(b"\n")
                    for line in lines:
                        loop.call_soon_threadsafe(self._take, line)
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._closed.set)

        threading.Thread(target=read, name="stdin", daemon=True).start()

    def _take(self, line: bytes) -> None:
        word, _, seconds = line.partition(b" ")
        if word != FINISH:
            return
        with contextlib.suppress(ValueError):
            within_s = float(seconds)
            if math.isfinite(within_s) and within_s >= 0:
                self._within_s = within_s
                self._asked.set()


class StdinClosed(Later[None]):
    """Awaited, it returns when standard input ends."""

    def __init__(self) -> None:
        super().__init__(Parent()._until_closed)
