"""Far ends on real TCP sockets for the tests of connections, and an ear that keeps what a transport tells."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from sip.core import Address
from sip.transport import StreamLimits, StreamTransport, TlsSettings, Trouble

TCP = Address("127.0.0.1", 0, "tcp")
TLS = Address("127.0.0.1", 0, "tls")
QUICK = StreamLimits(check_s=0.02)
OPTIONS = b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nCall-ID: %d\r\nContent-Length: 0\r\n\r\n"


def message(number: int = 1) -> bytes:
    return OPTIONS % number


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; a test that waits in vain fails by time."""
    async with asyncio.timeout(8):
        while not holds():
            await asyncio.sleep(0.005)


@dataclass
class Ear:
    """Collects what a transport reports."""

    messages: list[tuple[bytes, Address, float, str]] = field(default_factory=list)
    troubles: list[tuple[Address, float, Trouble]] = field(default_factory=list)
    sent: list[tuple[float, Address]] = field(default_factory=list)

    def on_message(self, data: bytes, source: Address, at: float, clock: str) -> None:
        self.messages.append((data, source, at, clock))

    def on_refused(self, destination: Address, at: float, trouble: Trouble) -> None:
        self.troubles.append((destination, at, trouble))

    def on_sent(self, at: float, remote: Address) -> None:
        self.sent.append((at, remote))

    @property
    def data(self) -> list[bytes]:
        return [data for data, *_ in self.messages]

    @property
    def trouble(self) -> Trouble:
        """The one and only trouble."""
        assert len(self.troubles) == 1
        return self.troubles[0][2]


@contextlib.asynccontextmanager
async def streams(
    bind: Address = TCP, limits: StreamLimits | None = None, tls: TlsSettings | None = None
) -> AsyncIterator[tuple[StreamTransport, Ear]]:
    """A transport under test and its ear."""
    ear = Ear()
    transport = StreamTransport.open(bind, ear.on_message, ear.on_refused, limits=limits or QUICK, tls=tls)
    try:
        yield transport, ear
    finally:
        transport.close()
        # Sockets are released in the next turns of the loop.
        await asyncio.sleep(0.02)


class Peer:
    """A raw far end that connects to us."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, address: Address) -> Peer:
        return cls(*await asyncio.open_connection(address.host, address.port))

    @property
    def address(self) -> Address:
        return Address(*self.writer.get_extra_info("sockname")[:2], "tcp")

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(8):
            return await self.reader.readexactly(count)

    async def closed(self) -> bytes:
        """What comes until the other side closes."""
        async with asyncio.timeout(8):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def peer_to(address: Address) -> AsyncIterator[Peer]:
    peer = await Peer.to(address)
    try:
        yield peer
    finally:
        await peer.close()


@dataclass
class Server:
    """A raw far end that we connect to."""

    address: Address
    peers: list[Peer] = field(default_factory=list)

    async def peer(self, number: int = 0) -> Peer:
        await until(lambda: len(self.peers) > number)
        return self.peers[number]


@contextlib.asynccontextmanager
async def server(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Server]:
    found: list[Peer] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append(Peer(reader, writer))
        if over:
            writer.transport.abort()

    over: list[bool] = []
    listener = await asyncio.start_server(serve, host, port)
    try:
        yield Server(Address(*listener.sockets[0].getsockname()[:2], "tcp"), found)
    finally:
        listener.close()
        over.append(True)
        for peer in list(found):
            await peer.close()
        # A connection that was being accepted is told now.
        await asyncio.sleep(0.02)


@contextlib.contextmanager
def silent_port() -> Iterator[Address]:
    """An address that takes no connection any more: the queue of its listener is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield Address(*listener.getsockname(), "tcp")


@contextlib.contextmanager
def closed_port() -> Iterator[Address]:
    """An address that refuses connections and that nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield Address(*held.getsockname(), "tcp")
