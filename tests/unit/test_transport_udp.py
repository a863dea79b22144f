"""UDP with kernel timestamps and ICMP refusals, on real loopback sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from types import SimpleNamespace

import pytest

from sip.core import Address
from sip.transport import ArrivalClock, BindError, UdpTransport

LOOPBACK = Address("127.0.0.1", 0)


class Ear:
    """Collects what a transport reports."""

    def __init__(self) -> None:
        self.datagrams: list[tuple[bytes, Address, float, str]] = []
        self.refusals: list[tuple[Address, float, str]] = []
        self.wake = asyncio.Event()

    def on_datagram(self, data: bytes, source: Address, at: float, clock: str) -> None:
        self.datagrams.append((data, source, at, clock))
        self.wake.set()

    def on_refused(self, destination: Address, at: float, reason: str) -> None:
        self.refusals.append((destination, at, reason))
        self.wake.set()

    async def hear(self) -> None:
        await asyncio.wait_for(self.wake.wait(), 5)
        self.wake.clear()


@pytest.fixture
def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(LOOPBACK[:2])
        return int(probe.getsockname()[1])


async def test_messages_have_their_share_of_a_process_that_has_much_else_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A third of a second of other work in each turn of the loop, and 400 messages of a millisecond each."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("sip.transport.udp.time", SimpleNamespace(monotonic=lambda: clock.now))
    turns, heard = 0, 0

    def on_datagram(_data: bytes, _source: Address, _at: float, _clock: str) -> None:
        nonlocal heard
        heard += 1
        clock.now += 0.001

    transport = UdpTransport.open(LOOPBACK, on_datagram, lambda *_: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for _ in range(400):
            peer.sendto(b"hello", transport.local[:2])
        while heard < 400 and turns < 100:
            await asyncio.sleep(0)
            clock.now += 0.3
            turns += 1
    transport.close()
    assert turns <= 10, f"{heard} messages of 400 read in {turns} turns"


async def test_a_flood_leaves_the_loop_to_others_while_they_have_little_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("sip.transport.udp.time", SimpleNamespace(monotonic=lambda: clock.now))
    heard: list[int] = [0]

    def on_datagram(_data: bytes, _source: Address, _at: float, _clock: str) -> None:
        heard[-1] += 1
        clock.now += 0.001

    transport = UdpTransport.open(LOOPBACK, on_datagram, lambda *_: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for _ in range(200):
            peer.sendto(b"hello", transport.local[:2])
        while sum(heard) < 200 and len(heard) < 200:
            clock.now += 0.002
            heard.append(0)
            await asyncio.sleep(0)
    transport.close()
    assert max(heard) <= 5, "five milliseconds in a turn"


async def test_datagram_carries_its_source_and_the_kernels_time() -> None:
    ear = Ear()
    transport = UdpTransport.open(LOOPBACK, ear.on_datagram, ear.on_refused)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(LOOPBACK[:2])
        before = time.monotonic()
        peer.sendto(b"hello", transport.local[:2])
        after = time.monotonic()
        # The loop reads late on purpose: the arrival must not move with it.
        time.sleep(0.2)
        await ear.hear()
        data, source, at, clock = ear.datagrams[0]
        assert (data, source, clock) == (b"hello", Address(*peer.getsockname()), "kernel")
        assert before - 0.005 <= at <= after + 0.005
    transport.close()


async def test_send_reports_the_moment_of_hand_over() -> None:
    ear, other = Ear(), Ear()
    sender = UdpTransport.open(LOOPBACK, ear.on_datagram, ear.on_refused)
    receiver = UdpTransport.open(LOOPBACK, other.on_datagram, other.on_refused)
    before = time.monotonic()
    at = sender.send(b"x" * 1400, receiver.local)
    assert before <= at <= time.monotonic()
    await other.hear()
    assert other.datagrams[0][0] == b"x" * 1400
    sender.close()
    receiver.close()


async def test_closed_port_is_reported_with_its_address_and_the_socket_goes_on(free_port: int) -> None:
    ear, other = Ear(), Ear()
    transport = UdpTransport.open(LOOPBACK, ear.on_datagram, ear.on_refused)
    receiver = UdpTransport.open(LOOPBACK, other.on_datagram, other.on_refused)
    transport.send(b"anyone?", Address("127.0.0.1", free_port))
    await ear.hear()
    destination, _at, reason = ear.refusals[0]
    assert destination == Address("127.0.0.1", free_port)
    assert "refused" in str(reason)
    transport.send(b"still here", receiver.local)
    await other.hear()
    assert other.datagrams[0][0] == b"still here"
    assert len(ear.refusals) == 1
    transport.close()
    receiver.close()


async def test_unroutable_destination_is_reported() -> None:
    ear = Ear()
    transport = UdpTransport.open(LOOPBACK, ear.on_datagram, ear.on_refused)
    # A socket bound to loopback cannot send off the machine; nothing leaves.
    transport.send(b"x", Address("203.0.113.1", 5060))
    await ear.hear()
    assert ear.refusals[0][0] == Address("203.0.113.1", 5060)
    transport.close()


async def test_taken_port_is_named() -> None:
    ear = Ear()
    transport = UdpTransport.open(LOOPBACK, ear.on_datagram, ear.on_refused)
    with pytest.raises(BindError, match=rf"127\.0\.0\.1:{transport.local.port}.*in use"):
        UdpTransport.open(transport.local, ear.on_datagram, ear.on_refused)
    transport.close()
    transport.close()


async def test_a_flood_leaves_room_for_timers() -> None:
    ear = Ear()
    transport = UdpTransport.open(LOOPBACK, ear.on_datagram, ear.on_refused)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for number in range(500):
            peer.sendto(str(number).encode(), transport.local[:2])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 0 < len(ear.datagrams) < 500
        while len(ear.datagrams) < 500:
            await ear.hear()
    assert [int(data) for data, *_ in ear.datagrams] == list(range(500))
    transport.close()


async def test_ipv6_loopback() -> None:
    ear = Ear()
    try:
        transport = UdpTransport.open(Address("::1", 0), ear.on_datagram, ear.on_refused)
    except BindError:
        pytest.skip("this machine has no IPv6 loopback")
    transport.send(b"six", transport.local)
    await ear.hear()
    assert ear.datagrams[0][:2] == (b"six", transport.local)
    transport.close()


class TestArrivalClock:
    """Stamps are turned monotonic; what cannot be trusted is said to be `user`."""

    def test_stamp_of_now_is_now(self) -> None:
        clock = ArrivalClock()
        clock.read()
        at, source = clock.arrival(time.time_ns())
        assert source == "kernel"
        assert abs(at - time.monotonic()) < 0.05

    def test_without_a_stamp_it_is_the_time_of_reading(self) -> None:
        clock = ArrivalClock()
        clock.read()
        assert clock.arrival(None)[1] == "user"

    @pytest.mark.parametrize("off_s", [-120, 60])
    def test_absurd_stamps_are_not_believed(self, off_s: int) -> None:
        clock = ArrivalClock()
        clock.read()
        at, source = clock.arrival(time.time_ns() + off_s * 1_000_000_000)
        assert source == "user"
        assert abs(at - time.monotonic()) < 0.05

    def test_a_step_of_the_wall_clock_moves_no_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = ArrivalClock()
        clock.read()
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)
        clock.read()
        at, source = clock.arrival(real())
        assert source == "user"
        assert abs(at - time.monotonic()) < 0.05
        clock.read()
        assert clock.arrival(time.time_ns())[1] == "kernel"
