"""Calls whose session is refreshed and runs out (RFC 4028), and what both sides agreed on last."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from .authorizer import Authorizer
from .call import Call, status_line
from .compose import ALLOW, SDP_TYPE, SUPPORTED
from .dialog import Dialog, Negotiation
from .events import RequestFailed, SessionChanged, retry_after_s
from .framing import Request, Response
from .sdp import parse_sdp
from .session import Session
from .session_timer import MIN_SE_S, SessionExpires, SessionTimer, asking, min_se_s, session_expires
from .transactions import TIMEOUT
from .types import Credentials, Datagram, HeaderList

if TYPE_CHECKING:
    from .endpoint import Endpoint

RETRY_S = 10.0
"""When a refresh is tried again that failed for now and whose answer names no Retry-After."""


class RefreshedCall(Call):
    """A call with a session of its own and a timer for it."""

    owner: ClassVar[bool]
    """Whether we made the Call-ID: the two sides wait differently after a glare (RFC 3261 section 14.1)."""

    def __init__(
        self,
        endpoint: Endpoint,
        call_id: str,
        local_tag: str,
        credentials: Credentials | Authorizer | None,
        session: Session,
    ) -> None:
        super().__init__(endpoint, call_id, local_tag, credentials)
        self._session = session
        self._timer = SessionTimer(endpoint.wire.queue, self._refresh, self.on_expired)
        self._least_s = MIN_SE_S

    @property
    @abstractmethod
    def standing(self) -> Dialog | None:
        """The confirmed dialog of the call while nobody is ending it, else None."""

    @abstractmethod
    def on_expired(self, now: float) -> None:
        """The far side has not been heard of in time."""

    def _close(self, now: float) -> None:
        self._timer.stop()
        super()._close(now)

    def _agree(self, dialog: Dialog, remote: bytes, method: str, now: float) -> None:
        """An offer has its answer; tell it if the far side describes itself in another way than before."""
        dialog.negotiation = Negotiation.SETTLED
        if remote == dialog.remote_sdp:
            return
        dialog.remote_sdp = remote
        local = parse_sdp(self._session.local or b"")
        told = SessionChanged(self.call_id, now, dialog.remote_tag, method, parse_sdp(remote), local)
        self._wire.emit(told)

    # The interval, as both sides name it

    def _grant(self, dialog: Dialog, request: Request, now: float) -> HeaderList:
        """Start the timer that a request asks for; return what its 2xx says about it. We ask for none ourselves."""
        if not dialog.confirmed:
            return ()
        asked = session_expires(request)
        able = "timer" in dialog.supported
        if asked is None and self._timer.interval_s is not None and able:
            asked = SessionExpires(self._timer.interval_s, "uas" if self._timer.ours else "uac")
        if asked is None:
            self._timer.stop()
            return ()
        # Who cannot refresh is spared it (RFC 4028 table 2).
        role = "uas" if not able else asked.refresher or "uac"
        self._timer.start(asked.interval_s, role == "uas", now)
        field = SessionExpires(asked.interval_s, "uas" if role == "uas" else "uac").field
        return (field, ("Require", "timer")) if role == "uac" else (field,)

    def _granted(self, response: Response, now: float) -> None:
        """Start the timer of a 2xx to a request of ours; it may differ from what we asked for."""
        given = session_expires(response)
        if given is None:
            self._timer.stop()
        else:
            self._timer.start(given.interval_s, given.refresher != "uas", now)

    # Our refresh

    def _refresh(self, now: float) -> None:
        """Send UPDATE if they take it, else a re-INVITE with our last description unchanged (section 7.4)."""
        dialog, interval_s = self.standing, self._timer.interval_s
        if dialog is None or interval_s is None:
            return
        method = "UPDATE" if "UPDATE" in dialog.allowed else "INVITE"
        body = (self._session.local or b"") if method == "INVITE" else b""
        if method == "INVITE" and (self._pending or dialog.negotiation is not Negotiation.SETTLED):
            self._timer.again(self._glare_wait_s(), now)
            return
        if body:
            dialog.negotiation = Negotiation.OURS
        timer = asking(max(interval_s, self._least_s), self._least_s, "uac")
        headers = (("Contact", self.contact), ("Allow", ALLOW), ("Supported", SUPPORTED), *timer)
        acks: list[Datagram] = []

        def on_response(response: Response, at: float) -> None:
            if response.status >= 300:
                failed(status_line(response), at, _REFRESH_FAILED.get(response.status), response)
            elif method == "INVITE" and acks:
                self._wire.repeat(acks[0])
            else:
                dialog.learn(response)
                dialog.refresh(response)
                if method == "INVITE":
                    acks.append(self._ack_of(dialog, response))
                self._refreshed(dialog, method, response, at)

        def on_failure(reason: str, at: float) -> None:
            failed(reason, at, RefreshedCall._gone if reason == TIMEOUT else None, None)

        def failed(why: str, at: float, how: _OnFailure | None, response: Response | None) -> None:
            if body:
                dialog.negotiation = Negotiation.SETTLED
            if not self.over:
                self._wire.emit(RequestFailed(self.call_id, at, method, why, dialog.remote_tag))
                (how or RefreshedCall._later)(self, dialog, response, at)

        self._send_within(
            dialog, method, now, on_response, on_failure, (*headers, SDP_TYPE) if body else headers, body
        )

    def _ack_of(self, dialog: Dialog, response: Response) -> Datagram:
        ack, destination = dialog.request(self._wire, "ACK", cseq=response.cseq.number)
        self._wire.send_request(self._exchange().sign(ack, destination), destination)
        return self._wire.datagrams[-1]

    def _refreshed(self, dialog: Dialog, method: str, response: Response, now: float) -> None:
        if self.over:
            return
        if response.sdp_body:
            self._agree(dialog, response.sdp_body, method, now)
        elif method == "INVITE":
            dialog.negotiation = Negotiation.SETTLED
        if self.standing is not None:
            self._granted(response, now)

    def _glare_wait_s(self) -> float:
        low, high = (210, 400) if self.owner else (0, 200)
        return (low + secrets.randbelow(high - low + 1)) / 100

    def _gone(self, dialog: Dialog, response: Response | None, now: float) -> None:
        self.on_expired(now)

    def _otherwise(self, dialog: Dialog, response: Response | None, now: float) -> None:
        """They do not take UPDATE after all."""
        if "UPDATE" in dialog.allowed:
            dialog.allowed -= {"UPDATE"}
            self._refresh(now)
        else:
            self._later(dialog, response, now)

    def _longer(self, dialog: Dialog, response: Response | None, now: float) -> None:
        """The interval is too small for somebody on the way."""
        least_s = (response and min_se_s(response)) or 0
        if least_s > self._least_s:
            self._least_s = least_s
            self._refresh(now)
        else:
            self._later(dialog, response, now)

    def _after_glare(self, dialog: Dialog, response: Response | None, now: float) -> None:
        self._timer.again(self._glare_wait_s(), now)

    def _later(self, dialog: Dialog, response: Response | None, now: float) -> None:
        self._timer.again(float((response and retry_after_s(response)) or RETRY_S), now)


_OnFailure = Callable[[RefreshedCall, Dialog, Response | None, float], None]
_REFRESH_FAILED: dict[int, _OnFailure] = {
    405: RefreshedCall._otherwise,
    408: RefreshedCall._gone,
    422: RefreshedCall._longer,
    481: RefreshedCall._gone,
    491: RefreshedCall._after_glare,
    501: RefreshedCall._otherwise,
}
"""What follows from a failed refresh, by its status; any other is tried again until the session runs out."""
