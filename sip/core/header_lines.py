"""Header lines: of a message, and of the parts of its body."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

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


def remembered(read: Callable[[bytes], T], size: int) -> Callable[[bytes], T]:
    """Remember what short values read as: the same few come in every message of a call."""
    cached = lru_cache(maxsize=size)(read)
    return lambda value: cached(value) if len(value) <= MAX_REMEMBERED else read(value)


def split_body(text: bytes) -> tuple[bytes, bytes]:
    """Return what stands before the first empty line and what follows it."""
    end = text.find(b"\r\n\r\n")
    bare = text.find(b"\n\n", 0, end if end >= 0 else len(text))
    if bare >= 0:
        return text[:bare], text[bare + 2 :]
    mixed = text.find(b"\n\r\n", 0, end if end >= 0 else len(text))
    if mixed >= 0:
        return text[:mixed], text[mixed + 3 :]
    return (text[:end], text[end + 4 :]) if end >= 0 else (text, b"")


def read_fields(block: bytes, notes: list[str]) -> dict[str, list[bytes]]:
    """Read header lines, unfolded: values as bytes by long name in lower case; what is no header line is a note."""
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


def _read_name(name: bytes) -> str:
    key = name.strip().decode("latin-1").lower()
    return COMPACT_NAMES.get(key, key)


_long_name = remembered(_read_name, 1024)
