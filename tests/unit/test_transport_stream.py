"""SIP over TCP on real sockets: reuse in both directions, waiting messages, keep-alives, limits, odd peers."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import struct
import time

import pytest

from sip.core import Address
from sip.transport import BindError, StreamLimits, StreamTransport, TransportFailure

from .stream_peers import TCP, Ear, closed_port, message, peer_to, server, silent_port, streams, until


def impatient(**changes: float) -> StreamLimits:
    return StreamLimits(check_s=0.02, **changes)  # type: ignore[arg-type]


# Both directions of one connection


async def test_what_arrives_bears_its_source_and_the_time_of_reading() -> None:
    async with streams() as (transport, ear), peer_to(transport.local) as peer:
        before = time.monotonic()
        peer.writer.write(message())
        await until(lambda: ear.messages)
        data, source, at, clock = ear.messages[0]
        assert (data, source, clock) == (message(), peer.address, "user")
        assert before <= at <= time.monotonic()
        assert transport.local_to(source) == transport.local


async def test_answer_takes_the_connection_of_its_request() -> None:
    async with streams() as (transport, ear), peer_to(transport.local) as peer:
        peer.writer.write(message())
        await until(lambda: ear.messages)
        at = transport.send(b"an answer", peer.address, ear.on_sent)
        assert at is not None
        assert ear.sent == [(at, peer.address)]
        assert await peer.read(9) == b"an answer"


async def test_messages_to_one_address_share_a_connection_made_on_demand() -> None:
    async with streams() as (transport, ear), server() as far:
        assert transport.send(message(1), far.address, ear.on_sent) is None
        assert transport.send(message(2), far.address, ear.on_sent) is None
        assert not transport.connected(far.address)
        peer = await far.peer()
        assert await peer.read(len(message()) * 2) == message(1) + message(2)
        await until(lambda: len(ear.sent) == 2)
        assert transport.send(message(3), far.address, ear.on_sent) is not None
        assert await peer.read(len(message())) == message(3)
        assert len(far.peers) == 1
        peer.writer.write(message(4))
        await until(lambda: ear.messages)
        assert ear.messages[0][1] == far.address
        assert transport.local_to(far.address) == Address(*peer.writer.get_extra_info("peername"), "tcp")


async def test_messages_arrive_in_order_also_while_the_connection_is_being_set_up() -> None:
    async with streams() as (transport, _), server() as far:
        for number in range(300):
            transport.send(message(number), far.address)
            await asyncio.sleep(0)
        whole = b"".join(message(number) for number in range(300))
        assert await (await far.peer()).read(len(whole)) == whole


async def test_hand_over_is_when_the_connection_stood_not_when_it_was_asked_for() -> None:
    async with streams() as (transport, ear), server() as far:
        asked = time.monotonic()
        assert transport.send(message(), far.address, ear.on_sent) is None
        time.sleep(0.05)
        await until(lambda: ear.sent)
        assert ear.sent[0][0] >= asked + 0.05


async def test_closed_by_the_other_side_the_next_message_makes_a_new_connection() -> None:
    async with streams() as (transport, ear), server() as far:
        transport.send(message(1), far.address)
        await (await far.peer()).close()
        await until(lambda: ear.troubles)
        assert (ear.trouble.kind, ear.trouble.unsent) == (TransportFailure.CLOSED, False)
        transport.send(message(2), far.address)
        assert await (await far.peer(1)).read(len(message())) == message(2)


async def test_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    async with (
        streams(Address("::1", 0, "tcp")) as (one, ear),
        streams(Address("::1", 0, "tcp")) as (two, other),
    ):
        one.send(message(), two.local)
        await until(lambda: other.messages)
        two.send(message(2), other.messages[0][1])
        await until(lambda: ear.messages)
        assert ear.messages[0][:2] == (message(2), two.local)


# Failures


async def test_closed_port_is_refused_and_nothing_left() -> None:
    with closed_port() as destination:
        async with streams() as (transport, ear):
            transport.send(message(), destination, ear.on_sent)
            await until(lambda: ear.troubles)
            assert ear.troubles[0][0] == destination
            assert (ear.trouble.kind, ear.trouble.unsent) == (TransportFailure.REFUSED, True)
            assert ear.trouble.reason == f"TCP to {destination}: Connection refused"
            assert ear.sent == []


async def test_no_answer_is_a_timeout() -> None:
    with silent_port() as destination:
        async with streams(limits=impatient(connect_s=0.2)) as (transport, ear):
            transport.send(message(), destination)
            await until(lambda: ear.troubles)
            assert (ear.trouble.kind, ear.trouble.unsent) == (TransportFailure.TIMEOUT, True)


async def test_no_way_there_is_unreachable() -> None:
    # A socket bound to loopback cannot connect off the machine; nothing leaves.
    async with streams() as (transport, ear):
        transport.send(message(), Address("203.0.113.1", 5060, "tcp"))
        await until(lambda: ear.troubles)
        assert (ear.trouble.kind, ear.trouble.unsent) == (TransportFailure.UNREACHABLE, True)


async def test_reset_is_told_as_a_connection_that_broke() -> None:
    async with streams() as (transport, ear), server() as far:
        transport.send(message(), far.address)
        peer = await far.peer()
        raw = peer.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.writer.transport.abort()
        await until(lambda: ear.troubles)
        assert ear.trouble.kind is TransportFailure.CLOSED
        assert "reset" in ear.trouble.reason


async def test_too_much_that_waits_is_refused_while_others_go_on() -> None:
    limits = impatient(waiting_messages=3, connect_s=5)
    with silent_port() as destination:
        async with streams(limits=limits) as (transport, ear), server() as far:
            for number in range(4):
                transport.send(message(number), destination)
            transport.send(message(9), far.address)
            await until(lambda: ear.troubles)
            assert ear.trouble.kind is TransportFailure.TIMEOUT
            assert "too many messages" in ear.trouble.reason
            assert await (await far.peer()).read(len(message())) == message(9)


async def test_too_many_connections_being_set_up() -> None:
    with silent_port() as first, silent_port() as second:
        async with streams(limits=impatient(dialling=1)) as (transport, ear):
            transport.send(message(), first)
            transport.send(message(), second)
            await until(lambda: ear.troubles)
            assert ear.troubles[0][0] == second
            assert ear.trouble.kind is TransportFailure.UNREACHABLE


async def test_message_takes_the_other_connection_where_none_can_be_made() -> None:
    async with streams() as (transport, ear), peer_to(transport.local) as peer:
        peer.writer.write(message())
        await until(lambda: ear.messages)
        with closed_port() as gone:
            transport.send(b"BYE", gone, ear.on_sent, otherwise=peer.address)
            assert await peer.read(3) == b"BYE"
        assert [remote for _, remote in ear.sent] == [peer.address]
        assert ear.troubles == []


async def test_peer_that_reads_nothing_loses_its_connection() -> None:
    async with streams(limits=impatient(write_buffer=100_000)) as (transport, ear), server() as far:
        transport.send(message(), far.address)
        await far.peer()
        await until(lambda: transport.connected(far.address))
        for _ in range(2_000):
            if not transport.connected(far.address):
                break
            transport.send(b"x" * 50_000, far.address)
        await until(lambda: ear.troubles)
        assert ear.trouble.kind is TransportFailure.TIMEOUT
        assert "does not take" in ear.trouble.reason


async def test_taken_port_is_named_with_its_protocol() -> None:
    async with streams() as (transport, ear):
        with pytest.raises(BindError, match=rf"TCP 127\.0\.0\.1:{transport.local.port}.*in use"):
            StreamTransport.open(transport.local, ear.on_message, ear.on_refused)


# What others may do to us


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "not SIP"),
        (b"\x16\x03\x01\x00\xa5\x01\x00", "TLS handshake"),
        (b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n", "Content-Length"),
    ],
)
async def test_what_is_not_sip_ends_its_own_connection_only(data: bytes, why: str) -> None:
    async with (
        streams() as (transport, ear),
        peer_to(transport.local) as odd,
        peer_to(transport.local) as good,
    ):
        odd.writer.write(data)
        assert await odd.closed() == b""
        await until(lambda: ear.troubles)
        assert why in ear.trouble.reason
        good.writer.write(message())
        await until(lambda: ear.messages)
        assert ear.data == [message()]


async def test_message_that_never_ends_is_not_waited_for() -> None:
    async with streams(limits=impatient(message_s=0.1)) as (transport, ear), peer_to(transport.local) as peer:
        peer.writer.write(message())
        peer.writer.write(message()[:30])
        await peer.closed()
        await until(lambda: ear.troubles)
        assert "not complete" in ear.trouble.reason


async def test_a_byte_now_and_then_buys_no_time() -> None:
    async with streams(limits=impatient(message_s=0.2)) as (transport, ear), peer_to(transport.local) as peer:
        for byte in message():
            if ear.troubles or peer.writer.is_closing():
                break
            peer.writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        await until(lambda: ear.troubles)
        assert ear.data == []


async def test_silent_connection_is_closed() -> None:
    async with (
        streams(limits=impatient(first_message_s=0.1)) as (transport, ear),
        peer_to(transport.local) as peer,
    ):
        assert await peer.closed() == b""
        await until(lambda: ear.troubles)
        assert "no message came" in ear.trouble.reason


async def test_idle_connection_is_closed_unless_it_is_kept_alive() -> None:
    limits = impatient(idle_s=0.3)
    async with streams(limits=limits) as (transport, ear), server() as idle, server() as kept:
        transport.keep_alive(kept.address, 30)
        transport.send(message(), idle.address)
        transport.send(message(), kept.address)
        await (await kept.peer()).read(len(message()))
        await until(lambda: ear.troubles)
        assert ear.troubles[0][0] == idle.address
        await asyncio.sleep(0.2)
        assert transport.connected(kept.address)


@pytest.mark.parametrize("limits", [impatient(per_source=2), impatient(connections=2)])
async def test_more_connections_than_allowed_are_turned_away(limits: StreamLimits) -> None:
    async with streams(limits=limits) as (transport, ear):
        async with peer_to(transport.local) as one, peer_to(transport.local) as two:
            one.writer.write(message(1))
            two.writer.write(message(2))
            await until(lambda: len(ear.messages) == 2)
            async with peer_to(transport.local) as three:
                assert await three.closed() == b""
        await until(lambda: len(ear.troubles) == 2)
        async with peer_to(transport.local) as four:
            four.writer.write(message(4))
            await until(lambda: len(ear.messages) == 3)
        assert ear.data[2] == message(4)


async def test_listener_rests_while_there_is_no_file_descriptor_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with streams() as (transport, ear):
        # What another test has left behind must not be closed in between: that would be room for a connection.
        gc.collect()
        with socket.socket() as peer:
            lowest_free = os.dup(peer.fileno())
            os.close(lowest_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
            try:
                peer.connect(transport.local[:2])
                peer.send(message())
                await until(lambda: "can be accepted" in caplog.text)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await until(lambda: ear.messages)
    assert caplog.text.count("can be accepted") == 1


async def test_end_in_the_middle_of_a_message_is_told() -> None:
    async with streams() as (transport, ear):
        async with peer_to(transport.local) as peer:
            peer.writer.write(message()[:-3])
        await until(lambda: ear.troubles)
        assert "in the middle of a message" in ear.trouble.reason


# Keep-alives


async def test_their_ping_is_answered_with_a_pong_also_in_two_segments() -> None:
    async with streams() as (transport, ear), peer_to(transport.local) as peer:
        peer.writer.write(message() + b"\r\n\r\n" + message(2))
        assert await peer.read(2) == b"\r\n"
        peer.writer.write(b"\r\n")
        await asyncio.sleep(0.02)
        peer.writer.write(b"\r\n")
        assert await peer.read(2) == b"\r\n"
        assert ear.data == [message(), message(2)]


async def test_empty_line_before_a_message_is_no_ping() -> None:
    async with streams() as (transport, ear), peer_to(transport.local) as peer:
        peer.writer.write(b"\r\n" + message() + b"\r\n" + message(2))
        await until(lambda: len(ear.messages) == 2)
        transport.send(b"x", peer.address)
        assert await peer.read(1) == b"x"


async def test_our_pings_go_on_while_they_are_answered_and_a_missing_pong_ends_the_connection() -> None:
    async with streams(limits=impatient(pong_s=0.4)) as (transport, ear), server() as far:
        transport.keep_alive(far.address, 0.1)
        transport.send(message(), far.address)
        peer = await far.peer()
        await peer.read(len(message()))
        for _ in range(3):
            assert await peer.read(4) == b"\r\n\r\n"
            peer.writer.write(b"\r\n")
        await until(lambda: ear.troubles)
        assert "ping was not answered" in ear.trouble.reason
        assert ear.messages == []


async def test_peer_that_never_ponged_is_left_alone() -> None:
    async with streams(limits=impatient(pong_s=0.05)) as (transport, ear), server() as far:
        transport.keep_alive(far.address, 0.5)
        transport.send(message(), far.address)
        peer = await far.peer()
        await peer.read(len(message()))
        assert await peer.read(4) == b"\r\n\r\n"
        # A line long after a ping answers nothing.
        await asyncio.sleep(0.2)
        peer.writer.write(b"\r\n")
        for _ in range(2):
            assert await peer.read(4) == b"\r\n\r\n"
        assert ear.troubles == []
        assert transport.connected(far.address)


# The end


async def test_close_ends_everything_and_tells_nobody() -> None:
    async with streams() as (transport, ear), server() as far:
        transport.send(message(), far.address)
        peer = await far.peer()
        async with peer_to(transport.local) as other:
            other.writer.write(message())
            await until(lambda: ear.messages)
            with silent_port() as waiting:
                transport.send(message(), waiting)
                transport.close()
                transport.close()
                assert await other.closed() == b""
        assert await peer.closed() == message()
        assert ear.troubles == []
        assert transport.send(message(), far.address, ear.on_sent) is None
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(*transport.local[:2])


async def test_connections_that_arrive_at_the_end_are_released() -> None:
    ear = Ear()
    transport = StreamTransport.open(TCP, ear.on_message, ear.on_refused)
    with socket.create_connection(transport.local[:2]):
        await asyncio.sleep(0)
        transport.close()
        await asyncio.sleep(0.05)
    assert ear.messages == []


# Many connections, much of it hostile


async def test_who_has_said_nothing_makes_room_for_who_comes() -> None:
    async with (
        streams(limits=impatient(connections=3)) as (transport, ear),
        peer_to(transport.local) as first,
    ):
        first.writer.write(message())
        await until(lambda: ear.messages)
        async with peer_to(transport.local) as silent, peer_to(transport.local) as second:
            second.writer.write(message(2))
            await until(lambda: len(ear.messages) == 2)
            async with peer_to(transport.local) as third:
                third.writer.write(message(3))
                await until(lambda: len(ear.messages) == 3)
                assert await silent.closed() == b""
                assert transport.connected(first.address)
                assert transport.connected(second.address)


async def test_where_all_have_spoken_lately_the_next_one_is_turned_away() -> None:
    async with (
        streams(limits=impatient(connections=1)) as (transport, ear),
        peer_to(transport.local) as first,
    ):
        first.writer.write(message())
        await until(lambda: ear.messages)
        async with peer_to(transport.local) as second:
            assert await second.closed() == b""
        assert transport.connected(first.address)


async def test_who_has_been_quiet_for_long_makes_room() -> None:
    limits = impatient(connections=1, quiet_s=0.05)
    async with streams(limits=limits) as (transport, ear), peer_to(transport.local) as first:
        first.writer.write(message())
        await until(lambda: ear.messages)
        await asyncio.sleep(0.1)
        async with peer_to(transport.local) as second:
            second.writer.write(message(2))
            await until(lambda: len(ear.messages) == 2)
            assert await first.closed() == b""


async def test_who_holds_the_most_loses_its_connection_where_too_much_is_held() -> None:
    begun = message()[:40]
    async with (
        streams(limits=impatient(held=10_000)) as (transport, ear),
        peer_to(transport.local) as small,
        peer_to(transport.local) as large,
    ):
        large.writer.write(begun + b"x" * 9_000)
        await asyncio.sleep(0.05)
        small.writer.write(begun + b"x" * 3_000)
        assert await large.closed() == b""
        small.writer.write(b"\r\nContent-Length: 0\r\n\r\n")
        await until(lambda: ear.messages)
        assert transport._arrivals is not None
        assert transport._arrivals._held == 0


async def test_what_is_dropped_holds_nothing_from_that_moment_on() -> None:
    """The loop tells of the end later, when many others may have brought as much."""
    async with streams() as (transport, _), peer_to(transport.local) as peer:
        peer.writer.write(message()[:40] + b"x" * 9_000)
        await until(lambda: any(each.held for each in transport._all))
        (connection,) = transport._all
        assert transport._arrivals is not None
        assert transport._arrivals._held == connection.held > 9_000
        connection.drop(TransportFailure.CLOSED, "of the test")
        assert (connection.held, transport._arrivals._held) == (0, 0)


async def test_whoever_takes_no_answers_is_asked_for_no_more_requests() -> None:
    """Each request brings forth an answer ten times as long; what waits here stays near 64 KiB."""
    async with streams() as (transport, ear), peer_to(transport.local) as peer:

        def answer(data: bytes, source: Address, at: float, clock: str) -> None:
            ear.messages.append((data, source, at, clock))
            transport.send(b"x" * 10 * len(data), source)

        transport._on_message = answer
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        peer.writer.write(message() * 20_000)
        count, seen = 0, -1
        while count != seen:
            await asyncio.sleep(0.2)
            seen, count = count, len(ear.messages)
        (connection,) = transport._all
        assert connection.held < 1_000_000
        assert count < 20_000
        peer.reader._transport.resume_reading()  # type: ignore[attr-defined]
        while len(ear.messages) < 20_000:
            await peer.reader.read(1 << 20)


async def test_many_messages_at_once_let_others_have_their_turn() -> None:
    """A timer runs between the first message and the last of what came in one piece, and none is lost."""
    async with streams() as (transport, _), peer_to(transport.local) as peer:
        order: list[str] = []

        def slowly(data: bytes, source: Address, at: float, clock: str) -> None:
            if not order:
                asyncio.get_running_loop().call_soon(order.append, "timer")
            order.append("message")
            time.sleep(0.001)

        transport._on_message = slowly
        peer.writer.write(message() * 100)
        await until(lambda: order.count("message") == 100)
        assert 0 < order.index("timer") < 30


async def test_connections_that_are_turned_away_are_logged_by_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "sip.transport")
    async with streams(limits=impatient(per_source=1)) as (transport, _), peer_to(transport.local):
        await asyncio.sleep(0.02)
        for _ in range(20):
            async with peer_to(transport.local) as peer:
                assert await peer.closed() == b""
    assert len([record for record in caplog.records if "turned away" in record.getMessage()]) == 1
