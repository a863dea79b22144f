"""What an outgoing call and the recovery of one share: the INVITE, its CANCEL, and the ACKs of its 2xx."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from .authorizer import Authorizer
from .call import Call
from .compose import SDP_TYPE, OutRequest
from .dialog import Dialog
from .framing import Response
from .transactions import ClientTransaction
from .types import Address, Credentials, Datagram, HeaderList

if TYPE_CHECKING:
    from .endpoint import Endpoint


class Caller(Call):
    """The calling side of a call."""

    def __init__(
        self,
        endpoint: Endpoint,
        request: OutRequest,
        local_tag: str,
        destination: Address,
        contact: str,
        credentials: Credentials | Authorizer | None,
    ) -> None:
        super().__init__(endpoint, request.call_id, local_tag, credentials)
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
            dialog = Dialog.of_response(self._request, response, self.local_tag, self._destination)
            self._add_dialog(dialog)
        elif not dialog.confirmed:
            dialog.update(response)
        dialog.local_cseq = max(dialog.local_cseq, response.cseq.number)
        if response.status >= 200:
            dialog.confirmed = True
        return dialog

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
        self._wire.datagrams.append(
            Datagram(sent.data, sent.destination, sent.call_id, sent.method, retransmission=True)
        )
        return True

    def _discard(self, dialog: Dialog, cseq: int, now: float) -> None:
        """Acknowledge a dialog that nobody wants and hang it up."""
        self._acknowledge(dialog, cseq)
        self._send_bye(dialog, now, lambda failure, at: None)

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
