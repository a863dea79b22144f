"""The agent on real sockets: calls over TCP and TLS, what it tells of the wire, and what it does when ways fail."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sip.core import (
    Address,
    Answered,
    Datagram,
    Ended,
    Event,
    IncomingCall,
    IncomingInvite,
    Invite,
    OutgoingCall,
    Provisional,
    Refused,
    Request,
    WayChanged,
    build_offer,
    parse_message,
)
from sip.transport import (
    BindError,
    Resolver,
    SipAgent,
    TlsError,
    TlsSettings,
    TransportFailure,
    Trouble,
    WireMessage,
)
from tests.interop.certificates import Authority

from .dns_server import dns_server
from .stream_peers import Peer, Server, closed_port, server, silent_port, until

LOCAL = Address("127.0.0.1", 0)
BOTH = ("udp", "tcp")
LONG = (("X-Long", "x" * 1300),)
OFFER = build_offer(Address("127.0.0.1", 40_000), 1)


class Line:
    """The handler of one call: keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.sent: list[tuple[Datagram, float]] = []

    def on_event(self, event: Event, clock: str) -> None:
        self.events.append(event)

    def on_sent(self, datagram: Datagram, at: float) -> None:
        self.sent.append((datagram, at))

    def has(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)

    def get(self, kind: type[Event]) -> Event:
        return next(event for event in self.events if isinstance(event, kind))

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Method or status and transport of what was sent."""
        return [(str(d.status or d.method), d.destination.transport) for d, _ in self.sent]


class Far:
    """Our own agent as the far end; its calls ring until the test answers."""

    def __init__(self, **options: object) -> None:
        self.calls: list[IncomingCall] = []
        self.line = Line()
        self.agent = SipAgent.open(LOCAL, on_incoming=self._incoming, **options)  # type: ignore[arg-type]

    def _incoming(self, event: IncomingInvite) -> Line:
        event.call.progress(180, time.monotonic())
        self.calls.append(event.call)
        return self.line

    def address(self, transport: str) -> Address:
        return next(address for address in self.agent.locals if address.transport == transport)


class Here:
    """The phone's side of a test."""

    def __init__(self, **options: object) -> None:
        self.wire: list[WireMessage] = []
        self.troubles: list[tuple[Address, Trouble]] = []
        options = {"transports": BOTH, "on_wire": self.wire.append, **options}
        self.agent = SipAgent.open(
            LOCAL,
            on_trouble=lambda destination, at, trouble: self.troubles.append((destination, trouble)),
            **options,  # type: ignore[arg-type]
        )

    def call(self, destination: Address, **changes: object) -> tuple[OutgoingCall, Line]:
        line = Line()
        invite = Invite(
            target=f"sip:62@{destination}",
            destination=destination,
            from_uri="sip:dutyring@127.0.0.1",
            offer=OFFER,
            **changes,  # type: ignore[arg-type]
        )
        call = self.agent.prepare_call(invite, line)
        call.start(time.monotonic())
        self.agent.flush()
        return call, line


def free_port() -> int:
    """A port that was free a moment ago."""
    with closed_port() as address:
        return address.port


@pytest.fixture
async def opened() -> AsyncIterator[list[SipAgent]]:
    """Agents to close at the end."""
    agents: list[SipAgent] = []
    yield agents
    for agent in agents:
        agent.close()
    await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def pair(**options: object) -> AsyncIterator[tuple[Here, Far]]:
    far, here = Far(transports=options.get("transports", BOTH), tls=options.get("tls")), Here(**options)
    try:
        yield here, far
    finally:
        here.agent.close()
        far.agent.close()
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def phone(**options: object) -> AsyncIterator[Here]:
    here = Here(**options)
    try:
        yield here
    finally:
        here.agent.close()
        await asyncio.sleep(0.02)


async def read_request(peer: Peer) -> Request:
    """The next request on a raw connection."""
    async with asyncio.timeout(8):
        head = await peer.reader.readuntil(b"\r\n\r\n")
        while not head.strip():
            head = await peer.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().rpartition(b"content-length:")[2].split()[0])
        message = parse_message(head + await peer.reader.readexactly(length))
    assert isinstance(message, Request)
    return message


