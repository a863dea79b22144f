"""Dialogs (RFC 3261 section 12): who talks to whom, by which way, with which sequence numbers."""

from __future__ import annotations

from collections.abc import Callable, Container
from enum import StrEnum
from typing import Any

from .compose import MAX_FORWARDS, OutRequest, with_tag
from .framing import Message, Request, Response
from .types import TRANSPORTS, Address, HeaderList, TransportName
from .values import parse_name_address, split_outside, uri_address, uri_transport
from .wire import Wire

__all__ = ["MAX_FORWARDS", "Dialog", "DialogKey", "Negotiation", "next_hop"]

DialogKey = tuple[str, str, str]
"""Call-ID, our tag, their tag."""


class Negotiation(StrEnum):
    """Whose offer waits for an answer (RFC 3264, RFC 6337)."""

    SETTLED = "settled"
    OURS = "ours"
    THEIRS = "theirs"


class Dialog:
    """One dialog, early or confirmed."""

    __slots__ = (
        "allowed",
        "call_id",
        "confirmed",
        "fallback",
        "local_cseq",
        "local_tag",
        "local_uri",
        "negotiation",
        "remote_cseq",
        "remote_identity",
        "remote_rseq",
        "remote_sdp",
        "remote_tag",
        "remote_target",
        "remote_uri",
        "route_set",
        "supported",
    )

    def __init__(
        self,
        call_id: str,
        local: tuple[str, str],
        remote: tuple[str, str],
        remote_target: str,
        route_set: tuple[str, ...],
        fallback: Address,
        local_cseq: int,
        remote_cseq: int | None = None,
    ) -> None:
        self.call_id = call_id
        self.local_uri, self.local_tag = local
        """The value of our From or To (without tag), and our tag."""
        self.remote_uri, self.remote_tag = remote
        self.remote_target = remote_target
        """The URI of their Contact."""
        self.route_set = route_set
        """URIs, in the order in which our requests take them."""
        self.fallback = fallback
        """Where a request goes whose next hop is not an address of our family."""
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.confirmed = False
        self.remote_rseq: int | None = None
        """The number of the last reliable provisional response; each early dialog counts its own."""
        self.negotiation = Negotiation.OURS
        """Whose offer waits for an answer."""
        self.remote_sdp = b""
        """How the far side last described itself, b"" before it did."""
        self.allowed: frozenset[str] = frozenset()
        """The methods of their last Allow."""
        known = parse_name_address(self.remote_uri)
        self.remote_identity = _who(known.uri) if known is not None else ""
        """Who the far side last said it is: user and host."""
        self.supported: frozenset[str] = frozenset()
        """The option tags of their last Supported."""

    @property
    def key(self) -> DialogKey:
        """What identifies the dialog."""
        return (self.call_id, self.local_tag, self.remote_tag)

    @classmethod
    def of_response(cls, invite: OutRequest, response: Response, local_tag: str, fallback: Address) -> Dialog:
        """Return the dialog that a response to our INVITE makes (section 12.1.2)."""
        target = _target(response) or invite.uri
        local = (_without_tag(invite.from_), local_tag)
        remote = (_without_tag(invite.to), response.to.tag)
        routes = tuple(reversed(_record_route(response)))
        return cls(invite.call_id, local, remote, target, routes, fallback, invite.cseq)

    @classmethod
    def of_request(cls, request: Request, local_tag: str, source: Address) -> Dialog:
        """Return the dialog that an incoming INVITE makes (section 12.1.1)."""
        local = (f"<{request.to.uri}>", local_tag)
        remote = (f"<{request.from_.uri}>", request.from_.tag)
        target = _target(request) or request.from_.uri
        routes = tuple(_record_route(request))
        return cls(request.call_id, local, remote, target, routes, source, 0, request.cseq.number)

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> Dialog:
        """Return the dialog of `stored()`; raises KeyError, TypeError or ValueError if it is not one."""
        dialog = cls(
            str(stored["call_id"]),
            (str(stored["local_uri"]), str(stored["local_tag"])),
            (str(stored["remote_uri"]), str(stored["remote_tag"])),
            str(stored["remote_target"]),
            tuple(str(route) for route in stored["route_set"]),
            Address.stored(stored["fallback"]),
            int(stored["local_cseq"]),
        )
        dialog.confirmed = bool(stored["confirmed"])
        return dialog

    def stored(self) -> dict[str, Any]:
        """Return the dialog as JSON-able values."""
        return {
            "call_id": self.call_id,
            "local_uri": self.local_uri,
            "local_tag": self.local_tag,
            "remote_uri": self.remote_uri,
            "remote_tag": self.remote_tag,
            "remote_target": self.remote_target,
            "route_set": list(self.route_set),
            "fallback": list(self.fallback),
            "local_cseq": self.local_cseq,
            "confirmed": self.confirmed,
        }

    def update(self, response: Response) -> None:
        """Take the target of a later response, and the route set of the 2xx (section 13.2.2.4)."""
        self.remote_target = _target(response) or self.remote_target
        if response.status >= 200:
            self.route_set = tuple(reversed(_record_route(response)))

    def refresh(self, message: Message) -> None:
        """Take the Contact of a target refresh request (section 12.2)."""
        self.remote_target = _target(message) or self.remote_target

    def learn(self, message: Message) -> None:
        """Take note of what the far side says it can do."""
        if allowed := message.values("allow"):
            self.allowed = frozenset(method.upper() for method in allowed)
        if message.raw_values("supported"):
            self.supported = frozenset(option.lower() for option in message.values("supported"))

    def rename(self, request: Request) -> bool:
        """Whether the request's From names another address than before (RFC 4916).

        It is that of our later requests if the far side has announced `from-change`; the tags stay.
        """
        identity = _who(request.from_.uri)
        if self.remote_identity == identity:
            return False
        self.remote_identity = identity
        if "from-change" in self.supported:
            self.remote_uri = f"<{request.from_.uri}>"
        return True

    def accepts(self, request: Request) -> bool:
        """Whether the sequence number is in order (section 12.2.2); takes note of it."""
        if self.remote_cseq is not None and request.cseq.number < self.remote_cseq:
            return False
        self.remote_cseq = request.cseq.number
        return True

    def request(
        self, wire: Wire, method: str, headers: HeaderList = (), body: bytes = b"", cseq: int | None = None
    ) -> tuple[OutRequest, Address]:
        """Return a request within the dialog and where it goes.

        `cseq` is given for the ACK, which has the number of its INVITE; other requests take the next number.
        """
        if cseq is None:
            self.local_cseq += 1
        uri, route, hop = self._way()
        destination = next_hop(hop, self.fallback, wire.locals, wire.known_hosts)
        came_over = None if self.fallback.transport == "udp" else self.fallback
        branch = wire.new_branch()
        request = OutRequest(
            method=method,
            uri=uri,
            via=wire.via(branch, destination.transport),
            branch=branch,
            from_=with_tag(self.local_uri, self.local_tag),
            to=with_tag(self.remote_uri, self.remote_tag),
            call_id=self.call_id,
            cseq=self.local_cseq if cseq is None else cseq,
            route=route,
            headers=headers,
            body=body,
            otherwise=None if came_over == destination else came_over,
        )
        return wire.fit(request, destination)

    def _way(self) -> tuple[str, tuple[str, ...], str]:
        """Return request-URI, Route values and next hop: loose or strict routing (section 12.2.1.1)."""
        if not self.route_set:
            return self.remote_target, (), self.remote_target
        first = self.route_set[0]
        if "lr" in _parameter_names(first):
            return self.remote_target, tuple(f"<{uri}>" for uri in self.route_set), first
        others = tuple(f"<{uri}>" for uri in (*self.route_set[1:], self.remote_target))
        return first, others, first


