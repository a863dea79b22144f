"""The simulated lines as a process of their own, which ends when its standard input closes.

    python -m app.demo.far_end

prints `listening on ADDRESS:PORT` once calls are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

START_PATIENCE_S = 60.0
END_PATIENCE_S = 10.0
_LISTENING = re.compile(rb"listening on (\S+):(\d+)")


class FarEndError(RuntimeError):
    """The simulator did not start."""


@asynccontextmanager
async def far_end() -> AsyncIterator[tuple[str, int]]:
    """Run the simulator on an ephemeral port; gives its address. Raises FarEndError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.demo.far_end",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield await _address(process.stdout)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(END_PATIENCE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _address(stdout: asyncio.StreamReader) -> tuple[str, int]:
    try:
        async with asyncio.timeout(START_PATIENCE_S):
            line = await stdout.readline()
    except TimeoutError as error:
        raise FarEndError("the simulator did not start in time") from error
    match = _LISTENING.search(line)
    if match is None:
        raise FarEndError("the simulator did not start; its reason stands above")
    return match[1].decode(), int(match[2])


def main() -> int:
    """Answer calls until standard input closes."""
    from app.commands.simulate import run

    def wait_for_end() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_end, name="stdin", daemon=True).start()
    return run("127.0.0.1:0", None, 0, False, None)


if __name__ == "__main__":
    sys.exit(main())
