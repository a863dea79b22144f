"""紧急停拨 with the real phone process against simulated lines: what leaves, and when, after the command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from app.checks.models import Attempt, SpotCheck
from app.commands.demo import demo_settings
from app.database import Database
from app.demo.far_end import far_end
from app.phone_keeper import PhoneKeeper
from app.planning import prompts
from app.settings import Settings
from tests.web.test_ledger import order
from tests.web.test_real_phone import World

CLOSING_S = 0.8
RINGS, RINGS_SIGNALLED, TALKS = "70", "71", "61"


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[World]:
    """A phone that talks for long: the command takes its time to start."""
    async with far_end() as (host, port):
        given = demo_settings(settings, host, port).model_copy(update={"max_talk_s": 60.0})
        keeper = PhoneKeeper(given)
        keeper.start()
        await asyncio.wait_for(keeper.ready.wait(), 60)
        yield World(database, given, keeper)
        await keeper.stop()


async def approved(world: World, kind: str, seconds: float) -> None:
    """Enter a prompt and approve it."""
    path = world.settings.data_dir / f"{kind}.wav"
    time_s = np.arange(int(seconds * 8000)) / 8000
    sf.write(path, (9000 * np.sin(2 * np.pi * 700 * time_s)).astype(np.int16), 8000)
    async with world.database.unit_of_work() as session:
        prompt = await prompts.add(
            session,
            world.settings.data_dir,
            kind,
            kind,
            "本次通话到此结束",
            path.read_bytes(),
            "李值守",
        )
        await prompts.approve(session, prompt.id, "王督查")


async def stop_calls(world: World) -> datetime:
    """Give the command; return when it had been carried out."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "stop-calls", "--reason", "汛情", env=world.settings.environment()
    )
    assert await asyncio.wait_for(process.wait(), 60) == 0
    return datetime.now().astimezone()


def sent(attempt: Attempt, method: str) -> list[datetime]:
    assert attempt.facts is not None
    facts: dict[str, Any] = attempt.facts.content
    began = datetime.fromisoformat(facts["started_at"])
    return [
        began + timedelta(milliseconds=entry["t_ms"])
        for entry in facts["timeline"]
        if entry["event"] == "sent" and entry.get("method") == method
    ]


def prompted(attempt: Attempt, what: str) -> list[float]:
    assert attempt.facts is not None
    entries = attempt.facts.content["timeline"]
    return [entry["t_ms"] for entry in entries if entry["event"] == "prompt" and entry["what"] == what]


@pytest.mark.timeout(180)
async def test_within_a_second_nothing_leaves_and_everybody_is_let_go(world: World) -> None:
    await approved(world, "opening", 1.0)
    await approved(world, "closing", CLOSING_S)
    lines = {extension: await world.line(extension) for extension in (RINGS, RINGS_SIGNALLED, TALKS)}
    ids = dict(zip(lines, await order(world.database, *lines.values()), strict=True))
    for extension, state in ((RINGS, "ringing"), (RINGS_SIGNALLED, "ringing"), (TALKS, "connected")):
        await world.until_state(ids[extension], state)
    await asyncio.sleep(0.5)
    at = await stop_calls(world)
    # What is ordered now, or comes due, is not dialled any more.
    (late,) = await order(world.database, lines[RINGS])
    found = {extension: await world.until_state(ids[extension], "finished") for extension in lines}
    assert {attempt.verdict_code for attempt in found.values()} == {"cancelled"}
    for extension in (RINGS, RINGS_SIGNALLED):
        (cancel,) = sent(found[extension], "CANCEL")
        assert cancel - at < timedelta(seconds=1)
        assert prompted(found[extension], "closing") == []
    (bye,) = sent(found[TALKS], "BYE")
    (closing,) = prompted(found[TALKS], "closing")
    assert bye - at < timedelta(seconds=1 + CLOSING_S + 0.4)
    began = datetime.fromisoformat(found[TALKS].facts.content["started_at"])  # type: ignore[union-attr]
    assert began + timedelta(milliseconds=closing) - at < timedelta(seconds=1)
    assert max(invite for attempt in found.values() for invite in sent(attempt, "INVITE")) < at
    # The opening began within a second of the answer, and the ledger knows which one it was.
    answered_ms = found[TALKS].facts.content["answered_ms"]  # type: ignore[union-attr]
    assert prompted(found[TALKS], "started")[0] - answered_ms < 1_000
    assert found[TALKS].opening_sha256 is not None
    async with asyncio.timeout(10):
        while await withdrawn(world, late) is None:
            await asyncio.sleep(0.1)
    assert await world.attempt(late) is None


async def withdrawn(world: World, check_id: int) -> str | None:
    async with world.database.reading() as session:
        check = await session.get(SpotCheck, check_id)
    assert check is not None
    return check.closed_why if check.state == "withdrawn" else None
