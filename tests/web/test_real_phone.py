"""The service's phone process with the real phone, against simulated lines: a call, and a kill in mid-call."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import soundfile as sf

from app.checks import repository
from app.checks.models import Attempt
from app.commands.demo import demo_settings
from app.database import Database
from app.demo.far_end import far_end
from app.directory import service as directory
from app.directory.models import DutyLine
from app.phone_keeper import PhoneKeeper
from app.settings import Settings
from tests.web.test_ledger import order
from tests.web.test_phone_process import until


@dataclass
class World:
    """A phone process beside simulated lines."""

    database: Database
    settings: Settings
    keeper: PhoneKeeper

    async def line(self, extension: str) -> DutyLine:
        async with self.database.unit_of_work() as session:
            unit = await directory.add_unit(session, extension, f"云溪县{extension}")
            return await directory.add_line(session, unit, f"0000-555{extension:0>4}", extension)

    async def attempt(self, check_id: int) -> Attempt | None:
        async with self.database.reading() as session:
            check = await repository.check(session, check_id)
        assert check is not None
        return check.attempts[0] if check.attempts else None

    async def until_state(self, check_id: int, *states: str) -> Attempt:
        async with asyncio.timeout(60):
            while True:
                attempt = await self.attempt(check_id)
                if attempt is not None and attempt.state in states:
                    return attempt
                await asyncio.sleep(0.1)

    def heard_s(self, attempt: Attempt) -> float:
        assert attempt.recording is not None
        with sf.SoundFile(self.settings.recordings_dir / attempt.recording.path) as sound:
            assert sound.channels == 2
            return sound.frames / sound.samplerate


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[World]:
    async with far_end() as (host, port):
        given = demo_settings(settings, host, port)
        keeper = PhoneKeeper(given)
        keeper.start()
        await asyncio.wait_for(keeper.ready.wait(), 60)
        yield World(database, given, keeper)
        await keeper.stop()


async def test_a_call_and_a_kill(world: World) -> None:
    (first,) = await order(world.database, await world.line("11"))
    attempt = await world.until_state(first, "finished", "failed")
    assert (attempt.state, attempt.verdict_code) == ("finished", "within"), attempt.error
    assert attempt.facts is not None
    assert attempt.ring_to_answer_ms == pytest.approx(4_000, abs=150)
    assert world.heard_s(attempt) == pytest.approx(attempt.facts.content["ended_ms"] / 1000, abs=0.02)

    talker = await world.line("62")
    (second,) = await order(world.database, talker)
    attempt = await world.until_state(second, "connected")
    await asyncio.sleep(2.5)
    pid, starts = world.keeper.pid, world.keeper.starts
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: world.keeper.starts > starts)
    attempt = await world.until_state(second, "interrupted", "finished", "failed")
    assert (attempt.state, attempt.verdict_code) == ("interrupted", "interrupted")
    async with asyncio.timeout(40):
        while attempt.released_at is None:
            await asyncio.sleep(0.1)
            attempt = await world.until_state(second, "interrupted")
    # 9.2 s of ringing and at least a second of the talk were on the disk.
    assert world.heard_s(attempt) > 10.0
    assert attempt.recording is not None
    assert attempt.recording.repaired

    (third,) = await order(world.database, talker)
    again = await world.until_state(third, "dialling", "ringing", "connected")
    assert again.target == "62"
