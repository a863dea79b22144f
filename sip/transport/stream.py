"""SIP over TCP and TLS: a listener, and connections made on demand that both sides use (RFC 3261 section 18).

A connection is known by the address at its other end. Messages to an address wait while its connection is being
set up, for a bounded time and in a bounded number; what becomes of them is told in any case: `on_sent` when they
are handed over, `on_refused` when they never will be.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from sip.core import Address
from sip.kernel_time import ClockSource
from sip.trunks import TlsSettings

from .arrivals import SHUTDOWN_S, Arrivals
from .connection import StreamConnection, StreamLimits
from .errors import BindError
from .failures import TransportFailure, Trouble, trouble_of
from .sockets import BACKLOG, address_of, open_socket, tune_stream
from .tls import client_context, server_context

log = logging.getLogger(__name__)

OnMessage = Callable[[bytes, Address, float, ClockSource], None]
OnRefused = Callable[[Address, float, Trouble], None]
OnSent = Callable[[float, Address], None]
"""Told when a message was handed over (monotonic seconds), and to which address."""
TURN_S = 0.005
"""How long messages of connections are taken before timers, and other sockets, have their turn."""
KERNEL_BUFFER = 128 << 10
"""What the kernel keeps of each direction of a connection that others opened, in bytes."""


@dataclass(slots=True)
class _Waiting:
    """A message that waits for a connection."""

    data: bytes
    on_sent: OnSent | None
    otherwise: Address | None


@dataclass(slots=True)
class _Dialling:
    """A connection that is being set up."""

    destination: Address
    messages: list[_Waiting] = field(default_factory=list)
    size: int = 0


class StreamTransport:
    """The TCP or TLS side of an endpoint. Open it with `open`; callbacks run in the event loop.

    `on_message(data, source, at, "user")` brings each message, `on_refused(destination, at, trouble)` tells of a
    connection that could not be made or was lost.
    """

    def __init__(
        self,
        listener: socket.socket,
        local: Address,
        on_message: OnMessage,
        on_refused: OnRefused,
        contexts: tuple[ssl.SSLContext | None, ssl.SSLContext | None],
        server_name: str | None,
        dscp: int,
        limits: StreamLimits,
    ) -> None:
        self.local = local
        self._listener = listener
        self._on_message = on_message
        self._on_refused = on_refused
        self._client, server = contexts
        self._server_name = server_name
        self._dscp = dscp
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Address, StreamConnection] = {}
        self._all: set[StreamConnection] = set()
        self._dialling: dict[Address, _Dialling] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._names: dict[Address, str] = {}
        self._kept: dict[Address, float] = {}
        self._closed = False
        self._turn_ends: float | None = None
        self._check: asyncio.TimerHandle | None = None
        self._arrivals: Arrivals | None = None
        if local.transport == "tcp" or server is not None:
            self._arrivals = Arrivals(
                listener,
                local,
                server,
                limits,
                lambda: self._all,
                lambda remote: StreamConnection(self, remote, limits, opened=False),
            )

    @classmethod
    def open(
        cls,
        bind: Address,
        on_message: OnMessage,
        on_refused: OnRefused,
        *,
        tls: TlsSettings | None = None,
        dscp: int = 0,
        limits: StreamLimits | None = None,
    ) -> StreamTransport:
        """Bind and listen on an address whose transport is tcp or tls; port 0 takes a free one.

        TLS listens only where `tls` holds a certificate; without one the port is held all the same, so that
        nobody else can stand where our Contact points. Raises `BindError` and `TlsError`.
        """
        settings = tls or TlsSettings()
        secure = bind.transport == "tls"
        contexts = (client_context(settings), server_context(settings)) if secure else (None, None)
        listener = open_socket(bind, dscp)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            # Inherited by what is accepted: what the kernel holds for others is bounded, too.
            listener.setsockopt(socket.SOL_SOCKET, buffer, KERNEL_BUFFER)
        local = address_of(listener.getsockname(), bind)
        if not secure or contexts[1] is not None:
            try:
                listener.listen(BACKLOG)
            except OSError as error:
                listener.close()
                raise BindError(
                    f"cannot listen on {bind.transport.upper()} {local}: {error.strerror}"
                ) from error
        return cls(
            listener,
            local,
            on_message,
            on_refused,
            contexts,
            settings.server_name,
            dscp,
            limits or StreamLimits(),
        )

    # Sending

    def send(
        self,
        data: bytes,
        destination: Address,
        on_sent: OnSent | None = None,
        otherwise: Address | None = None,
    ) -> float | None:
        """Hand a message over and return the monotonic time of it; None if it waits for its connection.

        `on_sent` is called with time and address in either case, at once or later. Where no connection can be made, the
        message takes the one with `otherwise`, if that stands.
        """
        dialling = self._dialling.get(destination)
        connection = self._usable(destination)
        if connection is not None and dialling is None:
            # Nothing waits that this message would overtake.
            at = connection.write(data)
            if on_sent is not None:
                on_sent(at, destination)
            return at
        dialling = dialling or self._dial(destination)
        if dialling is None:
            return None
        dialling.messages.append(_Waiting(data, on_sent, otherwise))
        dialling.size += len(data)
        limits = self._limits
        if dialling.size > limits.waiting or len(dialling.messages) > limits.waiting_messages:
            del self._dialling[destination]
            what = f"{_way(destination)}: too many messages wait for the connection"
            self._soon_give_up(dialling, Trouble(TransportFailure.TIMEOUT, what, unsent=True))
        return None

    def connected(self, destination: Address) -> bool:
        """Whether a connection with this address stands."""
        return self._usable(destination) is not None

    def local_to(self, remote: Address) -> Address:
        """Return our end of the connection with an address; the listener's address without one."""
        connection = self._connections.get(remote)
        return self.local if connection is None else connection.local

    def keep_alive(self, destination: Address, interval_s: float) -> None:
        """Ping the connection with an address at this interval while it stands, and do not close it for being idle.

        0 sends no pings (RFC 5626 section 4.4.1).
        """
        self._kept[destination] = interval_s
        if (connection := self._usable(destination)) is not None:
            connection.keep_alive(interval_s)

    def keeps(self, destination: Address) -> bool:
        """Whether the connection with an address is to be kept alive."""
        return bool(self._kept.get(destination))

    def expect_name(self, destination: Address, name: str) -> None:
        """Let the certificate at a destination bear this name: the one that was resolved (RFC 5922 section 7)."""
        if self._names.get(destination) != name:
            self._names[destination] = name
            # What was verified for another name must not carry messages for this one.
            self._connections.pop(destination, None)

    def close(self) -> None:
        """Close the listener and all connections. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._check is not None:
            self._check.cancel()
        if self._arrivals is not None:
            self._arrivals.close()
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        for connection in list(self._all):
            connection.drop(TransportFailure.CLOSED, "the end")

    # Connections of ours

    def _usable(self, destination: Address) -> StreamConnection | None:
        connection = self._connections.get(destination)
        return connection if connection is not None and connection.usable else None

    def _dial(self, destination: Address) -> _Dialling | None:
        dialling = _Dialling(destination)
        if self._closed:
            return None
        if len(self._dialling) >= self._limits.dialling:
            what = f"{_way(destination)}: too many connections are being set up"
            self._loop.call_soon(
                self._refuse, destination, Trouble(TransportFailure.UNREACHABLE, what, unsent=True)
            )
            return None
        self._dialling[destination] = dialling
        self._run(self._connect(dialling))
        return dialling

    async def _connect(self, dialling: _Dialling) -> None:
        destination = dialling.destination
        name = self._names.get(destination) or self._server_name or destination.host
        try:
            async with asyncio.timeout(self._limits.connect_s):
                connection = await self._open_connection(destination, name)
        except (OSError, BindError) as error:
            cause = error.__cause__ if isinstance(error, BindError) and error.__cause__ else error
            self._abandon(dialling, trouble_of(cause, _way(destination), unsent=True, expected_name=name))
            return
        if self._dialling.get(destination) is dialling:
            del self._dialling[destination]
        for waiting in dialling.messages:
            self._deliver(waiting, connection)
        dialling.messages.clear()

    async def _open_connection(self, destination: Address, name: str) -> StreamConnection:
        """Raises `OSError` (`ssl.SSLError`, `TimeoutError` among them) and `BindError`."""
        sock = open_socket(self.local, self._dscp, port=0)
        connection = StreamConnection(self, destination, self._limits, opened=True)
        try:
            tune_stream(sock)
            await self._loop.sock_connect(sock, (destination.host, destination.port))
            if sock.getsockname() == sock.getpeername():
                # Our own port was chosen to be the one called: a connection with itself, where nobody listens.
                raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        except BaseException:
            sock.close()
            raise
        await self._loop.create_connection(
            lambda: connection,
            sock=sock,
            ssl=self._client,
            server_hostname=name if self._client else None,
            ssl_handshake_timeout=self._limits.connect_s if self._client else None,
            ssl_shutdown_timeout=SHUTDOWN_S if self._client else None,
        )
        return connection

    def _abandon(self, dialling: _Dialling, trouble: Trouble) -> None:
        """No connection came about: some messages have another way, the others are refused."""
        if self._dialling.get(dialling.destination) is dialling:
            del self._dialling[dialling.destination]
        left_over = False
        for waiting in dialling.messages:
            other = self._usable(waiting.otherwise) if waiting.otherwise is not None else None
            if other is None:
                left_over = True
            else:
                self._deliver(waiting, other)
        dialling.messages.clear()
        if left_over:
            self._refuse(dialling.destination, trouble)

    def _soon_give_up(self, dialling: _Dialling, trouble: Trouble) -> None:
        self._loop.call_soon(self._abandon, dialling, trouble)

    def _deliver(self, waiting: _Waiting, connection: StreamConnection) -> None:
        if not connection.usable:
            # It broke between two messages; its loss is told to all that wait for an answer from there.
            return
        at = connection.write(waiting.data)
        if waiting.on_sent is not None:
            waiting.on_sent(at, connection.remote)

    def _refuse(self, destination: Address, trouble: Trouble) -> None:
        if not self._closed:
            self._on_refused(destination, time.monotonic(), trouble)

    # What connections tell

    def on_connection(self, connection: StreamConnection) -> None:
        """Part of `ConnectionOwner`."""
        self._all.add(connection)
        self._connections[connection.remote] = connection
        if connection.remote in self._kept:
            connection.keep_alive(self._kept[connection.remote])
        if self._closed:
            connection.drop(TransportFailure.CLOSED, "the end")
        elif self._check is None:
            self._check = self._loop.call_later(self._limits.check_s, self._tend)

    def on_stream_message(self, connection: StreamConnection, data: bytes, at: float) -> None:
        """Part of `ConnectionOwner`."""
        if not self._closed:
            self._on_message(data, connection.remote, at, "user")

    def on_connection_lost(self, connection: StreamConnection, trouble: Trouble) -> None:
        """Part of `ConnectionOwner`."""
        self._all.discard(connection)
        if self._connections.get(connection.remote) is connection:
            del self._connections[connection.remote]
        if not connection.opened and self._arrivals is not None:
            self._arrivals.left(connection.remote)
        log.debug("%s", trouble)
        self._refuse(connection.remote, trouble)

    def turn_ends(self) -> float:
        """Part of `ConnectionOwner`."""
        if self._turn_ends is None:
            self._turn_ends = time.monotonic() + TURN_S
            self._loop.call_soon(self._end_turn)
        return self._turn_ends

    def _end_turn(self) -> None:
        self._turn_ends = None

    def on_held(self, change: int) -> None:
        """Part of `ConnectionOwner`."""
        if self._arrivals is not None:
            self._arrivals.on_held(change)

    def _tend(self) -> None:
        self._check = None
        now = time.monotonic()
        for connection in list(self._all):
            connection.tend(now)
        if self._all:
            self._check = self._loop.call_later(self._limits.check_s, self._tend)

    def _run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _way(destination: Address) -> str:
    return f"{destination.transport.upper()} to {destination}"
