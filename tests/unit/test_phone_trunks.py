"""Calls through trunks: which one carries them, who is admitted, and what is wrong on our side. Real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sip.core import Address
from sip.guard import AnswerKeyError, DeniedNumberError, DialPolicy, NeverDialledError, NotAllowedError
from sip.media import EngineFull, MediaEngine, MediaSession
from sip.phone import Phone, Script, TargetError, Trunk
from sip.simulator import Answer, Behaviour, Expectation, HangUp, Never, Provisional, Reject, Simulator, Wait
from sip.transport import Resolver
from sip.trunks import Caps, NumberRules, TrunkError, TrunkStatus
from tests.unit.dns_server import dns_server

pytestmark = [pytest.mark.timeout(120)]

NUMBER = "0917-3262000"
AT_ONCE = Script(max_ring_s=5.0, max_talk_s=0.3)


def line(extension: str, *steps: object) -> Behaviour:
    return Behaviour(extension, f"line-{extension}", "测试线路", steps, Expectation("answered"))  # type: ignore[arg-type]


LINES = (
    line("09173262000", Provisional(180), Wait(0.2), Answer(), Wait(20), HangUp()),
    line("909173262001", Provisional(180), Wait(0.2), Answer(), Wait(20), HangUp()),
    line("09173262002", Reject(503)),
    line("09173262003", Provisional(180), Wait(0.2), Reject(503)),
    line("09173262004", Reject(404)),
    line("09173262005", Reject(403)),
    line("09173262006", Reject(403)),
    line("09173262007", Reject(403)),
    line("09173262008", Reject(488)),
    line("09173262009", Provisional(180), Never()),
)


@pytest.fixture
async def exchange() -> AsyncIterator[Simulator]:
    async with Simulator(scenario={behaviour.extension: behaviour for behaviour in LINES}) as simulator:
        yield simulator


def trunk(far_end: Address, name: str = "main", **changes: object) -> Trunk:
    values: dict[str, object] = {"caps": Caps.unlimited(), "session_expires_s": None, **changes}
    return Trunk(name=name, server=far_end.host, port=far_end.port, **values)  # type: ignore[arg-type]


def dead_end() -> Address:
    """An address where nobody listens: UDP answers with ICMP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return Address(*probe.getsockname())


