"""Bytes to messages.

A message that cannot be read must not leave a handset off hook, so almost nothing makes one unusable. The
rules:

- Empty lines before the start line are skipped. Lines end in CRLF or LF, folded lines are joined, compact
  names are expanded.
- The reason phrase may be missing. The colon may have space on either side. A line without colon is a note.
- Over UDP the body is the rest of the datagram. A smaller Content-Length cuts it, a larger or unreadable one
  is a note (RFC 3261, 18.3).
- Header values stay bytes until somebody asks: they are then UTF-8, else GB 18030 (telephone exchanges in
  China send GBK display names), else Latin-1.
- Only Via, From, To, Call-ID and CSeq are needed to know which transaction and dialog is meant; without them
  a `RemoteProtocolError` is raised. Any other broken header is an absent value and a note.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from .errors import RemoteProtocolError
from .values import (
    CSeq,
    NameAddress,
    Via,
    parse_cseq,
    parse_name_address,
    parse_parameters,
    parse_via,
    split_outside,
)

T = TypeVar("T")

COMPACT_NAMES = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""RFC 3261 section 7.3.3 and the extensions registered since."""

MAX_REMEMBERED = 256
"""The longest header value, in bytes, that is kept in a cache."""
MAX_NOTES = 20
"""How many notes are kept of one message."""


class Message:
    """A received message. Header names are given in any case; compact names are the long ones."""

    __slots__ = ("_fields", "body", "call_id", "cseq", "from_", "notes", "raw", "to", "via")

    def __init__(self, raw: bytes, fields: dict[str, list[bytes]], body: bytes, notes: list[str]) -> None:
        self.raw = raw
        """The datagram as it came."""
        self.body = body
        self.notes = notes
        """What could not be read."""
        self._fields = fields
        self.via: Via = _needed(_first_via(_first(fields, "via")), "Via")
        """The topmost Via."""
        self.from_: NameAddress = _needed(_name_address(_first(fields, "from")), "From")
        self.to: NameAddress = _needed(_name_address(_first(fields, "to")), "To")
        self.call_id: str = _needed((self.header("call-id") or "").strip() or None, "Call-ID")
        self.cseq: CSeq = _needed(parse_cseq(self.header("cseq") or ""), "CSeq")

    def raw_values(self, name: str) -> list[bytes]:
        """Return the values of a header field as bytes, one per field, in order."""
        return self._fields.get(name.lower(), [])

    def header(self, name: str) -> str | None:
        """Return the first value of a header field, None without one."""
        values = self._fields.get(name.lower())
        return decode(values[0]) if values else None

    def headers(self, name: str) -> list[str]:
        """Return the values of a header field, one per field, in order."""
        return [decode(value) for value in self.raw_values(name)]

    def values(self, name: str) -> list[str]:
        """Return the single values of a header field that may hold several, separated by commas."""
        return [value for line in self.headers(name) for value in split_outside(line, ",")]

    def addresses(self, name: str) -> tuple[NameAddress, ...]:
        """Return the addresses of a header field such as Contact, Record-Route, Diversion or History-Info."""
        found = []
        for value in self.values(name):
            address = parse_name_address(value)
            if address is None:
                self._note(f"{name} cannot be read")
            else:
                found.append(address)
        return tuple(found)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of the header fields, in lower case, long form."""
        return tuple(self._fields)

    @property
    def contacts(self) -> tuple[NameAddress, ...]:
        """The values of Contact."""
        return self.addresses("contact")

    @property
    def sdp_body(self) -> bytes | None:
        """The body that is `application/sdp`, or that part of a multipart body; None without one."""
        if not self.body.strip():
            return None
        kind, _, tail = (self.header("content-type") or "").partition(";")
        kind = kind.strip().lower()
        if kind.startswith("multipart/"):
            return _part(self.body, parse_parameters(tail).get("boundary", ""))
        if kind == "application/sdp" or (not kind and self.body.lstrip().startswith(b"v=")):
            return self.body
        return None

    @property
    def identity(self) -> str:
        """Call-ID, CSeq and branch in one line, for messages to people."""
        return f"{self.call_id} {self.cseq.number} {self.cseq.method} {self.via.branch}"

    def _note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < MAX_NOTES:
            self.notes.append(text)


class Request(Message):
    """A received request."""

    __slots__ = ("method", "uri")

    def __init__(
        self, method: str, uri: str, raw: bytes, fields: dict[str, list[bytes]], body: bytes, notes: list[str]
    ) -> None:
        super().__init__(raw, fields, body, notes)
        self.method = method
        self.uri = uri
        """The request-URI as written."""
        if self.cseq.method != method:
            raise RemoteProtocolError(f"CSeq names {self.cseq.method[:20]!r} in a request {method!r}")

    def __repr__(self) -> str:
        return f"<{self.method} {self.uri} {self.identity}>"


class Response(Message):
    """A received response."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str,
        raw: bytes,
        fields: dict[str, list[bytes]],
        body: bytes,
        notes: list[str],
    ) -> None:
        super().__init__(raw, fields, body, notes)
        self.status = status
        self.reason = reason
        """The reason phrase, "" if missing."""

    def __repr__(self) -> str:
        return f"<{self.status} {self.reason} {self.identity}>"


