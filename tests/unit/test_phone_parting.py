"""How a call is ended in good manners: the closing before the BYE, and what a stop does to a call under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from sip.media import SAMPLE_RATE_HZ
from sip.phone import Phone, Script, Trunk
from sip.record import CallRecord
from sip.simulator import (
    Answer,
    Behaviour,
    Expectation,
    HangUp,
    Never,
    Play,
    Provisional,
    Quiet,
    Say,
    Simulator,
    Wait,
)
from tests.unit.test_phone_endings import OPEN

pytestmark = [pytest.mark.timeout(60)]

BEEP_HZ = 700


def tone(seconds: float) -> np.ndarray:
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (9000 * np.sin(2 * np.pi * BEEP_HZ * time_s)).astype(np.int16)


def line(extension: str, *steps: object) -> Behaviour:
    return Behaviour(extension, f"line-{extension}", "测试线路", steps, Expectation("answered"))  # type: ignore[arg-type]


LINES = (
    line("1", Provisional(180), Wait(0.2), Answer(), Wait(30), HangUp()),
    line("2", Provisional(180), Never()),
    line(
        "3",
        *(Wait(0.2), Answer(), Play("ringback", loop=True), Wait(6), Quiet(), Wait(0.3)),
        *(Say("officer_02"), Wait(9), HangUp()),
    ),
)


@pytest.fixture
async def far_end() -> AsyncIterator[Simulator]:
    async with Simulator(scenario={behaviour.extension: behaviour for behaviour in LINES}) as simulator:
        yield simulator


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    async with Phone(Trunk(), policy=OPEN) as ready:
        yield ready


def sent(record: CallRecord, method: str) -> list[float]:
    return [e.t_ms for e in record.timeline if e.event == "sent" and e.fields.get("method") == method]


def noted(record: CallRecord, event: str, **fields: object) -> list[float]:
    return [e.t_ms for e in record.timeline if e.event == event and fields.items() <= e.fields.items()]


async def test_the_closing_ends_with_the_talk_time(phone: Phone, far_end: Simulator) -> None:
    script = Script(max_talk_s=2.0, say=tone(0.5), closing=tone(0.6))
    record = await phone.call(f"sip:1@{far_end.local}", script)
    assert record.outcome == "answered"
    assert record.answered_ms is not None
    (opening,), (closing,) = noted(record, "prompt", what="started"), noted(record, "prompt", what="closing")
    assert opening - record.answered_ms < 100
    assert closing - record.answered_ms == pytest.approx(1_200, abs=100)
    (bye,) = sent(record, "BYE")
    assert bye - record.answered_ms == pytest.approx(2_000, abs=100)


async def test_an_answered_call_that_is_stopped_hears_the_closing_first(
    phone: Phone, far_end: Simulator
) -> None:
    farewell = asyncio.Event()
    asyncio.get_running_loop().call_later(1.5, farewell.set)
    script = Script(max_talk_s=20.0, say=tone(5.0), closing=tone(0.6))
    record = await phone.call(f"sip:1@{far_end.local}", script, farewell=farewell)
    assert (record.outcome, record.ended_by, record.our_failure) == ("cancelled", "us", False)
    (closing,), (bye,) = noted(record, "prompt", what="closing"), sent(record, "BYE")
    assert bye - closing == pytest.approx(800, abs=150)


async def test_without_a_closing_an_answered_call_is_hung_up_at_once(
    phone: Phone, far_end: Simulator
) -> None:
    farewell = asyncio.Event()
    asyncio.get_running_loop().call_later(1.0, farewell.set)
    record = await phone.call(f"sip:1@{far_end.local}", Script(), farewell=farewell)
    (bye,) = sent(record, "BYE")
    assert bye < 1_400
    assert noted(record, "prompt") == []
    assert record.outcome == "cancelled"


async def test_a_call_that_only_rings_is_cancelled(phone: Phone, far_end: Simulator) -> None:
    farewell = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, farewell.set)
    record = await phone.call(f"sip:2@{far_end.local}", Script(closing=tone(1.0)), farewell=farewell)
    assert (record.outcome, record.ended_by) == ("cancelled", "us")
    assert len(sent(record, "CANCEL")) == 1
    assert sent(record, "CANCEL")[0] < 900
    assert noted(record, "prompt") == []


async def test_a_call_that_nobody_took_note_of_sends_its_invite_no_more(phone: Phone) -> None:
    """Its repetitions would still be calls after the stop."""
    heard: list[float] = []
    loop = asyncio.get_running_loop()

    class Deaf(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            if data.startswith(b"INVITE"):
                heard.append(loop.time())

    transport, _ = await loop.create_datagram_endpoint(Deaf, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    farewell = asyncio.Event()
    began = loop.time()
    loop.call_later(0.7, farewell.set)
    record = await phone.call(f"sip:1@127.0.0.1:{port}", Script(), farewell=farewell)
    await asyncio.sleep(2.0)
    transport.close()
    assert record.outcome == "cancelled"
    # At 0 and, once more, at 0.5 s; the next ones would have come at 1.5 s and 3.5 s.
    assert [at - began < 0.8 for at in heard] == [True, True]


async def test_a_stop_before_the_first_invite_lets_nothing_leave(phone: Phone, far_end: Simulator) -> None:
    farewell = asyncio.Event()

    async def journal(_: dict[str, object]) -> None:
        farewell.set()

    record = await phone.call(f"sip:1@{far_end.local}", Script(), farewell=farewell, journal=journal)
    assert (record.outcome, record.timeline) == ("cancelled", ())


async def test_in_band_the_opening_follows_the_voice_within_a_second(
    phone: Phone, far_end: Simulator
) -> None:
    """Behind an analogue gateway the answer is where the ringback ends and a voice begins."""
    script = Script(max_talk_s=6.0, say=tone(0.5))
    record = await phone.call(f"sip:3@{far_end.local}", script)
    assert record.answer_source == "in_band"
    assert record.answered_ms is not None
    assert noted(record, "prompt", what="started")[-1] - record.answered_ms < 1_000
