"""The pipe by which a process of the service knows that its parent lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading


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
