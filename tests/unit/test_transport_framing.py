"""Cutting a stream into messages: whole, split, coalesced, kept alive, and what is no SIP."""

from __future__ import annotations

import pytest

from sip.transport import LINE, KeepAlive, StreamError, StreamFramer


def message(
    body: bytes = b"", length: bytes | None = None, start: bytes = b"OPTIONS sip:a@b SIP/2.0"
) -> bytes:
    field = b"Content-Length: %d" % len(body) if length is None else length
    return b"\r\n".join([start, b"Via: SIP/2.0/TCP a;branch=z9hG4bK1", field, b"", b""]) + body


def feed(framer: StreamFramer, data: bytes) -> list[bytes | KeepAlive]:
    return list(framer.feed(data))


def test_one_message_in_one_piece() -> None:
    framer = StreamFramer()
    assert feed(framer, message(b"v=0\r\n")) == [message(b"v=0\r\n")]
    assert not framer.waiting


def test_message_byte_by_byte() -> None:
    framer, whole = StreamFramer(), message(b"v=0\r\n\r\nx") + message()
    found = [piece for byte in whole for piece in feed(framer, bytes([byte]))]
    assert found == [message(b"v=0\r\n\r\nx"), message()]


def test_messages_in_one_segment_with_the_beginning_of_the_next() -> None:
    framer = StreamFramer()
    assert feed(framer, message(b"1") + message(b"22") + message()[:20]) == [message(b"1"), message(b"22")]
    assert framer.waiting
    assert feed(framer, message()[20:]) == [message()]


def test_empty_lines_between_messages_are_told_one_by_one() -> None:
    framer = StreamFramer()
    assert feed(framer, b"\r\n\r\n" + message() + b"\r\n") == [LINE, LINE, message(), LINE]
    assert feed(framer, b"\r") == []
    assert not framer.waiting
    assert feed(framer, b"\n" + message()) == [LINE, message()]


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length: 3",
        b"content-length:3",
        b"CONTENT-LENGTH \t:  3  ",
        b"l: 3",
        b"L:3",
        b"Content-Length:\r\n 3",
        b"Content-Length: 3\r\nl: 3",
        b"Content-Length: 003",
    ],
)
def test_ways_to_write_content_length(field: bytes) -> None:
    whole = message(b"abc", field)
    assert feed(StreamFramer(), whole + message()) == [whole, message()]


def test_head_with_bare_line_feeds() -> None:
    whole = b"OPTIONS sip:a@b SIP/2.0\nContent-Length: 2\n\nhi"
    assert feed(StreamFramer(), whole) == [whole]


def test_a_length_in_the_body_is_not_looked_at() -> None:
    whole = message(b"\r\nContent-Length: 99\r\n\r\n")
    assert feed(StreamFramer(), whole) == [whole]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (message(length=b"Subject: none"), "without Content-Length"),
        (message(length=b"X-Content-Length: 5"), "without Content-Length"),
        (message(length=b"Content-Length: 3\r\nContent-Length: 4"), "two different values"),
        (message(length=b"Content-Length: -1"), "not a number"),
        (message(length=b"Content-Length: 1e3"), "not a number"),
        (message(length=b"Content-Length:"), "not a number"),
        (message(length=b"Content-Length: 1048577"), "body is longer"),
        (message(length=b"Content-Length: 99999999999"), "not a number"),
        (message(length=b"X: " + b"x" * 70_000), "head of a message is longer"),
        (b"OPTIONS " + b"a" * 9_000, "first line is longer"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "not SIP"),
        (b"\x16\x03\x01\x02\x00", "TLS handshake"),
        (b"\x00\x00", "not SIP"),
        (b"\xff", "not SIP"),
        (b"\rOPTIONS", "not SIP"),
    ],
)
def test_what_cannot_be_followed_is_named(data: bytes, why: str) -> None:
    with pytest.raises(StreamError, match=why):
        feed(StreamFramer(), data)


def test_endless_head_is_given_up_before_it_ends() -> None:
    framer = StreamFramer()
    line = b"X: " + b"x" * 995 + b"\r\n"
    feed(framer, b"OPTIONS sip:a@b SIP/2.0\r\n" + line * 65)
    with pytest.raises(StreamError, match="head"):
        feed(framer, line)


def test_what_came_before_the_fault_is_delivered() -> None:
    pieces = StreamFramer().feed(message(b"1") + b"GET / HTTP/1.1\r\n")
    assert next(pieces) == message(b"1")
    with pytest.raises(StreamError):
        next(pieces)


def test_largest_message_passes() -> None:
    whole = message(b"x" * (128 << 10))
    framer = StreamFramer()
    found = [
        piece
        for start in range(0, len(whole), 65_536)
        for piece in feed(framer, whole[start : start + 65_536])
    ]
    assert found == [whole]
