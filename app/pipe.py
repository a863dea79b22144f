"""The pipe by which a process of the service knows that its parent lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Generator
from typing import Any


class StdinClosed:
    """Awaited, it returns when standard input ends. Nothing is begun before, so that it may be left unused."""

    def __await__(self) -> Generator[Any, None, None]:
        return _stdin_closed().__await__()


async def _stdin_closed() -> None:
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
