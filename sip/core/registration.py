"""Registration: telling a registrar where we are, for as long as we want calls (RFC 3261 section 10).

The table `REGISTRATION` is the machine. What it protects: a binding is refreshed well before it ends; a registrar
that is overloaded or gone is asked again ever less often and never by all of its users at once (RFC 5626 section
4.5); one that refuses us is asked once in many minutes, since a few wrong passwords lock an account in many an
exchange. One REGISTER is under way at a time, all with one Call-ID and counting CSeq.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .authorizer import Authorizer
from .binding import Binding, granted, read_binding, seconds
from .client import Conversation, Outcome, OutsideRequest, asked_wait_s
from .compose import ALLOW
from .errors import LocalProtocolError
from .events import Registered, RegistrationFailed, RegistrationProblem, Unregistered
from .framing import Response
from .timers import Timer
from .transactions import TIMEOUT
from .types import Address, Credentials, HeaderList

if TYPE_CHECKING:
    from .wire import Wire

MAX_EXPIRES_S = 30 * 86_400
"""The longest Min-Expires that is complied with."""
LONG_S, MARGIN_S = 1200.0, 600.0
"""3GPP TS 24.229 section 5.1.1.4.1: a binding of more than 1200 s is refreshed 600 s before its end, a shorter one
after half of its time."""


@dataclass(frozen=True, slots=True)
class RegistrationPlan:
    """What `Endpoint.register` needs to know."""

    registrar: str
    """The request-URI, a domain without user part, such as `sip:example.org`."""
    aor: str
    """The address of record: the URI that is registered."""
    destination: Address
    """Where the REGISTER goes: the registrar's own address or the outbound proxy."""
    contact_user: str
    """The user part of our Contact."""
    expires_s: int = 600
    """Asked for; the registrar may grant less, or demand more."""
    credentials: Credentials | Authorizer | None = None
    route: tuple[str, ...] = ()
    """URIs of a preloaded route set, in order."""
    headers: HeaderList = ()
    """Further header fields of each REGISTER."""
    label: str = ""
    """The name of the registration in its events; "": the address of record."""
    instance: str | None = None
    """A URN that stays the same for this device, such as `urn:uuid:...`: asks for RFC 5626 (outbound)."""
    retry_base_s: float = 30.0
    """The base of the waits after a failure (RFC 5626 section 4.5, where no flow is left)."""
    retry_max_s: float = 1800.0
    rejected_retry_s: float = 600.0
    """The least wait after a refusal."""

    @property
    def name(self) -> str:
        """What the events call the registration."""
        return self.label or self.aor


class RegistrationState(StrEnum):
    """Where a registration stands."""

    REGISTERING = "Registering"
    REGISTERED = "Registered"
    REFRESHING = "Refreshing"
    """The binding stands, its renewal is under way."""
    WAITING = "Waiting"
    """The registrar could not be reached or was busy."""
    REJECTED = "Rejected"
    """The registrar refuses us."""
    LEAVING = "UnregisterWanted"
    """To be ended as soon as the REGISTER under way is answered."""
    UNREGISTERING = "Unregistering"
    ENDED = "Ended"


class RegistrationStep(StrEnum):
    """What may happen to a registration."""

    ACCEPTED = "2xx"
    TOO_BRIEF = "423 we can meet"
    UNAVAILABLE = "408, 480, 5xx, no answer"
    REFUSED = "any other refusal"
    DUE = "timer or refresh()"
    UNREGISTER = "unregister()"
    LEAVE = "unregister(), no binding left"


class RegistrationAct(StrEnum):
    """What a registration does on a step."""

    SEND = "REGISTER"
    SEND_LONGER = "REGISTER for Min-Expires"
    SEND_END = "REGISTER, Expires 0"
    WAIT_REFRESH = "start refresh timer"
    WAIT_BACKOFF = "start backoff"
    WAIT_LONG = "start long wait"
    TELL_REGISTERED = "tell Registered"
    TELL_FAILED = "tell RegistrationFailed"
    TELL_UNREGISTERED = "tell Unregistered"