def next_hop(
    uri: str,
    fallback: Address,
    ours: Container[TransportName] = TRANSPORTS,
    known_hosts: Callable[[str], Address | None] = lambda uri: None,
) -> Address:
    """Return the address a URI points at.

    The fallback, which is where the dialog's first request went or came from, serves for host names that
    `known_hosts` does not know, other address families and transports that we do not have. A URI that names no
    transport keeps the fallback's if it points at the same host: many that register over a connection leave the
    parameter out.
    """
    address = uri_address(uri) or known_hosts(uri)
    if address is None or (":" in address.host) != (":" in fallback.host):
        return fallback
    if uri_transport(uri) is None and (address.host == fallback.host or "udp" not in ours):
        address = address._replace(transport=fallback.transport)
    return address if address.transport in ours else fallback


def _parameter_names(uri: str) -> list[str]:
    return [piece.partition("=")[0].strip().lower() for piece in uri.split(";")[1:]]


def _target(message: Message) -> str | None:
    contacts = message.contacts
    uri = contacts[0].uri if contacts else ""
    usable = uri.partition(":")[0].lower() in ("sip", "sips", "tel") and not any(c.isspace() for c in uri)
    return uri if usable else None


def _record_route(message: Message) -> list[str]:
    return [address.uri for address in message.addresses("record-route") if " " not in address.uri]


def _who(uri: str) -> str:
    """Return user and host: another port or parameter is nobody else."""
    user, at, rest = uri.partition(":")[2].partition("?")[0].rpartition("@")
    host, bracket, _ = rest.partition(";")[0].rpartition("]")
    return user + at + (host + bracket if bracket else rest.partition(";")[0].partition(":")[0]).lower()


def _without_tag(value: str) -> str:
    pieces = split_outside(value, ";")
    return ";".join(piece for piece in pieces if not piece.lower().startswith("tag="))
