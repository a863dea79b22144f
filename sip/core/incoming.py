"""The incoming call: the far end of a spot check as the simulated lines play it, or whoever rings us.

100 Trying is sent at once. A CANCEL is answered with 200 and the INVITE with 487, unless `ignore_cancel` says
that this line answers all the same. A 2xx is repeated until its ACK; without one the call is hung up.

Provisional responses can be made reliable (RFC 3262): each is repeated until its PRACK, and the 2xx waits
for those that describe the session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .compose import ALLOW, REASONS, SDP_TYPE, SUPPORTED, must_be_one_line
from .dialog import Dialog, Negotiation
from .digest import Verification
from .errors import LocalProtocolError
from .events import Cancelled
from .framing import Request
from .incoming_states import INCOMING, IncomingAct, IncomingState, IncomingStep
from .isup_body import with_isup
from .reason import HUNG_UP, NO_ACK, SESSION_EXPIRED, causes, with_reason
from .reliable import ReliableSender
from .session import Session
from .transactions import ServerTransaction
from .types import Address, HeaderList
from .values import parse_uri
from .within import Conversation

if TYPE_CHECKING:
    from .endpoint import Endpoint


_UNANSWERED = frozenset({IncomingState.PROCEEDING, IncomingState.ANSWER_WANTED})


class IncomingCall(Conversation):
    """A call placed to us. Comes with the event `IncomingInvite`."""

    owner = False

    def __init__(
        self, endpoint: Endpoint, request: Request, transaction: ServerTransaction, source: Address
    ) -> None:
        super().__init__(endpoint, request.call_id, endpoint.wire.token(), None, Session())
        self.request = request
        """The INVITE."""
        self.source = source
        self.state = IncomingState.PROCEEDING
        self.ignore_cancel = False
        """Set to let the call go on when a CANCEL arrives (it is answered and told all the same)."""
        self.cancelled = False
        """Whether a CANCEL has arrived."""
        self._transaction = transaction
        self._why = "BYE"
        self._fields: HeaderList = ()
        self._dialog = Dialog.of_request(request, self.local_tag, source)
        self._dialog.learn(request)
        if request.sdp_body:
            self._dialog.remote_sdp, self._dialog.negotiation = request.sdp_body, Negotiation.THEIRS
        self._required = "100rel" in [option.lower() for option in request.values("require")]
        self._reliable = ReliableSender(transaction, self.local_tag, self._on_prack_timeout)
        self._answer: tuple[str | None, HeaderList, bytes] = (None, (), b"")
        self._add_dialog(self._dialog)

    @property
    def contact(self) -> str:
        """The value of our Contact."""
        uri = parse_uri(self.request.uri)
        user = self.request.uri.partition(":")[2].rpartition("@")[0] if uri is not None else ""
        return self._wire.contact(user, self.source.transport)

    @property
    def takes_reliable(self) -> bool:
        """Whether the caller knows reliable provisional responses."""
        return self._required or "100rel" in self._dialog.supported

    def progress(
        self,
        status: int,
        now: float,
        reason: str | None = None,
        body: bytes | None = None,
        headers: HeaderList = (),
        *,
        reliable: bool | None = None,
        isup: bytes = b"",
    ) -> None:
        """Send a provisional response, 100 to 199, with our To-tag (except 100); `body` is SDP.

        `isup` is an ISUP message beside it, as an exchange sends one (SIP-I, ITU-T Q.1912.5).

        A reliable one is repeated until its PRACK and waits for those before it; without a PRACK in 64*T1 the
        call ends with 504. By default one is reliable where the caller requires it. Raises
        `LocalProtocolError` for another status, when a final response has been sent, or when the caller does
        not know reliable responses.
        """
        if not 100 <= status < 200:
            raise LocalProtocolError(f"{status} is not a provisional status")
        self._must_be_open()
        if reliable is None:
            reliable = self._required
        if reliable and status > 100:
            self._progress_reliably(status, now, reason, body or b"", headers, isup)
            return
        if body:
            self._session.describe(body)
        tag = "" if status == 100 else self.local_tag
        fields, whole = self._with_contact(headers, body), body or b""
        if isup:
            fields, whole = with_isup(fields, whole, isup)
        self._transaction.respond(status, now, reason, to_tag=tag, headers=fields, body=whole)

    def _progress_reliably(
        self, status: int, now: float, reason: str | None, body: bytes, headers: HeaderList, isup: bytes
    ) -> None:
        if not self.takes_reliable:
            raise LocalProtocolError("the caller does not take reliable provisional responses")
        fields = self._with_contact((("Allow", ALLOW), ("Supported", SUPPORTED), *headers), body)
        must_be_one_line(*(name + value for name, value in fields), reason or "")
        whole = body
        if isup:
            fields, whole = with_isup(fields, body, isup)
        self._reliable.send(status, reason, fields, whole, now)
        if body:
            self._session.describe(body)
            self._settle()

    def answer(
        self, now: float, body: bytes | None = None, headers: HeaderList = (), reason: str | None = None
    ) -> None:
        """Answer with 200 and repeat it until the ACK; `body` is SDP.

        The 200 waits for the PRACK of reliable responses that describe the session. Raises
        `LocalProtocolError` when a final response has been sent.
        """
        self._must_be_open()
        if body:
            self._session.describe(body)
        fields = (*headers, ("Allow", ALLOW), ("Supported", SUPPORTED))
        must_be_one_line(*(name + value for name, value in fields), reason or "")
        self._answer = (reason, fields, body or b"")
        later = self._reliable.describes
        self._take(IncomingStep.ANSWER_LATER if later else IncomingStep.ANSWER, now)

    def reject(self, status: int, now: float, reason: str | None = None, headers: HeaderList = ()) -> None:
        """Refuse with a final status, 300 to 699; `headers` may hold Contact (3xx), Reason and so on.

        Raises `LocalProtocolError` for another status or when a final response has been sent.
        """
        if not 300 <= status < 700:
            raise LocalProtocolError(f"{status} does not refuse a call")
        self._must_be_open()
        self._refuse(status, now, reason, headers)
        self._take(IncomingStep.REJECT, now)

    def challenge(
        self, realm: str, now: float, *algorithms: str, stale: bool = False, proxy: bool = False
    ) -> None:
        """Ask for credentials with 401 (407 for a proxy), by any of the algorithms, the preferred first; MD5 if none.

        Ends this call; the caller comes back with a new INVITE.
        """
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        challenges = [
            (name, self._endpoint.verifier.challenge(realm, algorithm, now, stale))
            for algorithm in algorithms or ("MD5",)
        ]
        self.reject(407 if proxy else 401, now, headers=tuple(challenges))

    def verify(self, lookup: Callable[[str], str | None], now: float) -> Verification:
        """Check the credentials of the INVITE; `lookup` returns the password of a user name, None if unknown.

        `absent` and `stale` call for a (stale) challenge, `wrong` for 403 or another challenge.
        """
        return self._endpoint.verifier.verify(self.request, "INVITE", lookup, now)

    def hang_up(self, now: float, headers: HeaderList = (), why: str = "") -> None:
        """End the call, whatever its state.

        BYE (after the ACK), or 480 if not answered. `why`, in English, is the text of a Reason (RFC 3326). Does
        nothing if ended.
        """
        self._fields = with_reason(headers, HUNG_UP, why) if why else headers
        self._take(IncomingStep.HANG_UP, now)

    # What the endpoint reports

    def on_cancel(self, request: Request, now: float) -> None:
        """A CANCEL arrived and has been answered."""
        if self.state not in _UNANSWERED or self.cancelled:
            return
        self.cancelled = True
        self._wire.emit(Cancelled(self.call_id, now, request))
        if not self.ignore_cancel:
            self._why, self._causes = "CANCEL", causes(request)
            self._take(IncomingStep.CANCEL, now)

    def on_bye(self, dialog: Dialog, now: float) -> None:
        """The caller hung up."""
        self._take(IncomingStep.BYE, now)

    def on_acknowledged(self, request: Request, now: float) -> None:
        """The ACK of our 2xx arrived."""
        super().on_acknowledged(request, now)
        if request.cseq.number == self.request.cseq.number:
            self._take(IncomingStep.ACK, now)

    def on_ack_timeout(self, now: float) -> None:
        """Our 2xx was never acknowledged."""
        self._why, self._fields = "no ACK", with_reason((), NO_ACK)
        self._take(IncomingStep.ACK_TIMEOUT, now)

    @property
    def standing(self) -> Dialog | None:
        """The confirmed dialog of the call while nobody is ending it, else None."""
        return self._dialog if self.state is IncomingState.CONFIRMED else None

    def on_expired(self, now: float) -> None:
        """The caller has not been heard of in time."""
        if self.state is IncomingState.CONFIRMED:
            self._why, self._fields = "session expired", with_reason((), SESSION_EXPIRED)
            self._take(IncomingStep.EXPIRE, now)

    def _on_prack(self, dialog: Dialog, request: Request, transaction: ServerTransaction, now: float) -> None:
        acknowledged = self._reliable.acknowledge(request)
        if acknowledged is None:
            self._reply(request, transaction, 481, now)
            return
        if request.sdp_body and dialog.negotiation is Negotiation.SETTLED:
            self._answer_offer(dialog, request, transaction, now)
        else:
            self._reply(request, transaction, 200, now)
            if request.sdp_body and acknowledged.body:
                self._agree(dialog, request.sdp_body, "PRACK", now)
        if not self._reliable.describes:
            self._take(IncomingStep.PRACKED, now)
        if self.state in _UNANSWERED:
            self._reliable.go_on(now)

    def _on_prack_timeout(self, now: float) -> None:
        self._take(IncomingStep.PRACK_TIMEOUT, now)

    # The machine

    def _take(self, step: IncomingStep, now: float) -> None:
        found = INCOMING.get((self.state, step))
        if found is None:
            return
        self.state, acts = found
        for act in acts:
            _DO[act](self, now)
        if self.state is IncomingState.ENDED:
            self._reliable.stop()
            self._close(now)

    def _settle(self) -> None:
        """Our description has left: it answers their offer, or is ours and waits for an answer."""
        if self._dialog.negotiation is Negotiation.THEIRS:
            self._dialog.negotiation = Negotiation.SETTLED

    def _send_200(self, now: float) -> None:
        reason, headers, body = self._answer
        self._reliable.stop()
        self._dialog.confirmed = True
        self._settle()
        headers = (*headers, *self._grant(self._dialog, self.request, now))
        self._transaction.respond(
            200,
            now,
            reason,
            to_tag=self.local_tag,
            headers=self._with_contact(headers, body),
            body=body,
        )
        self._await_ack(self._transaction, now)

    def _refuse(self, status: int, now: float, reason: str | None = None, headers: HeaderList = ()) -> None:
        self._why = f"{status} {reason if reason is not None else REASONS.get(status, '')}".strip()
        self._transaction.respond(status, now, reason, to_tag=self.local_tag, headers=headers)

    def _send_487(self, now: float) -> None:
        why = self._why
        self._refuse(487, now)
        self._why = why

    def _send_480(self, now: float) -> None:
        self._refuse(480, now, headers=self._fields)

    def _send_504(self, now: float) -> None:
        self._refuse(504, now)
        self._why = "no PRACK"

    def _do_bye(self, now: float) -> None:
        def done(failure: str, at: float) -> None:
            expired = self.state is IncomingState.EXPIRED
            self._why = f"BYE: {failure}" if failure and not expired else self._why
            self._take(IncomingStep.BYE_DONE, at)

        self._send_bye(self._dialog, now, done, self._fields)

    def _tell_ended_us(self, now: float) -> None:
        self._tell_ended("us", self._why, now)

    def _tell_ended_them(self, now: float) -> None:
        self._tell_ended("them", self._why, now)

    def _tell_ended_network(self, now: float) -> None:
        self._tell_ended("network", self._why, now)

    def _must_be_open(self) -> None:
        if self.state is not IncomingState.PROCEEDING:
            raise LocalProtocolError("the call has had its final response")

    def _with_contact(self, headers: HeaderList, body: bytes | None) -> HeaderList:
        own = (("Contact", self.contact), ("User-Agent", self._wire.user_agent))
        return (*own, *headers, SDP_TYPE) if body else (*own, *headers)


_DO = {
    IncomingAct.SEND_200: IncomingCall._send_200,
    IncomingAct.SEND_487: IncomingCall._send_487,
    IncomingAct.SEND_480: IncomingCall._send_480,
    IncomingAct.SEND_504: IncomingCall._send_504,
    IncomingAct.SEND_BYE: IncomingCall._do_bye,
    IncomingAct.TELL_ENDED_US: IncomingCall._tell_ended_us,
    IncomingAct.TELL_ENDED_THEM: IncomingCall._tell_ended_them,
    IncomingAct.TELL_ENDED_NETWORK: IncomingCall._tell_ended_network,
}
