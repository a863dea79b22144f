"""Any packetisation, loss, reordering, duplication and wrap: the time line equals the model."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.media.model import RemoteMedia
from sip.media.receive import Receiver
from sip.media.timeline import HeardMatrix, TimeLine
from tests.unit.media_peer import rtp

SOURCE = ("127.0.0.1", 4000)
SILENCE = 0xD5
LENGTH = 8000 * 3
PAUSE = 3200
"""Samples. What comes after half a second of nothing is placed by its arrival; some less, for packets begin earlier."""


@st.composite
def streams(draw: st.DrawFn) -> dict[str, object]:
    size = draw(st.integers(5, 60)) * 8
    count = draw(st.integers(2, 60))
    order = list(range(count))
    lost = draw(st.sets(st.integers(1, count - 1), max_size=count // 2))
    swapped = draw(st.sets(st.integers(1, count - 2), max_size=4)) if count > 3 else set()
    for place in swapped:
        order[place], order[place + 1] = order[place + 1], order[place]
    twice = draw(st.sets(st.integers(0, count - 1), max_size=4))
    return {
        "size": size,
        "order": [number for number in order if number not in lost],
        "twice": twice,
        "start": draw(st.integers(0, 4000)),
        "sequence": draw(st.integers(0, 0xFFFF)),
        "timestamp": draw(st.integers(0, 0xFFFFFFFF)),
        "jitter": draw(st.lists(st.integers(0, 60), min_size=count, max_size=count)),
        "seed": draw(st.integers(0, 1000)),
    }


def check_quarters(present: np.ndarray, filled: np.ndarray, codes: np.ndarray) -> None:
    """What came is told of whole columns; of the others, what is silent is told apart as far as it can be."""
    columns = filled.reshape(-1, 4, 40)
    whole, nothing = columns.all(axis=(1, 2)), ~columns.any(axis=(1, 2))
    assert present[whole].all()
    assert not present[nothing].any()
    silent = (~filled | np.isin(codes, (0xD5, 0x55))).reshape(-1, 4, 40).sum(axis=2)
    for told, missing, quiet in zip(present, (~columns).sum(axis=2), silent, strict=True):
        assert (~told).sum() <= (missing.sum() + 35) // 40
        assert told[quiet <= 4].all()
        # Where nothing else is as silent, those that did not come are told.
        if (quiet == missing).all() and missing.any() and not missing.all():
            assert not told[missing == 40].any()


@settings(max_examples=150, deadline=None)
@given(streams())
def test_the_time_line_equals_the_model(stream: dict) -> None:
    size, start = stream["size"], stream["start"]
    rng = np.random.default_rng(stream["seed"])
    matrix = HeardMatrix(1)
    receiver = Receiver(TimeLine(matrix, 0))
    model = np.full(LENGTH + 60 * 480, SILENCE, np.uint8)
    filled = np.zeros(len(model), bool)
    before = -LENGTH
    for number in stream["order"]:
        payload = rng.integers(0, 256, size, np.uint8)
        data = rtp(stream["sequence"] + number, stream["timestamp"] + number * size, payload.tobytes())
        # Arrivals wander by less than the 40 ms that make the time line move.
        wandered = 0 if (number - before) * size >= PAUSE else stream["jitter"][number] * 4
        at, before = (start + number * size + wandered) / 8000, number
        for _ in range(2 if number in stream["twice"] else 1):
            receiver.packet(data, SOURCE, at, 0.0)
        place = slice(start + number * size, start + (number + 1) * size)
        model[place], filled[place] = payload, True
    counts = receiver.statistics()
    sent = stream["order"]
    assert counts.received == len(sent)
    assert counts.duplicated == len(stream["twice"] & set(sent))
    assert counts.lost == max(sent) + 1 - len(sent)
    columns = len(model) // 160
    end = min(columns, 200)
    pcm, present = matrix.column(np.zeros(end, np.intp), np.arange(end))
    check_quarters(present, filled[: end * 160], model[: end * 160])
    codes = receiver.line.take(end * 160)
    heard = np.full(end * 160, SILENCE, np.uint8)
    if codes is not None:
        heard[codes[0] : codes[0] + len(codes[1])] = np.frombuffer(codes[1], np.uint8)
    assert np.array_equal(heard, model[: end * 160])
    assert pcm.shape == (end, 160)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=80), st.booleans(), st.integers(0, 20000)), max_size=30))
def test_no_datagram_can_harm(datagrams: list[tuple[bytes, bool, int]]) -> None:
    matrix = HeardMatrix(2)
    matrix.codes[1] = 7
    receiver = Receiver(TimeLine(matrix, 0))
    for data, versioned, at_ms in datagrams:
        packet = bytes([0x80 | data[0] & 0x3F]) + data[1:] if versioned and data else data
        receiver.packet(packet, SOURCE, at_ms / 1000, 0.0)
    counts = receiver.statistics()
    assert counts.received + counts.ignored + counts.duplicated <= len(datagrams)
    assert counts.lost >= 0
    receiver.line.take(400 * 160)
    assert (matrix.codes[1] == 7).all()


SOURCES = [("127.0.0.1", 4000), ("127.0.0.1", 4002), ("192.0.2.1", 4000)]
packets = st.tuples(
    st.sampled_from([0, 5, 20, 70, 300]),
    st.sampled_from(SOURCES),
    st.integers(1, 3),
    st.one_of(st.integers(0, 8), st.integers(0, 0xFFFF)),
    st.one_of(st.integers(0, 2000), st.integers(0, 0xFFFFFFFF)),
    st.sampled_from([0, 8, 8, 8, 13, 99, 101]),
)
answers = st.builds(
    RemoteMedia,
    st.just("127.0.0.1"),
    st.sampled_from([4000, 4002, 4004]),
    dialog=st.sampled_from(["", "one", "two"]),
    final=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(packets, packets, packets, answers), max_size=80))
def test_every_packet_is_counted_once(happenings: list[tuple | RemoteMedia]) -> None:
    """Whatever sources, streams, numbers and answers come in any order."""
    receiver = Receiver(TimeLine(HeardMatrix(1), 0))
    sent = at_ms = 0
    for happening in happenings:
        if isinstance(happening, RemoteMedia):
            receiver.connect(happening)
            continue
        wait_ms, source, ssrc, sequence, timestamp, pt = happening
        at_ms, sent = at_ms + wait_ms, sent + 1
        receiver.packet(rtp(sequence, timestamp, b"\x01" * 160, ssrc=ssrc, pt=pt), source, at_ms / 1000, 0.0)
        counts = receiver.statistics()
        assert counts.received + counts.ignored + counts.duplicated == sent
        assert min(counts.received, counts.ignored, counts.duplicated, counts.lost) >= 0
        assert counts.reordered <= counts.received
