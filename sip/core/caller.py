"""What an outgoing call and the recovery of one share: the INVITE, its CANCEL, and the ACKs of its 2xx."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from .authorizer import Authorizer
from .call import status_line
from .compose import SDP_TYPE, OutRequest
from .dialog import Dialog, Negotiation
from .events import RequestFailed
from .framing import Response
from .reason import ELSEWHERE, with_reason
from .reliable import rack
from .session import Session
from .transactions import ClientTransaction
from .types import Address, Credentials, Datagram, HeaderList
from .within import Conversation

if TYPE_CHECKING:
    from .endpoint import Endpoint


class Caller(Conversation):
    """The calling side of a call."""

    owner = True

    def __init__(
        self,
        endpoint: Endpoint,
        request: OutRequest,
        local_tag: str,
        destination: Address,
        contact: str,
        credentials: Credentials | Authorizer | None,
        session: Session,
    ) -> None:
        super().__init__(endpoint, request.call_id, local_tag, credentials, session)
        self._request = request
        self._destination = destination
        self._contact = contact
        self._acks: dict[str, Datagram] = {}
        """The ACK of each To-tag's 2xx, to be repeated with it."""

    @property
    def contact(self) -> str:
        """The value of our Contact."""
        return self._contact

    def sent(self, response: Response) -> bool:
        """Whether this answers the INVITE as it was last sent."""
        mine = response.via.branch == self._request.branch and response.from_.tag == self.local_tag
        return mine and response.cseq.method == "INVITE" and response.cseq.number == self._request.cseq

    @abstractmethod
    def on_late(self, response: Response, now: float) -> None:
        """Take a response to the INVITE that no transaction waits for any more."""

    def _dialog_of(self, response: Response) -> Dialog:
        """Return the dialog of a response, made or brought up to date."""
        dialog = self._dialogs.get(response.to.tag)
        if dialog is None:
            home = self._destination
            if self._request.for_size:
                home = home._replace(transport="udp")
            dialog = Dialog.of_response(self._request, response, self.local_tag, home)
            self._add_dialog(dialog)
        elif not dialog.confirmed:
            dialog.update(response)
        dialog.learn(response)
        dialog.local_cseq = max(dialog.local_cseq, response.cseq.number)
        if response.status >= 200:
            dialog.confirmed = True
        return dialog

    def _drop(self, dialog: Dialog) -> None:
        """An early dialog is over; the others are not."""
        self._dialogs.pop(dialog.remote_tag, None)
        self._endpoint.dialogs.pop(dialog.key, None)

    def _acknowledge(self, dialog: Dialog, cseq: int, body: bytes | None = None) -> None:
        """Send the ACK of a 2xx (section 13.2.2.4), with the credentials of its INVITE (section 22.1)."""
        headers = tuple(
            (name, value)
            for name, value in self._request.headers
            if name in ("Authorization", "Proxy-Authorization")
        )
        if body:
            headers = (*headers, SDP_TYPE)
        request, destination = dialog.request(self._wire, "ACK", headers, body or b"", cseq)
        self._wire.send_request(request, destination)
        self._acks[dialog.remote_tag] = self._wire.datagrams[-1]

    def _acknowledge_again(self, tag: str) -> bool:
        """Repeat the ACK of a To-tag; False if none was sent yet."""
        sent = self._acks.get(tag)
        if sent is None:
            return False
        self._wire.repeat(sent)
        return True

    def _discard(self, dialog: Dialog, cseq: int, now: float) -> None:
        """Acknowledge a dialog that nobody wants and hang it up."""
        self._acknowledge(dialog, cseq)
        self._send_bye(dialog, now, lambda failure, at: None, with_reason((), ELSEWHERE))

    def _prack(self, dialog: Dialog, response: Response, rseq: int, now: float) -> bool:
        """Acknowledge a reliable provisional response; False if it holds an offer that we cannot take.

        A PRACK that fails says nothing about the INVITE: it is told and no more.
        """
        offer = response.sdp_body if not self._request.body else None
        answer = self._session.answer(offer) if offer and dialog.negotiation is Negotiation.OURS else None

        def on_response(reply: Response, at: float) -> None:
            if reply.status >= 300:
                failed(status_line(reply), at)

        def failed(why: str, at: float) -> None:
            self._wire.emit(RequestFailed(self.call_id, at, "PRACK", why, dialog.remote_tag))

        headers: HeaderList = (rack(response, rseq),)
        self._send_within(
            dialog,
            "PRACK",
            now,
            on_response,
            failed,
            (*headers, SDP_TYPE) if answer else headers,
            answer or b"",
        )
        if offer and answer:
            self._agree(dialog, offer, "PRACK", now)
        return offer is None or dialog.negotiation is Negotiation.SETTLED

    def _send_cancel(self, now: float, headers: HeaderList = ()) -> ClientTransaction:
        def ignore(response: Response, at: float) -> None:
            self.on_cancel_answered(response, at)

        return ClientTransaction(
            self._wire,
            self._request.cancel(headers),
            self._destination,
            ignore,
            lambda reason, at: None,
            now,
        )

    def on_cancel_answered(self, response: Response, now: float) -> None:
        """The CANCEL itself was answered, which says nothing about the INVITE."""
