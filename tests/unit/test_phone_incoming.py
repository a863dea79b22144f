"""Calls placed to the phone: who may ring, how it is answered, what is kept. The caller is a second phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sip.answering import AnswerScript, IncomingRecord, RingingCall
from sip.core import Address, Credentials, LocalProtocolError
from sip.media import MediaEngine
from sip.phone import Phone, Script, Trunk
from sip.reception import SourceLimiter
from sip.record import CallRecord
from sip.simulator.clips import clips, sound
from sip.trunks import networks

pytestmark = [pytest.mark.timeout(90)]

HERE = Address("127.0.0.1", 0)
OURS = Trunk(name="in", bind=HERE, trusted=networks("127.0.0.1"))
VOICE = next(sound(name) for name in clips())


@pytest.fixture
async def caller() -> AsyncIterator[Phone]:
    async with Phone() as ready:
        yield ready


class Desk:
    """Answers every call in one way and keeps the records."""

    def __init__(self, script: AnswerScript | None = None, *, ring_s: float = 0.2) -> None:
        self._script, self._ring_s = script, ring_s
        self.calls: list[RingingCall] = []
        self.records: list[IncomingRecord] = []
        self.done = asyncio.Event()

    async def take(self, call: RingingCall) -> None:
        self.calls.append(call)
        call.ring()
        await asyncio.sleep(self._ring_s)
        self.records.append(await call.answer(self._script))
        self.done.set()


async def dial(
    caller: Phone, callee: Phone, script: Script | None = None, user: str = "62", **options: object
) -> CallRecord:
    address = callee.addresses[0]
    return await caller.call(f"sip:{user}@{address}", script or Script(max_talk_s=1.0), **options)  # type: ignore[arg-type]


async def test_a_call_is_answered_recorded_and_told_of_on_both_sides(caller: Phone, tmp_path: Path) -> None:
    desk = Desk(AnswerScript(say=VOICE, capture=tmp_path / "in.part"))
    async with Phone(OURS) as callee:
        callee.on_call = desk.take
        record = await dial(caller, callee, Script(max_talk_s=1.5))
        await asyncio.wait_for(desk.done.wait(), 10)
    (call,), (kept,) = desk.calls, desk.records
    assert record.outcome == "answered"
    assert record.media.received > 40
    assert record.ended_by == "us"
    assert call.caller.startswith("sip:dutyring@127.0.0.1")
    assert call.called == record.target
    assert (kept.trunk, kept.account, kept.ended_by) == ("in", None, "them")
    assert kept.answered_ms is not None
    assert 150 < kept.answered_ms < kept.ended_ms
    assert kept.media.received > 40
    assert (tmp_path / "in.part").stat().st_size > 8000
    assert {entry.fields.get("status") for entry in kept.timeline} >= {180, 200}


async def test_digits_that_the_caller_sends_are_kept(caller: Phone) -> None:
    desk = Desk()
    async with Phone(OURS) as callee:
        callee.on_call = desk.take
        record = await dial(caller, callee, Script(max_ring_s=2.0, max_talk_s=1.0, digits="6001#"))
        await asyncio.wait_for(desk.done.wait(), 10)
    assert "".join(digit.digit for digit in desk.records[0].dtmf) == "6001#"
    # Nothing rang and nobody spoke after the digits: that is neither an answer of the extension nor a missed call.
    assert (record.outcome, record.three_ring) == ("network_failure", "not_applicable")
    assert not record.our_failure
    assert record.connected_ms is not None


async def test_a_call_that_the_machine_cannot_carry_is_told_so_and_the_one_under_way_goes_on(
    caller: Phone,
) -> None:
    desk = Desk()
    async with Phone(OURS, start_engine=lambda: MediaEngine.start(capacity=1)) as callee:
        callee.on_call = desk.take
        first = asyncio.create_task(dial(caller, callee, Script(max_talk_s=2.0)))
        while callee.capacity_estimate().sessions == 0:
            await asyncio.sleep(0.02)
        refused = await dial(caller, callee)
        assert (refused.sip_status, refused.sip_reason) == (480, "No capacity")
        assert (await first).outcome == "answered"
        await asyncio.wait_for(desk.done.wait(), 10)
    assert sorted(record.answered_ms is None for record in desk.records) == [False, True]


async def test_the_called_side_hangs_up_when_its_time_is_over(caller: Phone) -> None:
    desk = Desk(AnswerScript(max_talk_s=0.5))
    async with Phone(OURS) as callee:
        callee.on_call = desk.take
        record = await dial(caller, callee, Script(max_talk_s=10))
        await asyncio.wait_for(desk.done.wait(), 10)
    assert (record.outcome, record.ended_by) == ("answered", "them")
    assert desk.records[0].ended_by == "us"


async def test_a_caller_who_gives_up_is_told_to_the_desk(caller: Phone) -> None:
    gone = asyncio.Event()

    async def wait(call: RingingCall) -> None:
        call.ring()
        await call.gone()
        gone.set()
        record = await call.answer()
        assert record.answered_ms is None
        assert record.ended_by == "them"

    async with Phone(OURS) as callee:
        callee.on_call = wait
        record = await dial(caller, callee, Script(max_ring_s=0.5))
        await asyncio.wait_for(gone.wait(), 5)
    assert record.outcome == "no_answer"


@pytest.mark.parametrize(("status", "outcome"), [(486, "busy"), (603, "rejected")])
async def test_a_call_is_refused(caller: Phone, status: int, outcome: str) -> None:
    async def refuse(call: RingingCall) -> None:
        call.reject(status)

    async with Phone(OURS) as callee:
        callee.on_call = refuse
        record = await dial(caller, callee)
    assert (record.sip_status, record.outcome) == (status, outcome)


async def test_a_desk_that_fails_or_leaves_the_call_alone_harms_nobody(caller: Phone) -> None:
    async def fail(call: RingingCall) -> None:
        raise RuntimeError("on purpose")

    async def leave(call: RingingCall) -> None:
        call.ring()

    async with Phone(OURS) as callee:
        callee.on_call = fail
        assert (await dial(caller, callee)).sip_status == 500
        callee.on_call = leave
        assert (await dial(caller, callee)).sip_status == 480
        callee.on_call = None
        assert (await dial(caller, callee)).sip_status == 480


STRANGERS = Trunk(name="in", bind=HERE, credentials=Credentials("county", "three rings"))


async def test_a_stranger_must_prove_the_trunks_account() -> None:
    desk = Desk()
    async with Phone(STRANGERS) as callee:
        callee.on_call = desk.take
        async with Phone(Trunk(credentials=Credentials("county", "three rings"))) as known:
            answered = await dial(known, callee)
        async with Phone(Trunk(credentials=Credentials("county", "four rings"))) as liar:
            wrong = await dial(liar, callee)
        async with Phone() as stranger:
            unknown = await dial(stranger, callee)
    assert (answered.outcome, desk.records[0].account) == ("answered", "county")
    assert (wrong.outcome, wrong.sip_status, wrong.our_failure) == ("network_failure", 403, False)
    assert (unknown.sip_status, unknown.our_failure) == (401, True)
    assert unknown.alarms == ("bad_credentials",)
    assert len(desk.calls) == 1


async def test_without_an_account_a_stranger_is_refused(caller: Phone) -> None:
    desk = Desk()
    async with Phone(Trunk(name="in", bind=HERE)) as callee:
        callee.on_call = desk.take
        assert (await dial(caller, callee)).sip_status == 403
    assert desk.calls == []


async def test_the_trunks_server_is_known_before_it_is_called(caller: Phone) -> None:
    async def refuse(call: RingingCall) -> None:
        call.reject(486)

    async with Phone(Trunk(name="in", server="127.0.0.1", bind=HERE)) as callee:
        callee.on_call = refuse
        await asyncio.sleep(0.1)
        assert (await dial(caller, callee)).sip_status == 486


async def test_a_call_that_is_answered_twice_goes_on(caller: Phone) -> None:
    seen: list[object] = []

    async def twice(call: RingingCall) -> None:
        first = asyncio.create_task(call.answer())
        await asyncio.sleep(0.3)
        with pytest.raises(LocalProtocolError, match="answered already"):
            await call.answer()
        seen.append(await first)

    async with Phone(OURS) as callee:
        callee.on_call = twice
        record = await dial(caller, callee, Script(max_talk_s=1.5))
        async with asyncio.timeout(5):
            while not seen:
                await asyncio.sleep(0.02)
    assert (record.outcome, record.ended_by) == ("answered", "us")
    assert record.ended_ms > 1400


async def test_a_source_that_rings_too_often_is_held_off(caller: Phone) -> None:
    async def refuse(call: RingingCall) -> None:
        call.reject(486)

    async with Phone(OURS) as callee:
        callee.on_call = refuse
        records = [await dial(caller, callee) for _ in range(9)]
    statuses = [record.sip_status for record in records]
    assert statuses[:5] == [486] * 5
    assert 503 in statuses[5:]


def test_the_limiter_counts_each_source_by_itself() -> None:
    limiter = SourceLimiter(per_s=1.0, burst=2, most_sources=2)
    assert [limiter.allows("a", 0.0) for _ in range(3)] == [True, True, False]
    assert limiter.allows("b", 0.0)
    assert limiter.allows("a", 1.0)
    assert not limiter.allows("a", 1.5)
    assert limiter.allows("c", 1.5)
    # Only so many sources are remembered: the one unheard of longest begins anew.
    assert [limiter.allows("b", 1.5) for _ in range(3)] == [True, True, False]


async def test_sound_is_encrypted_where_both_sides_want_it() -> None:
    desk = Desk(AnswerScript(say=VOICE))
    inward = Trunk(name="in", bind=HERE, trusted=networks("127.0.0.1"), srtp="required")
    async with Phone(inward) as callee:
        callee.on_call = desk.take
        async with Phone(Trunk(srtp="optional")) as willing:
            secured = await dial(willing, callee)
        async with Phone() as plain:
            refused = await dial(plain, callee)
    assert secured.outcome == "answered"
    assert secured.media.received > 20
    assert desk.records[0].media.received > 20
    assert (refused.sip_status, refused.outcome) == (488, "network_failure")
    assert refused.alarms == ("media_refused",)


async def test_a_call_by_tcp(caller: Phone) -> None:
    desk = Desk()
    async with Phone(OURS) as callee:
        callee.on_call = desk.take
        tcp = next(address for address in callee.addresses if address.transport == "tcp")
        record = await caller.call(f"sip:62@{tcp};transport=tcp", Script(max_talk_s=0.5))
    assert record.outcome == "answered"
    assert {entry.fields["clock"] for entry in record.timeline if entry.event == "received"} == {"user"}
    assert record.targets[0].destination == f"{tcp} tcp"