@contextmanager
def deaf_end() -> Iterator[Address]:
    """An address that takes everything and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield Address(*sock.getsockname())


OPEN = DialPolicy.open()


async def test_a_number_leaves_in_the_trunks_form(exchange: Simulator) -> None:
    rules = NumberRules(area_code="917", style="national", access_code="9")
    async with Phone(trunk(exchange.local, numbers=rules), policy=OPEN) as phone:
        record = await phone.call("3262001", AT_ONCE)
    assert record.outcome == "answered"
    assert record.trunk == "main"
    assert [(tried.trunk, tried.uri, tried.status) for tried in record.targets] == [
        ("main", f"sip:909173262001@{exchange.local}", 200)
    ]


async def test_the_next_trunk_is_tried_where_nobody_can_have_been_rung(exchange: Simulator) -> None:
    trunks = [trunk(dead_end(), "first"), trunk(exchange.local, "second")]
    rows: dict[int, list[str]] = {}

    async def journal(snapshot: dict[str, object]) -> None:
        rows.setdefault(int(str(snapshot["position"])), []).append(f"{snapshot['trunk']} {snapshot['state']}")

    async with Phone(trunks, policy=OPEN) as phone:
        record = await phone.call(NUMBER, AT_ONCE, journal=journal)
        states = {status.name: status for status in phone.trunks()}
    assert (record.outcome, record.trunk, record.our_failure) == ("answered", "second", False)
    assert [(t.trunk, t.status) for t in record.targets] == [("first", None), ("second", 200)]
    assert "refused" in (record.targets[0].error or "")
    assert [states[name].state for name in ("first", "second")] == ["down", "up"]
    assert [alarm.kind for alarm in states["first"].alarms] == ["trunk_unreachable"]
    # Each destination is a row of the ledger, written before its INVITE leaves.
    assert rows[0][0] == "first Prepared"
    assert rows[1][0] == "second Prepared"


@pytest.mark.parametrize(
    ("number", "tries", "status"),
    [
        ("0917-3262002", ["first", "second"], 503),  # the trunk is overloaded, nothing rang
        ("0917-3262003", ["first"], 503),  # it rang first
        ("0917-3262004", ["first"], 404),  # that is about the number
    ],
)
async def test_what_speaks_of_the_line_or_rang_it_is_final(
    exchange: Simulator, number: str, tries: list[str], status: int
) -> None:
    trunks = [trunk(exchange.local, "first"), trunk(exchange.local, "second")]
    async with Phone(trunks, policy=OPEN) as phone:
        record = await phone.call(number, AT_ONCE)
    assert [tried.trunk for tried in record.targets] == tries
    assert record.sip_status == status


async def test_a_silent_trunk_is_given_up_after_timer_b(exchange: Simulator) -> None:
    with deaf_end() as silence:
        async with Phone([trunk(silence, "first"), trunk(exchange.local, "second")], policy=OPEN) as phone:
            record = await phone.call(NUMBER, AT_ONCE)
    assert (record.outcome, record.trunk) == ("answered", "second")
    assert record.targets[0].error == "no response to the INVITE within 32 s (Timer B)"


async def test_an_interrupted_attempt_tries_nothing_more(exchange: Simulator) -> None:
    stop = asyncio.Event()
    with deaf_end() as silence:
        async with Phone([trunk(silence, "first"), trunk(exchange.local, "second")], policy=OPEN) as phone:
            asyncio.get_running_loop().call_later(0.3, stop.set)
            record = await phone.call(NUMBER, AT_ONCE, stop=stop)
    assert record.outcome == "cancelled"
    assert [tried.trunk for tried in record.targets] == ["first"]


async def test_named_trunks_alone_are_used(exchange: Simulator) -> None:
    trunks = [trunk(dead_end(), "first"), trunk(exchange.local, "second")]
    async with Phone(trunks, policy=OPEN) as phone:
        record = await phone.call(NUMBER, AT_ONCE, trunks=["second"])
        with pytest.raises(TrunkError, match="one of ours: first, second"):
            await phone.call(NUMBER, AT_ONCE, trunks=["third"])
    assert [tried.trunk for tried in record.targets] == ["second"]


async def test_two_trunks_of_one_name_are_refused() -> None:
    with pytest.raises(TrunkError, match="no other trunk has"):
        Phone([trunk(dead_end()), trunk(dead_end())])


@pytest.mark.parametrize(
    ("target", "policy", "error"),
    [
        ("110", OPEN, NeverDialledError),
        ("9,119", OPEN, NeverDialledError),
        ("00852 2525 0000", OPEN, DeniedNumberError),
        (NUMBER, DialPolicy(), NotAllowedError),
        (NUMBER, DialPolicy(allow=frozenset({"0917-3262001"})), NotAllowedError),
        (NUMBER, DialPolicy.open(answer_keys=frozenset({"+869173262000"})), AnswerKeyError),
        ("nobody", OPEN, TargetError),
    ],
)
async def test_what_is_never_dialled_does_not_leave(
    exchange: Simulator, target: str, policy: DialPolicy, error: type[Exception]
) -> None:
    async with Phone(trunk(exchange.local), policy=policy) as phone:
        with pytest.raises(error):
            await phone.call(target, AT_ONCE)
        assert phone.addresses == ()


async def test_the_rules_hold_for_uris_and_digits_too(exchange: Simulator) -> None:
    keys = DialPolicy(answer_keys=frozenset({NUMBER}))
    async with Phone(policy=keys) as phone:
        with pytest.raises(AnswerKeyError):
            await phone.call(f"sip:09173262000@{exchange.local}", AT_ONCE)
        with pytest.raises(NeverDialledError):
            await phone.call(f"sip:62@{exchange.local}", Script(digits="9w110"))
        with pytest.raises(TargetError, match="x"):
            await phone.call(f"sip:62@{exchange.local}", Script(digits="12x"))


async def test_no_more_calls_at_once_than_the_trunk_bears(exchange: Simulator) -> None:
    under_way: list[int] = []
    bounded = trunk(exchange.local, caps=Caps(concurrency=2, calls_per_s=None, per_called=None))
    async with Phone(bounded, policy=OPEN) as phone:

        async def one() -> str:
            record = await phone.call(NUMBER, AT_ONCE, on_update=lambda entry: note())
            return record.outcome

        def note() -> None:
            under_way.append(phone.trunks()[0].calls_now)

        outcomes = await asyncio.gather(*(one() for _ in range(5)))
    assert outcomes == ["answered"] * 5
    assert max(under_way) == 2


async def test_one_number_is_not_called_more_often_than_its_quota(exchange: Simulator) -> None:
    caps = Caps(concurrency=None, calls_per_s=None, per_called=(2, 3600.0))
    bounded = trunk(exchange.local, caps=caps, numbers=NumberRules(style="national"))
    async with Phone(bounded, policy=OPEN) as phone:
        first = [(await phone.call(number, AT_ONCE)).outcome for number in (NUMBER, "+86 917 3262000")]
        third = await phone.call("09173262000", AT_ONCE)
        other = await phone.call("0917-3262004", AT_ONCE)
    assert first == ["answered", "answered"]
    assert (third.outcome, third.our_failure, third.targets) == ("network_failure", True, ())
    assert third.alarms == ("caps_reached",)
    assert "2 calls to this number" in third.errors[0]
    assert other.sip_status == 404


async def test_what_is_wrong_on_our_side_is_an_alarm(exchange: Simulator) -> None:
    seen: list[TrunkStatus] = []
    async with Phone(trunk(exchange.local), policy=OPEN, on_trunk=seen.append) as phone:
        refused = await phone.call("0917-3262008", AT_ONCE)
        assert refused.alarms == ("media_refused",)
        forbidden = [await phone.call(f"0917-326200{n}", AT_ONCE) for n in (5, 5, 6, 7)]
        # One line that forbids us may be that line's matter; three different ones are ours.
        assert [record.alarms for record in forbidden] == [(), (), (), ("forbidden",)]
        standing = {alarm.kind for status in phone.trunks() for alarm in status.alarms}
        assert standing >= {"media_refused", "forbidden"}
        await phone.call(NUMBER, AT_ONCE)
        standing = {alarm.kind for status in phone.trunks() for alarm in status.alarms}
        assert not standing & {"media_refused", "forbidden"}
    assert {record.outcome for record in (refused, *forbidden)} == {"network_failure"}
    assert [status.name for status in seen].count("main") >= 3


async def test_a_name_that_does_not_exist_is_named() -> None:
    nowhere = Trunk(name="main", server="no-such-exchange.invalid", caps=Caps.unlimited())
    async with Phone(nowhere, policy=OPEN) as phone:
        record = await phone.call(NUMBER, AT_ONCE)
    assert (record.outcome, record.our_failure) == ("network_failure", True)
    assert "no-such-exchange.invalid" in record.errors[0]
    assert len(record.alarms) == 1
    assert record.alarms[0] in ("name_vanished", "dns_failed")


async def test_health_goes_down_and_up(exchange: Simulator) -> None:
    seen: asyncio.Queue[TrunkStatus] = asyncio.Queue()
    far_end = dead_end()
    watched = trunk(far_end, health_s=0.3)
    async with Phone(watched, policy=OPEN, on_trunk=seen.put_nowait) as phone:
        assert phone.trunks()[0].state == "unknown"
        down = await asyncio.wait_for(seen.get(), 10)
        assert (down.state, [a.kind for a in down.alarms]) == ("down", ["trunk_unreachable"])
        async with Simulator(far_end):
            async with asyncio.timeout(10):
                while (await seen.get()).state != "up":
                    pass
        assert phone.trunks()[0].alarms == ()


async def one_at_a_time() -> MediaEngine:
    """An engine that carries one call."""
    return await MediaEngine.start(capacity=1)


async def test_a_call_waits_for_room_in_the_engine(exchange: Simulator) -> None:
    told: list[TrunkStatus] = []
    main = trunk(exchange.local)
    async with Phone(main, policy=OPEN, on_trunk=told.append, start_engine=one_at_a_time) as phone:
        records = await asyncio.gather(*(phone.call(NUMBER, AT_ONCE) for _ in range(2)))
        assert [(record.outcome, record.our_failure) for record in records] == [("answered", False)] * 2
        kinds = [[alarm.kind.value for alarm in status.alarms] for status in told if status.name == "phone"]
        assert any("media_engine_full" in some for some in kinds)
        while any(alarm.kind == "media_engine_full" for s in phone.trunks() for alarm in s.alarms):
            await asyncio.sleep(0.1)  # until the engine has said that there is room


async def test_a_call_that_waits_in_vain_is_ours_and_counts_for_nothing(
    exchange: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sip.placing.WAIT_FOR_SLOT_S", 0.2)
    main = trunk(exchange.local, caps=Caps(4, None, 1, (2, 3600.0)))
    async with Phone(main, policy=OPEN, start_engine=one_at_a_time) as phone:
        stop = asyncio.Event()
        first = asyncio.create_task(phone.call("0917-3262009", Script(max_ring_s=20.0), stop=stop))
        while phone.capacity_estimate().sessions == 0:
            await asyncio.sleep(0.02)
        for _ in range(3):
            record = await phone.call(NUMBER, AT_ONCE)
            assert (record.outcome, record.our_failure) == ("network_failure", True)
            assert record.alarms == ("media_engine_full",)
            assert "1 calls already" in record.errors[0]
            assert record.targets == ()
        stop.set()
        await first
        assert (await phone.call(NUMBER, AT_ONCE)).outcome == "answered", "two an hour, and none had left"


async def test_another_trunk_does_not_help_where_the_engine_has_no_room(
    exchange: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sip.placing.WAIT_FOR_SLOT_S", 0.2)
    both = [trunk(exchange.local, "first"), trunk(exchange.local, "second")]
    async with Phone(both, policy=OPEN, start_engine=one_at_a_time) as phone:
        stop = asyncio.Event()
        first = asyncio.create_task(phone.call("0917-3262009", Script(max_ring_s=20.0), stop=stop))
        while phone.capacity_estimate().sessions == 0:
            await asyncio.sleep(0.02)
        record = await phone.call(NUMBER, AT_ONCE)
        stop.set()
        await first
    assert (len(record.errors), record.our_failure) == (1, True)
    assert record.errors[0].startswith("first: ")


class OneOnly(MediaEngine):
    """An engine that has no room after its first call."""

    async def open(self, *args: Any, **options: Any) -> MediaSession:
        if self._numbers:
            raise EngineFull(self.capacity_estimate())
        return await super().open(*args, **options)


async def test_an_attempt_of_which_one_call_had_left_counts_where_there_was_no_room_for_the_next() -> None:
    async with dns_server({("far.test", "A"): ["127.0.0.2", "127.0.0.3"]}) as names:
        resolver = Resolver(nameservers=["127.0.0.1"], dns_port=names.port)
        caps = Caps(4, None, 1, (1, 3600.0))
        main = Trunk(name="main", server="far.test", port=dead_end().port, caps=caps)
        async with Phone(main, policy=OPEN, resolver=resolver, start_engine=OneOnly.start) as phone:
            record = await phone.call(NUMBER, AT_ONCE)
            # Whichever address of the name came first: one was tried, and that is all.
            assert len(record.targets) == 1
            assert "media_engine_full" in record.alarms
            again = await phone.call(NUMBER, AT_ONCE)
    assert again.alarms == ("caps_reached",)
    assert again.targets == ()
