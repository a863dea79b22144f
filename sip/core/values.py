"""Single header values.

`sipmessage` reads URIs. The values on which a call's identity hangs (Via, From, To, Contact, Record-Route)
are split by this module itself: they must survive unquoted display names, semicolons in odd places and stray
parameters, and their tags and branches must stay exactly as they were written, escapes included.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sipmessage import URI

from .types import DEFAULT_PORTS, TRANSPORTS, Address, TransportName


@dataclass(frozen=True, slots=True)
class NameAddress:
    """The value of From, To, Contact, Route, Record-Route, Refer-To, Diversion, ..."""

    uri: str
    """As written, without angle brackets."""
    name: str = ""
    """The display name, unquoted."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; "" for a parameter without value."""

    @property
    def tag(self) -> str:
        """The tag, "" without one."""
        return self.parameters.get("tag", "")


@dataclass(frozen=True, slots=True)
class Via:
    """The value of one Via."""

    transport: str
    host: str
    port: int | None
    parameters: Mapping[str, str]

    @property
    def branch(self) -> str:
        """The branch, "" without one."""
        return self.parameters.get("branch", "")


@dataclass(frozen=True, slots=True)
class CSeq:
    """The value of CSeq."""

    number: int
    method: str


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator that stands neither in quotes nor in angle brackets.

    Parts are stripped, empty ones left out.
    """
    if separator not in text:
        return [part] if (part := text.strip()) else []
    if '"' not in text and "<" not in text:
        return [part for piece in text.split(separator) if (part := piece.strip())]
    return [part for piece in _scan(text, separator) if (part := piece.strip())]


def _scan(text: str, separator: str) -> list[str]:
    parts, start, quoted, bracketed, escaped = [], 0, False, False, False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"' and not bracketed:
            quoted = True
        elif character in "<>":
            bracketed = character == "<"
        elif character == separator and not bracketed:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return parts


def parse_parameters(text: str) -> dict[str, str]:
    """Read `;name=value` pairs; the first of equal names wins."""
    found: dict[str, str] = {}
    for piece in split_outside(text, ";"):
        name, _, value = piece.partition("=")
        found.setdefault(name.strip().lower(), unquote(value.strip()))
    return found


def unquote(text: str) -> str:
    """Remove the quotes of a quoted string and resolve its escapes."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    result, escaped = [], False
    for character in inner:
        if character == "\\" and not escaped:
            escaped = True
            continue
        result.append(character)
        escaped = False
    return "".join(result)


def quote(text: str) -> str:
    """Return a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_name_address(text: str) -> NameAddress | None:
    """Read a name-addr or addr-spec; None without a URI."""
    text = text.strip()
    name, rest = _display_name(text)
    opening = rest.find("<")
    if opening < 0:
        uri, _, tail = rest.partition(";")
    else:
        name = name or unquote(rest[:opening].strip())
        closing = rest.find(">", opening)
        uri, tail = (
            (rest[opening + 1 :], "") if closing < 0 else (rest[opening + 1 : closing], rest[closing + 1 :])
        )
    uri = uri.strip()
    return NameAddress(uri, name, parse_parameters(tail)) if uri else None


def _display_name(text: str) -> tuple[str, str]:
    if not text.startswith('"'):
        return "", text
    end = 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    return (unquote(text[: end + 1]), text[end + 1 :]) if end < len(text) else ("", text)


_SLASH = re.compile(r"\s*/\s*")


def parse_via(text: str) -> Via | None:
    """Read one Via value; None if it names no host."""
    head, _, tail = text.partition(";")
    protocol, _, sent_by = _SLASH.sub("/", " ".join(head.split())).partition(" ")
    words = protocol.split("/")
    host, port = split_host(sent_by.replace(" ", ""))
    if len(words) != 3 or words[0].upper() != "SIP" or not host:
        return None
    return Via(words[2].upper(), host, port, parse_parameters(tail))


def split_host(text: str) -> tuple[str, int | None]:
    """Split `host:port`, `[v6]:port` or `host`; an unreadable port is None, an unreadable host is ""."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            return "", None
        port = rest[1:] if rest.startswith(":") else ""
    elif text.count(":") > 1:
        return text, None
    else:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None
    return host, number if number is not None and 0 < number < 65536 else None


def parse_cseq(text: str) -> CSeq | None:
    """Read a CSeq value; None unless it is a number below 2**32 and a method."""
    words = text.split()
    if len(words) != 2:
        return None
    number, method = words
    if not (number.isascii() and number.isdigit()):
        return None
    digits = number.lstrip("0") or "0"
    if len(digits) > 10:
        return None
    sequence = int(digits)
    return CSeq(sequence, method) if sequence < 1 << 32 else None


_LONGEST_KEPT = 256
"""The longest URI, in characters, that is kept in a cache."""


@lru_cache(maxsize=256)
def parse_uri(text: str) -> URI | None:
    """Read a SIP, SIPS or TEL URI with `sipmessage`.

    None if it refuses. URI headers (`?name=value`) are left out.
    """
    if len(text) > 1000:
        return None
    try:
        return URI.parse(text.partition("?")[0])
    except (ValueError, TypeError):
        return None


@lru_cache(maxsize=1024)
def _uri_address(text: str) -> Address | None:
    scheme, _, rest = text.strip().partition(":")
    if scheme.lower() not in ("sip", "sips"):
        return None
    rest = rest.partition("?")[0]
    rest = rest.rpartition("@")[2].partition(";")[0]
    host, port = split_host(rest.strip())
    transport = uri_transport(text) or "udp"
    return Address(host, port or DEFAULT_PORTS[transport], transport) if is_ip(host) else None


def uri_address(text: str) -> Address | None:
    """Return where a SIP URI with an IP literal as host points; None for other URIs.

    The transport is that of `;transport=`, TLS for `sips:`, else UDP (RFC 3263 section 4.1); the port is the
    transport's own by default. What `sipmessage` refuses (a user part with `#` or non-ASCII characters, say) is
    split here.
    """
    # The same few come in every message of a call; a long one is not worth the memory.
    return _uri_address(text) if len(text) <= _LONGEST_KEPT else _uri_address.__wrapped__(text)


def uri_transport(text: str) -> TransportName | None:
    """Return the transport that a URI demands: TLS for `sips:`, else that of `;transport=`, None if it is silent.

    A transport that we do not know counts as silence.
    """
    return _uri_transport(text) if len(text) <= _LONGEST_KEPT else _uri_transport.__wrapped__(text)


@lru_cache(maxsize=1024)
def _uri_transport(text: str) -> TransportName | None:
    scheme, _, rest = text.strip().strip("<>").partition(":")
    if scheme.lower() == "sips":
        return "tls"
    tail = rest.partition("?")[0].rpartition("@")[2].partition(";")[2]
    wanted = (parse_parameters(tail).get("transport") or "").lower()
    return next((name for name in TRANSPORTS if name == wanted), None)


def is_ip(host: str) -> bool:
    """Whether the host is an IPv4 or IPv6 literal other than the unspecified address."""
    if ":" in host:
        return host != "::" and _is_ipv6(host)
    parts = host.split(".")
    return (
        host != "0.0.0.0"
        and len(parts) == 4
        and all(p.isascii() and p.isdigit() and len(p) <= 3 and int(p) < 256 for p in parts)
    )


def _is_ipv6(host: str) -> bool:
    """The kernel's sockets look anything else up by name, for which all calls would wait."""
    try:
        return ipaddress.IPv6Address(host).scope_id is None
    except ValueError:
        return False
