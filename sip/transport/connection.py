"""One connection of SIP over TCP or TLS: framing, keep-alives, and the limits that keep it honest."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Protocol, cast

from sip.core import Address

from .failures import TransportFailure, Trouble, trouble_of
from .sockets import address_of
from .stream_framing import LINE, PING, PONG, StreamError, StreamFramer

AFTER_HANDSHAKE_S = 2.0
"""A TLS connection that ends this soon, without a word, was refused rather than closed."""
PING_S = (95.0, 120.0)
"""Between two pings, drawn anew each time (RFC 5626 section 4.4.1)."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What the connections of one listener may take. Times in seconds, sizes in bytes."""

    connections: int = 512
    """Connections that others opened, in all. Where a further one comes, one that has said nothing makes room."""
    per_source: int = 128
    """Of these, from one address; further ones are turned away."""
    tls_connections: int = 128
    """The same of connections by TLS, in all: each costs 256 KiB before anything is said."""
    tls_per_source: int = 64
    quiet_s: float = 60.0
    """Without a message, after which a connection makes room for another one where there are too many."""
    held: int = 16 << 20
    """What all of these may have sent of messages that are not complete, and may leave unread of our answers."""
    dialling: int = 256
    """Connections that we are setting up."""
    connect_s: float = 5.0
    """To set a connection up, TLS included; half-open ones are dropped after it."""
    first_message_s: float = 30.0
    """Until the first complete message on a connection that others opened."""
    message_s: float = 10.0
    """From the first byte of a message to its last."""
    idle_s: float = 900.0
    """Without a message, after which a connection is closed that nobody keeps alive."""
    pong_s: float = 10.0
    """From our ping to their pong, if they ever sent one (RFC 5626 section 4.4.1)."""
    write_buffer: int = 1 << 20
    """What may wait for a peer that does not read. Of those that others opened nothing is read while more than
    64 KiB wait, so that requests bring forth no more answers than are taken."""
    waiting: int = 1 << 20
    """What may wait for a connection that is being set up."""
    waiting_messages: int = 2048
    check_s: float = 1.0
    """Between two looks at the times above."""


class ConnectionOwner(Protocol):
    """Who is told what a connection brings."""

    def on_connection(self, connection: StreamConnection) -> None:
        """The connection stands."""

    def on_stream_message(self, connection: StreamConnection, data: bytes, at: float) -> None:
        """A whole message arrived; `at` is when it was read, monotonic seconds."""

    def on_connection_lost(self, connection: StreamConnection, trouble: Trouble) -> None:
        """The connection is gone."""

    def turn_ends(self) -> float:
        """When all connections together have worked long enough in this turn of the loop, monotonic seconds."""

    def on_held(self, change: int) -> None:
        """So many bytes more, or less, are held for connections that others opened."""


