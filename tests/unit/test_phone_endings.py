"""How attempts end that do not go the usual way: stopped early, sent another way, cut off at a switchboard."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sip.core import Address
from sip.guard import DialPolicy
from sip.media import read_packets
from sip.phone import Phone, Script, Trunk
from sip.simulator import (
    Answer,
    Behaviour,
    Expectation,
    HangUp,
    Never,
    Provisional,
    Reject,
    Simulator,
    Wait,
)
from sip.trunks import Caps, TrunkError

pytestmark = [pytest.mark.timeout(90)]

NUMBER = "0917-3262000"
RINGS_ON = "0917-3262009"
OPEN = DialPolicy.open()


def line(extension: str, *steps: object) -> Behaviour:
    return Behaviour(extension, f"line-{extension}", "测试线路", steps, Expectation("answered"))  # type: ignore[arg-type]


LINES = (
    line("09173262000", Provisional(180), Wait(0.2), Answer(), Wait(20), HangUp()),
    line("09173262001", Provisional(180), Wait(0.3), Answer(), Wait(0.3), HangUp()),
    line("09173262009", Provisional(180), Never()),
)


@pytest.fixture
async def exchange() -> AsyncIterator[Simulator]:
    async with Simulator(scenario={behaviour.extension: behaviour for behaviour in LINES}) as simulator:
        yield simulator


def trunk(far_end: Address, name: str = "main", **changes: object) -> Trunk:
    values: dict[str, object] = {"caps": Caps.unlimited(), "session_expires_s": None, **changes}
    return Trunk(name=name, server=far_end.host, port=far_end.port, **values)  # type: ignore[arg-type]


async def test_a_call_that_is_stopped_before_it_begins_does_not_leave(exchange: Simulator) -> None:
    stop = asyncio.Event()
    stop.set()
    async with Phone(trunk(exchange.local), policy=OPEN) as phone:
        record = await phone.call(NUMBER, Script(), stop=stop)
    assert (record.outcome, record.our_failure, record.targets) == ("cancelled", False, ())
    assert record.timeline == ()


async def test_a_call_that_is_stopped_while_it_is_written_down_does_not_leave(exchange: Simulator) -> None:
    stop = asyncio.Event()

    async def journal(_: dict[str, Any]) -> None:
        stop.set()

    async with Phone(trunk(exchange.local), policy=OPEN) as phone:
        record = await phone.call(NUMBER, Script(), stop=stop, journal=journal)
    assert (record.outcome, record.ended_by, record.timeline) == ("cancelled", "us", ())


async def test_a_call_that_is_stopped_in_the_queue_is_no_failure_of_ours(exchange: Simulator) -> None:
    one_at_a_time = trunk(exchange.local, caps=Caps(concurrency=1, calls_per_s=None, per_called=None))
    stop = asyncio.Event()
    async with Phone(one_at_a_time, policy=OPEN) as phone:
        first = asyncio.create_task(phone.call(RINGS_ON, Script(max_ring_s=3)))
        await asyncio.sleep(0.3)
        asyncio.get_running_loop().call_later(0.2, stop.set)
        record = await phone.call(NUMBER, Script(), stop=stop)
        assert phone.trunks()[0].alarms == ()
        await first
    assert (record.outcome, record.our_failure, record.alarms) == ("cancelled", False, ())


async def test_the_second_way_has_the_recording_to_itself(exchange: Simulator, tmp_path: Path) -> None:
    capture, packets = tmp_path / "call.part", tmp_path / "call.packets"
    # Whoever asks for a recording may have made sure of its file.
    capture.touch()
    script = Script(max_talk_s=0.5, capture=capture, packets=packets)
    async with Simulator(scenario={"09173262000": line("09173262000", Reject(503))}) as busy:
        trunks = [trunk(busy.local, "first"), trunk(exchange.local, "second")]
        async with Phone(trunks, policy=OPEN) as phone:
            record = await phone.call(NUMBER, script)
    assert [(tried.trunk, tried.error) for tried in record.targets] == [("first", None), ("second", None)]
    assert (record.outcome, record.errors) == ("answered", ())
    assert capture.stat().st_size > 8000
    assert len(list(read_packets(packets))) > 20


async def test_a_file_that_is_somebodys_stays_as_it_is(exchange: Simulator, tmp_path: Path) -> None:
    capture = tmp_path / "call.part"
    capture.write_bytes(b"somebody's")
    async with Simulator(scenario={"09173262000": line("09173262000", Reject(503))}) as busy:
        trunks = [trunk(busy.local, "first"), trunk(exchange.local, "second")]
        async with Phone(trunks, policy=OPEN) as phone:
            record = await phone.call(NUMBER, Script(max_talk_s=0.5, capture=capture))
    assert capture.read_bytes() == b"somebody's"
    assert any("holds something already" in error for error in record.errors)


async def test_a_switchboard_that_hangs_up_before_the_digits_answers_for_no_extension(
    exchange: Simulator,
) -> None:
    async with Phone(trunk(exchange.local), policy=OPEN) as phone:
        record = await phone.call("0917-3262001转6001", Script())
        whole = await phone.call("0917-3262001", Script())
    assert whole.outcome == "answered"
    assert (record.outcome, record.answered_ms, record.three_ring) == (
        "network_failure",
        None,
        "not_applicable",
    )
    assert record.connected_ms is not None
    assert not record.our_failure
    assert "before the digits for the extension" in record.errors[0]


async def test_a_phone_that_is_closed_lets_no_telephone_ring_on(exchange: Simulator) -> None:
    async with Phone(trunk(exchange.local), policy=OPEN) as phone:
        task = asyncio.create_task(phone.call(RINGS_ON, Script()))
        async with asyncio.timeout(60):
            while exchange.live_calls == 0:
                await asyncio.sleep(0.02)
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await task
        while exchange.live_calls:
            await asyncio.sleep(0.02)


async def test_at_least_one_trunk_is_named(exchange: Simulator) -> None:
    async with Phone(trunk(exchange.local), policy=OPEN) as phone:
        with pytest.raises(TrunkError, match="at least one"):
            await phone.call(NUMBER, Script(), trunks=[])


async def test_no_way_to_an_address_is_an_alarm_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cable that is unplugged does not want for ports."""

    def unreachable(self: socket.socket, address: object) -> None:
        raise OSError(101, "Network is unreachable")

    async with Phone(trunk(Address("127.0.0.1", 5060)), policy=OPEN) as phone:
        monkeypatch.setattr(socket.socket, "connect", unreachable)
        record = await phone.call(NUMBER, Script())
        monkeypatch.undo()
    assert (record.outcome, record.alarms) == ("network_failure", ("trunk_unreachable",))
    assert "no route to 127.0.0.1" in record.errors[0]


