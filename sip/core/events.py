"""What happened, in order.

Every event names its call (None if it belongs to none) and its monotonic time in seconds.

An outgoing call ends with exactly one of `Rejected`, `TimedOut`, `Refused` and `Ended`; an incoming call ends
with exactly one `Ended`. `MessageReceived` comes before the event that says what the message meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .reason import Cause, causes

if TYPE_CHECKING:
    from .authorizer import Denial
    from .framing import Message, Request, Response
    from .incoming import IncomingCall
    from .sdp import SessionDescription
    from .types import Address

By = Literal["us", "them", "network"]
RegistrationProblem = Literal[
    "bad credentials",
    "no credentials",
    "unknown challenge",
    "challenged without end",
    "forbidden",
    "unknown address",
    "rejected",
    "overloaded",
    "unavailable",
    "timeout",
    "unreachable",
]
"""Why a registration does not stand. The last four may pass, and are tried again with growing waits: 503; 408, 480
and other 5xx; no response; an error of the network. The others are refusals, tried again after a long wait:
those of `Denial`, 403, 404, and whatever else the registrar said."""


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events."""

    call_id: str | None
    at: float
    """Monotonic seconds: the arrival of the message, or the time given to `advance`."""


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """A message that belongs to a call arrived."""

    message: Message
    source: Address
    retransmission: bool
    """The same bytes arrived before; no further event follows from them."""


@dataclass(frozen=True, slots=True)
class Provisional(Event):
    """A 1xx response to our INVITE, 100 included."""

    status: int
    reason: str
    response: Response
    dialog_key: str
    """The To-tag, "" without one: each names an early dialog of its own; a 199 ends that dialog."""
    sdp: SessionDescription | None
    reliable: bool = False
    """It asked for a PRACK (RFC 3262), which is on its way."""
    early_media: str | None = None
    """The value of P-Early-Media (RFC 5009), None without one."""

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The values of Reason (RFC 3326; RFC 8606 in a 199)."""
        return causes(self.response)


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The first 2xx to our INVITE. `OutgoingCall.acknowledge` is due, unless `after_cancel`."""

    response: Response
    dialog_key: str
    sdp: SessionDescription | None
    after_cancel: bool = False
    """The 2xx crossed our CANCEL: ACK and BYE are already on their way, `Ended` follows."""


@dataclass(frozen=True, slots=True)
class ForkAnswered(Event):
    """A 2xx with another To-tag than the first: it has been acknowledged and hung up."""

    response: Response
    dialog_key: str


@dataclass(frozen=True, slots=True)
class Rejected(Event):
    """The final answer to our INVITE is 3xx-6xx; it has been acknowledged. A 3xx is not followed."""

    status: int
    reason: str
    response: Response
    denial: Denial | None = None
    """Why a 401 or 407 could not be answered, or was not satisfied; None for other statuses."""
    alerted: bool = False
    """Something but 100 had come before: somebody may have been rung, another way must not be tried."""

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The values of Reason."""
        return causes(self.response)

    @property
    def retry_after_s(self) -> int | None:
        """The seconds of Retry-After (RFC 3261 section 20.33), None without one that can be read."""
        return retry_after_s(self.response)

    @property
    def contacts(self) -> tuple[str, ...]:
        """The URIs of the Contact fields (the targets of a 3xx)."""
        return tuple(contact.uri for contact in self.response.contacts)


@dataclass(frozen=True, slots=True)
class TimedOut(Event):
    """No response at all within 64*T1 (Timer B)."""


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """The network refused our INVITE (an ICMP error, no route, no socket)."""

    reason: str
    alerted: bool = False
    """See `Rejected`."""


@dataclass(frozen=True, slots=True)
class WayChanged(Event):
    """A request that took TCP for its length takes UDP instead: no connection came about, nothing had left."""

    method: str
    destination: Address
    """The new way."""
    reason: str


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """The call is over."""

    by: By
    reason: str
    """`BYE`, `CANCEL`, a status line, `session expired`, or what failed."""
    causes: tuple[Cause, ...] = ()
    """The values of Reason in their BYE or CANCEL."""


@dataclass(frozen=True, slots=True)
class Acknowledged(Event):
    """The ACK of our 2xx arrived."""

    request: Request
    sdp: SessionDescription | None


@dataclass(frozen=True, slots=True)
class AckTimedOut(Event):
    """Our 2xx was never acknowledged (64*T1); the core sends BYE."""


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """The caller sent CANCEL. Unless the call ignores it, 487 has been sent and `Ended` follows."""

    request: Request

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The values of Reason."""
        return causes(self.request)