class StreamConnection(asyncio.Protocol):
    """Both directions of one connection."""

    def __init__(
        self, owner: ConnectionOwner, remote: Address, limits: StreamLimits, *, opened: bool
    ) -> None:
        self.remote = remote
        self.local = remote
        """Our own end, once the connection stands."""
        self.opened = opened
        """Whether we opened it."""
        self.made = False
        self.ping_s: float | None = None
        """Between two pings: None draws it from `PING_S`, 0 sends none."""
        self.kept = False
        """Not to be closed for being idle."""
        self.used_at = time.monotonic()
        """When the last message passed, in either direction."""
        self._owner = owner
        self._limits = limits
        self._framer = StreamFramer()
        self._transport: asyncio.Transport
        self._trouble: Trouble | None = None
        self._born = self.used_at
        self._began: float | None = None
        self._greeted = opened
        self._heard = False
        self._lines = 0
        self._pinged_at: float | None = None
        self._next_ping = self._born + random.uniform(*PING_S)
        self._ponged = False
        self._read_at = self._born
        self._behind = False
        """Whether messages are here that have not been taken."""
        self._stuffed = False
        """Whether much waits for the other side to be taken."""
        self._next: asyncio.Handle | None = None
        self._counted = 0
        """Of what is held, what the owner has been told."""

    @property
    def greeted(self) -> bool:
        """Whether we opened it, or a whole message has come."""
        return self._greeted

    @property
    def held(self) -> int:
        """Bytes that wait here: of a message that is not complete, and of answers that are not taken."""
        return self._framer.held + self._transport.get_write_buffer_size() if self.made else 0

    @property
    def usable(self) -> bool:
        """Whether messages may be written."""
        return self.made and self._trouble is None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)
        self.local = address_of(transport.get_extra_info("sockname"), self.remote)
        self.made = True
        self._born = self.used_at = time.monotonic()
        self._owner.on_connection(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        self._count(0)
        self._owner.on_connection_lost(self, self._trouble or self._end_of(exc))

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        if self.usable:
            self._read_at = time.monotonic()
            self._heard = True
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Take the messages that are complete, as many as there is time for; the others wait for the next turn."""
        at, ends, complete = self._read_at, self._owner.turn_ends(), False
        self._behind = False
        try:
            for piece in self._framer.feed(data):
                if piece is LINE:
                    self._on_line(at)
                else:
                    complete = self._greeted = True
                    self._lines = 0
                    self.used_at = at
                    self._owner.on_stream_message(self, piece, at)
                if not self.usable:
                    return
                if time.monotonic() >= ends:
                    self._behind = True
                    break
        except StreamError as error:
            self.drop(TransportFailure.CLOSED, str(error))
            return
        if not self._framer.waiting:
            self._began = None
        elif complete or self._began is None:
            self._began = at
        self._count(self.held)
        self._steer()

    def pause_writing(self) -> None:
        """Part of `asyncio.Protocol`: the other side does not take what we send."""
        self._stuffed = True
        self._steer()

    def resume_writing(self) -> None:
        """Part of `asyncio.Protocol`."""
        self._stuffed = False
        self._count(self.held)
        self._steer()

    def _steer(self) -> None:
        """Read on, or not: what is here comes first, and who takes no answers is asked for no more requests."""
        if not self.usable:
            return
        stuffed = self._stuffed and not self.opened
        if not (self._behind or stuffed):
            self._transport.resume_reading()
            return
        self._transport.pause_reading()
        if self._behind and not stuffed and self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._next = None
        if self.usable and not (self._stuffed and not self.opened):
            self._take(b"")

    def write(self, data: bytes) -> float:
        """Hand a message over; returns the monotonic time of it. A peer that reads nothing loses the connection."""
        at = self.used_at = time.monotonic()
        self._write(data)
        return at

    def tend(self, now: float) -> None:
        """Look at the times: to be called now and then."""
        if not self.usable:
            return
        limits = self._limits
        if self._began is not None and now - self._began > limits.message_s:
            self.drop(TransportFailure.CLOSED, f"a message was not complete after {limits.message_s:g} s")
        elif not self._greeted and now - self._born > limits.first_message_s:
            self.drop(TransportFailure.CLOSED, f"no message came within {limits.first_message_s:g} s")
        elif not self.kept and now - self.used_at > limits.idle_s:
            self.drop(TransportFailure.CLOSED, f"no message passed for {limits.idle_s:g} s")
        elif self._pinged_at is not None and self._ponged and now - self._pinged_at > limits.pong_s:
            self.drop(TransportFailure.CLOSED, f"a ping was not answered within {limits.pong_s:g} s")
        elif self.opened and now >= self._next_ping:
            self._ping(now)

    def keep_alive(self, interval_s: float) -> None:
        """Ping every `interval_s` seconds from now on and never close for being idle; 0 sends no pings."""
        self.kept, self.ping_s = True, interval_s
        self._next_ping = time.monotonic() + interval_s if interval_s else float("inf")

    def drop(self, kind: TransportFailure, why: str) -> None:
        """Close at once; what was not taken is lost."""
        if self._trouble is None:
            self._trouble = Trouble(kind, f"{self._name} was closed by us: {why}")
            if self.made:
                self._transport.abort()
                # At once: until the loop tells of the end, many others may bring as much.
                self._framer.clear()
                self._count(0)

    @property
    def _name(self) -> str:
        return f"the {self.remote.transport.upper()} connection with {self.remote}"

    def _on_line(self, at: float) -> None:
        if self._pinged_at is not None and at - self._pinged_at <= self._limits.pong_s:
            self._pinged_at, self._ponged = None, True
            return
        if not self.opened:
            # Who keeps a flow alive wants it to stay.
            self.used_at = at
        self._lines += 1
        if self._lines == 2:
            self._lines = 0
            self._write(PONG)

    def _ping(self, now: float) -> None:
        interval_s = random.uniform(*PING_S) if self.ping_s is None else self.ping_s
        self._next_ping = now + interval_s
        if self._pinged_at is None or now - self._pinged_at > self._limits.pong_s:
            self._pinged_at = now
        self._write(PING)

    def _write(self, data: bytes) -> None:
        if self._transport.get_write_buffer_size() + len(data) > self._limits.write_buffer:
            self.drop(TransportFailure.TIMEOUT, "the other side does not take what we send")
            return
        self._transport.write(data)

    def _count(self, held: int) -> None:
        if not self.opened and held != self._counted:
            change, self._counted = held - self._counted, held
            self._owner.on_held(change)

    def _end_of(self, error: Exception | None) -> Trouble:
        soon = time.monotonic() - self._born < AFTER_HANDSHAKE_S
        refused = self.remote.transport == "tls" and self.opened and not self._heard and soon
        if refused and (error is None or isinstance(error, ConnectionError)):
            # TLS 1.3 verifies the client's certificate after the client's side of the handshake is done.
            why = "ended right after the TLS handshake: they may demand a client certificate, or not accept ours"
            return Trouble(TransportFailure.TLS_OTHER, f"{self._name} {why}")
        middle = " in the middle of a message" if self._framer.waiting else ""
        if error is None:
            return Trouble(TransportFailure.CLOSED, f"{self._name} was closed by the other side{middle}")
        return trouble_of(error, f"{self._name} broke{middle}", unsent=False)
