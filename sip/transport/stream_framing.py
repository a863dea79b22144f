"""Cutting a stream into SIP messages (RFC 3261 section 18.3) and keep-alives (RFC 5626 section 4.4.1).

The head of a message ends with an empty line, its body has the length that Content-Length says. There is no way
to find the next message after one whose length is not known, so such a stream is given up with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

MAX_HEAD = 64 << 10
"""The longest head in bytes; more than any proxy sends."""
MAX_BODY = 128 << 10
"""The longest body in bytes; one that fits into no datagram is half of it."""
PING = b"\r\n\r\n"
PONG = b"\r\n"

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_OVERLAP = 3
"""So many bytes of the end of a head may already be here."""
_FIRST_LINE_MAX = 8 << 10
_LENGTH = re.compile(rb"\n(?:content-length|l)[ \t]*:[ \t]*((?:\r?\n[ \t]+)?[^\r\n]*)", re.IGNORECASE)
_TLS_HANDSHAKE = b"\x16\x03"
_BEGINNINGS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
"""The characters of a token, with which a request or a status line begins (RFC 3261 section 25.1)."""


class KeepAlive(Enum):
    """An empty line between two messages."""

    LINE = "line"


LINE = KeepAlive.LINE


class StreamError(Exception):
    """The stream cannot be followed any further; the message says why."""


class StreamFramer:
    """Takes the bytes of one direction of a connection as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._needed = 0
        self._begun = False
        """Whether the first line of the message has been looked at."""

    @property
    def waiting(self) -> bool:
        """Whether a message has begun and is not complete."""
        # Empty lines before it have been taken off: asked for each byte of a long message, this must cost nothing.
        return self.held > 1 or bool(self._buffer.strip(b"\r\n"))

    def clear(self) -> None:
        """Forget what is not complete: the connection is over."""
        self._buffer = bytearray()

    @property
    def held(self) -> int:
        """Bytes of what is not complete."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes | KeepAlive]:
        """Yield the messages that are complete, each as its bytes, and one `LINE` for each empty line between.

        Raises `StreamError` for what is not SIP, and for messages without a usable length or beyond the bounds.
        """
        self._buffer += data
        while True:
            if self._buffer.startswith(b"\r\n"):
                del self._buffer[:2]
                yield LINE
            elif self._buffer.startswith(b"\n"):
                del self._buffer[:1]
            elif (message := self._message()) is not None:
                yield message
            else:
                return

    def _message(self) -> bytes | None:
        """Cut the first message off, None if it is not complete."""
        if not self._buffer or self._buffer == b"\r":
            return None
        if not self._needed:
            self._needed = self._measure()
        if not self._needed or len(self._buffer) < self._needed:
            return None
        message = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        self._searched = self._needed = 0
        self._begun = False
        return message

    def _measure(self) -> int:
        """Return the length of the first message, 0 while its head is incomplete."""
        if not self._begun:
            self._begun = self._check_beginning()
        end = _HEAD_END.search(self._buffer, max(0, self._searched - _OVERLAP))
        if end is None or end.end() > MAX_HEAD:
            if len(self._buffer) > MAX_HEAD:
                raise StreamError(f"the head of a message is longer than {MAX_HEAD} bytes")
            self._searched = len(self._buffer)
            return 0
        return end.end() + _body_length(bytes(self._buffer[: end.end()]))

    def _check_beginning(self) -> bool:
        """Refuse early what will never be SIP; whether the whole first line has been seen."""
        if self._buffer.startswith(_TLS_HANDSHAKE):
            raise StreamError("this is a TLS handshake, not SIP")
        if self._buffer[0] not in _BEGINNINGS:
            raise StreamError("this is not SIP: a message begins with a method or SIP/2.0")
        newline = self._buffer.find(b"\n")
        if newline < 0 and len(self._buffer) > _FIRST_LINE_MAX:
            raise StreamError(f"this is not SIP: the first line is longer than {_FIRST_LINE_MAX} bytes")
        if newline >= 0 and b"SIP/" not in self._buffer[:newline].upper():
            raise StreamError("this is not SIP: the first line does not name it")
        return newline >= 0


def _body_length(head: bytes) -> int:
    values = {value.strip() for value in _LENGTH.findall(head)}
    if not values:
        raise StreamError("a message without Content-Length: nobody knows where the next one begins")
    if len(values) > 1:
        raise StreamError("a message with two different values of Content-Length")
    text = values.pop()
    if not text.isdigit() or len(text) > 9:
        raise StreamError("a message whose Content-Length is not a number")
    length = int(text)
    if length > MAX_BODY:
        raise StreamError(f"a message whose body is longer than {MAX_BODY} bytes")
    return length