_S, _T, _A = RegistrationState, RegistrationStep, RegistrationAct
_OVER = (_S.ENDED, (_A.TELL_UNREGISTERED,))
_STANDS = (_S.REGISTERED, (_A.WAIT_REFRESH, _A.TELL_REGISTERED))
_UNAVAILABLE = (_S.WAITING, (_A.WAIT_BACKOFF, _A.TELL_FAILED))
_REFUSED = (_S.REJECTED, (_A.WAIT_LONG, _A.TELL_FAILED))

REGISTRATION: dict[
    tuple[RegistrationState, RegistrationStep], tuple[RegistrationState, tuple[RegistrationAct, ...]]
] = {
    (_S.REGISTERING, _T.ACCEPTED): _STANDS,
    (_S.REGISTERING, _T.TOO_BRIEF): (_S.REGISTERING, (_A.SEND_LONGER,)),
    (_S.REGISTERING, _T.UNAVAILABLE): _UNAVAILABLE,
    (_S.REGISTERING, _T.REFUSED): _REFUSED,
    (_S.REGISTERING, _T.UNREGISTER): (_S.LEAVING, ()),
    (_S.REGISTERING, _T.LEAVE): (_S.LEAVING, ()),
    (_S.REGISTERED, _T.DUE): (_S.REFRESHING, (_A.SEND,)),
    (_S.REGISTERED, _T.UNREGISTER): (_S.UNREGISTERING, (_A.SEND_END,)),
    (_S.REGISTERED, _T.LEAVE): _OVER,
    (_S.REFRESHING, _T.ACCEPTED): _STANDS,
    (_S.REFRESHING, _T.TOO_BRIEF): (_S.REFRESHING, (_A.SEND_LONGER,)),
    (_S.REFRESHING, _T.UNAVAILABLE): _UNAVAILABLE,
    (_S.REFRESHING, _T.REFUSED): _REFUSED,
    (_S.REFRESHING, _T.UNREGISTER): (_S.LEAVING, ()),
    (_S.REFRESHING, _T.LEAVE): (_S.LEAVING, ()),
    (_S.WAITING, _T.DUE): (_S.REGISTERING, (_A.SEND,)),
    (_S.WAITING, _T.UNREGISTER): (_S.UNREGISTERING, (_A.SEND_END,)),
    (_S.WAITING, _T.LEAVE): _OVER,
    (_S.REJECTED, _T.DUE): (_S.REGISTERING, (_A.SEND,)),
    (_S.REJECTED, _T.UNREGISTER): _OVER,
    (_S.REJECTED, _T.LEAVE): _OVER,
    (_S.LEAVING, _T.ACCEPTED): (_S.UNREGISTERING, (_A.SEND_END,)),
    (_S.LEAVING, _T.TOO_BRIEF): _OVER,
    (_S.LEAVING, _T.UNAVAILABLE): _OVER,
    (_S.LEAVING, _T.REFUSED): _OVER,
    (_S.UNREGISTERING, _T.ACCEPTED): _OVER,
    (_S.UNREGISTERING, _T.TOO_BRIEF): _OVER,
    (_S.UNREGISTERING, _T.UNAVAILABLE): _OVER,
    (_S.UNREGISTERING, _T.REFUSED): _OVER,
}


@dataclass(frozen=True, slots=True)
class _Failure:
    """The last REGISTER that was not accepted."""

    problem: RegistrationProblem
    status: int | None
    reason: str
    retry_after_s: float | None = None


_NONE = _Failure("rejected", None, "")


