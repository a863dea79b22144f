"""The small asyncio shell around a sans-IO `Endpoint`: messages and timers in, messages and events out."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

from sip.core import (
    Address,
    Credentials,
    Datagram,
    Endpoint,
    Event,
    Fault,
    IncomingInvite,
    Invite,
    Knock,
    MessageReceived,
    OutgoingCall,
    RegistrationClient,
    RegistrationPlan,
    Request,
    Setback,
    TransportName,
    decode,
)
from sip.kernel_time import ClockSource
from sip.lateness import Lateness
from sip.trunks import TlsSettings

from .connection import StreamLimits
from .failures import TransportFailure, Trouble
from .host_book import HostBook
from .resolver import Resolver
from .transports import Transports
from .wire_message import WireMessage

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


class CallHandler(Protocol):
    """Who is told what happens to one call. Both run in the event loop and must not block."""

    def on_event(self, event: Event, clock: ClockSource) -> None:
        """Take an event of the core; `clock` tells where its time comes from."""

    def on_sent(self, datagram: Datagram, at: float) -> None:
        """Take note that a message was handed to the kernel at the monotonic time `at`."""


OnIncoming = Callable[[IncomingInvite], CallHandler | None]
OnStray = Callable[[Event], None]
OnWire = Callable[[WireMessage], None]
OnTrouble = Callable[[Address, float, Trouble], None]
CS3 = 24
"""The code point of signalling (RFC 4594 section 2.3)."""
MAX_TROUBLES = 256
_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE)


class SipAgent:
    """One SIP endpoint on its sockets. Open it with `open`.

    After calling anything on a call of the endpoint (`acknowledge`, `hang_up`, `answer`, ...) call `flush`,
    which sends what is due.
    """

    def __init__(
        self,
        on_incoming: OnIncoming | None = None,
        on_stray: OnStray | None = None,
        on_wire: OnWire | None = None,
        on_trouble: OnTrouble | None = None,
    ) -> None:
        self._handlers: dict[str, CallHandler] = {}
        self._on_incoming = on_incoming
        self._on_stray = on_stray
        self._on_wire = on_wire
        self._on_trouble = on_trouble
        self._troubles: dict[Address, Trouble] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._clock: ClockSource = "user"
        self._pumping = False
        self._closed = False
        self._lateness = Lateness()
        self._loop = asyncio.get_running_loop()
        self._hosts: HostBook | None = None
        self._transports: Transports
        self.endpoint: Endpoint

    @classmethod
    def open(
        cls,
        bind: Address,
        *,
        user_agent: str = "DutyRing",
        transports: Sequence[TransportName] = ("udp",),
        tls: TlsSettings | None = None,
        dscp: int = CS3,
        advertised: str | None = None,
        on_incoming: OnIncoming | None = None,
        on_knock: Knock | None = None,
        on_stray: OnStray | None = None,
        on_wire: OnWire | None = None,
        on_trouble: OnTrouble | None = None,
        resolver: Resolver | None = None,
        limits: StreamLimits | None = None,
    ) -> SipAgent:
        """Bind sockets and run an endpoint on them. Raises `BindError` and `TlsError`.

        `bind` names a host and the port of the first transport (0: a free one); UDP and TCP share their port, TLS
        has the next one unless it stands alone. `advertised` is the host that others see us at (static NAT).

        `on_incoming` gives the handler of a new incoming call; without it all are refused with 480, and where it
        returns None, the call gets no handler. `on_knock` is asked before it, and refuses without a trace.
        `on_stray` is told of events that belong to no known call, `on_wire` of every message that leaves or arrives,
        `on_trouble(destination, at, trouble)` of connections that could not be made, broke while a response was
        expected, or are kept alive and ended. With a `resolver`, host names in Contact and Record-Route are looked up
        in the background for the requests that follow.
        """
        agent = cls(on_incoming, on_stray, on_wire, on_trouble)
        agent._transports = Transports.open(
            bind, transports, agent._on_message, agent._on_refused, tls=tls, dscp=dscp, limits=limits
        )
        local, *others = agent._transports.locals
        if resolver is not None:
            agent._hosts = HostBook(resolver, local, agent._transports.expect_name)
        agent.endpoint = Endpoint(
            local,
            others=tuple(others),
            advertised=advertised,
            user_agent=user_agent,
            known_hosts=None if agent._hosts is None else agent._hosts.find,
            knock=_nobody_home if on_incoming is None else on_knock,
        )
        return agent

    @property
    def local(self) -> Address:
        """Our address on the first transport."""
        return self._transports.locals[0]

    @property
    def locals(self) -> tuple[Address, ...]:
        """Our address on each transport."""
        return self._transports.locals

    @property
    def waited_s(self) -> float:
        """How long messages wait until they are read, for more than a second now."""
        return self._lateness.lasting_s

    def trouble_with(self, destination: Address) -> Trouble | None:
        """Return what last went wrong with a destination, None since a message came from there.

        For one by UDP, trouble by TCP counts as well, which long requests take.
        """
        by_tcp = destination._replace(transport="tcp") if destination.transport == "udp" else destination
        return self._troubles.get(destination) or self._troubles.get(by_tcp)

    def keep_alive(self, destination: Address, interval_s: float) -> None:
        """Send keep-alives to a destination at this interval in seconds; 0 ends it (RFC 5626 section 4.4.1)."""
        self._transports.keep_alive(destination, interval_s)

    def expect_name(self, destination: Address, name: str) -> None:
        """Let the certificate at a TLS destination bear this name, the one that was resolved (RFC 5922 section 7).

        Without it `TlsSettings.server_name` counts, else the address itself.
        """
        self._transports.expect_name(destination, name)

    def prepare_call(self, invite: Invite, handler: CallHandler) -> OutgoingCall:
        """Prepare a call: its INVITE leaves at the `flush` after its `start`, once the caller has written it down."""
        call = self.endpoint.prepare_call(invite)
        self._handlers[call.call_id] = handler
        return call

    def recover(
        self, snapshot: dict[str, Any], handler: CallHandler, credentials: Credentials | None = None
    ) -> None:
        """End a call of a killed process (see `Endpoint.recover`); `handler` is told of its `Ended`."""
        call_id = self.endpoint.recover(snapshot, time.monotonic(), credentials)
        self._handlers[call_id] = handler
        self.flush()

    def listen(self, call_id: str, handler: CallHandler) -> None:
        """Tell `handler` what happens under a Call-ID, such as that of a registration, until `forget`."""
        self._handlers[call_id] = handler

    def register(self, plan: RegistrationPlan, handler: CallHandler) -> RegistrationClient:
        """Register and stay so (see `Endpoint.register`); `handler` is told of it until `unregister` and `forget`."""
        client = self.endpoint.register(plan, time.monotonic())
        self._handlers[client.call_id] = handler
        self.flush()
        return client

    def forget(self, call_id: str) -> None:
        """Send this call's events to nobody from now on; its transactions live out their time."""
        self._handlers.pop(call_id, None)

    def flush(self) -> None:
        """Send what is due and deliver what happened."""
        if self._pumping or self._closed:
            # A handler called us from within a delivery: the outer loop goes on with it.
            return
        self._pumping = True
        try:
            while self._send_all() or self._deliver_all():
                pass
        finally:
            self._pumping = False
        self._schedule()

    @property
    def calling(self) -> bool:
        """Whether a call that we placed has still to end on the wire."""
        return not self._closed and self.endpoint.calling

    def close(self) -> None:
        """Stop the timers, end the connections and release the sockets."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._hosts is not None:
            self._hosts.close()
        self._transports.close()

    def _send_all(self) -> bool:
        datagrams = self.endpoint.take_datagrams()
        for datagram in datagrams:
            self._send(datagram)
        return bool(datagrams)

    def _send(self, datagram: Datagram) -> None:
        handler = self._handlers.get(datagram.call_id) if datagram.call_id else None

        def sent(at: float, remote: Address) -> None:
            if self._on_wire is not None:
                self._tell_wire("sent", at, "user", datagram.data, remote, datagram.call_id)
            if handler is not None:
                self._guarded(handler.on_sent, datagram, at)

        self._transports.send(datagram, sent)

    def _deliver_all(self) -> bool:
        events = self.endpoint.take_events()
        for event in events:
            self._deliver(event)
        return bool(events)

    def _deliver(self, event: Event) -> None:
        if self._hosts is not None and isinstance(event, MessageReceived):
            self._hosts.notice(event.message)
        if isinstance(event, IncomingInvite) and event.call_id and self._on_incoming is not None:
            handler = self._guarded(self._on_incoming, event)
            if handler is not None:
                self._handlers[event.call_id] = handler
        if isinstance(event, IncomingInvite):
            if event.call_id not in self._handlers and not event.call.over:
                event.call.reject(480, time.monotonic())
            return
        known = self._handlers.get(event.call_id) if event.call_id else None
        if known is not None:
            self._guarded(known.on_event, event, self._clock)
        elif self._on_stray is not None:
            self._guarded(self._on_stray, event)

    def _guarded(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception:
            # One call's fault must not take the other calls of this socket with it.
            log.exception("a call's handler failed")
            return None

    def _tell_wire(
        self,
        direction: Literal["sent", "received"],
        at: float,
        clock: ClockSource,
        data: bytes,
        remote: Address,
        call_id: str | None,
    ) -> None:
        if self._on_wire is not None:
            local = self._transports.local_to(remote)
            self._guarded(self._on_wire, WireMessage(direction, at, clock, data, local, remote, call_id))

    def _on_message(self, data: bytes, source: Address, at: float, clock: ClockSource) -> None:
        if self._on_wire is not None and data.strip(b"\r\n\0 "):
            self._tell_wire("received", at, clock, data, source, _call_id(data))
        if self._troubles:
            self._troubles.pop(source, None)
        self._clock = clock
        self._lateness.note(at)
        self.endpoint.receive(data, source, at)
        self.flush()
        self._clock = "user"

    def _on_refused(self, destination: Address, at: float, trouble: Trouble) -> None:
        if self._closed:
            return
        # That an idle connection ends is nothing to be told, unless somebody keeps it alive.
        awaited = destination in self.endpoint.wire.unanswered or self._transports.keeps(destination)
        closed = trouble.kind is TransportFailure.CLOSED
        if awaited or not closed:
            self._troubles[destination] = trouble
            if len(self._troubles) > MAX_TROUBLES:
                del self._troubles[next(iter(self._troubles))]
            if self._on_trouble is not None:
                self._guarded(self._on_trouble, destination, at, trouble)
        setback: Setback = "unsent" if trouble.unsent else "refused"
        if closed and destination.transport != "udp" and not trouble.unsent:
            setback = "lost"
        self.endpoint.refused(destination, at, trouble.reason, setback)
        self.flush()

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self.endpoint.advance(time.monotonic())
        except Exception:
            # One timer's fault must not stop those of all the other calls.
            log.exception("a timer of the signalling failed")
        self.flush()

    def _schedule(self) -> None:
        deadline = self.endpoint.deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self._closed:
            self._timer = self._loop.call_at(deadline, self._on_timer)


def _nobody_home(request: Request, source: Address, at: float) -> Fault:
    return Fault(480, "")


def _call_id(data: bytes) -> str | None:
    found = _CALL_ID.search(data)
    return decode(found[1]).strip() if found else None
