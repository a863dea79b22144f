"""The outgoing call: one INVITE, whatever comes back, and its end.

The table `OUTGOING` is the machine. What it protects: CANCEL leaves only after a provisional response; a 2xx
that crosses our CANCEL is acknowledged and then hung up, or the far handset stays off hook; every 2xx is
acknowledged as often as it comes; each To-tag is a dialog of its own and all but the first answered one are
hung up; nothing is dialled twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .caller import Caller
from .compose import ALLOW, EXTENSIONS, SDP_TYPE, OutRequest, with_tag
from .dialog import Dialog, Negotiation
from .errors import LocalProtocolError
from .events import Answered, ForkAnswered, Provisional, Refused, Rejected, TimedOut
from .framing import Response
from .outgoing_states import OUTGOING, OutgoingAct, OutgoingState, OutgoingStep
from .reason import GIVEN_UP, HUNG_UP, NO_ACK, NOT_ACCEPTABLE, SESSION_EXPIRED, with_reason
from .reliable import rseq_of
from .sdp import SessionDescription, parse_sdp
from .session import Session
from .session_timer import MIN_SE_S, asking, min_se_s
from .timers import Timer
from .transactions import TIMEOUT, ClientTransaction, Step
from .types import Address, HeaderList, Invite
from .values import parse_name_address, quote

if TYPE_CHECKING:
    from .endpoint import Endpoint


MOST_DIALOGS = 32
"""To-tags of one call that are followed; a network forks to a few, a far end with more of them is none."""


class OutgoingCall(Caller):
    """A call that we place. Made by `Endpoint.prepare_call` or `Endpoint.place_call`."""

    _transaction: ClientTransaction
    """The INVITE's; there is none before the call has `_begun`."""

    def __init__(self, endpoint: Endpoint, invite: Invite) -> None:
        tag = endpoint.wire.token()
        contact = endpoint.wire.contact(_user(invite.from_uri), invite.destination.transport)
        request = _first_invite(endpoint, invite, tag, contact)
        # A bad value is refused here, before anything is written down or begun.
        request.encode()
        request, destination = endpoint.wire.fit(request, invite.destination)
        session = Session(invite.offer, invite.answerer)
        super().__init__(endpoint, request, tag, destination, contact, invite.credentials, session)
        self.invite = invite
        self.state = OutgoingState.PREPARED
        self.alerted = False
        """Whether anything but 100 has come: somebody may have been rung."""
        self._answer: tuple[Response, Dialog] | None = None
        self._last: Response | None = None
        self._ack_body: bytes | None = None
        self._fields: HeaderList = ()
        self._why = "BYE"
        self._text = ""
        self._cause = HUNG_UP
        self._login = self._exchange()
        self._cancel_timer: Timer | None = None
        self._begun = False
        """Whether an INVITE has left."""

    # What the phone may ask for

    def start(self, now: float) -> None:
        """Send the INVITE of a prepared call; does nothing later on."""
        self._take(OutgoingStep.START, now)

    def acknowledge(self, now: float, body: bytes | None = None) -> None:
        """Send the ACK of the first 2xx; `body` is our answer where the 2xx held the offer.

        Does nothing if the call has moved on meanwhile. Raises `LocalProtocolError` if nothing has been
        answered.
        """
        if self._answer is None and not self.over:
            raise LocalProtocolError("there is no answer to acknowledge")
        self._ack_body = body
        if body:
            self._session.describe(body)
        if self._answer is not None:
            self._answer[1].negotiation = Negotiation.SETTLED
        self._take(OutgoingStep.ACKNOWLEDGE, now)

    def cancel(self, now: float, headers: HeaderList = (), why: str = "") -> None:
        """Give the call up.

        CANCEL, as soon as a provisional response allows it; BYE if it has been answered. `why`, in English, is
        the text of its Reason (RFC 3326), unless `headers` hold one.
        """
        self._fields, self._text = headers, why
        self._take(OutgoingStep.CANCEL, now)

    def hang_up(self, now: float, headers: HeaderList = (), why: str = "") -> None:
        """End the call, whatever its state: ACK and BYE, BYE, or CANCEL. Does nothing if it has ended."""
        self._fields, self._text = headers, why
        self._take(OutgoingStep.HANG_UP, now)

    def hush(self) -> None:
        """Send the INVITE no more, even where nothing came back. Should it have arrived, the call is still ended."""
        if self._begun:
            self._transaction.quiet = True

    def snapshot(self) -> dict[str, Any]:
        """Return what `Endpoint.recover` needs to end this call in another process, as JSON-able values."""
        request = self._request
        return {
            "version": 1,
            "call_id": self.call_id,
            "state": self.state.value,
            "local_tag": self.local_tag,
            "request_uri": request.uri,
            "via": request.via,
            "branch": request.branch,
            "from": request.from_,
            "to": request.to,
            "cseq": request.cseq,
            "route": list(request.route),
            "contact": self.contact,
            "local": list(self._wire.locals.get(self._destination.transport, self._wire.local)),
            "destination": list(self._destination),
            "dialogs": [
                {**dialog.stored(), "acknowledged": dialog.remote_tag in self._acks}
                for dialog in self._dialogs.values()
            ],
        }

    # What the endpoint reports

    def on_bye(self, dialog: Dialog, now: float) -> None:
        """The far side hung up; of several telephones the one that answered counts, once one has."""
        if self._answer is None or dialog is self._answer[1]:
            self._take(OutgoingStep.BYE, now)

    def on_late(self, response: Response, now: float) -> None:
        """Take a 2xx that no transaction waits for any more."""
        if 200 <= response.status < 300:
            self._on_success(response, now)

    @property
    def standing(self) -> Dialog | None:
        """The confirmed dialog of the call while nobody is ending it, else None."""
        return self._answered[1] if self.state is OutgoingState.CONFIRMED else None

    def on_expired(self, now: float) -> None:
        """The far side has not been heard of in time."""
        if self.state is OutgoingState.CONFIRMED:
            self._why, self._cause, self._text = "session expired", SESSION_EXPIRED, ""
            self._take(OutgoingStep.EXPIRE, now)

    def on_ack_timeout(self, now: float) -> None:
        """A re-INVITE of theirs was answered and never acknowledged."""
        self._why, self._cause, self._text = "re-INVITE was not acknowledged", NO_ACK, ""
        self._take(OutgoingStep.HANG_UP, now)

    # The INVITE

    def _busy(self, now: float) -> bool:
        if not self._begun:
            return False
        self._transaction.step(Step.ABANDON, now)
        return not self._transaction.over

    def _begin(self, now: float) -> ClientTransaction:
        self._begun = True
        signed = self._login.sign(self._request, self._destination)
        self._request, self._destination = self._wire.fit(signed, self._destination)
        transaction = ClientTransaction(
            self._wire, self._request, self._destination, self._on_response, self._on_failure, now
        )
        transaction.on_moved = self._moved
        return transaction

    def _moved(self, request: OutRequest, destination: Address) -> None:
        """The INVITE took another way: its CANCEL and whoever recovers the call must know."""
        self._request, self._destination = request, destination

    def _on_response(self, response: Response, now: float) -> None:
        if 200 <= response.status < 300:
            self._on_success(response, now)
            return
        if response.status < 200:
            self._on_provisional(response, now)
            return
        self._last = response
        # What has rung somebody is not sent again: it would ring twice.
        if not self.alerted and self._login.challenged(response):
            self._take(OutgoingStep.CHALLENGE, now)
        elif not self.alerted and self._can_lengthen(response):
            self._take(OutgoingStep.TOO_SHORT, now)
        else:
            self._take(OutgoingStep.REJECT, now)

    def _on_provisional(self, response: Response, now: float) -> None:
        tag, rseq = response.to.tag, rseq_of(response)
        known = self._dialogs.get(tag)
        if tag and known is None and len(self._dialogs) >= MOST_DIALOGS:
            return
        if rseq is not None and known is not None and known.remote_rseq is not None:
            if rseq <= known.remote_rseq:
                return
            if rseq > known.remote_rseq + 1:
                # One before it is lost; both will be repeated (RFC 3262 section 4).
                self._transaction.unsee(response)
                return
        self._last = response
        self.alerted = self.alerted or response.status > 100 or bool(tag)
        acceptable = True
        if response.status > 100 and tag and not self.over:
            dialog = self._dialog_of(response)
            if rseq is not None:
                acceptable = self._take_reliable(dialog, response, rseq, now)
            if response.status == 199:
                self._drop(dialog)
        self._take(OutgoingStep.PROVISIONAL, now)
        if not acceptable:
            self._cause, self._text = NOT_ACCEPTABLE, ""
            self._take(OutgoingStep.CANCEL, now)

    def _take_reliable(self, dialog: Dialog, response: Response, rseq: int, now: float) -> bool:
        """Acknowledge a reliable response; False if it holds an offer that we cannot take."""
        dialog.remote_rseq = rseq
        if response.sdp_body and self._request.body and dialog.negotiation is Negotiation.OURS:
            dialog.remote_sdp, dialog.negotiation = response.sdp_body, Negotiation.SETTLED
        return self._prack(dialog, response, rseq, now)

    def _can_lengthen(self, response: Response) -> bool:
        """Prepare the INVITE that a 422 asks for, once (RFC 4028 section 7.3)."""
        least_s = min_se_s(response)
        if response.status != 422 or self._least_s > MIN_SE_S or least_s is None or least_s <= MIN_SE_S:
            return False
        self._least_s = least_s
        kept = [f for f in self._request.headers if f[0] not in ("Session-Expires", "Min-SE")]
        timer = asking(max(self.invite.session_expires_s or 0, least_s), least_s)
        self._request = replace(self._request, headers=(*timer, *kept))
        return True

    def _on_success(self, response: Response, now: float) -> None:
        tag = response.to.tag
        if self._acknowledge_again(tag):
            return
        if self._answer is not None and (
            tag == self._answer[1].remote_tag
            or (tag not in self._dialogs and len(self._dialogs) >= MOST_DIALOGS)
        ):
            return
        dialog = self._dialog_of(response)
        if self._answer is None:
            self._login.accepted(response)
            self._settle(dialog, response)
            self._granted(response, now)
            self._answer = (response, dialog)
            self._last = response
            self._take(OutgoingStep.ANSWER, now)
        else:
            self._wire.emit(ForkAnswered(self.call_id, now, response, tag))
            self._discard(dialog, response.cseq.number, now)

    def _settle(self, dialog: Dialog, response: Response) -> None:
        """Take note of what the 2xx says about the session: the answer, or an offer that the ACK answers."""
        offered = dialog.negotiation is Negotiation.OURS and not self._request.body
        dialog.negotiation = Negotiation.THEIRS if offered else Negotiation.SETTLED
        dialog.remote_sdp = response.sdp_body or dialog.remote_sdp

    def _on_failure(self, reason: str, now: float) -> None:
        self._why = reason
        self._take(OutgoingStep.TIMEOUT if reason == TIMEOUT else OutgoingStep.REFUSED, now)

    # The machine

    def _take(self, step: OutgoingStep, now: float) -> None:
        found = OUTGOING.get((self.state, step))
        if found is None:
            return
        before = self.state
        self.state, acts = found
        for act in acts:
            _DO[act](self, now)
        if self.state is OutgoingState.ENDED and before is not OutgoingState.ENDED:
            if self._cancel_timer is not None:
                self._cancel_timer.stop()
            self._close(now)

    def _tell_provisional(self, now: float) -> None:
        response = self._response
        told = Provisional(
            self.call_id,
            now,
            response.status,
            response.reason,
            response,
            response.to.tag,
            _sdp(response),
            reliable=rseq_of(response) is not None,
            early_media=response.header("p-early-media"),
        )
        self._wire.emit(told)

    def _tell_answered(self, now: float, after_cancel: bool = False) -> None:
        response = self._response
        self._wire.emit(Answered(self.call_id, now, response, response.to.tag, _sdp(response), after_cancel))

    def _tell_crossed(self, now: float) -> None:
        self._tell_answered(now, after_cancel=True)

    def _tell_rejected(self, now: float) -> None:
        response = self._response
        denial = self._login.denial if response.status in (401, 407) else None
        told = Rejected(
            self.call_id, now, response.status, response.reason, response, denial, alerted=self.alerted
        )
        self._wire.emit(told)

    def _tell_timed_out(self, now: float) -> None:
        self._wire.emit(TimedOut(self.call_id, now))

    def _tell_refused(self, now: float) -> None:
        self._wire.emit(Refused(self.call_id, now, self._why, self.alerted))

    def _tell_ended_us(self, now: float) -> None:
        self._tell_ended("us", self._why, now)

    def _tell_ended_them(self, now: float) -> None:
        self._tell_ended("them", "BYE", now)

    def _tell_ended_network(self, now: float) -> None:
        self._transaction.step(Step.ABANDON, now)
        self._tell_ended("network", self._why, now)

    def _do_invite(self, now: float) -> None:
        self._transaction = self._begin(now)

    def _retry(self, now: float) -> None:
        """Send the INVITE once more, changed: new branch, next number (section 22.2)."""
        branch = self._wire.new_branch()
        self._request = replace(
            self._request,
            via=self._wire.via(branch, self._destination.transport),
            branch=branch,
            cseq=self._request.cseq + 1,
        )
        self._transaction = self._begin(now)

    def _do_cancel(self, now: float) -> None:
        cause = self._cause if self._cause is NOT_ACCEPTABLE else GIVEN_UP
        self._send_cancel(now, with_reason(self._fields, cause, self._text))
        self._cancel_timer = self._wire.queue.start(now + self._wire.timers.timeout, self._gave_up)

    def _gave_up(self, now: float) -> None:
        self._why = "no final response after CANCEL"
        self._take(OutgoingStep.GAVE_UP, now)

    def _do_cancel_quietly(self, now: float) -> None:
        self._send_cancel(now)

    def _do_ack(self, now: float) -> None:
        response, dialog = self._answered
        self._acknowledge(dialog, response.cseq.number, self._ack_body)

    def _do_bye(self, now: float) -> None:
        def done(failure: str, at: float) -> None:
            expired = self.state is OutgoingState.EXPIRED
            self._why = f"BYE: {failure}" if failure and not expired else self._why
            self._take(OutgoingStep.BYE_DONE, at)

        self._send_bye(self._answered[1], now, done, with_reason(self._fields, self._cause, self._text))

    def _do_discard(self, now: float) -> None:
        response, dialog = self._answered
        self._wire.emit(ForkAnswered(self.call_id, now, response, dialog.remote_tag))
        self._discard(dialog, response.cseq.number, now)

    @property
    def _response(self) -> Response:
        assert self._last is not None
        return self._last

    @property
    def _answered(self) -> tuple[Response, Dialog]:
        assert self._answer is not None
        return self._answer