class RegistrationClient:
    """One registration, from the first REGISTER to the last. Made by `Endpoint.register`."""

    def __init__(self, wire: Wire, plan: RegistrationPlan, now: float, spread: Callable[[], float]) -> None:
        if plan.expires_s < 1:
            raise LocalProtocolError(f"a registration of {plan.expires_s} s is none")
        self.plan = plan
        self.state = RegistrationState.REGISTERING
        self.binding: Binding | None = None
        """The last one granted; it may have run out, see `registered`."""
        self._wire = wire
        self._spread = spread
        self._conversation = Conversation(wire, plan.aor, plan.aor, plan.credentials)
        self._destination = plan.destination
        self._expires_s = plan.expires_s
        self._failures = 0
        self._failure = _NONE
        self._retry_at = now
        self._timer: Timer | None = None
        self._send(now)

    @property
    def call_id(self) -> str:
        """The Call-ID of all its requests, which labels their bytes and events."""
        return self._conversation.call_id

    def registered(self, now: float) -> bool:
        """Whether a binding stands, also while its renewal fails."""
        return self.binding is not None and now < self.binding.until

    def refresh(self, now: float, destination: Address | None = None) -> None:
        """Register now instead of at the due time, from now on at `destination` if one is given.

        Does nothing while a REGISTER is under way or after the end.
        """
        if destination is not None:
            self._destination = destination
        self._take(RegistrationStep.DUE, now)

    def unregister(self, now: float) -> None:
        """Give the binding up; `Unregistered` follows. A REGISTER under way is waited for."""
        stands = self.registered(now)
        self._failure = _NONE
        self._take(RegistrationStep.UNREGISTER if stands else RegistrationStep.LEAVE, now)

    # The machine

    def _take(self, step: RegistrationStep, now: float) -> None:
        found = REGISTRATION.get((self.state, step))
        if found is None:
            return
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self.state, acts = found
        for act in acts:
            _DO[act](self, now)

    def _send(self, now: float) -> None:
        self._register(self._expires_s, now)

    def _send_end(self, now: float) -> None:
        self._register(0, now)

    def _register(self, expires_s: int, now: float) -> None:
        plan = self.plan
        contact = self._wire.contact(plan.contact_user, self._destination.transport)
        if plan.instance:
            contact += f';+sip.instance="<{plan.instance}>";reg-id=1'
        headers = (
            ("Contact", f"{contact};expires={expires_s}"),
            ("Expires", str(expires_s)),
            ("Supported", "outbound, path" if plan.instance else "path"),
            ("Allow", ALLOW),
            *plan.headers,
        )
        request = OutsideRequest(
            "REGISTER", plan.registrar, self._destination, plan.aor, route=plan.route, headers=headers
        )
        self._conversation.send(request, now, self._on_outcome)

    def _on_outcome(self, outcome: Outcome) -> None:
        response, now = outcome.response, outcome.at
        if response is not None and response.status < 300:
            self._on_accepted(response, now)
        elif response is not None and self._can_ask_longer(response):
            self._take(RegistrationStep.TOO_BRIEF, now)
        else:
            self._failure = _failure(outcome)
            lasting = self._failure.problem not in _PASSING
            self._take(RegistrationStep.REFUSED if lasting else RegistrationStep.UNAVAILABLE, now)

    def _on_accepted(self, response: Response, now: float) -> None:
        if self.state is RegistrationState.UNREGISTERING:
            self.binding = None
            self._take(RegistrationStep.ACCEPTED, now)
            return
        own = self._wire.contact(self.plan.contact_user, self._destination.transport)
        granted_s = granted(response, own.strip("<>"), self.plan.instance, self._expires_s)
        if granted_s <= 0:
            self._failure = _Failure("rejected", response.status, "the registrar granted no time")
            self._take(RegistrationStep.REFUSED, now)
            return
        self._failures = 0
        self.binding = read_binding(response, granted_s, now, self._destination)
        self._take(RegistrationStep.ACCEPTED, now)

    def _can_ask_longer(self, response: Response) -> bool:
        """Take Min-Expires of a 423 (RFC 3261 section 10.2.8)."""
        least = seconds(response.header("min-expires"))
        if response.status != 423 or least is None or not self._expires_s < least <= MAX_EXPIRES_S:
            return False
        self._expires_s = int(least)
        return True

    def _wait(self, seconds: float, now: float) -> None:
        self._retry_at = now + seconds
        self._timer = self._wire.queue.start(self._retry_at, lambda at: self._take(_T.DUE, at))

    def _wait_refresh(self, now: float) -> None:
        granted_s = self.binding.expires_s if self.binding else 0.0
        after_s = granted_s - MARGIN_S if granted_s > LONG_S else granted_s / 2
        # Many clients that were told the same time at once should not come back at once.
        self._wait(after_s * (1.0 - 0.1 * self._spread()), now)

    def _wait_backoff(self, now: float) -> None:
        """Wait as RFC 5626 section 4.5 says: half to all of a time that doubles with each failure."""
        self._failures += 1
        plan = self.plan
        longest_s = min(plan.retry_max_s, plan.retry_base_s * 2 ** min(self._failures, 16))
        wait_s = longest_s * (0.5 + 0.5 * self._spread())
        asked_s = self._failure.retry_after_s
        if asked_s is not None:
            spread_s = asked_s * (1.0 + 0.1 * self._spread())
            wait_s = spread_s if self._failures == 1 else max(wait_s, spread_s)
        self._wait(wait_s, now)

    def _wait_long(self, now: float) -> None:
        self._failures += 1
        wait_s = max(self.plan.rejected_retry_s, self._failure.retry_after_s or 0.0)
        self._wait(wait_s * (1.0 + 0.2 * self._spread()), now)

    def _tell_registered(self, now: float) -> None:
        binding = self.binding
        assert binding is not None
        self._wire.emit(
            Registered(
                self.call_id,
                now,
                self.plan.name,
                binding.until,
                binding.service_route,
                binding.associated,
                binding.seen_as,
                binding.flow_timer_s,
            )
        )

    def _tell_failed(self, now: float) -> None:
        failure = self._failure
        until = self.binding.until if self.binding is not None and self.registered(now) else None
        self._wire.emit(
            RegistrationFailed(
                self.call_id,
                now,
                self.plan.name,
                failure.status,
                failure.reason,
                self._retry_at,
                failure.problem,
                until,
            )
        )

    def _tell_unregistered(self, now: float) -> None:
        self.binding = None
        self._wire.emit(Unregistered(self.call_id, now, self.plan.name, self._failure.reason))