async def test_an_address_of_the_other_kind_is_named() -> None:
    async with Phone(Trunk(bind=Address("127.0.0.1", 0))) as phone:
        record = await phone.call("sip:62@[::1]:5060", Script())
    assert record.our_failure
    assert record.errors == ("no route from 127.0.0.1 to ::1: one is IPv4, the other IPv6",)


async def test_a_call_of_a_killed_process_is_ended_on_the_trunks_own_address(exchange: Simulator) -> None:
    """What the far side has still to say of it comes to the address that the new process works on already."""
    snapshots: list[dict[str, Any]] = []

    async def journal(snapshot: dict[str, Any]) -> None:
        snapshots.append(json.loads(json.dumps(snapshot)))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        fixed = trunk(exchange.local, bind=Address("127.0.0.1", probe.getsockname()[1]))
    async with Phone(fixed, policy=OPEN) as killed:
        task = asyncio.create_task(killed.call(RINGS_ON, Script(), journal=journal))
        async with asyncio.timeout(10):
            while len(snapshots) < 2:
                await asyncio.sleep(0.02)
        for agent in killed._lines["main"].agents:
            agent.close()
        async with Phone(fixed, policy=OPEN) as second:
            async with asyncio.timeout(5):
                await second.recover(snapshots[-1])
            assert exchange.live_calls == 0
            # The trunk works on.
            assert (await second.call(NUMBER, Script(max_talk_s=0.2))).outcome == "answered"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_phone_that_is_closed_waits_for_the_first_response_that_allows_its_cancel() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.setblocking(False)

        async def hear(method: str) -> tuple[bytes, Any]:
            while True:
                data, source = await loop.sock_recvfrom(far, 65_535)
                if data.startswith(method.encode()):
                    return data, source

        async def answer(request: bytes, source: Any, status: str) -> None:
            kept = [
                name
                for name in request.split(b"\r\n")
                if name.startswith((b"Via", b"From", b"Call-ID", b"CSeq"))
            ]
            to = next(name for name in request.split(b"\r\n") if name.startswith(b"To"))
            lines = [f"SIP/2.0 {status}".encode(), *kept, to + b";tag=far", b"Content-Length: 0", b"", b""]
            await loop.sock_sendto(far, b"\r\n".join(lines), source)

        phone = Phone(trunk(Address(*far.getsockname())), policy=OPEN)
        async with asyncio.timeout(60):
            await phone.__aenter__()
            task = asyncio.create_task(phone.call(RINGS_ON, Script()))
            invite, source = await hear("INVITE")
            closing = asyncio.create_task(phone.__aexit__(None, None, None))
            with pytest.raises(asyncio.CancelledError):
                await task
            # The telephone rings only now that nobody waits for the call any more.
            await answer(invite, source, "180 Ringing")
            cancel, _ = await hear("CANCEL")
            await answer(cancel, source, "200 OK")
            await answer(invite, source, "487 Request Terminated")
            await closing
