"""SIP over TCP and TLS: a listener, and connections made on demand that both sides use (RFC 3261 section 18).

A connection is known by the address at its other end. Messages to an address wait while its connection is being
set up, for a bounded time and in a bounded number; what becomes of them is told in any case: `on_sent` when they
are handed over, `on_refused` when they never will be.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from sip.core import Address
from sip.kernel_time import ClockSource
from sip.trunks import TlsSettings

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
ACCEPT_BATCH = 32
"""Connections taken per wake-up, so that a flood does not starve the timers."""
NO_FILES_PAUSE_S = 1.0
"""How long the listener rests when the process has no file descriptor left."""
SHUTDOWN_S = 1.0
"""How long a closing TLS connection waits for the other side's farewell."""


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
        self._client, self._server = contexts
        self._server_name = server_name
        self._dscp = dscp
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Address, StreamConnection] = {}
        self._all: set[StreamConnection] = set()
        self._dialling: dict[Address, _Dialling] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sources: Counter[str] = Counter()
        self._names: dict[Address, str] = {}
        self._kept: dict[Address, float] = {}
        self._closed = False
        self._check: asyncio.TimerHandle | None = None
        self._listening = local.transport == "tcp" or self._server is not None
        if self._listening:
            self._loop.add_reader(listener.fileno(), self._acceptable)

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
        if self._listening:
            self._loop.remove_reader(self._listener.fileno())
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

    # Connections of theirs

    def _acceptable(self) -> None:
        for _ in range(ACCEPT_BATCH):
            try:
                sock, name = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("no connection can be accepted on %s: %s", self.local, error.strerror)
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(NO_FILES_PAUSE_S, self._listen_again)
                return
            self._take_in(sock, address_of(name, self.local))

    def _listen_again(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener.fileno(), self._acceptable)

    def _take_in(self, sock: socket.socket, remote: Address) -> None:
        limits = self._limits
        if self._sources[remote.host] >= limits.per_source or self._sources.total() >= limits.connections:
            log.info("a connection of %s is turned away: there are too many", remote)
            sock.close()
            return
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            tune_stream(sock)
        self._sources[remote.host] += 1
        connection = StreamConnection(self, remote, limits, opened=False)
        task = self._run(self._adopt(connection, sock))

        def done(task: asyncio.Task[None]) -> None:
            if not connection.made:
                self._leave(remote)
            if task.cancelled():
                # Cancelled before its first step, it never held the socket.
                sock.close()

        task.add_done_callback(done)

    async def _adopt(self, connection: StreamConnection, sock: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                sock,
                ssl=self._server,
                ssl_handshake_timeout=self._limits.connect_s if self._server else None,
                ssl_shutdown_timeout=SHUTDOWN_S if self._server else None,
            )
        except OSError as error:
            log.info("a connection of %s came to nothing: %s", connection.remote, error)

    def _leave(self, remote: Address) -> None:
        self._sources[remote.host] -= 1
        if self._sources[remote.host] <= 0:
            del self._sources[remote.host]

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
        if not connection.opened:
            self._leave(connection.remote)
        log.debug("%s", trouble)
        self._refuse(connection.remote, trouble)

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
