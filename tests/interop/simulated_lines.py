"""Every simulated line called at once by one phone, for tests that look at the records."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import recordings
from sip.core import Address, Credentials
from sip.phone import Phone, Script, Trunk
from sip.record import CallRecord
from sip.simulator import BEHAVIOURS, DIGEST_PASSWORD, DIGEST_USER

MAX_RING_S = 33.0
"""Longer than any line that answers or gives up by itself takes."""
MAX_TALK_S = 20.0


@contextlib.contextmanager
def simulator(*options: str) -> Iterator[Address]:
    """Run `dutyring simulate` in a process of its own; end it by its id."""
    command = [sys.executable, "-m", "app.cli", "simulate", "--listen", "127.0.0.1:0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        host, port = ready.split()[-1].rsplit(":", 1)
        yield Address(host, int(port))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


@contextlib.asynccontextmanager
async def phone() -> AsyncIterator[Phone]:
    """A phone with the credentials that line 98 accepts."""
    async with Phone(Trunk(credentials=Credentials(DIGEST_USER, DIGEST_PASSWORD))) as ready:
        yield ready


async def call_all(where: Address, folder: Path) -> dict[str, CallRecord]:
    """Call every built-in line at once; return the records with their recordings."""

    async def one(caller: Phone, extension: str) -> CallRecord:
        capture = folder / f"{extension}.part"
        line = BEHAVIOURS[extension]
        script = Script(
            MAX_RING_S,
            MAX_TALK_S,
            digits=line.digits,
            capture=capture,
            ring_history_ms={"direct": line.history_ms},
        )
        record = await caller.call(f"sip:{extension}@{where}", script)
        info = await asyncio.to_thread(
            recordings.encode, capture, folder / f"{extension}.flac", record.ended_ms
        )
        return dataclasses.replace(record, recording=info)

    async with phone() as caller:
        records = await asyncio.gather(*(one(caller, extension) for extension in BEHAVIOURS))
    return dict(zip(BEHAVIOURS, records, strict=True))
