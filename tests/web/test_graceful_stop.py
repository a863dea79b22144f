"""Stopping: calls under way are hung up and marked once their time is over, and nothing new is begun.

That a call ends by itself when the whole service is told to stop is tested with what docker-compose.yml starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from app.database import Database
from app.phone_keeper import PhoneKeeper
from app.settings import Settings
from tests.web.test_ledger import add_lines, attempts, order
from tests.web.test_phone_process import PROGRAM, until_states


@contextlib.asynccontextmanager
async def held(settings: Settings) -> AsyncIterator[PhoneKeeper]:
    """A phone process whose calls never end by themselves."""
    keeper = PhoneKeeper(settings, [*PROGRAM, "--hold"])
    keeper.start()
    await asyncio.wait_for(keeper.ready.wait(), 60)
    try:
        yield keeper
    finally:
        await keeper.stop()


async def test_calls_that_do_not_end_in_time_are_hung_up_and_marked(
    database: Database, settings: Settings
) -> None:
    first, second = await add_lines(database, 2)
    async with held(settings) as keeper:
        await order(database, first)
        await until_states(database, "connected")
        keeper.begin_finish(0.5)
        await asyncio.sleep(0.1)
        await order(database, second)
        await keeper.stop()
        assert (keeper.pid, keeper.last_status, keeper.starts) == (None, 0, 1)
    (attempt,) = await attempts(database)
    assert (attempt.state, attempt.verdict_code) == ("interrupted", "interrupted")


async def test_whoever_is_in_a_hurry_need_not_wait(settings: Settings) -> None:
    never_done = "import sys; print('ready', flush=True); sys.stdin.read()"
    keeper = PhoneKeeper(settings, [sys.executable, "-c", never_done])
    keeper.start()
    await asyncio.wait_for(keeper.ready.wait(), 60)
    keeper.begin_finish(3600)
    stopping = asyncio.create_task(keeper.stop())
    await asyncio.sleep(0.1)
    assert not stopping.done()
    keeper.hurry()
    await asyncio.wait_for(stopping, 60)
    assert keeper.pid is None
