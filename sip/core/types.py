"""The small values that cross the face of the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from .authorizer import Authorizer

HeaderList = tuple[tuple[str, str], ...]
"""Further header fields as (name, value) pairs, in the order in which they are sent."""
Answerer = Callable[[bytes], bytes | None]
"""Takes an SDP offer and returns our SDP answer, None to refuse it."""


TransportName = Literal["udp", "tcp", "tls"]
TRANSPORTS: tuple[TransportName, ...] = ("udp", "tcp", "tls")
Setback = Literal["refused", "unsent", "lost"]
"""What the network did to a message: refused it, never took it (no connection came about), or lost its connection."""
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""RFC 3261 section 19.1.2."""


class Address(NamedTuple):
    """A transport address. `host` is an IPv4 or IPv6 literal without brackets."""

    host: str
    port: int
    transport: TransportName = "udp"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def stored(cls, value: Any) -> Address:
        """Return the address of a list that JSON kept, [host, port] or [host, port, transport].

        Raises TypeError or ValueError if it is not one.
        """
        host, port, *rest = value
        transport = str(rest[0]) if rest else "udp"
        if transport not in TRANSPORTS:
            raise ValueError(f"{transport!r} is not a transport")
        return cls(str(host), int(port), transport)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The account with which a challenge is answered."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, ...)"


@dataclass(frozen=True, slots=True)
class Datagram:
    """Bytes to send, with a label that tells the time line what they are."""

    data: bytes = field(repr=False)
    destination: Address
    call_id: str | None
    """None for what belongs to no call."""
    method: str
    """The request's method; for a response, the method it answers."""
    status: int | None = None
    """None for a request."""
    reason: str = ""
    """The reason phrase of a response."""
    retransmission: bool = False
    """True when the same message left before."""
    otherwise: Address | None = None
    """Where it goes when no connection with the destination stands (a response) or can be made (a request)."""

    @property
    def is_request(self) -> bool:
        """Whether this is a request."""
        return self.status is None


@dataclass(frozen=True, slots=True)
class Invite:
    """What `Endpoint.place_call` needs to know."""

    target: str
    """The request-URI, such as `sip:62@127.0.0.1:5062`."""
    destination: Address
    """Where the INVITE goes: the target's own address or the outbound proxy."""
    from_uri: str
    """Our identity, a URI without angle brackets."""
    display_name: str = ""
    offer: bytes | None = field(default=None, repr=False)
    """The SDP offer; None leaves the offer to the far side."""
    credentials: Credentials | Authorizer | None = None
    """Answers challenges; without it a 401 or 407 is the final answer. An `Authorizer` remembers them for the
    account's next requests as well."""
    route: tuple[str, ...] = ()
    """URIs of a preloaded route set, in order (an outbound proxy that wants to be named)."""
    headers: HeaderList = ()
    """Further header fields of the INVITE."""
    call_id: str | None = None
    """None lets the endpoint choose one."""
    supported: tuple[str, ...] = ()
    """Further option tags of Supported, for extensions that `headers` speak of."""
    session_expires_s: int | None = None
    """The session interval that we ask for (RFC 4028), at least 90; None asks for none, but answers theirs."""
    answerer: Answerer | None = None
    """Makes our answers to their offers; without it our stream stays as `offer` described it.

    An INVITE without offer lists 100rel only with one: a reliable response may then hold an offer, which the
    PRACK must answer.
    """


@dataclass(frozen=True, slots=True)
class Timers:
    """The timers of RFC 3261 table 4, in seconds. `reliable` is for transports that do not lose messages."""

    t1: float = 0.5
    """Estimate of the round trip."""
    t2: float = 4.0
    """Longest interval between retransmissions of a non-INVITE request and of a final response to an INVITE.

    """
    t4: float = 5.0
    """How long a message stays in the network."""
    reliable: bool = False

    @property
    def timeout(self) -> float:
        """Timers B, F, H, J, L and M: 64*T1, 32 s by default."""
        return 64 * self.t1

    @property
    def wait_d(self) -> float:
        """Timer D, how long a retransmitted final response is acknowledged: 64*T1, 0 if reliable."""
        return 0.0 if self.reliable else self.timeout

    @property
    def wait_i(self) -> float:
        """Timers I and K: T4, 0 if reliable."""
        return 0.0 if self.reliable else self.t4

    @property
    def wait_j(self) -> float:
        """Timer J: 64*T1, 0 if reliable."""
        return 0.0 if self.reliable else self.timeout
