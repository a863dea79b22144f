"""Requests of the far side within a dialog, and what each is answered with.

An offer is taken if our stream can follow it; else 488, and the session stays as it was (RFC 3261 section
14.2). Where an offer of ours waits, theirs is a glare: 491; where one of theirs waits, 500 (RFC 3311 section
5.2).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from .compose import ACCEPT, ALLOW, METHODS, SDP_TYPE, SUPPORTED
from .dialog import Dialog, Negotiation
from .events import IdentityChanged, MessageReceived, RequestReceived
from .framing import Request
from .info import dtmf_of
from .reason import causes
from .refresh import RefreshedCall
from .sanity import unsupported
from .sdp import parse_sdp
from .transactions import ServerTransaction
from .types import Address, HeaderList

_WITH_EVENTS = frozenset({"SUBSCRIBE", "NOTIFY", "PUBLISH"})
_KNOWN_ELSEWHERE = _WITH_EVENTS | {"REFER", "MESSAGE", "REGISTER"}
ABILITIES: HeaderList = (("Allow", ALLOW), ACCEPT, ("Supported", SUPPORTED))
"""What an answer to OPTIONS says."""


def refusal(request: Request) -> tuple[int, HeaderList]:
    """Return status and headers for a request whose method we do not take.

    405, 489 for an event package (RFC 6665 section 4.1.3: none is known here), 501 for what nobody knows.
    """
    if request.method in _WITH_EVENTS and request.header("event"):
        return 489, ()
    known = request.method in _KNOWN_ELSEWHERE or request.method in METHODS
    return 405 if known else 501, (("Allow", ALLOW),)


def retry_after() -> tuple[str, str]:
    """Return a Retry-After between 0 and 10 s, by chance (RFC 3311 section 5.2)."""
    return "Retry-After", str(secrets.randbelow(11))


class Conversation(RefreshedCall):
    """A call whose far side is listened to."""

    def on_request(
        self, dialog: Dialog, request: Request, transaction: ServerTransaction, source: Address, now: float
    ) -> None:
        """Answer a request within one of the call's dialogs."""
        self._wire.emit(MessageReceived(self.call_id, now, request, source, False))
        if request.method == "BYE":
            # Also with a number out of order: the far side is gone whatever it counts.
            transaction.respond(200, now)
            self._causes = self._causes if self._over else causes(request)
            self.on_bye(dialog, now)
        elif not dialog.accepts(request):
            transaction.respond(500, now)
        elif self._over:
            transaction.respond(481, now)
        elif unknown := unsupported(request):
            self._reply(request, transaction, 420, now, (("Unsupported", ", ".join(unknown)),))
        else:
            dialog.learn(request)
            _HANDLERS.get(request.method, Conversation._on_other)(self, dialog, request, transaction, now)

    def on_acknowledged(self, request: Request, now: float) -> None:
        """The ACK of a 2xx of ours; it holds the answer if the 2xx held an offer."""
        dialog = self._dialogs.get(request.from_.tag)
        if dialog is None or dialog.negotiation is not Negotiation.OURS:
            return
        dialog.negotiation = Negotiation.SETTLED
        if request.sdp_body:
            self._agree(dialog, request.sdp_body, "ACK", now)

    def _on_options(
        self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float
    ) -> None:
        self._reply(request, transaction, 200, now, ABILITIES)

    def _on_info(self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float) -> None:
        if request.header("info-package"):
            # RFC 6086 section 4.2.2: we take no package at all.
            self._reply(request, transaction, 469, now, (("Recv-Info", ""),))
            return
        if (digits := dtmf_of(request, now)) is not None:
            self._wire.emit(digits)
        self._reply(request, transaction, 200, now, (("Allow", ALLOW), ACCEPT))

    def _on_refer(self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float) -> None:
        self._reply(request, transaction, 603, now)

    def _on_prack(self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float) -> None:
        self._reply(request, transaction, 481, now)

    def _on_other(self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float) -> None:
        status, headers = refusal(request)
        self._reply(request, transaction, status, now, headers)

    def _on_reinvite(
        self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float
    ) -> None:
        if not dialog.confirmed or self._pending or dialog.negotiation is not Negotiation.SETTLED:
            self._reply(request, transaction, 491, now)
            return
        self._answer_offer(dialog, request, transaction, now)
        if 200 <= transaction.status < 300:
            self._await_ack(transaction, now)

    def _on_update(
        self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float
    ) -> None:
        if request.sdp_body and dialog.negotiation is Negotiation.OURS:
            self._reply(request, transaction, 491, now)
        elif request.sdp_body and dialog.negotiation is Negotiation.THEIRS:
            self._reply(request, transaction, 500, now, (retry_after(),))
        else:
            self._answer_offer(dialog, request, transaction, now)

    def _answer_offer(
        self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float
    ) -> None:
        """Answer a re-INVITE or UPDATE: our own stream stays where it is and follows theirs."""
        offer = request.sdp_body
        body = self._session.answer(offer) if offer else None
        if offer and body is None:
            self._reply(request, transaction, 488, now, (self._warning(offer),))
            return
        if offer is None and request.method == "INVITE":
            body = self._session.offer()
            dialog.negotiation = Negotiation.OURS
        dialog.refresh(request)
        granted = self._grant(dialog, request, now)
        headers: HeaderList = (
            ("Contact", self.contact),
            ("Allow", ALLOW),
            ("Supported", SUPPORTED),
            *granted,
        )
        if body:
            headers = (*headers, SDP_TYPE)
        self._reply(request, transaction, 200, now, headers, body or b"")
        if dialog.rename(request):
            uri, name = request.from_.uri, request.from_.name
            negotiated = "from-change" in dialog.supported
            self._wire.emit(IdentityChanged(self.call_id, now, uri, name, negotiated))
        if offer:
            self._agree(dialog, offer, request.method, now)

    def _warning(self, offer: bytes) -> tuple[str, str]:
        """Say why an offer is refused (RFC 3261 section 20.43)."""
        code, text = (
            (305, "Incompatible media format")
            if parse_sdp(offer).audio_index >= 0
            else (304, "Media type not available")
        )
        return "Warning", f'{code} {self._wire.local.host} "{text}"'

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


_Handler = Callable[[Conversation, Dialog, Request, ServerTransaction, float], None]
_HANDLERS: dict[str, _Handler] = {
    "INFO": Conversation._on_info,
    "INVITE": Conversation._on_reinvite,
    "OPTIONS": Conversation._on_options,
    "PRACK": lambda call, *rest: call._on_prack(*rest),
    "REFER": Conversation._on_refer,
    "UPDATE": Conversation._on_update,
}
"""What is done with each method; BYE, ACK and CANCEL are matters of the call itself."""