@dataclass(frozen=True, slots=True)
class IncomingInvite(Event):
    """A new incoming call."""

    call: IncomingCall
    request: Request
    source: Address
    sdp: SessionDescription | None


@dataclass(frozen=True, slots=True)
class RequestReceived(Event):
    """A request within the dialog (INFO, UPDATE, re-INVITE, ...), which has been answered with `status`."""

    request: Request
    status: int
    sdp: SessionDescription | None


@dataclass(frozen=True, slots=True)
class SessionChanged(Event):
    """An offer and its answer after the first have changed the session: the media have to follow.

    It comes from a re-INVITE (with the ACK, where the offer was ours), an UPDATE or a PRACK, and follows the
    `RequestReceived` of that request. Nothing is told where both descriptions stay as they were.
    """

    dialog_key: str
    """Their tag."""
    method: str
    """The request that completed the exchange."""
    remote: SessionDescription
    local: SessionDescription
    """What we said, our direction and packet length included."""


@dataclass(frozen=True, slots=True)
class IdentityChanged(Event):
    """The far side's From names another address than before (connected identity, RFC 4916)."""

    uri: str
    name: str
    """The display name, "" without one."""
    negotiated: bool
    """The far side announced `from-change`: our requests name the new address from now on."""


@dataclass(frozen=True, slots=True)
class DtmfInfo(Event):
    """Digits that came by INFO (`application/dtmf-relay` or `application/dtmf`)."""

    digits: str
    """Of 0-9, A-D, * and #, "!" for a hook flash."""
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class RequestFailed(Event):
    """A request of ours within the call failed (PRACK, a session refresh) without ending the call by that."""

    method: str
    reason: str
    """A status line, or what the network said."""
    dialog_key: str


@dataclass(frozen=True, slots=True)
class RegistrationEvent(Event):
    """The base of the events of a registration; `call_id` is that of its REGISTER requests."""

    registration: str
    """The label of the plan, else its address of record."""


@dataclass(frozen=True, slots=True)
class Registered(RegistrationEvent):
    """The registrar has bound us, for the first time or anew."""

    until: float
    """Monotonic seconds; it is refreshed well before."""
    service_route: tuple[str, ...]
    """URIs of Service-Route, in order: the route set of the account's calls."""
    associated: tuple[str, ...]
    """URIs of P-Associated-URI; the first is the default identity."""
    seen_as: Address | None
    """Where the registrar saw us; another address than our Contact's means a NAT in between."""
    flow_timer_s: float | None = None
    """How often the registrar wants a keep-alive at least."""


@dataclass(frozen=True, slots=True)
class RegistrationFailed(RegistrationEvent):
    """A REGISTER was not accepted."""

    status: int | None
    """None when nothing came back."""
    reason: str
    retry_at: float
    """Monotonic seconds: when it is tried again."""
    kind: RegistrationProblem
    until: float | None
    """How long the former binding stands all the same; None without one."""


@dataclass(frozen=True, slots=True)
class Unregistered(RegistrationEvent):
    """A registration has been ended by us: its last event."""

    reason: str
    """Why the registrar did not confirm it, "" if it did or had nothing to."""


@dataclass(frozen=True, slots=True)
class Stray(Event):
    """A well-formed message that matches no call and no transaction; dropped or refused."""

    message: Message
    source: Address


@dataclass(frozen=True, slots=True)
class Malformed(Event):
    """Bytes that are not a usable SIP message; dropped."""

    source: Address
    why: str


def retry_after_s(response: Response) -> int | None:
    """Return the seconds of Retry-After, None without one that can be read."""
    text = (response.header("retry-after") or "").partition("(")[0].partition(";")[0].strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
