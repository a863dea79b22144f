"""Test calls (试呼) as the service places them: its phone process, our own phone, simulated far ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.database import Database
from app.demo.far_end import far_end
from app.phone_keeper import PhoneKeeper
from app.settings import Settings, TrunkSettings
from tests.web.api import ask
from tests.web.apps import make_app
from tests.web.conftest import database, settings
from tests.web.test_phone_process import until

__all__ = ["database", "settings"]
NUMBERS = ("11", "62", "71", "86", "404", "8888")
"""Simulated telephones: answered, answered later, never, busy, no such number with and without words."""


@dataclass
class World:
    """The service, a phone process of it, and a trunk to simulated lines beside one that leads nowhere."""

    client: httpx.AsyncClient
    settings: Settings
    keeper: PhoneKeeper

    async def ask(self, number: str, trunk: str = "sim") -> int:
        told = await ask(self.client, "POST", "/trunk-tests", 201, json={"trunk": trunk, "number": number})
        return int(told["id"])

    async def until(self, test_id: int, *states: str) -> Any:
        async with asyncio.timeout(90):
            while True:
                told = await ask(self.client, "GET", f"/trunk-tests/{test_id}")
                if told["state"] in states:
                    return told
                await asyncio.sleep(0.1)

    async def result(self, number: str, trunk: str = "sim") -> Any:
        told = await self.until(await self.ask(number, trunk), "finished", "failed", "refused", "interrupted")
        assert (told["state"], told["why"]) == ("finished", ""), told
        return told["result"]


@pytest.fixture
async def world(database: Database, settings: Settings) -> AsyncIterator[World]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        # Nobody answers there, and nobody else gets the port meanwhile.
        taken.bind(("127.0.0.1", 0))
        nowhere = taken.getsockname()[1]
        async with far_end() as (host, port):
            ways = {
                "sim": TrunkSettings(host=host, port=port, per_called=None, calls_per_s=None),
                "dead": TrunkSettings(
                    host="127.0.0.1", port=nowhere, priority=1, user="u", registration=True
                ),
            }
            more = {"trunks": ways, "allow_numbers": NUMBERS, "stop_wait_s": 0.0, "log_level": "warning"}
            given = settings.model_copy(update=more)
            app = make_app(given)
            keeper = PhoneKeeper(given)
            keeper.start()
            await asyncio.wait_for(keeper.ready.wait(), 60)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver/api/v1") as client:
                yield World(client, given, keeper)
            await keeper.stop()
            await app.state.database.close()


async def test_what_comes_of_test_calls(world: World) -> None:
    heard = await world.result("11")
    assert (heard["outcome"], heard["sip_status"], heard["incoming_sound"]) == ("answered", 200, "sound")
    assert heard["ring_to_answer_ms"] == pytest.approx(4_000, abs=400)
    # The far end runs in this process, which may be busy.
    assert 150 <= heard["post_dial_delay_ms"] < 3_000
    assert heard["codec"]
    assert heard["packets_lost"] == 0
    assert heard["packets_sent"] > 0
    assert heard["packets_received"] > 100
    busy = await world.result("86")
    assert (busy["outcome"], busy["sip_status"], busy["our_failure"]) == ("busy", 486, False)
    none = await world.result("8888")
    assert (none["outcome"], none["sip_status"]) == ("unobtainable", 404)
    down = await world.result("11", "dead")
    assert (down["outcome"], down["our_failure"], down["sip_status"]) == ("network_failure", True, None)
    assert down["errors"]
    assert not [path for path in world.settings.recordings_dir.rglob("*") if path.is_file()], (
        "nothing is recorded"
    )


async def test_nobody_is_kept_on_the_line(world: World) -> None:
    unanswered = await world.ask("71")
    told = await world.until(unanswered, "finished")
    assert told["result"]["outcome"] == "no_answer"
    talker = await world.result("62")
    assert talker["outcome"] == "answered"
    # 20 ms each, from the early media on: 9 s of ringing, 5 s of talk.
    assert talker["packets_received"] < 50 * 16


async def test_a_kill_in_mid_call_tells_the_far_end(world: World) -> None:
    test_id = await world.ask("62")
    await world.until(test_id, "connected")
    pid, starts = world.keeper.pid, world.keeper.starts
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: world.keeper.starts > starts)
    told = await world.until(test_id, "interrupted")
    assert told["why"] == "phone_ended"
    again = await world.result("86")
    assert again["outcome"] == "busy"
