"""What may be called: SIP URIs and, on a trunk, telephone numbers."""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from sip.core import Address, TransportName, parse_uri, uri_transport
from sip.transport import BindError

_SCHEME = re.compile(r"\s*(?:sips?|tel):", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[0-9*#][0-9*# ().\-]{1,30}")


class NoRouteError(BindError):
    """No way leads from this machine to an address: no network, or none of its kind."""


class TargetError(ValueError):
    """The target is neither a SIP URI nor a number that can be called."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a SIP URI points."""

    uri: str
    host: str
    """A name, or an address without brackets."""
    port: int | None
    """None: by SRV records, else the transport's own (RFC 3263 section 4.2)."""
    transport: TransportName | None
    """None: the URI leaves it open."""


def parse_target(text: str) -> Target:
    """Read a `sip:` or `sips:` URI. Raises `TargetError` that says what is wrong and what would be right."""
    uri = parse_uri(text)
    if uri is None or uri.scheme not in ("sip", "sips") or not uri.host:
        raise TargetError(f"{text!r} is not a SIP URI; it takes one such as sip:62@127.0.0.1:5060")
    named = (uri.parameters.get("transport") or "udp").lower()
    if named not in ("udp", "tcp", "tls"):
        raise TargetError(f"{text!r} asks for transport {named}; it takes udp, tcp or tls")
    if uri.port is not None and not 0 < uri.port < 65_536:
        raise TargetError(f"{text!r} names port {uri.port}; it takes 1 to 65535")
    return Target(text, uri.host.strip("[]"), uri.port, uri_transport(text))


def is_uri(text: str) -> bool:
    """Whether the text is meant as a URI and not as a number."""
    return _SCHEME.match(text) is not None


def check_number(text: str) -> str:
    """Return a telephone number without surrounding space and with plain digits.

    Raises `TargetError` for anything else.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if not _NUMBER.fullmatch(plain):
        raise TargetError(
            f"{text!r} is neither a telephone number nor a SIP URI; it takes one such as 0917-3262000 on a trunk, "
            "or sip:62@127.0.0.1:5060"
        )
    return plain


def local_host(destination: Address) -> str:
    """Return the address from which the kernel would send to `destination`; nothing is sent.

    Raises `NoRouteError`.
    """
    family = socket.AF_INET6 if ":" in destination.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((destination.host, destination.port))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise NoRouteError(f"no route to {destination.host}: {error.strerror or error}") from error


def reachable(found: Sequence[Address]) -> list[Address]:
    """Return the addresses to which a route leads, or all of them where none does.

    A server of both IP versions is called by the one that this machine has.
    """
    return [address for address in found if _has_route(address)] or list(found)


def _has_route(destination: Address) -> bool:
    try:
        local_host(destination)
    except NoRouteError:
        return False
    return True


def own_uri(host: str) -> str:
    """Return our identity where a trunk names none."""
    return f"sip:dutyring@[{host}]" if ":" in host else f"sip:dutyring@{host}"
