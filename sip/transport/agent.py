"""The small asyncio shell around a sans-IO `Endpoint`: datagrams and timers in, datagrams and events out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from sip.core import Address, Credentials, Datagram, Endpoint, Event, IncomingInvite, Invite, OutgoingCall
from sip.kernel_time import ClockSource

from .udp import UdpTransport

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


class SipAgent:
    """One SIP endpoint on one UDP socket. Open it with `open`.

    After calling anything on a call of the endpoint (`acknowledge`, `hang_up`, `answer`, ...) call `flush`,
    which sends what is due.
    """

    def __init__(self, on_incoming: OnIncoming | None = None, on_stray: OnStray | None = None) -> None:
        self._handlers: dict[str, CallHandler] = {}
        self._on_incoming = on_incoming
        self._on_stray = on_stray
        self._timer: asyncio.TimerHandle | None = None
        self._clock: ClockSource = "user"
        self._pumping = False
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self.transport: UdpTransport
        self.endpoint: Endpoint

    @classmethod
    def open(
        cls,
        bind: Address,
        *,
        user_agent: str = "DutyRing",
        on_incoming: OnIncoming | None = None,
        on_stray: OnStray | None = None,
    ) -> SipAgent:
        """Bind a socket and run an endpoint on it. Raises `BindError`.

        `on_incoming` gives the handler of a new incoming call; without it, or where it returns None, the
        call gets no handler. `on_stray` is told of events that belong to no known call.
        """
        agent = cls(on_incoming, on_stray)
        agent.transport = UdpTransport.open(bind, agent._on_datagram, agent._on_refused)
        agent.endpoint = Endpoint(agent.transport.local, user_agent=user_agent)
        return agent

    @property
    def local(self) -> Address:
        """The address that Via and Contact name."""
        return self.transport.local

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

    def close(self) -> None:
        """Stop the timers and release the socket."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self.transport.close()

    def _send_all(self) -> bool:
        datagrams = self.endpoint.take_datagrams()
        for datagram in datagrams:
            at = self.transport.send(datagram.data, datagram.destination)
            handler = self._handlers.get(datagram.call_id) if datagram.call_id else None
            if handler is not None:
                self._guarded(handler.on_sent, datagram, at)
        return bool(datagrams)

    def _deliver_all(self) -> bool:
        events = self.endpoint.take_events()
        for event in events:
            self._deliver(event)
        return bool(events)

    def _deliver(self, event: Event) -> None:
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

    def _on_datagram(self, data: bytes, source: Address, at: float, clock: ClockSource) -> None:
        self._clock = clock
        self.endpoint.receive(data, source, at)
        self.flush()
        self._clock = "user"

    def _on_refused(self, destination: Address, at: float, reason: str) -> None:
        if not self._closed:
            self.endpoint.refused(destination, at, reason)
            self.flush()

    def _on_timer(self) -> None:
        self._timer = None
        self.endpoint.advance(time.monotonic())
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
