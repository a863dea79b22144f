"""Bytes to messages.

A message that cannot be read must not leave a handset off hook, so almost nothing makes one unusable. The
rules:

- Empty lines before the start line are skipped. Lines end in CRLF or LF, folded lines are joined, compact
  names are expanded, a CR within a line is a space.
- The reason phrase may be missing. The colon may have space on either side. A line without colon is a note.
- The words of a request line may stand further apart, and its URI in angle brackets (RFC 4475, 3.1.2.7 and 9).
- Over UDP the body is the rest of the datagram. A smaller Content-Length cuts it, a larger or unreadable one
  is a note (RFC 3261, 18.3).
- Header values stay bytes until somebody asks: they are then UTF-8, else GB 18030 (telephone exchanges in
  China send GBK display names), else Latin-1.
- Only Via, From, To, Call-ID and CSeq are needed to know which transaction and dialog is meant; without them
  a `RemoteProtocolError` is raised. Any other broken header is an absent value and a note.
"""

from __future__ import annotations

from typing import TypeVar

from .errors import RemoteProtocolError
from .header_lines import MAX_NOTES, read_fields, remembered, split_body
from .header_lines import decode as decode
from .multipart import BodyPart, read_parts
from .values import (
    CSeq,
    NameAddress,
    Via,
    parse_cseq,
    parse_name_address,
    parse_via,
    split_outside,
)

T = TypeVar("T")


class Message:
    """A received message. Header names are given in any case; compact names are the long ones."""

    __slots__ = ("_fields", "_parts", "body", "call_id", "cseq", "from_", "notes", "raw", "to", "via")

    def __init__(self, raw: bytes, fields: dict[str, list[bytes]], body: bytes, notes: list[str]) -> None:
        self.raw = raw
        """The datagram as it came."""
        self.body = body
        self.notes = notes
        """What could not be read."""
        self._fields = fields
        self._parts: tuple[BodyPart, ...] | None = None
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
        fields = self._fields.get(name.lower())
        return [value for line in fields for value in _single_values(line)] if fields else []

    def addresses(self, name: str) -> tuple[NameAddress, ...]:
        """Return the addresses of a header field such as Contact, Record-Route, Diversion or History-Info."""
        fields = self._fields.get(name.lower())
        if not fields:
            return ()
        read = [address for line in fields for address in _addresses(line)]
        found = tuple(address for address in read if address is not None)
        if len(found) < len(read):
            self._note(f"{name} cannot be read")
        return found

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of the header fields, in lower case, long form."""
        return tuple(self._fields)

    @property
    def contacts(self) -> tuple[NameAddress, ...]:
        """The values of Contact."""
        return self.addresses("contact")

    @property
    def parts(self) -> tuple[BodyPart, ...]:
        """The parts of the body, in order: none without a body, one that is the body itself unless it is multipart."""
        if self._parts is None:
            self._parts = read_parts(self.body, self.header, self._note) if self.body else ()
        return self._parts

    def part(self, content_type: str) -> BodyPart | None:
        """Return the first part of this type, such as `application/isup`; None without one."""
        return next((part for part in self.parts if part.content_type == content_type), None)

    @property
    def sdp_body(self) -> bytes | None:
        """The session description: the body, or the first part that is one, wherever it stands; None without one."""
        found = self.part("application/sdp") or next(
            (part for part in self.parts if _looks_like_sdp(part)), None
        )
        if found is None or not found.body.strip():
            return None
        return found.body if found.body.endswith(b"\n") else found.body + b"\r\n"

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
    head, body = split_body(text)
    # A return without its feed would stand in what we send of these values, where it breaks a line.
    start, _, block = head.replace(b"\r\n", b"\n").replace(b"\r", b" ").partition(b"\n")
    notes: list[str] = []
    fields = read_fields(block, notes)
    body = _cut(body, fields, notes)
    words = start.split(None, 2)
    if len(words) >= 2 and words[0].upper().startswith(b"SIP/"):
        return Response(_status(words), _reason(words), data, fields, body, notes)
    method, uri = _request_line(start)
    return Request(method, uri, data, fields, body, notes)


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise RemoteProtocolError(f"{name} is missing or cannot be read")
    return value


def _read_via(value: bytes) -> Via | None:
    values = split_outside(decode(value), ",")
    return parse_via(values[0]) if values else None


def _read_values(value: bytes) -> tuple[str, ...]:
    return tuple(split_outside(decode(value), ","))


_single_values = remembered(_read_values, 1024)
_addresses = remembered(lambda value: tuple(map(parse_name_address, _read_values(value))), 1024)
_name_address = remembered(lambda value: parse_name_address(decode(value)), 8192)
_first_via = remembered(_read_via, 8192)


def _first(fields: dict[str, list[bytes]], name: str) -> bytes:
    values = fields.get(name)
    return values[0] if values else b""


def _looks_like_sdp(part: BodyPart) -> bool:
    return not part.content_type and part.body.lstrip().startswith(b"v=0")


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
    uri = uri.strip()
    if uri.startswith(b"<") and uri.endswith(b">"):
        uri = uri[1:-1]
    return method.decode("ascii"), decode(uri)


_TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
