"""However a stream is cut into segments, the same messages come out of it, and nothing makes it fail otherwise."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sip.transport import LINE, KeepAlive, StreamError, StreamFramer

Piece = bytes | KeepAlive
bodies = st.one_of(
    st.binary(max_size=60), st.sampled_from([b"\r\n\r\n", b"Content-Length: 9\r\n\r\n", b"\r\n"])
)
lengths = st.sampled_from(["Content-Length: %d", "l:%d", "CONTENT-LENGTH  : %d", "Content-Length:\r\n %d"])
line_ends = st.sampled_from([b"\r\n", b"\n"])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    body, end = draw(bodies), draw(line_ends)
    start = draw(st.sampled_from([b"INVITE sip:62@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK", b"SIP/2.0 180"]))
    field = (draw(lengths) % len(body)).encode().replace(b"\r\n", end)
    return end.join([start, b"X: y", field, b"", b""]) + body


def segments(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(marks)]


def pieces_of(parts: list[bytes]) -> list[Piece]:
    framer = StreamFramer()
    return [piece for part in parts for piece in framer.feed(part)]


@given(
    st.lists(st.one_of(messages(), st.just(b"\r\n")), max_size=8), st.lists(st.integers(0, 1500), max_size=20)
)
def test_segments_do_not_matter(sent: list[bytes], cuts: list[int]) -> None:
    expected = [LINE if part == b"\r\n" else part for part in sent]
    assert pieces_of(segments(b"".join(sent), cuts)) == expected


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_garbage_is_refused_or_waited_for(parts: list[bytes]) -> None:
    try:
        found = pieces_of(parts)
    except StreamError:
        return
    assert sum(len(piece) for piece in found if isinstance(piece, bytes)) <= sum(map(len, parts))


@given(messages(), st.integers(0, 400), st.integers(0, 255))
def test_one_wrong_byte_is_survived(message: bytes, position: int, value: int) -> None:
    spoilt = bytearray(message)
    spoilt[position % len(spoilt)] = value
    try:
        found = pieces_of([bytes(spoilt), b"SIP/2.0 200 OK\r\nl:0\r\n\r\n"])
    except StreamError:
        return
    assert all(isinstance(piece, bytes) or piece is LINE for piece in found)
