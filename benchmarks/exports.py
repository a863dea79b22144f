"""How much memory and time a table of many rows takes: `python -m benchmarks.exports [ROWS]`.

Fills a database, orders the full table of all checks as XLSX and lets it be made as the service does, in a process of
its own; the most memory that this process held is the figure. A second one is cancelled once rows are written: it must
end soon, and leave no file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.accounts.permissions import Permission, Role
from app.accounts.principal import Principal
from app.bench.fill import fill
from app.bench.lists import NEWEST, UNITS
from app.database import Database, upgrade
from app.reports import repository, service
from app.reports.exporting import Maker, Wanted
from app.reports.worker import folder_of
from app.settings import Settings

LIMIT_MB = 300
ROWS = 100_000
LOOK_S, MOST_LOOKS = 0.1, 3_000
SHARE_CALLED = 0.97
"""At least that much of the checks of a filled database were called."""
WHO = Principal(1, "bench", "王督查", frozenset(Role), frozenset(Permission))


async def order(settings: Settings) -> int:
    """Order the table; return the key of its job."""
    async with Database(settings.url) as database, database.unit_of_work() as session:
        maker = Maker(WHO.name, NEWEST, "全部记录", True)
        job = await service.order(session, Wanted("full", "xlsx"), WHO, maker)
        return job.id


async def told(settings: Settings, job_id: int) -> tuple[str, int, int]:
    """State, rows and size of a job."""
    async with Database(settings.url) as database, database.reading() as session:
        job = await repository.job(session, job_id)
        assert job is not None
        return job.state, job.done, job.size or 0


async def cancelled(settings: Settings, job_id: int) -> int:
    """Cancel the table once rows of it are written; return how many were by then."""
    async with Database(settings.url) as database:
        for _ in range(MOST_LOOKS):
            async with database.reading() as session:
                job = await repository.job(session, job_id)
            if job is not None and job.done:
                async with database.unit_of_work() as session:
                    await service.cancel(session, job_id, WHO)
                return job.done
            await asyncio.sleep(LOOK_S)
    raise TimeoutError("no row was written")


def cancel_one(settings: Settings) -> tuple[str, int, float, int]:
    """Order a table and cancel it under way; return its state, its rows, how long it took to end, the files left."""
    folder = folder_of(settings)
    before = {path.name for path in folder.iterdir()}
    job_id = asyncio.run(order(settings))
    process = started(settings, job_id)
    rows = asyncio.run(cancelled(settings, job_id))
    began = time.monotonic()
    process.wait()
    took_s = time.monotonic() - began
    state, _, _ = asyncio.run(told(settings, job_id))
    return state, rows, took_s, len({path.name for path in folder.iterdir()} - before)


def started(settings: Settings, job_id: int) -> subprocess.Popen[bytes]:
    """The process that makes a table, as the service starts it."""
    command = [sys.executable, "-m", "app.reports.worker", str(job_id)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | settings.environment())


def most_memory_mb(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; return the most memory that it held (VmHWM), megabytes.

    `ru_maxrss` says what this process held when it began the other one.
    """
    most_kb = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            found = re.search(
                r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            )
            most_kb = int(found[1]) if found else most_kb
        time.sleep(0.1)
    return most_kb / 1024


def main() -> int:
    """Measure; status 1 where it took too much memory or did not come to its end."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="dutyring-exports-") as folder:
        settings = Settings(data_dir=Path(folder) / "data", phone_process=False)
        upgrade(settings)
        fill(settings.url, int(rows / SHARE_CALLED), min(UNITS, max(40, rows)), NEWEST)
        job_id = asyncio.run(order(settings))
        began = time.monotonic()
        process = started(settings, job_id)
        memory_mb = most_memory_mb(process)
        took_s = time.monotonic() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        state, done, size = asyncio.run(told(settings, job_id))
        stopped, begun, end_s, left = cancel_one(settings)
    busy_s = used.ru_utime + used.ru_stime
    print(
        f"{done} rows of the full table to XLSX ({size / 1e6:.1f} MB): {state}, {took_s:.1f} s, "
        f"{busy_s:.1f} s CPU, {memory_mb:.0f} MB at most (limit {LIMIT_MB} MB)"
    )
    print(
        f"cancelled after {begun} rows: {stopped}, its process over {end_s:.1f} s later, {left} files of it left"
    )
    whole = state == "done" and memory_mb <= LIMIT_MB
    return 0 if whole and stopped == "cancelled" and not left else 1


if __name__ == "__main__":
    sys.exit(main())
