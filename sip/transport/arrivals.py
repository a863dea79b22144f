"""Connections that others open: accepted in bounded numbers, holding a bounded number of bytes.

Whoever connects is nobody yet, so what a stranger can make us keep is bounded for each address, in all, and in time
(`StreamLimits`). Where all places are taken the worst of those who have them makes room: who has said nothing yet, the
longest so first, then who has been quiet for long. So a flood of connections does not keep a server of ours out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from sip.core import Address

from .connection import StreamConnection, StreamLimits
from .failures import TransportFailure
from .sockets import address_of, tune_stream
from .tally import Tally

log = logging.getLogger(__name__)

ACCEPT_BATCH: Final = 32
"""Connections taken per wake-up, so that a flood does not starve the timers."""
NO_FILES_PAUSE_S: Final = 1.0
"""How long the listener rests when the process has no file descriptor left."""
SHUTDOWN_S: Final = 1.0
"""How long a closing TLS connection waits for the other side's farewell."""


class Arrivals:
    """Accepts on one listener. `standing` gives all connections of the transport, `begin(address)` makes one."""

    def __init__(
        self,
        listener: socket.socket,
        local: Address,
        server: ssl.SSLContext | None,
        limits: StreamLimits,
        standing: Callable[[], Iterable[StreamConnection]],
        begin: Callable[[Address], StreamConnection],
    ) -> None:
        self._listener = listener
        self._local = local
        self._server = server
        self._limits = limits
        self._most = limits.connections
        self._most_each = limits.per_source
        if server is not None:
            self._most = min(self._most, limits.tls_connections)
            self._most_each = min(self._most_each, limits.tls_per_source)
        self._standing = standing
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._sources: Counter[str] = Counter()
        self._arriving: dict[StreamConnection, asyncio.Task[None]] = {}
        """Those that are being set up."""
        self._held = 0
        self._closed = False
        self._turned_away = Tally(log, f"connections turned away on {local}, for there are too many")
        self._failed = Tally(log, f"connections on {local} that came to nothing")
        self._loop.add_reader(listener.fileno(), self._acceptable)

    @property
    def count(self) -> int:
        """Connections of others that stand or are being set up."""
        return self._sources.total()

    def close(self) -> None:
        """Accept no more; what is being set up is given up."""
        self._closed = True
        self._loop.remove_reader(self._listener.fileno())
        for task in list(self._arriving.values()):
            task.cancel()

    def left(self, remote: Address) -> None:
        """A connection of theirs is gone."""
        self._sources[remote.host] -= 1
        if self._sources[remote.host] <= 0:
            del self._sources[remote.host]

    def on_held(self, change: int) -> None:
        """So many bytes more are held for others: where it is too much, who holds the most loses its connection."""
        self._held += change
        if self._held > self._limits.held and change > 0:
            theirs = (each for each in self._standing() if not each.opened and each.usable)
            most = max(theirs, key=lambda each: each.held, default=None)
            if most is not None:
                most.drop(TransportFailure.CLOSED, "too many bytes are held for others")

    def _acceptable(self) -> None:
        for _ in range(ACCEPT_BATCH):
            try:
                sock, name = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("no connection can be accepted on %s: %s", self._local, error.strerror)
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(NO_FILES_PAUSE_S, self._listen_again)
                return
            self._take_in(sock, address_of(name, self._local))

    def _listen_again(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener.fileno(), self._acceptable)

    def _take_in(self, sock: socket.socket, remote: Address) -> None:
        full = self._sources.total() >= self._most
        if self._sources[remote.host] >= self._most_each or (full and not self._make_room()):
            self._turned_away.note(str(remote))
            sock.close()
            return
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            tune_stream(sock)
        self._sources[remote.host] += 1
        connection = self._begin(remote)
        task = self._loop.create_task(self._adopt(connection, sock))
        self._arriving[connection] = task

        def done(task: asyncio.Task[None]) -> None:
            self._arriving.pop(connection, None)
            if not connection.made:
                self.left(remote)
            if task.cancelled():
                # Cancelled before its first step, it never held the socket.
                sock.close()

        task.add_done_callback(done)

    def _make_room(self) -> bool:
        """End the connection that is the least worth; False where all are worth their places."""
        theirs = [each for each in self._standing() if not each.opened and not each.kept and each.usable]
        worst = min((*self._arriving, *theirs), key=lambda each: (each.greeted, each.used_at), default=None)
        if worst is None or (worst.greeted and time.monotonic() - worst.used_at < self._limits.quiet_s):
            return False
        task = self._arriving.pop(worst, None)
        if task is not None:
            task.cancel()
        else:
            worst.drop(TransportFailure.CLOSED, "another one needs its place")
        return True

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
            self._failed.note(f"{connection.remote}: {error}")