def reply(request: Request, status: str, contact: str = "", tag: str = "far") -> bytes:
    lines = [f"SIP/2.0 {status}"]
    lines += [f"{name}: {request.header(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    lines += [f"To: {request.header('To')}" + ("" if request.to.tag else f";tag={tag}")]
    lines += [f"Contact: <{contact}>"] * bool(contact)
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


async def talk(here: Here, far: Far, destination: Address) -> Line:
    """One whole call, hung up by us."""
    call, line = here.call(destination)
    await until(lambda: far.calls)
    far.calls[-1].answer(time.monotonic(), OFFER)
    far.agent.flush()
    await until(lambda: line.has(Answered))
    call.acknowledge(time.monotonic())
    call.hang_up(time.monotonic())
    here.agent.flush()
    await until(lambda: line.has(Ended))
    return line


def open_somewhere(transports: tuple[str, ...]) -> SipAgent:
    """An agent on a port that it was told, which others may be quicker to take."""
    for tries in range(20, 0, -1):
        port = free_port()
        try:
            agent = SipAgent.open(Address("127.0.0.1", port), transports=transports)  # type: ignore[arg-type]
        except BindError:
            if tries == 1:
                raise
        else:
            assert agent.local.port == port
            return agent
    raise AssertionError


class TestOpening:
    """Sockets and their names."""

    async def test_udp_and_tcp_share_a_port(self, opened: list[SipAgent]) -> None:
        agent = SipAgent.open(LOCAL, transports=BOTH)
        opened.append(agent)
        udp, tcp = agent.locals
        assert (udp.transport, tcp.transport) == ("udp", "tcp")
        assert udp.port == tcp.port
        assert agent.local == udp

    async def test_tls_has_the_next_port_or_stands_alone(self, opened: list[SipAgent]) -> None:
        opened.append(open_somewhere(("udp", "tls")))
        udp, tls = opened[0].locals
        assert (udp.transport, tls.transport, tls.port) == ("udp", "tls", udp.port + 1)
        opened.append(open_somewhere(("tls",)))
        assert [address.transport for address in opened[1].locals] == ["tls"]

    async def test_taken_tcp_port_is_named_and_udp_given_back(self, opened: list[SipAgent]) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            where = Address(*taken.getsockname())
            with pytest.raises(BindError, match=rf"TCP 127\.0\.0\.1:{where.port}.*in use"):
                SipAgent.open(where, transports=BOTH)
            opened.append(SipAgent.open(where))

    async def test_free_port_is_free_for_both(self, opened: list[SipAgent]) -> None:
        for _ in range(20):
            opened.append(SipAgent.open(LOCAL, transports=BOTH))
        assert len({agent.local.port for agent in opened}) == 20

    async def test_no_transport_at_all(self) -> None:
        with pytest.raises(BindError, match="at least one"):
            SipAgent.open(LOCAL, transports=())

    async def test_bad_tls_file_leaves_nothing_open(self, tmp_path: Path, opened: list[SipAgent]) -> None:
        where = Address("127.0.0.1", free_port())
        with pytest.raises(TlsError, match="cannot be read"):
            SipAgent.open(where, transports=("udp", "tcp", "tls"), tls=TlsSettings(ca_file=tmp_path / "none"))
        opened.append(SipAgent.open(where, transports=BOTH))


class TestCalls:
    """Whole calls."""

    async def test_over_tcp(self) -> None:
        async with pair() as (here, far):
            line = await talk(here, far, far.address("tcp"))
            assert line.ways == [("INVITE", "tcp"), ("ACK", "tcp"), ("BYE", "tcp")]
            assert far.line.has(Ended)

    async def test_over_udp_beside_tcp(self) -> None:
        async with pair() as (here, far):
            line = await talk(here, far, far.address("udp"))
            assert {way for _, way in line.ways} == {"udp"}

    async def test_hung_up_by_the_called_side_over_the_same_connection(self) -> None:
        async with pair() as (here, far):
            call, line = here.call(far.address("tcp"))
            await until(lambda: far.calls)
            far.calls[0].answer(time.monotonic(), OFFER)
            far.agent.flush()
            await until(lambda: line.has(Answered))
            call.acknowledge(time.monotonic())
            here.agent.flush()
            await until(lambda: far.line.has(Ended) or far.calls[0].state == "Confirmed")
            far.calls[0].hang_up(time.monotonic())
            far.agent.flush()
            await until(lambda: far.line.has(Ended))
            assert line.has(Ended)

    @pytest.mark.peer("openssl")
    async def test_over_tls(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path / "ca")
        own = authority.identity("both")
        tls = TlsSettings(ca_file=authority.ca_file, certificate=own.certificate, key=own.key)
        async with pair(transports=("tls",), tls=tls) as (here, far):
            line = await talk(here, far, far.address("tls"))
            assert {way for _, way in line.ways} == {"tls"}
            assert {message.remote.transport for message in here.wire} == {"tls"}
            assert here.wire[0].data.startswith(b"INVITE ")

    async def test_over_ipv6(self, opened: list[SipAgent]) -> None:
        try:
            far = SipAgent.open(Address("::1", 0), transports=BOTH)
        except BindError:
            pytest.skip("this machine has no IPv6 loopback")
        opened.append(far)
        agent = SipAgent.open(Address("::1", 0), transports=BOTH)
        opened.append(agent)
        for destination in far.locals:
            line = Line()
            invite = Invite(f"sip:62@{destination}", destination, "sip:a@[::1]")
            agent.prepare_call(invite, line).start(time.monotonic())
            agent.flush()
            # An agent without a handler for incoming calls refuses them.
            await until(lambda line=line: line.events and type(line.events[-1]).__name__ == "Rejected")

    async def test_advertised_host_stands_in_via_and_contact(self) -> None:
        async with phone(advertised="198.51.100.7") as here, server() as far:
            here.call(far.address)
            request = await read_request(await far.peer())
            assert request.via.host == "198.51.100.7"
            assert "@198.51.100.7:" in request.contacts[0].uri
            assert "transport=tcp" in request.contacts[0].uri


class TestWire:
    """Every message is told."""

    async def test_each_message_with_both_ends_and_its_call(self) -> None:
        async with pair() as (here, far):
            await talk(here, far, far.address("tcp"))
            wire = here.wire
            starts = [m.data.split(b" ")[0 if m.direction == "sent" else 1] for m in wire]
            assert starts == [b"INVITE", b"100", b"180", b"200", b"ACK", b"BYE", b"200"]
            ends = {(m.local, m.remote) for m in wire}
            assert len(ends) == 1
            local, remote = ends.pop()
            assert remote == far.address("tcp")
            assert (local.host, local.transport) == ("127.0.0.1", "tcp")
            assert local.port != here.agent.local.port
            assert len({m.call_id for m in wire}) == 1
            assert wire[0].call_id is not None
            assert {m.clock for m in wire} == {"user"}
            assert [m.at for m in wire] == sorted(m.at for m in wire)

    async def test_udp_has_the_kernels_time_and_keep_alives_are_no_messages(self) -> None:
        async with pair() as (here, far):
            here.agent.keep_alive(far.address("udp"), 0.05)
            far.agent.keep_alive(here.agent.local, 0.05)
            await talk(here, far, far.address("udp"))
            assert {m.clock for m in here.wire if m.direction == "received"} == {"kernel"}
            assert all(m.data.strip() for m in here.wire)
            assert {m.local for m in here.wire} == {here.agent.local}

    async def test_compact_and_folded_call_id_is_found(self) -> None:
        async with phone() as here:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                head = (
                    b"OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:x@y>;tag=1\r\n"
                )
                rest = b"t: <sip:a@b>\r\ni: odd@call\r\nCSeq: 1 OPTIONS\r\nl: 0\r\n\r\n"
                peer.sendto(head + rest, here.agent.local[:2])
                await until(lambda: len(here.wire) == 2)
            assert here.wire[0].call_id == "odd@call"

    async def test_watcher_that_fails_harms_no_call(self, caplog: pytest.LogCaptureFixture) -> None:
        def fails(message: WireMessage) -> None:
            raise RuntimeError("full disk")

        async with pair(on_wire=fails) as (here, far):
            await talk(here, far, far.address("tcp"))
        assert "full disk" in caplog.text

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    async def test_packets_are_marked_for_the_networks_queues(
        self, host: str, opened: list[SipAgent]
    ) -> None:
        ipv6 = ":" in host
        level, option, kind = (
            (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS)
            if ipv6
            else (socket.IPPROTO_IP, 13, socket.IP_TOS)
        )
        try:
            agent = SipAgent.open(Address(host, 0), dscp=24)
        except BindError:
            pytest.skip("this machine has no IPv6 loopback")
        opened.append(agent)
        with socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind((host, 0))
            peer.settimeout(5)
            peer.setsockopt(level, option, 1)
            agent.keep_alive(Address(*peer.getsockname()[:2]), 60)
            _, ancillary, _, _ = await asyncio.to_thread(peer.recvmsg, 100, 100)
        found = {(entry[0], entry[1]): entry[2][0] for entry in ancillary}
        assert found[level, kind] == 24 << 2


class TestFailingWays:
    """What becomes of a call when its way fails."""

    async def test_closed_port_refuses_the_call_with_a_named_trouble(self) -> None:
        with closed_port() as destination:
            async with phone() as here:
                call, line = here.call(destination)
                await until(lambda: line.has(Refused))
                assert line.sent == []
                assert here.wire == []
                trouble = here.agent.trouble_with(destination)
                assert trouble is not None
                assert (trouble.kind, trouble.unsent) == (TransportFailure.REFUSED, True)
                assert here.troubles == [(destination, trouble)]
                assert line.get(Refused).reason == trouble.reason  # type: ignore[attr-defined]
                assert call.over

    async def test_trouble_is_over_when_a_message_comes(self) -> None:
        async with phone() as here:
            port = free_port()
            destination = Address("127.0.0.1", port, "tcp")
            _, line = here.call(destination)
            await until(lambda: line.has(Refused))
            async with server(port=port) as far:
                here.call(destination)
                peer = await far.peer()
                peer.writer.write(reply(await read_request(peer), "486 Busy"))
                await until(lambda: here.agent.trouble_with(destination) is None)

    async def test_icmp_refusal_over_udp_is_a_trouble_too(self) -> None:
        async with phone() as here:
            destination = Address("127.0.0.1", free_port())
            _, line = here.call(destination)
            await until(lambda: line.has(Refused))
            assert [trouble.kind for _, trouble in here.troubles] == [TransportFailure.REFUSED]

    async def test_transport_that_the_endpoint_has_not(self) -> None:
        async with phone(transports=("udp",)) as here:
            _, line = here.call(Address("127.0.0.1", 5061, "tls"))
            await until(lambda: line.has(Refused))
            assert "has no TLS" in line.get(Refused).reason  # type: ignore[attr-defined]

    async def test_time_zero_of_a_slow_connection_is_when_the_invite_left(self) -> None:
        async with pair() as (here, far):
            before = time.monotonic()
            _, line = here.call(far.address("tcp"))
            assert line.sent == []
            time.sleep(0.1)
            await until(lambda: line.sent)
            assert line.sent[0][1] >= before + 0.1
            assert line.sent[0][1] == here.wire[0].at

    async def test_call_goes_on_without_its_connection_and_hangs_up_on_a_new_one(self) -> None:
        async with phone() as here, server() as far:
            call, line = here.call(far.address)
            peer = await far.peer()
            peer.writer.write(
                reply(await read_request(peer), "200 OK", f"sip:62@{far.address};transport=tcp")
            )
            await until(lambda: line.has(Answered))
            call.acknowledge(time.monotonic())
            here.agent.flush()
            await peer.close()
            await asyncio.sleep(0.05)
            assert not call.over
            assert here.troubles == []
            call.hang_up(time.monotonic())
            here.agent.flush()
            again = await far.peer(1)
            bye = await read_request(again)
            assert bye.method == "BYE"
            again.writer.write(reply(bye, "200 OK"))
            await until(lambda: line.has(Ended))

    async def test_bye_lost_with_its_connection_comes_again(self) -> None:
        async with phone() as here, server() as far:
            call, line = here.call(far.address)
            peer = await far.peer()
            peer.writer.write(
                reply(await read_request(peer), "200 OK", f"sip:62@{far.address};transport=tcp")
            )
            await until(lambda: line.has(Answered))
            call.acknowledge(time.monotonic())
            call.hang_up(time.monotonic())
            here.agent.flush()
            while (await read_request(peer)).method != "BYE":
                pass
            await peer.close()
            again = await far.peer(1)
            bye = await read_request(again)
            again.writer.write(reply(bye, "200 OK"))
            await until(lambda: line.has(Ended))
            assert line.get(Ended).reason == "BYE"  # type: ignore[attr-defined]

    async def test_invite_lost_with_its_connection_is_not_dialled_again(self) -> None:
        async with phone() as here, server() as far:
            _, line = here.call(far.address)
            peer = await far.peer()
            await read_request(peer)
            await peer.close()
            await until(lambda: line.has(Refused))
            await asyncio.sleep(0.1)
            assert len(far.peers) == 1
            assert len(line.sent) == 1
            assert [trouble.kind for _, trouble in here.troubles] == [TransportFailure.CLOSED]

    async def test_call_that_rings_outlives_its_connection(self) -> None:
        """The final response comes over a connection that the far side makes to our Via."""
        async with phone() as here, server() as far:
            _, line = here.call(far.address)
            peer = await far.peer()
            invite = await read_request(peer)
            peer.writer.write(reply(invite, "180 Ringing"))
            await until(lambda: line.has(Provisional))
            await peer.close()
            back = await Peer.to(Address(invite.via.host, invite.via.port or 0))
            back.writer.write(reply(invite, "486 Busy Here"))
            await until(lambda: line.events and type(line.events[-1]).__name__ == "Rejected")
            await back.close()

    async def test_response_finds_the_way_of_via_when_the_connection_is_gone(self) -> None:
        ended: list[Trouble] = []
        far = Far(transports=BOTH, on_trouble=lambda destination, at, trouble: ended.append(trouble))
        async with server() as caller:
            peer = await Peer.to(far.address("tcp"))
            via = f"SIP/2.0/TCP 127.0.0.1:{caller.address.port};branch=z9hG4bKgone"
            lines = [
                "INVITE sip:62@127.0.0.1 SIP/2.0",
                f"Via: {via}",
                "From: <sip:a@b>;tag=1",
                "To: <sip:62@b>",
            ]
            lines += [
                "Call-ID: gone@call",
                "CSeq: 1 INVITE",
                "Contact: <sip:a@127.0.0.1>",
                "Content-Length: 0",
            ]
            peer.writer.write("\r\n".join([*lines, "", ""]).encode())
            await until(lambda: far.calls)
            # Kept alive, so that its end is told.
            far.agent.keep_alive(far.calls[0].source, 30)
            await peer.close()
            await until(lambda: ended)
            far.calls[0].reject(486, time.monotonic())
            far.agent.flush()
            back = await caller.peer()
            async with asyncio.timeout(5):
                assert (await back.reader.readline()).startswith(b"SIP/2.0 486")
        far.agent.close()
        await asyncio.sleep(0.02)


class TestLongRequests:
    """Beyond 1300 bytes, RFC 3261 section 18.1.1."""

    async def test_takes_tcp(self) -> None:
        async with pair() as (here, far):
            call, line = here.call(far.address("udp"), headers=LONG)
            await until(lambda: line.has(Provisional))
            assert line.ways == [("INVITE", "tcp")]
            call.cancel(time.monotonic())
            here.agent.flush()
            await until(lambda: call.over)
            assert line.ways[1] == ("CANCEL", "tcp")

    async def test_falls_back_to_udp_where_nobody_listens_on_tcp(self) -> None:
        far, here = Far(transports=("udp",)), Here()
        call, line = here.call(far.address("udp"), headers=LONG)
        await until(lambda: line.has(Provisional))
        changed = line.get(WayChanged)
        assert isinstance(changed, WayChanged)
        assert "refused" in changed.reason.lower()
        # Only what left stands in the time line and on the wire.
        assert line.ways == [("INVITE", "udp")]
        assert [m.remote.transport for m in here.wire if m.direction == "sent"] == ["udp"]
        assert far.calls[0].request.via.transport == "UDP"
        call.cancel(time.monotonic())
        here.agent.flush()
        await until(lambda: call.over)
        assert line.ways[1] == ("CANCEL", "udp")
        here.agent.close()
        far.agent.close()
        await asyncio.sleep(0.02)

    async def test_no_fall_back_once_it_was_sent(self) -> None:
        async with phone() as here, server() as far:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.bind(far.address[:2])
                udp.setblocking(False)
                _, line = here.call(far.address._replace(transport="udp"), headers=LONG)
                peer = await far.peer()
                await read_request(peer)
                await peer.close()
                await until(lambda: line.has(Refused))
                trouble = here.agent.trouble_with(far.address._replace(transport="udp"))
                assert trouble is not None
                assert trouble.kind is TransportFailure.CLOSED
                with pytest.raises(BlockingIOError):
                    udp.recv(2000)


class TestKeepAlive:
    """Empty lines that keep a NAT's binding."""

    async def test_udp_at_its_interval_until_it_is_ended(self) -> None:
        async with phone() as here:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.bind(("127.0.0.1", 0))
                peer.setblocking(False)
                destination = Address(*peer.getsockname())
                here.agent.keep_alive(destination, 0.05)
                loop = asyncio.get_running_loop()
                async with asyncio.timeout(5):
                    assert [await loop.sock_recv(peer, 100) for _ in range(3)] == [b"\r\n\r\n"] * 3
                here.agent.keep_alive(destination, 0)
                with contextlib.suppress(BlockingIOError):
                    while peer.recv(100):
                        pass
                await asyncio.sleep(0.15)
                with pytest.raises(BlockingIOError):
                    peer.recv(100)

    async def test_connection_is_pinged(self) -> None:
        async with phone() as here, server() as far:
            here.agent.keep_alive(far.address, 0.1)
            here.call(far.address)
            peer = await far.peer()
            await read_request(peer)
            assert await peer.read(4) == b"\r\n\r\n"

    async def test_end_of_a_connection_that_is_kept_alive_is_told(self) -> None:
        async with phone() as here, server() as kept, server() as other:
            here.agent.keep_alive(kept.address, 30)
            for far in (other, kept):
                here.call(far.address)
                peer = await far.peer()
                peer.writer.write(reply(await read_request(peer), "100 Trying"))
                await until(lambda far=far: any(m.remote == far.address for m in here.wire[1:]))
                await asyncio.sleep(0.05)
                await peer.close()
            await until(lambda: here.troubles)
            assert [(where, trouble.kind) for where, trouble in here.troubles] == [
                (kept.address, TransportFailure.CLOSED)
            ]


class TestHostNames:
    """A name in Contact is looked up while the call goes on."""

    async def hang_up_towards(
        self, zone: dict[tuple[str, str], list[str]], first: Server, other: Server
    ) -> Server:
        """Answer at `first` with a Contact whose name DNS may know; return who gets the BYE."""
        async with dns_server(zone) as dns:
            resolver = Resolver(nameservers=["127.0.0.1"], dns_port=dns.port, hosts_file=Path("/dev/null"))
            async with phone(resolver=resolver) as here:
                call, line = here.call(first.address)
                peer = await first.peer()
                contact = f"sip:62@gate.example:{other.address.port};transport=tcp"
                peer.writer.write(reply(await read_request(peer), "200 OK", contact))
                await until(lambda: line.has(Answered))
                await until(lambda: dns.asked)
                await asyncio.sleep(0.1)
                call.acknowledge(time.monotonic())
                call.hang_up(time.monotonic())
                here.agent.flush()
                await until(lambda: len(line.sent) == 3)
                return other if other.peers else first

    async def test_known_name_is_followed(self) -> None:
        async with server() as first, server() as other:
            zone = {("gate.example", "A"): ["127.0.0.1"]}
            assert await self.hang_up_towards(zone, first, other) is other

    async def test_vanished_name_leaves_the_way_of_the_invite(self) -> None:
        async with server() as first, server() as other:
            assert await self.hang_up_towards({}, first, other) is first


class TestEnd:
    """Closing."""

    async def test_everything_is_released_at_once(self) -> None:
        here = Here()
        with silent_port() as waiting:
            here.call(waiting)
            here.agent.keep_alive(Address("127.0.0.1", free_port()), 0.01)
            await asyncio.sleep(0.05)
            tasks = asyncio.all_tasks()
            here.agent.close()
            here.agent.close()
            await asyncio.sleep(0.05)
        assert {task for task in tasks if not task.done()} == {asyncio.current_task()}
        again = SipAgent.open(here.agent.local, transports=BOTH)
        again.close()


class TestRecovery:
    """A call of a killed process is ended by the transport it used."""

    async def test_over_tcp(self) -> None:
        async with server() as far:
            async with phone() as here:
                call, line = here.call(far.address)
                peer = await far.peer()
                contact = f"sip:62@{far.address};transport=tcp"
                peer.writer.write(reply(await read_request(peer), "200 OK", contact))
                await until(lambda: line.has(Answered))
                call.acknowledge(time.monotonic())
                here.agent.flush()
                snapshot = call.snapshot()
            agent, line = SipAgent.open(Address.stored(snapshot["local"]), transports=BOTH), Line()
            agent.recover(snapshot, line)
            again = await far.peer(1)
            bye = await read_request(again)
            assert bye.method == "BYE"
            assert f"{bye.via.host}:{bye.via.port}" == str(here.agent.local)
            again.writer.write(reply(bye, "200 OK"))
            await until(lambda: line.has(Ended))
            agent.close()
            await asyncio.sleep(0.02)
