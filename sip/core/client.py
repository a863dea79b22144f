"""Requests of ours that belong to no dialog: probes with OPTIONS, and what a registration is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .authorizer import Authorizer, Denial, Exchange
from .compose import ALLOW, OutRequest, with_tag
from .errors import LocalProtocolError
from .events import retry_after_s
from .framing import Response
from .transactions import TIMEOUT, ClientTransaction
from .types import Address, Credentials, HeaderList
from .wire import Wire

if TYPE_CHECKING:
    from .endpoint import Endpoint

MAX_RETRY_AFTER_S = 86_400.0
"""A longer Retry-After is taken for a mistake."""
IN_DIALOGS = frozenset({"INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"})
"""Methods that make sense only as part of a call."""

ServerHealth = Literal["alive", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class OutsideRequest:
    """A request outside any dialog, as `Endpoint.send_request` takes it."""

    method: str
    uri: str
    destination: Address
    from_uri: str
    to_uri: str | None = None
    """None: `uri`."""
    route: tuple[str, ...] = ()
    """URIs of a preloaded route set, in order."""
    headers: HeaderList = ()
    body: bytes = b""
    credentials: Credentials | Authorizer | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request outside dialogs ended."""

    at: float
    """Monotonic seconds."""
    response: Response | None
    """The final response; None when none came."""
    failure: str = ""
    """Why none came: `timeout`, or what the network said."""
    denial: Denial | None = None
    """Why a 401 or 407 could not be answered, or was not satisfied."""
    round_trip_ms: float | None = None
    """From the sending of the request, as it was last sent, to its final response."""


@dataclass(frozen=True, slots=True)
class OptionsResult:
    """What a probe found."""

    kind: ServerHealth
    """`alive` on any final response but two; `degraded` on 503, by which a server asks to be spared; `down` without
    a response, or on 408, by which the proxy before it says the same."""
    status: int | None
    reason: str
    """The reason phrase, or why no response came."""
    round_trip_ms: float | None
    retry_after_s: float | None = None
    """How long a 503 asks us to wait."""
    denial: Denial | None = None
    """Why our credentials did not do; the server is alive all the same."""


OnOutcome = Callable[[Outcome], None]
OnOptions = Callable[[OptionsResult], None]


class Conversation:
    """Requests that share Call-ID, From and To and count on in CSeq. Challenges are met."""

    def __init__(
        self, wire: Wire, from_uri: str, to_uri: str, account: Credentials | Authorizer | None
    ) -> None:
        self._wire = wire
        self._tag = wire.token()
        self._from, self._to = f"<{from_uri}>", f"<{to_uri}>"
        self._authorizer = Authorizer.of(account)
        self._cseq = 0
        self.call_id = f"{wire.token()}@{wire.local.host}"

    def send(self, wanted: OutsideRequest, now: float, on_done: OnOutcome) -> None:
        """Send a request and call `on_done` once.

        Raises `LocalProtocolError` for values that cannot stand in a message; nothing has been sent then.
        """
        if not wanted.uri or any(character.isspace() for character in wanted.uri):
            raise LocalProtocolError(f"the request-URI {wanted.uri!r} is not a URI")
        exchange = Exchange(self._authorizer, self._wire.token)

        def attempt(at: float) -> None:
            def on_response(response: Response, then: float) -> None:
                if exchange.challenged(response):
                    attempt(then)
                    return
                if response.status < 300:
                    exchange.accepted(response)
                on_done(Outcome(then, response, "", exchange.denial, 1000.0 * (then - at)))

            def on_failure(reason: str, then: float) -> None:
                on_done(Outcome(then, None, reason))

            signed = exchange.sign(self._request(wanted), wanted.destination)
            request, destination = self._wire.fit(signed, wanted.destination)
            ClientTransaction(self._wire, request, destination, on_response, on_failure, at)

        attempt(now)

    def _request(self, wanted: OutsideRequest) -> OutRequest:
        self._cseq += 1
        branch = self._wire.new_branch()
        return OutRequest(
            method=wanted.method,
            uri=wanted.uri,
            via=self._wire.via(branch, wanted.destination.transport),
            branch=branch,
            from_=with_tag(self._from, self._tag),
            to=self._to,
            call_id=self.call_id,
            cseq=self._cseq,
            route=tuple(f"<{uri}>" for uri in wanted.route),
            headers=(*wanted.headers, ("User-Agent", self._wire.user_agent)),
            body=wanted.body,
        )


def send_request(endpoint: Endpoint, wanted: OutsideRequest, now: float, on_done: OnOutcome) -> str:
    """Send a request outside dialogs; see `Endpoint.send_request`."""
    if wanted.method.upper() in IN_DIALOGS:
        raise LocalProtocolError(f"{wanted.method} belongs to a call")
    to_uri = wanted.uri if wanted.to_uri is None else wanted.to_uri
    conversation = Conversation(endpoint.wire, wanted.from_uri, to_uri, wanted.credentials)
    conversation.send(wanted, now, on_done)
    return conversation.call_id


def options_request(
    endpoint: Endpoint,
    uri: str,
    destination: Address,
    from_uri: str | None,
    headers: HeaderList,
    route: tuple[str, ...],
    credentials: Credentials | Authorizer | None,
) -> OutsideRequest:
    """Return the probe: an OPTIONS that asks what the server takes (RFC 3261 section 11.1)."""
    wire = endpoint.wire
    own = from_uri or f"sip:dutyring@{wire.seen(destination.transport)}"
    fields = (
        ("Contact", wire.contact("dutyring", destination.transport)),
        ("Accept", "application/sdp"),
        ("Allow", ALLOW),
        *headers,
    )
    return OutsideRequest("OPTIONS", uri, destination, own, None, route, fields, b"", credentials)


def options_result(outcome: Outcome) -> OptionsResult:
    """Return what the outcome of an OPTIONS says of the server."""
    response = outcome.response
    if response is None:
        why = "no response" if outcome.failure == TIMEOUT else outcome.failure
        return OptionsResult("down", None, why, None)
    kinds: dict[int, ServerHealth] = {408: "down", 503: "degraded"}
    return OptionsResult(
        kinds.get(response.status, "alive"),
        response.status,
        response.reason,
        outcome.round_trip_ms,
        asked_wait_s(response),
        outcome.denial,
    )


def asked_wait_s(response: Response) -> float | None:
    """Return how long a response asks us to wait (Retry-After), a day at most; None if it does not say."""
    asked_s = retry_after_s(response)
    return None if asked_s is None else min(float(asked_s), MAX_RETRY_AFTER_S)
