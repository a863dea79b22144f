"""When packets that belong to no call are a flood, and when it is over."""

from __future__ import annotations

import asyncio

from sip.core import Address, Malformed, MessageReceived
from sip.flood_watch import FEW, MANY, FloodWatch


def stray(host: str = "192.0.2.1") -> Malformed:
    return Malformed(None, 0.0, Address(host, 5060), "noise")


async def test_a_flood_is_told_once_and_names_the_busiest_source() -> None:
    told: list[str | None] = []
    watch = FloodWatch(told.append, calm_s=60.0)
    for number in range(MANY * 2):
        watch.note(stray("192.0.2.7" if number % 4 else "192.0.2.8"))
    watch.close()
    assert len(told) == 1
    assert "75 % of them from 192.0.2.7" in str(told[0])


async def test_a_few_packets_are_none() -> None:
    told: list[str | None] = []
    watch = FloodWatch(told.append, window_s=0.02)
    for _ in range(3):
        for _ in range(MANY - 1):
            watch.note(stray())
        await asyncio.sleep(0.03)
    watch.close()
    assert told == []


async def test_it_is_over_once_little_comes_for_a_while() -> None:
    told: list[str | None] = []
    watch = FloodWatch(told.append, calm_s=0.05)
    for _ in range(MANY):
        watch.note(stray())
    for _ in range(FEW):
        watch.note(stray())
    await asyncio.sleep(0.07)
    assert len(told) == 1
    await asyncio.sleep(0.07)
    assert told[1:] == [None]
    for _ in range(MANY):
        watch.note(stray())
    watch.close()
    assert len(told) == 3


async def test_a_flood_from_everywhere_costs_no_memory() -> None:
    told: list[str | None] = []
    watch = FloodWatch(told.append)
    for number in range(MANY):
        watch.note(stray(f"198.51.{number // 250}.{number % 250}"))
    watch.close()
    assert len(told) == 1
    assert len(watch._sources) <= 64


async def test_messages_of_calls_are_not_counted() -> None:
    told: list[str | None] = []
    watch = FloodWatch(told.append)
    event = MessageReceived("call", 0.0, None, Address("192.0.2.1", 5060), False)  # type: ignore[arg-type]
    for _ in range(MANY):
        watch.note(event)
    watch.close()
    assert told == []
