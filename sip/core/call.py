"""What outgoing and incoming calls have in common.

Their dialogs, requests within them, BYE, and 2xx that wait for an ACK.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from .authorizer import Authorizer, Exchange
from .compose import ALLOW, METHODS, SDP_TYPE
from .dialog import Dialog
from .events import Acknowledged, AckTimedOut, By, Ended, MessageReceived, RequestReceived
from .framing import Request, Response
from .sdp import CODECS, build_answer, parse_sdp
from .timers import Timer
from .transactions import TIMEOUT, ClientTransaction, ServerTransaction
from .types import Address, Credentials, HeaderList

if TYPE_CHECKING:
    from .endpoint import Endpoint

ACCEPT = ("Accept", "application/sdp")
KNOWN_ELSEWHERE = frozenset({"REFER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "REGISTER", "PUBLISH", "PRACK"})
"""Methods that exist but that we do not take: 405 instead of 501."""


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
        self._local_sdp: bytes | None = None
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self._over

    @property
    @abstractmethod
    def contact(self) -> str:
        """The value of our Contact."""

    @abstractmethod
    def on_bye(self, now: float) -> None:
        """The far side hung up (its BYE has been answered)."""

    def on_invite_acknowledged(self, request: Request, now: float) -> None:  # noqa: B027 - only a called side has one
        """The ACK of the call's own INVITE arrived."""

    @abstractmethod
    def on_ack_timeout(self, now: float) -> None:
        """A 2xx of ours was never acknowledged."""

    def _add_dialog(self, dialog: Dialog) -> None:
        self._dialogs[dialog.remote_tag] = dialog
        self._endpoint.dialogs[dialog.key] = (self, dialog)

    def _tell_ended(self, by: By, reason: str, now: float) -> None:
        self._wire.emit(Ended(self.call_id, now, by, reason))

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

    def _send_bye(
        self, dialog: Dialog, now: float, done: Callable[[str, float], None], headers: HeaderList = ()
    ) -> None:
        """Send BYE and call `done(failure, now)` when it is answered, "" if all went well.

        Challenges are met.
        """
        exchange = self._exchange()

        def on_response(response: Response, at: float) -> None:
            if exchange.challenged(response):
                send(at)
                return
            if response.status < 300:
                exchange.accepted(response)
            done("" if response.status < 300 else f"{response.status} {response.reason}".strip(), at)

        def on_failure(reason: str, at: float) -> None:
            done("BYE was not answered" if reason == TIMEOUT else reason, at)

        def send(at: float) -> None:
            request, destination = dialog.request(
                self._wire, "BYE", (*headers, ("User-Agent", self._wire.user_agent))
            )
            request = exchange.sign(request, destination)
            ClientTransaction(self._wire, request, destination, on_response, on_failure, at)

        send(now)

    def _exchange(self) -> Exchange:
        """Return what signs a request of ours: `sign` before each sending, `challenged` for its final response."""
        return Exchange(self._authorizer, self._wire.token)

    # Requests of theirs within a dialog

    def on_request(
        self, dialog: Dialog, request: Request, transaction: ServerTransaction, source: Address, now: float
    ) -> None:
        """Answer a request within one of the call's dialogs."""
        self._wire.emit(MessageReceived(self.call_id, now, request, source, False))
        if request.method == "BYE":
            # Also with a number out of order: the far side is gone whatever it counts.
            transaction.respond(200, now)
            self.on_bye(now)
        elif not dialog.accepts(request):
            transaction.respond(500, now)
        elif self._over:
            transaction.respond(481, now)
        elif request.method == "INVITE":
            self._on_reinvite(dialog, request, transaction, now)
        else:
            self._on_other(dialog, request, transaction, now)

    def _on_other(self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float) -> None:
        sdp = request.sdp_body
        if request.method in ("OPTIONS", "INFO"):
            self._reply(request, transaction, 200, now, headers=(("Allow", ALLOW), ACCEPT))
        elif request.method == "UPDATE":
            dialog.refresh(request)
            self._answer_offer(request, transaction, sdp, now)
        elif request.method == "REFER":
            self._reply(request, transaction, 603, now)
        elif request.method in METHODS or request.method in KNOWN_ELSEWHERE:
            self._reply(request, transaction, 405, now, headers=(("Allow", ALLOW),))
        else:
            self._reply(request, transaction, 501, now, headers=(("Allow", ALLOW),))

    def _on_reinvite(
        self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float
    ) -> None:
        if not dialog.confirmed or self._pending:
            self._reply(request, transaction, 491, now)
            return
        dialog.refresh(request)
        self._answer_offer(request, transaction, request.sdp_body, now)
        if 200 <= transaction.status < 300:
            self._await_ack(transaction, now)

    def _answer_offer(
        self, request: Request, transaction: ServerTransaction, offer: bytes | None, now: float
    ) -> None:
        """Answer a re-INVITE or UPDATE: our own stream stays as it is, their hold is mirrored."""
        contact = ("Contact", self.contact)
        if offer is None:
            body = self._local_sdp if request.method == "INVITE" else None
        else:
            body = self._sdp_answer(offer)
            if body is None:
                self._reply(request, transaction, 488, now)
                return
        headers = (contact, ("Allow", ALLOW)) if not body else (contact, ("Allow", ALLOW), SDP_TYPE)
        self._reply(request, transaction, 200, now, headers=headers, body=body or b"")

    def _sdp_answer(self, offer: bytes) -> bytes | None:
        ours = parse_sdp(self._local_sdp or b"")
        if ours.address is None:
            return None
        words = ours.origin.split()
        session_id = int(words[1]) if len(words) > 1 and words[1].isdigit() else 1
        version = int(words[2]) + 1 if len(words) > 2 and words[2].isdigit() else 2
        codecs = tuple(codec for codec in CODECS if codec in {p.encoding for p in ours.payload_types})
        answer = build_answer(parse_sdp(offer), ours.address, session_id, version, codecs)
        if answer is not None:
            self._local_sdp = answer
        return answer

    def _reply(
        self,
        request: Request,
        transaction: ServerTransaction,
        status: int,
        now: float,
        headers: HeaderList = (),
        body: bytes = b"",
    ) -> None:
        transaction.respond(status, now, headers=headers, body=body)
        sdp = request.sdp_body
        self._wire.emit(RequestReceived(self.call_id, now, request, status, parse_sdp(sdp) if sdp else None))

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
        self.on_invite_acknowledged(request, now)
