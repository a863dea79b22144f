"""Bodies of several parts (RFC 5621, RFC 2046): SIP-I brings ISUP beside the session description.

Whatever can be made out is kept: a boundary that nobody named is taken from the first line that looks like one, a
last part that is not closed ends with the body, and what could not be done is a note.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .header_lines import decode, read_fields, split_body
from .values import parse_parameters

_DEEPEST = 4
_MOST_PARTS = 32
_GUESS = re.compile(
    rb"^--(?P<boundary>[0-9A-Za-z'()+_,./:=?-](?:[0-9A-Za-z'()+_,./:=? -]{0,68}[0-9A-Za-z'()+_,./:=?-])?)[ \t]*+\r?$",
    re.MULTILINE,
)
"""RFC 2046 section 5.1.1: a boundary does not end in a space, so a line of spaces is looked at once."""


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part of a body; a body that is not multipart is its only part."""

    content_type: str
    """Type and subtype in lower case, "" if nothing names it."""
    parameters: Mapping[str, str]
    """Those of Content-Type, such as `version` of `application/isup`."""
    body: bytes
    disposition: str = ""
    """Content-Disposition without parameters, in lower case: `session`, `signal`, `render`, ..."""
    handling: str = ""
    """`required` or `optional` (RFC 3261 section 20.11), "" if nothing says."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """All header fields of the part, names in lower case; of a whole body only those named Content-*."""


def read_parts(
    body: bytes, header: Callable[[str], str | None], note: Callable[[str], None]
) -> tuple[BodyPart, ...]:
    """Return the parts of a body in order, those of nested multiparts in their place.

    `header` returns the first value of a header field of the message, or None.
    """
    headers = {name: value for name in _CONTENT if (value := header(name)) is not None}
    found: list[BodyPart] = []
    if body.strip(b"\r\n"):
        _read(headers, body, note, found, 0)
    return tuple(found)


_CONTENT = (
    "content-type",
    "content-disposition",
    "content-transfer-encoding",
    "content-encoding",
    "content-id",
    "content-language",
)


def _read(
    headers: Mapping[str, str], body: bytes, note: Callable[[str], None], found: list[BodyPart], depth: int
) -> None:
    kind, _, tail = headers.get("content-type", "").partition(";")
    kind, parameters = kind.strip().lower(), parse_parameters(tail)
    if not kind.startswith("multipart/"):
        found.append(_part(kind, parameters, headers, body, note))
        return
    if depth >= _DEEPEST:
        note("a multipart body is nested too deeply")
        return
    for piece in _split(body, parameters.get("boundary", ""), note):
        if len(found) >= _MOST_PARTS:
            note(f"a multipart body has more than {_MOST_PARTS} parts")
            return
        inner, content = _opened(piece)
        _read(inner, content, note, found, depth + 1)


def _part(
    kind: str,
    parameters: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
    note: Callable[[str], None],
) -> BodyPart:
    disposition, _, tail = headers.get("content-disposition", "").partition(";")
    handling = parse_parameters(tail).get("handling", "").lower()
    if headers.get("content-transfer-encoding", "").strip().lower() == "base64":
        try:
            body = binascii.a2b_base64(body)
        except binascii.Error:
            note("a body part is not base64, as it says")
    return BodyPart(kind, parameters, body, disposition.strip().lower(), handling, headers)


def _opened(piece: bytes) -> tuple[dict[str, str], bytes]:
    """Return the header fields and the content of a part; one that begins with an empty line has no fields."""
    if piece.startswith((b"\r\n", b"\n")):
        return {}, piece.partition(b"\n")[2]
    head, content = split_body(piece)
    fields = read_fields(head.replace(b"\r\n", b"\n"), [])
    return {name: decode(values[0]) for name, values in fields.items()}, content


def _split(body: bytes, boundary: str, note: Callable[[str], None]) -> list[bytes]:
    wanted = boundary.encode("utf-8", "replace")
    if not wanted or b"--" + wanted not in body:
        guess = _GUESS.search(body)
        note(
            "a multipart body without the boundary that it names"
            if wanted
            else "a multipart body names no boundary"
        )
        if guess is None:
            return []
        wanted = guess["boundary"]
    marks = re.compile(rb"^--" + re.escape(wanted) + rb"(?P<last>--)?[ \t]*\r?$", re.MULTILINE)
    pieces: list[bytes] = []
    start: int | None = None
    for mark in marks.finditer(body):
        if start is not None:
            pieces.append(_without_break(body[start : mark.start()]))
        start = mark.end() + 1
        if mark["last"]:
            return pieces
    if start is not None:
        note("a multipart body is not closed")
        pieces.append(_without_break(body[start:]))
    return pieces


def _without_break(piece: bytes) -> bytes:
    """The line break before a boundary belongs to it (RFC 2046 section 5.1.1)."""
    return piece.removesuffix(b"\n").removesuffix(b"\r") if piece.endswith(b"\n") else piece