_DO = {
    RegistrationAct.SEND: RegistrationClient._send,
    RegistrationAct.SEND_LONGER: RegistrationClient._send,
    RegistrationAct.SEND_END: RegistrationClient._send_end,
    RegistrationAct.WAIT_REFRESH: RegistrationClient._wait_refresh,
    RegistrationAct.WAIT_BACKOFF: RegistrationClient._wait_backoff,
    RegistrationAct.WAIT_LONG: RegistrationClient._wait_long,
    RegistrationAct.TELL_REGISTERED: RegistrationClient._tell_registered,
    RegistrationAct.TELL_FAILED: RegistrationClient._tell_failed,
    RegistrationAct.TELL_UNREGISTERED: RegistrationClient._tell_unregistered,
}

_PASSING: frozenset[RegistrationProblem] = frozenset({"overloaded", "unavailable", "timeout", "unreachable"})
"""What may be better in a minute."""
_PROBLEMS: dict[int, RegistrationProblem] = {
    403: "forbidden",
    404: "unknown address",
    408: "unavailable",
    480: "unavailable",
    503: "overloaded",
}


def _failure(outcome: Outcome) -> _Failure:
    response = outcome.response
    if response is None:
        silent = outcome.failure == TIMEOUT
        return _Failure(
            "timeout" if silent else "unreachable", None, "no response" if silent else outcome.failure
        )
    problem: RegistrationProblem = _PROBLEMS.get(response.status, "rejected")
    if outcome.denial is not None:
        problem = outcome.denial
    elif response.status not in _PROBLEMS and 500 <= response.status < 600:
        problem = "unavailable"
    return _Failure(problem, response.status, response.reason, asked_wait_s(response))
