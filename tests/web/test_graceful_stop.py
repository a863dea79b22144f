"""Stopping: calls under way end by themselves as long as they may, are marked else, and nothing new is begun."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator

from app.commands.demo import demo_settings
from app.database import Database
from app.demo.far_end import far_end
from app.directory import service as directory
from app.phone_keeper import PhoneKeeper
from app.settings import Settings
from tests.web.test_ledger import add_lines, attempts, order
from tests.web.test_phone_process import PROGRAM, states, until_states


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


async def test_whoever_is_in_a_hurry_need_not_wait(database: Database, settings: Settings) -> None:
    (line,) = await add_lines(database, 1)
    async with held(settings) as keeper:
        await order(database, line)
        await until_states(database, "connected")
        keeper.begin_finish(3600)
        stopping = asyncio.create_task(keeper.stop())
        await asyncio.sleep(0.1)
        assert not stopping.done()
        keeper.hurry()
        await stopping
    assert await states(database) == ["interrupted"]


async def test_the_service_lets_a_call_end_before_it_stops(database: Database, settings: Settings) -> None:
    async with far_end() as (host, port):
        given = demo_settings(settings, host, port).model_copy(
            update={"port": 0, "stop_wait_s": 60.0, "transcriber": "none", "max_talk_s": 4.0}
        )
        async with database.unit_of_work() as session:
            unit = await directory.add_unit(session, "11", "云溪县一")
            line = await directory.add_line(session, unit, "0000-5550011", "11")
        await order(database, line)
        service = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.cli", "serve",
            env=os.environ | given.environment(), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            await until_states(database, "ringing")
            service.send_signal(signal.SIGTERM)
            await asyncio.wait_for(service.wait(), 60)
        finally:
            if service.returncode is None:
                service.kill()
    assert service.returncode == 0
    (attempt,) = await attempts(database)
    assert (attempt.state, attempt.verdict_code) == ("finished", "within"), attempt.error
