"""What opening and closing leave to others: descriptors, the last columns of a call, holes of whole columns."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from sip.media import MediaEngine, RemoteMedia, SessionSpec, encode
from sip.media.analysis import Analyst
from sip.media.call import Call
from sip.media.timeline import HeardMatrix, TimeLine
from sip.media.udp import bind
from sip.progress import FeatureBank
from tests.unit.media_peer import Peer, tone

SETTLES_S = 1.5
"""Behind this a steady source has its socket connected and its packets leave and come by the ring."""
SPEC = SessionSpec("127.0.0.1", analyse=False)


def ssrcs(packets: list[bytes]) -> set[bytes]:
    return {packet[8:12] for packet in packets}


@pytest.mark.asyncio
async def test_a_descriptor_that_passes_to_another_call_carries_that_call_only() -> None:
    """The kernel gives the descriptors of a closed call to the next one, within the same gap between two ticks."""
    async with await MediaEngine.start(writer=False, bank=None) as engine:
        with Peer() as before, Peer() as after:
            old = await engine.open(SPEC)
            old.begin(time.monotonic())
            old.connect(RemoteMedia(*before.address, final=True))
            await before.stream(old.local, [b"\x35" * 160] * round(SETTLES_S * 50))
            theirs = ssrcs(before.received())
            closing = asyncio.ensure_future(old.close(60_000))
            await asyncio.sleep(0)  # its command leaves before that of the next call
            new = await engine.open(SPEC)
            await closing
            new.begin(time.monotonic())
            new.connect(RemoteMedia(*after.address, final=True))
            last = before.received()
            await after.stream(new.local, [b"\x35" * 160] * 20, ssrc=88)
            report = await new.close(60_000)
            assert len(theirs) == 1
            assert ssrcs(last) <= theirs
            assert before.received() == []
            assert len(ssrcs(after.received()) - theirs) == 1
    assert (report.statistics.received, report.statistics.lost, report.send_errors) == (20, 0, 0)


def analyst_with(calls: int, sound: np.ndarray) -> tuple[Analyst, list[Call]]:
    """Calls that all heard the same sound from their beginning on."""
    matrix = HeardMatrix(calls + 5)
    analyst = Analyst(matrix, FeatureBank(calls + 5), calls + 5)
    every = []
    for number in range(calls):
        call = Call(number, number + 3, TimeLine(matrix, number + 3), SessionSpec("127.0.0.1"))
        call.begin(100.0)
        call.line.write(0, encode(sound, "PCMA"))
        analyst.begin(call)
        every.append(call)
    return analyst, every


def columns_of(blocks: list[Any]) -> tuple[list[int], list[int], np.ndarray, bytes]:
    """First columns and lengths of blocks, all features and all flags."""
    features = [np.frombuffer(block[4], np.float32).reshape(block[3], -1) for block in blocks]
    starts, counts = [block[2][0] for block in blocks], [block[3] for block in blocks]
    return starts, counts, np.concatenate(features), b"".join(block[5] for block in blocks)


@pytest.mark.parametrize("read", [0, 1, 7, 8, 23, 24])
def test_the_last_columns_are_those_that_ticks_would_have_read(read: int) -> None:
    rng = np.random.default_rng(read)
    sound = np.concatenate([tone(0.3), rng.normal(0, 3000, 2400).astype(np.int16)])
    analyst, (one, other) = analyst_with(2, sound)
    analyst.limit(one, read)
    ticked: list[Any] = []
    for tick in range(1, 31):
        ticked += analyst.run(100.1001 + 0.02 * tick)
    ticked += analyst.finish(other, 0.6)
    of: dict[int, list[Any]] = {call.number: [] for call in (one, other)}
    for verb, numbers, first, count, features, present in ticked:
        rows = np.frombuffer(features, np.float32).reshape(len(numbers), count, -1)
        flags = np.frombuffer(present, np.bool_).reshape(len(numbers), count, -1)
        for place, number in enumerate(numbers):
            part = (verb, [number], [first[place]], count, rows[place].tobytes(), flags[place].tobytes())
            of[number].append(part)
    at_end = columns_of(of[0] + analyst.finish(one, 0.6))
    expected = columns_of(of[1])
    assert sum(at_end[1]) == sum(expected[1]) == 30
    assert max(at_end[1]) <= 10
    assert np.allclose(at_end[2], expected[2], rtol=1e-4, atol=1e-4)
    assert at_end[3] == expected[3]
    starts = np.cumsum([0, *at_end[1][:-1]]).tolist()
    assert at_end[0] == starts, "every column once, in order"
    one.close()
    other.close()


def test_a_hole_of_whole_columns_reaches_to_the_sound_behind_it() -> None:
    """However many whole columns it has: what is silent at the end of the column behind it was heard."""
    for whole in range(1, 6):
        line = TimeLine(HeardMatrix(1), 0)
        start = whole * 160 + 80
        line.write(start, b"\x35" * 40 + b"\xd5" * 40 + b"\x35" * 160)
        taken = line.take((whole + 4) * 160)
        assert taken is not None
        assert taken.holes == [(0, start), ((whole + 2) * 160, (whole + 4) * 160)]


def test_a_range_is_used_up_to_its_last_pair_in_an_order_that_nobody_can_tell() -> None:
    pairs = []

    def bind_all() -> None:
        while True:
            pairs.append(bind("127.0.0.1", (61_000, 61_079), 46))

    try:
        with pytest.raises(OSError, match="in use"):
            bind_all()
        ports = [pair[0].getsockname()[1] for pair in pairs]
    finally:
        for sock in (sock for pair in pairs for sock in pair):
            sock.close()
    assert len(set(ports)) == len(ports) > 30, "all of 40, but for those that others hold"
    assert ports != sorted(ports)
