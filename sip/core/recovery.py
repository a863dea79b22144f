"""Ending a call that a killed process left behind.

An answered call gets its ACK, if that never left, and a BYE. A call that was still being set up gets a CANCEL
with the branch and Via of its INVITE, and a BYE for every early dialog that was known; for the next 64*T1 any
2xx is acknowledged and hung up. Nothing is redialled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .authorizer import Authorizer
from .caller import Caller
from .compose import OutRequest
from .dialog import Dialog
from .errors import LocalProtocolError
from .framing import Response
from .session import Session
from .timers import Timer
from .types import Address, Credentials

if TYPE_CHECKING:
    from .endpoint import Endpoint


UNSEEN_REQUESTS = 100
"""How many requests (PRACK, refreshes) may have left in a dialog since its snapshot was taken.

Their numbers must not come again, and a gap does no harm (RFC 3261 section 12.2.2).
"""


class Recovery(Caller):
    """The rest of an outgoing call of another process; ends with one `Ended` by us."""

    def __init__(
        self,
        endpoint: Endpoint,
        snapshot: dict[str, Any],
        now: float,
        credentials: Credentials | Authorizer | None = None,
    ) -> None:
        try:
            request, destination = _request(snapshot)
            dialogs = [
                (Dialog.restored(stored), bool(stored["acknowledged"])) for stored in snapshot["dialogs"]
            ]
            tag, contact = str(snapshot["local_tag"]), str(snapshot["contact"])
        except (KeyError, TypeError, ValueError) as error:
            raise LocalProtocolError(f"not a snapshot of a call: {error!r}") from error
        super().__init__(endpoint, request, tag, destination, contact, credentials, Session())
        self._running = 0
        self._limit: Timer | None = None
        if snapshot.get("state") == "Ended":
            self._finish("nothing was left", now)
            return
        answered = any(dialog.confirmed for dialog, _ in dialogs)
        for dialog, acknowledged in dialogs:
            dialog.local_cseq += UNSEEN_REQUESTS
            self._add_dialog(dialog)
            self._recover(dialog, acknowledged, answered, now)
        if not answered:
            self._running += 1
            self._limit = endpoint.wire.queue.start(now + endpoint.wire.timers.timeout, self._one_done)
            self._send_cancel(now)

    def on_bye(self, dialog: Dialog, now: float) -> None:
        """The far side hung up meanwhile."""

    @property
    def standing(self) -> Dialog | None:
        """Nothing of it stands: it is being ended."""
        return None

    def on_expired(self, now: float) -> None:
        """Cannot happen: no session timer runs."""

    def on_ack_timeout(self, now: float) -> None:
        """Cannot happen: re-INVITEs of a recovered call are refused."""

    def on_late(self, response: Response, now: float) -> None:
        """Take whatever comes for the old INVITE."""
        if response.status >= 300:
            self._wire.send_request(self._request.ack(response.to.tag), self._destination)
            self._cancel_settled(now)
        elif response.status >= 200 and not self._acknowledge_again(response.to.tag):
            dialog = self._dialog_of(response)
            self._acknowledge(dialog, response.cseq.number)
            self._hang_up(dialog, now)
            self._cancel_settled(now)

    def on_cancel_answered(self, response: Response, now: float) -> None:
        """A 481 says that the INVITE never arrived or is long over."""
        if response.status >= 300:
            self._cancel_settled(now)

    def _recover(self, dialog: Dialog, acknowledged: bool, answered: bool, now: float) -> None:
        if dialog.confirmed and not acknowledged:
            self._acknowledge(dialog, self._request.cseq)
        if dialog.confirmed or not answered:
            self._hang_up(dialog, now)

    def _hang_up(self, dialog: Dialog, now: float) -> None:
        self._running += 1
        self._send_bye(dialog, now, lambda failure, at: self._one_done(at))

    def _one_done(self, now: float) -> None:
        self._running -= 1
        if self._running == 0:
            self._finish("recovered", now)

    def _cancel_settled(self, now: float) -> None:
        if self._limit is not None and self._limit.action is not None:
            self._limit.stop()
            self._one_done(now)

    def _finish(self, reason: str, now: float) -> None:
        if not self.over:
            self._tell_ended("us", reason, now)
            self._close(now)


def _request(snapshot: dict[str, Any]) -> tuple[OutRequest, Address]:
    request = OutRequest(
        method="INVITE",
        uri=str(snapshot["request_uri"]),
        via=str(snapshot["via"]),
        branch=str(snapshot["branch"]),
        from_=str(snapshot["from"]),
        to=str(snapshot["to"]),
        call_id=str(snapshot["call_id"]),
        cseq=int(snapshot["cseq"]),
        route=tuple(str(value) for value in snapshot["route"]),
    )
    return request, Address.stored(snapshot["destination"])