def parse_message(data: bytes) -> Request | Response:
    """Read one datagram.

    Raises `RemoteProtocolError` when the start line or one of Via, From, To, Call-ID and CSeq cannot be read.
    """
    text = data.lstrip(b"\r\n")
    head, body = _split_body(text)
    start, _, block = head.replace(b"\r\n", b"\n").partition(b"\n")
    notes: list[str] = []
    fields = _fields(block, notes)
    body = _cut(body, fields, notes)
    words = start.split(None, 2)
    if len(words) >= 2 and words[0].upper().startswith(b"SIP/"):
        return Response(_status(words), _reason(words), data, fields, body, notes)
    method, uri = _request_line(start)
    return Request(method, uri, data, fields, body, notes)


def decode(value: bytes) -> str:
    """Decode a header value: UTF-8, else GB 18030, else Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return value.decode("gb18030")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise RemoteProtocolError(f"{name} is missing or cannot be read")
    return value


def _remembered(read: Callable[[bytes], T], size: int) -> Callable[[bytes], T]:
    """Remember what short values read as: the same few come in every message of a call."""
    cached = lru_cache(maxsize=size)(read)
    return lambda value: cached(value) if len(value) <= MAX_REMEMBERED else read(value)


def _read_via(value: bytes) -> Via | None:
    values = split_outside(decode(value), ",")
    return parse_via(values[0]) if values else None


def _read_name(name: bytes) -> str:
    key = name.strip().lower().decode("latin-1")
    return COMPACT_NAMES.get(key, key)


_name_address = _remembered(lambda value: parse_name_address(decode(value)), 8192)
_first_via = _remembered(_read_via, 8192)
_long_name = _remembered(_read_name, 1024)


def _first(fields: dict[str, list[bytes]], name: str) -> bytes:
    values = fields.get(name)
    return values[0] if values else b""


def _split_body(text: bytes) -> tuple[bytes, bytes]:
    end = text.find(b"\r\n\r\n")
    bare = text.find(b"\n\n", 0, end if end >= 0 else len(text))
    if bare >= 0:
        return text[:bare], text[bare + 2 :]
    mixed = text.find(b"\n\r\n", 0, end if end >= 0 else len(text))
    if mixed >= 0:
        return text[:mixed], text[mixed + 3 :]
    return (text[:end], text[end + 4 :]) if end >= 0 else (text, b"")


def _fields(block: bytes, notes: list[str]) -> dict[str, list[bytes]]:
    """Read the header lines, unfolded."""
    fields: dict[str, list[bytes]] = {}
    for line in block.replace(b"\n ", b" ").replace(b"\n\t", b" ").split(b"\n"):
        name, colon, value = line.partition(b":")
        key = _long_name(name)
        if not colon or not key:
            if line.strip() and len(notes) < MAX_NOTES:
                notes.append("a header line without name or colon")
            continue
        values = fields.get(key)
        if values is None:
            values = fields[key] = []
        values.append(value.strip())
    return fields


def _cut(body: bytes, fields: dict[str, list[bytes]], notes: list[str]) -> bytes:
    values = fields.get("content-length")
    if not values:
        return body
    text = values[0]
    if not text.isdigit() or len(text) > 9:
        notes.append("Content-Length cannot be read")
        return body
    length = int(text)
    if length > len(body):
        notes.append(f"Content-Length says {length}, the body has {len(body)}")
    return body[:length]


def _status(words: list[bytes]) -> int:
    text = words[1]
    if words[0].upper() != b"SIP/2.0":
        raise RemoteProtocolError("not SIP/2.0", 505)
    if len(text) != 3 or not text.isdigit() or not b"100" <= text <= b"699":
        raise RemoteProtocolError("the status is not a number from 100 to 699")
    return int(text)


def _reason(words: list[bytes]) -> str:
    return decode(words[2]).strip() if len(words) > 2 else ""


def _request_line(line: bytes) -> tuple[str, str]:
    method, _, rest = line.strip().partition(b" ")
    uri, _, version = rest.strip().rpartition(b" ")
    if not method or not uri or not version.upper().startswith(b"SIP/"):
        raise RemoteProtocolError("the first line is neither a request nor a status line")
    if version.upper() != b"SIP/2.0":
        raise RemoteProtocolError("not SIP/2.0", 505)
    if not all(c in _TOKEN for c in method):
        raise RemoteProtocolError("the method is not a token")
    return method.decode("ascii"), decode(uri.strip())


_TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")


def _part(body: bytes, boundary: str) -> bytes | None:
    if not boundary:
        return None
    for part in body.split(b"--" + boundary.encode("utf-8", "replace")):
        head, content = _split_body(part.lstrip(b"\r\n"))
        if b"application/sdp" in head.lower():
            return content.removesuffix(b"\r\n") + b"\r\n"
    return None
