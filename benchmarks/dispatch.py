"""How soon a due order is dialled: from its moment to its INVITE, by the real phone process.

    python -m benchmarks.dispatch --rows 100000 --orders 60

The database holds `rows` closed orders before. `ordered`: orders that another process enters, due at once; `planned`:
moments of a plan, on the whole second, which the clock makes due. The far end is the simulator. The exit status is 1
when the 95th percentile of either is over a second, or an order was not dialled.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import service
from app.checks.models import Attempt, SpotCheck
from app.commands.demo import demo_settings
from app.database import Database, upgrade
from app.demo.far_end import far_end
from app.directory import service as directory
from app.directory.models import DutyLine
from app.phone_keeper import PhoneKeeper
from app.settings import Settings
from benchmarks.table import percentile, show

LIMIT_S = 1.0
APART_S = 0.7
"""Mean seconds between two orders."""
LINES = 20
BATCH = 5_000
BUSY_LINE = "86"
"""It answers 486 at once: its calls are over before the next one."""


async def measure(settings: Settings, rows: int, orders: int) -> dict[str, list[float]]:
    """Order and plan calls; return the seconds from each moment to its INVITE."""
    async with far_end() as (host, port):
        given = demo_settings(settings, host, port)
        async with Database(settings.url) as database:
            lines = await enter_lines(database, f"{BUSY_LINE}@{host}:{port}")
            await fill(database, lines, rows)
            keeper = PhoneKeeper(given)
            keeper.start()
            try:
                await asyncio.wait_for(keeper.ready.wait(), 120)
                found = {"ordered": await order(database, lines, orders)}
                found["planned"] = await plan(database, lines, orders)
            finally:
                await keeper.stop()
            async with database.reading() as session:
                return {
                    kind: [await _waited_s(session, check_id) for check_id in ids]
                    for kind, ids in found.items()
                }


async def enter_lines(database: Database, target: str) -> list[DutyLine]:
    """Lines of their own: one line is called once at a time."""
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "bench-dispatch", "云溪县拨测")
        return [
            await directory.add_line(
                session, unit, f"0000-5559{n:03}", f"sip:{target};line={n}", verified=True
            )
            for n in range(LINES)
        ]


async def fill(database: Database, lines: Sequence[DutyLine], rows: int) -> None:
    """Enter closed orders, each with one call, of the days before."""
    at = datetime.now(UTC) - timedelta(days=1)
    for first in range(0, rows, BATCH):
        numbers = range(first + 1, min(rows, first + BATCH) + 1)
        common = [(n, lines[n % LINES], at - timedelta(seconds=n)) for n in numbers]
        async with database.unit_of_work() as session:
            await session.execute(
                insert(SpotCheck),
                [
                    {"id": n, "line_id": line.id, "unit_id": line.unit_id, "kind": "random", "due_at": due,
                     "first_due_at": due, "state": "done", "created_at": due}
                    for n, line, due in common
                ],
            )  # fmt: skip
            await session.execute(
                insert(Attempt),
                [
                    {"id": n, "check_id": n, "line_id": line.id, "unit_id": line.unit_id, "target": line.target,
                     "state": "finished", "owner": "x", "claimed_at": due, "ended_at": due, "outcome": "answered",
                     "verdict_code": "within", "kind": "random", "trunk": "demo", "post_dial_delay_ms": 200.0}
                    for n, line, due in common
                ],
            )  # fmt: skip


async def order(database: Database, lines: Sequence[DutyLine], count: int) -> list[int]:
    """Order calls one after the other, at moments that keep no step with any clock."""
    ids = []
    for number in range(count):
        async with database.unit_of_work() as session:
            check = await service.order_now(session, lines[number % LINES], "拨测", kind="demo")
        ids.append(check.id)
        await asyncio.sleep(random.uniform(0.5, 1.5) * APART_S)
    await _until_done(database, ids)
    return ids


async def plan(database: Database, lines: Sequence[DutyLine], count: int) -> list[int]:
    """Let a plan's moments come due, one each second."""
    first = datetime.now().astimezone().replace(microsecond=0) + timedelta(seconds=3)
    async with database.unit_of_work() as session:
        moments = [(lines[n % LINES], first + timedelta(seconds=n)) for n in range(count)]
        plan_id = (await service.add_plan(session, "拨测", moments)).id
    async with database.reading() as session:
        ids = list(await session.scalars(select(SpotCheck.id).where(SpotCheck.plan_id == plan_id)))
    await asyncio.sleep(count + 4)
    await _until_done(database, ids)
    return ids


async def _until_done(database: Database, ids: Sequence[int]) -> None:
    """Wait for every order to have been called once, a minute at the most."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        async with database.reading() as session:
            left = await session.scalars(
                select(SpotCheck.id).where(
                    SpotCheck.id.in_(ids), SpotCheck.state.in_(("planned", "due", "claimed"))
                )
            )
            if not list(left):
                return
        await asyncio.sleep(0.3)


async def _waited_s(session: AsyncSession, check_id: int) -> float:
    row = (
        await session.execute(
            select(SpotCheck.first_due_at, Attempt.started_at)
            .join(Attempt, Attempt.check_id == SpotCheck.id)
            .where(SpotCheck.id == check_id, Attempt.number == 1)
        )
    ).one_or_none()
    return float("inf") if row is None or row[1] is None else (row[1] - row[0]).total_seconds()


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000, help="closed orders in the database before")
    parser.add_argument("--orders", type=int, default=30, help="calls of each kind")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dutyring-dispatch-") as folder:
        settings = Settings(data_dir=Path(folder) / "data")
        upgrade(settings)
        found = asyncio.run(measure(settings, given.rows, given.orders))
    figures: dict[str, object] = {"rows": given.rows}
    for kind, waited in found.items():
        figures[kind] = {
            "calls": len(waited),
            "p50_s": round(percentile(waited, 0.5), 3),
            "p95_s": round(percentile(waited, 0.95), 3),
            "max_s": round(max(waited), 3),
        }
    show(figures)
    return 0 if all(percentile(waited, 0.95) <= LIMIT_S for waited in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
