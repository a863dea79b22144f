"""What the parts of an endpoint share.

Its address, its clockwork, and the queues of bytes and events that leave it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .compose import OutRequest
from .events import Event
from .timers import TimerQueue
from .types import Address, Datagram, Timers

if TYPE_CHECKING:
    from .transactions import ClientTransaction, ServerTransaction

MAGIC_COOKIE = "z9hG4bK"
"""The beginning of a branch of RFC 3261 (section 8.1.1.7)."""
ServerKey = tuple[str, str, str, int]


class Wire:
    """Shared by the transactions and calls of one endpoint."""

    def __init__(
        self, local: Address, transport: str, user_agent: str, timers: Timers, token: Callable[[], str]
    ) -> None:
        self.local = local
        self.transport = transport
        self.user_agent = user_agent
        self.timers = timers
        self.token = token
        """Returns a new random token for tags, branches and Call-IDs."""
        self.queue = TimerQueue()
        self.datagrams: list[Datagram] = []
        self.events: list[Event] = []
        self.clients: dict[tuple[str, str], ClientTransaction] = {}
        """By branch and method."""
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.unanswered: dict[Address, dict[tuple[str, str], ClientTransaction]] = {}
        """Client transactions without any response, by destination: what an ICMP error ends."""

    def emit(self, event: Event) -> None:
        """Queue an event."""
        self.events.append(event)

    def new_branch(self) -> str:
        """Return a new branch."""
        return MAGIC_COOKIE + self.token()

    def via(self, branch: str) -> str:
        """Return our Via value; `rport` asks for answers to where we really are (RFC 3581)."""
        return f"SIP/2.0/{self.transport} {self.local};branch={branch};rport"

    def contact(self, user: str) -> str:
        """Return our Contact value."""
        return f"<sip:{user}@{self.local}>" if user else f"<sip:{self.local}>"

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
            )
        )
