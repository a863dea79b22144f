"""What the parts of an endpoint share.

Its address, its clockwork, and the queues of bytes and events that leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from .compose import OutRequest
from .events import Event
from .timers import TimerQueue
from .types import Address, Datagram, Timers, TransportName

if TYPE_CHECKING:
    from .transactions import ClientTransaction, ServerTransaction

MAGIC_COOKIE = "z9hG4bK"
"""The beginning of a branch of RFC 3261 (section 8.1.1.7)."""
ServerKey = tuple[str, str, str, int]
MAX_UDP_REQUEST = 1300
"""The longest request in bytes that takes UDP where the path's MTU is not known (RFC 3261 section 18.1.1)."""


class Wire:
    """Shared by the transactions and calls of one endpoint."""

    def __init__(
        self,
        locals_: Iterable[Address],
        advertised: str | None,
        user_agent: str,
        timers: Timers,
        token: Callable[[], str],
    ) -> None:
        self.locals: dict[TransportName, Address] = {address.transport: address for address in locals_}
        """Our address on each transport, the first one preferred."""
        self.local = next(iter(self.locals.values()))
        self.advertised = advertised
        """The host that others see us at, where a static NAT stands between."""
        self.user_agent = user_agent
        self.timers = timers
        self._reliable = replace(timers, reliable=True)
        self.token = token
        """Returns a new random token for tags, branches and Call-IDs."""
        self.queue = TimerQueue()
        self.datagrams: list[Datagram] = []
        self.events: list[Event] = []
        self.clients: dict[tuple[str, str], ClientTransaction] = {}
        """By branch and method."""
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.known_hosts: Callable[[str], Address | None] = lambda uri: None
        """Returns the address of a URI with a host name, None while it is not known."""
        self.unanswered: dict[Address, dict[tuple[str, str], ClientTransaction]] = {}
        """Client transactions without any response, by destination: what an ICMP error ends."""

    def emit(self, event: Event) -> None:
        """Queue an event."""
        self.events.append(event)

    def new_branch(self) -> str:
        """Return a new branch."""
        return MAGIC_COOKIE + self.token()

    def timers_of(self, transport: TransportName) -> Timers:
        """Return the timers of a transport: one that loses nothing repeats nothing."""
        return self.timers if transport == "udp" else self._reliable

    def seen(self, transport: TransportName) -> Address:
        """Return the address at which the others reach us on a transport."""
        local = self.locals.get(transport, self.local)
        return local if self.advertised is None else local._replace(host=self.advertised)

    def via(self, branch: str, transport: TransportName = "udp") -> str:
        """Return our Via value; `rport` asks for answers to where we really are (RFC 3581)."""
        at = self.seen(transport)
        return f"SIP/2.0/{at.transport.upper()} {at};branch={branch};rport"

    def contact(self, user: str, transport: TransportName = "udp") -> str:
        """Return our Contact value."""
        at = self.seen(transport)
        way = "" if at.transport == "udp" else f";transport={at.transport}"
        return f"<sip:{user}@{at}{way}>" if user else f"<sip:{at}{way}>"

    def fit(self, request: OutRequest, destination: Address) -> tuple[OutRequest, Address]:
        """Return the request and where it goes, by TCP if it is too long for UDP and we have TCP."""
        short = destination.transport != "udp" or "tcp" not in self.locals
        if short or len(request.encode()) <= MAX_UDP_REQUEST:
            return request, destination
        by_tcp = replace(request, via=self.via(request.branch, "tcp"), for_size=True)
        return by_tcp, destination._replace(transport="tcp")

    def send_request(
        self, request: OutRequest, destination: Address, data: bytes | None = None, *, again: bool = False
    ) -> None:
        """Queue a request."""
        self.datagrams.append(
            Datagram(
                data=request.encode() if data is None else data,
                destination=destination,
                call_id=request.call_id,
                method=request.method,
                retransmission=again,
                otherwise=request.otherwise,
            )
        )

    def repeat(self, sent: Datagram) -> None:
        """Queue the same bytes once more."""
        self.datagrams.append(replace(sent, retransmission=True))
