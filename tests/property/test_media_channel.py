"""Messages between the processes survive any cutting, and a stalled reader costs only what may be dropped."""

from __future__ import annotations

import socket
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.media.channel import Channel, Unframer, frame
from sip.media.dtmf import DigitReceiver

messages = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(), st.binary(max_size=300)), max_size=10
)


@given(messages, st.lists(st.integers(1, 400), min_size=1, max_size=50))
def test_any_cut_gives_the_same_messages(sent: list[tuple[str, int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(frame(message) for message in sent)
    unframer, got, place = Unframer(), [], 0
    while place < len(stream):
        size = cuts[place % len(cuts)]
        got += unframer.feed(stream[place : place + size])
        place += size
    assert got == sent


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=12))
def test_nothing_blocks_and_what_must_arrive_arrives(sizes: list[int]) -> None:
    ours, theirs = socket.socketpair()
    one, two = Channel(ours, limit_bytes=500_000), Channel(theirs, limit_bytes=500_000)
    try:
        kept = []
        for number, size in enumerate(sizes):
            if one.send(("block", number, bytes(size)), droppable=True):
                kept.append(number)
            one.flush()
        assert one.send(("end", -1, b""))
        got: list[int] = []
        while one.pending or not got or got[-1] != -1:
            one.flush()
            got += [message[1] for message in two.receive()]
        assert got == [*kept, -1]
        one.close()
        assert two.receive() == []
        assert two.closed
    finally:
        one.close()
        two.close()


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 255), st.booleans(), st.integers(0, 0xFFFF)), max_size=60
    )
)
def test_a_digit_is_reported_at_most_once_for_each_timestamp_in_a_row(
    packets: list[tuple[int, int, bool, int]],
) -> None:
    receiver, digits = DigitReceiver(), []
    for at, (timestamp, number, end, duration) in enumerate(packets):
        payload = struct.pack("!BBH", number, 0x80 if end else 0, duration)
        digits += receiver.packet(timestamp, payload, at * 20.0)
    digits += receiver.expire(1e9)
    assert len(digits) <= len(packets)
    assert all(digit.digit in "0123456789*#ABCD" and digit.duration_ms >= 0 for digit in digits)