_DO = {
    OutgoingAct.TELL_PROVISIONAL: OutgoingCall._tell_provisional,
    OutgoingAct.TELL_ANSWERED: OutgoingCall._tell_answered,
    OutgoingAct.TELL_CROSSED: OutgoingCall._tell_crossed,
    OutgoingAct.TELL_REJECTED: OutgoingCall._tell_rejected,
    OutgoingAct.TELL_TIMED_OUT: OutgoingCall._tell_timed_out,
    OutgoingAct.TELL_REFUSED: OutgoingCall._tell_refused,
    OutgoingAct.TELL_ENDED_US: OutgoingCall._tell_ended_us,
    OutgoingAct.TELL_ENDED_THEM: OutgoingCall._tell_ended_them,
    OutgoingAct.TELL_ENDED_NETWORK: OutgoingCall._tell_ended_network,
    OutgoingAct.SEND_INVITE: OutgoingCall._do_invite,
    OutgoingAct.RETRY: OutgoingCall._retry,
    OutgoingAct.SEND_CANCEL: OutgoingCall._do_cancel,
    OutgoingAct.SEND_CANCEL_QUIETLY: OutgoingCall._do_cancel_quietly,
    OutgoingAct.SEND_ACK: OutgoingCall._do_ack,
    OutgoingAct.SEND_BYE: OutgoingCall._do_bye,
    OutgoingAct.DISCARD: OutgoingCall._do_discard,
}


