"""What outgoing and incoming calls have in common.

Their dialogs, requests within them, BYE, and 2xx that wait for an ACK.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from .authorizer import Authorizer, Exchange
from .dialog import Dialog
from .events import Acknowledged, AckTimedOut, By, Ended, MessageReceived
from .framing import Request, Response
from .reason import Cause
from .sdp import parse_sdp
from .timers import Timer
from .transactions import TIMEOUT, ClientTransaction, ServerTransaction
from .types import Address, Credentials, HeaderList

if TYPE_CHECKING:
    from .endpoint import Endpoint


class PendingAck:
    """A 2xx of ours to an INVITE, repeated until its ACK (RFC 3261 section 13.3.1.4)."""

    def __init__(
        self, transaction: ServerTransaction, now: float, on_timeout: Callable[[float], None]
    ) -> None:
        self.transaction = transaction
        timers = transaction.wire.timers
        self._interval = timers.t1
        self._on_timeout = on_timeout
        queue = transaction.wire.queue
        self._limit = queue.start(now + timers.timeout, self._give_up)
        self._repeat: Timer = queue.start(now + self._interval, self._again)

    def stop(self) -> None:
        """The ACK arrived, or the call is over."""
        self._limit.stop()
        self._repeat.stop()

    def _again(self, now: float) -> None:
        self.transaction.again(now)
        timers = self.transaction.wire.timers
        self._interval = min(2 * self._interval, timers.t2)
        self._repeat = self.transaction.wire.queue.start(now + self._interval, self._again)

    def _give_up(self, now: float) -> None:
        self._repeat.stop()
        self._on_timeout(now)


class Call(ABC):
    """The base of both kinds of call."""

    def __init__(
        self,
        endpoint: Endpoint,
        call_id: str,
        local_tag: str,
        credentials: Credentials | Authorizer | None,
    ) -> None:
        self._endpoint = endpoint
        self._wire = endpoint.wire
        self.call_id = call_id
        """The Call-ID, which also labels the call's events and datagrams."""
        self.local_tag = local_tag
        self._authorizer = Authorizer.of(credentials)
        self._dialogs: dict[str, Dialog] = {}
        self._pending: dict[int, PendingAck] = {}
        self._causes: tuple[Cause, ...] = ()
        self._over = False
        self.served = 0
        """Requests of the far side whose transactions stand."""

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self._over

    @property
    @abstractmethod
    def contact(self) -> str:
        """The value of our Contact."""

    @abstractmethod
    def on_bye(self, dialog: Dialog, now: float) -> None:
        """The far side hung up (its BYE has been answered)."""

    @abstractmethod
    def on_acknowledged(self, request: Request, now: float) -> None:
        """The first ACK of a 2xx of ours arrived."""

    @abstractmethod
    def on_ack_timeout(self, now: float) -> None:
        """A 2xx of ours was never acknowledged."""

    def _add_dialog(self, dialog: Dialog) -> None:
        self._dialogs[dialog.remote_tag] = dialog
        self._endpoint.dialogs[dialog.key] = (self, dialog)

    def _tell_ended(self, by: By, reason: str, now: float) -> None:
        self._wire.emit(Ended(self.call_id, now, by, reason, self._causes))

    def _close(self, now: float) -> None:
        """Stop what waits; late messages are still answered for 64*T1."""
        self._over = True
        for pending in self._pending.values():
            pending.stop()
        self._pending.clear()
        self._wire.queue.start(now + self._wire.timers.timeout, self._forget)

    def _busy(self, now: float) -> bool:
        """Whether something of the call may still bring a new dialog; ends what can be ended."""
        return False

    def _forget(self, now: float) -> None:
        if self._busy(now):
            self._wire.queue.start(now + self._wire.timers.timeout, self._forget)
            return
        for dialog in self._dialogs.values():
            self._endpoint.dialogs.pop(dialog.key, None)
        self._endpoint.forget(self)

    # Requests of ours within a dialog

    def _send_within(
        self,
        dialog: Dialog,
        method: str,
        now: float,
        on_response: Callable[[Response, float], None],
        on_failure: Callable[[str, float], None],
        headers: HeaderList = (),
        body: bytes = b"",
    ) -> None:
        """Send a request within a dialog; `on_response` takes its final response. Challenges are met.

        Each repetition of a 2xx to a re-INVITE is passed on: it wants its ACK.
        """
        exchange = self._exchange()

        def answered(response: Response, at: float) -> None:
            if response.status < 200:
                return
            if exchange.challenged(response):
                send(at)
                return
            if response.status < 300:
                exchange.accepted(response)
            on_response(response, at)

        def send(at: float) -> None:
            fields = (*headers, ("User-Agent", self._wire.user_agent))
            request, destination = dialog.request(self._wire, method, fields, body)
            request = exchange.sign(request, destination)
            ClientTransaction(self._wire, request, destination, answered, on_failure, at)

        send(now)

    def _send_bye(
        self, dialog: Dialog, now: float, done: Callable[[str, float], None], headers: HeaderList = ()
    ) -> None:
        """Send BYE and call `done(failure, now)` when it is answered, "" if all went well."""

        def on_response(response: Response, at: float) -> None:
            done("" if response.status < 300 else status_line(response), at)

        def on_failure(reason: str, at: float) -> None:
            done("BYE was not answered" if reason == TIMEOUT else reason, at)

        self._send_within(dialog, "BYE", now, on_response, on_failure, headers)

    def _exchange(self) -> Exchange:
        """Return what signs a request of ours: `sign` before each sending, `challenged` for its final response."""
        return Exchange(self._authorizer, self._wire.token)

    # Requests of theirs within a dialog

    def serve(self, transaction: ServerTransaction) -> None:
        """Count a request's transaction while it stands."""
        self.served += 1

        def over() -> None:
            self.served -= 1

        transaction.on_over = over

    @abstractmethod
    def on_request(
        self, dialog: Dialog, request: Request, transaction: ServerTransaction, source: Address, now: float
    ) -> None:
        """Answer a request within one of the call's dialogs."""

    # The ACK of our 2xx

    def _await_ack(self, transaction: ServerTransaction, now: float) -> None:
        number = transaction.request.cseq.number

        def timed_out(at: float) -> None:
            self._pending.pop(number, None)
            self._wire.emit(AckTimedOut(self.call_id, at))
            self.on_ack_timeout(at)

        self._pending[number] = PendingAck(transaction, now, timed_out)

    def on_ack(self, request: Request, source: Address, now: float) -> None:
        """Take the ACK of a 2xx."""
        pending = self._pending.pop(request.cseq.number, None)
        self._wire.emit(MessageReceived(self.call_id, now, request, source, pending is None))
        if pending is None:
            return
        pending.stop()
        sdp = request.sdp_body
        self._wire.emit(Acknowledged(self.call_id, now, request, parse_sdp(sdp) if sdp else None))
        self.on_acknowledged(request, now)


def status_line(response: Response) -> str:
    """Return status and reason phrase."""
    return f"{response.status} {response.reason}".strip()
