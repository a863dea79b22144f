"""A phone that reads too late begins no further calls: they wait, and begin a few at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from types import SimpleNamespace

import pytest

from sip.core import Address
from sip.lateness import TOO_LATE_S, Lateness
from sip.media import EngineFull, MediaEngine, MediaSession, SessionSpec
from sip.media.model import ALWAYS
from sip.phone import Phone, Trunk

LOOPBACK = "127.0.0.1"
SILENT = SessionSpec(LOOPBACK, analyse=False)
OPTIONS = (
    "OPTIONS sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKlate\r\n"
    "From: <sip:them@127.0.0.1>;tag=1\r\nTo: <sip:us@127.0.0.1>\r\nCall-ID: late\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def test_what_waits_in_two_seconds_in_a_row_counts_and_one_stall_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=100.5)
    monkeypatch.setattr("sip.lateness.time", SimpleNamespace(monotonic=lambda: clock.now))
    lateness = Lateness()
    lateness.note(97.5)
    assert lateness.lasting_s == 0.0
    clock.now = 101.5
    lateness.note(101.4)
    assert lateness.lasting_s == pytest.approx(0.1), "one stall of three seconds, which is over"
    lateness.note(100.7)
    assert lateness.lasting_s == pytest.approx(0.8)
    clock.now = 102.1
    assert lateness.lasting_s == pytest.approx(0.8), "the two seconds that are over"
    clock.now = 103.1
    assert lateness.lasting_s == 0.0
    clock.now = 250.0
    assert lateness.lasting_s == 0.0


async def test_messages_that_wait_in_the_kernel_keep_further_calls_from_beginning() -> None:
    async with Phone(Trunk(bind=Address(LOOPBACK, 0))) as phone:
        address = phone.addresses[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((LOOPBACK, 0))
            stranger.setblocking(False)
            for _ in range(2):
                stranger.sendto(OPTIONS.format(port=stranger.getsockname()[1]).encode(), address[:2])
                time.sleep(1.0)  # the loop has something else to do
                await asyncio.wait_for(asyncio.get_running_loop().sock_recv(stranger, 4096), 10)
        estimate = phone.capacity_estimate()
        assert estimate.waits_s > TOO_LATE_S
        assert estimate.limited_by == "behind"
        assert estimate.calls == estimate.worth_having == ALWAYS
        assert "messages wait" in str(estimate)


async def test_calls_that_wait_for_room_begin_a_few_at_a_time() -> None:
    async with contextlib.AsyncExitStack() as stack:
        engine = await stack.enter_async_context(await MediaEngine.start(writer=False, bank=None))
        engine.signalling_waits_s = lambda: waits_s
        waits_s = 0.0
        opened: list[MediaSession] = [await engine.open(SILENT) for _ in range(ALWAYS)]
        waits_s = 2.0
        with pytest.raises(EngineFull, match=r"messages wait 2\.0 s"):
            await engine.open(SILENT)
        waiting = [asyncio.create_task(engine.open(SILENT, wait_s=60.0)) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert engine.capacity_estimate().sessions == ALWAYS
        counts = [ALWAYS]
        engine.on_capacity = lambda: counts.append(engine.capacity_estimate().sessions)
        waits_s = 0.0
        opened += await asyncio.gather(*waiting)
        counts.append(engine.capacity_estimate().sessions)
        assert counts[-1] == ALWAYS + 20
        steps = [after - before for before, after in itertools.pairwise(counts)]
        assert max(steps) <= 8