def _first_invite(endpoint: Endpoint, invite: Invite, tag: str, contact: str) -> OutRequest:
    wire = endpoint.wire
    branch = wire.new_branch()
    name = f"{quote(invite.display_name)} " if invite.display_name else ""
    headers: HeaderList = (("Contact", contact), *_abilities(invite, wire.user_agent), *invite.headers)
    if invite.offer:
        headers = (*headers, SDP_TYPE)
    if any(c.isspace() for c in invite.target) or not invite.target:
        raise LocalProtocolError(f"the target {invite.target!r} is not a URI")
    return OutRequest(
        method="INVITE",
        uri=invite.target,
        via=wire.via(branch, invite.destination.transport),
        branch=branch,
        from_=with_tag(f"{name}<{invite.from_uri}>", tag),
        to=f"<{invite.target}>",
        call_id=invite.call_id or f"{wire.token()}@{wire.local.host}",
        cseq=1,
        route=tuple(f"<{uri}>" for uri in invite.route),
        headers=headers,
        body=invite.offer or b"",
    )


def _abilities(invite: Invite, user_agent: str) -> HeaderList:
    """Return the fields that say what we can do; a field that the order brings itself is left to it."""
    interval_s = invite.session_expires_s
    if interval_s is not None and interval_s < MIN_SE_S:
        raise LocalProtocolError(f"a session interval of {interval_s} s is below the least, {MIN_SE_S} s")
    # Without an offer of ours a reliable response may bring theirs, which somebody must be able to answer.
    bare = invite.offer is None and invite.answerer is None
    options = [option for option in EXTENSIONS if not (bare and option == "100rel")]
    fields: HeaderList = (
        ("Allow", ALLOW),
        ("Supported", ", ".join([*options, *invite.supported])),
        ("P-Early-Media", "supported"),
        ("User-Agent", user_agent),
        *asking(interval_s, MIN_SE_S),
    )
    own = {name.lower() for name, _ in invite.headers}
    return tuple(field for field in fields if field[0].lower() not in own)


def _user(uri: str) -> str:
    address = parse_name_address(uri)
    text = address.uri if address else uri
    user, at, _ = text.partition(":")[2].rpartition("@")
    return user.partition(":")[0] if at else ""


def _sdp(response: Response) -> SessionDescription | None:
    body = response.sdp_body
    return parse_sdp(body) if body else None
