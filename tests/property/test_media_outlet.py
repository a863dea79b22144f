"""Packets that are made for many calls at once are those that each call would have made itself."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip.media.call import Call
from sip.media.model import Address, RemoteMedia, SessionSpec
from sip.media.outlet import Outlet
from sip.media.send import Sound
from sip.media.timeline import HeardMatrix, TimeLine
from sip.media.udp import accept_only
from sip.media.uring import Ring
from tests.unit.media_peer import Peer, tone

BEGUN = 0.001
RING = Ring.open()
"""None where io_uring is forbidden; then both ends send one by one."""
SOUNDS = [Sound(tone(samples / 8000).tobytes()) for samples in (100, 160, 320, 805, 4000)]


class LongWay(Outlet):
    """Leaves every packet to its call."""

    def _lend(self, call: Call) -> None:
        pass


class End:
    """Two calls behind one outlet, and the peer that they send to."""

    def __init__(self, kind: type[Outlet]) -> None:
        self.told: list[tuple[object, ...]] = []
        self.outlet = kind(
            2,
            lambda verb, call, *rest: self.told.append((verb, call.number, *rest)),
            self._fail,
            RING if kind is Outlet else None,
        )
        self.peer = Peer()
        matrix = HeardMatrix(2)
        self.calls = []
        for row in range(2):
            random.seed(row)
            spec = SessionSpec("127.0.0.1", capture=Path("x"), analyse=False)
            call = Call(row, row, TimeLine(matrix, row), spec)
            call.begin(BEGUN)
            call.recorded = True
            self.outlet.add(call)
            self.calls.append(call)

    @staticmethod
    def _fail(call: Call) -> None:
        raise AssertionError(f"call {call.number} failed")

    def command(self, row: int, command: Callable[[Call, Address], object]) -> None:
        """Do something to a call, as the engine does it."""
        self.outlet.recall(self.calls[row])
        command(self.calls[row], self.peer.address)
        self.outlet.follow(self.calls[row])

    def harvest(self) -> list[object]:
        """Return what goes to the captures."""
        blocks = []
        for call in self.calls:
            self.outlet.collect(call)
            blocks.append(call.harvest(0))
        return blocks

    def summaries(self) -> list[object]:
        """Return what a report would say."""
        for call in self.calls:
            self.outlet.sync(call)
        return [call.sender.summary() for call in self.calls]

    def close(self) -> None:
        """Give back the sockets."""
        for call in self.calls:
            self.outlet.remove(call)
            call.close()
        self.peer.socket.close()


@pytest.fixture
def ends() -> Iterator[tuple[End, End]]:
    ends = End(Outlet), End(LongWay)
    yield ends
    for end in ends:
        end.close()


def connect(**more: object) -> Callable[[Call, Address], object]:
    remote = RemoteMedia("127.0.0.1", 1, **more)  # type: ignore[arg-type]
    return lambda call, address: call.connect(replace(remote, port=address[1]), 0.0)


def hold(call: Call, address: Address) -> None:
    call.connect(RemoteMedia(*address, wants_sound=False), 0.0)


def settle(call: Call, address: Address) -> None:
    """Let the kernel filter, as the engine does once the far end has been heard for a while."""
    call.filtered = accept_only(call.socket, address)
    call.direct = call.filtered and call.sender.remote == address
    call.redirected = True


def play(number: int, *, loop: bool) -> Callable[[Call, Address], object]:
    return lambda call, _: call.sender.play(SOUNDS[number], loop=loop)


COMMANDS = [
    connect(),
    connect(codec="PCMU", payload_type=0),
    connect(payload_type=97),
    connect(ptime_ms=30),
    connect(ptime_ms=10),
    connect(telephone_event_pt=101),
    hold,
    settle,
    lambda call, _: call.sender.stop(),
    lambda call, _: call.sender.digits.add("w1#"),
    lambda call, _: call.skip(3),
    *(play(number, loop=loop) for number in range(len(SOUNDS)) for loop in (False, True)),
]
steps = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 40), st.just(0)),
    st.tuples(st.just("command"), st.integers(0, len(COMMANDS) - 1), st.integers(0, 1)),
    st.tuples(st.sampled_from(["harvest", "report"]), st.just(0), st.just(0)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=25))
def test_both_ways_send_the_same(story: list[tuple[str, int, int]]) -> None:
    ends = End(Outlet), End(LongWay)
    slots = count(1)
    try:
        for end in ends:
            end.command(0, connect())
        for what, number, row in [*story, ("run", 12, 0), ("harvest", 0, 0), ("report", 0, 0)]:
            if what == "command":
                for end in ends:
                    end.command(row, COMMANDS[number])
            elif what == "run":
                for slot in [next(slots) * 0.02 for _ in range(number)]:
                    for end in ends:
                        end.outlet.run(slot)
            else:
                both = [end.harvest() if what == "harvest" else end.summaries() for end in ends]
                assert both[0] == both[1]
            assert ends[0].peer.received() == ends[1].peer.received()
            assert ends[0].told == ends[1].told
    finally:
        for end in ends:
            end.close()


def test_a_stream_is_made_here_from_its_second_packet_on(ends: tuple[End, End]) -> None:
    short, _ = ends
    short.command(0, connect())
    short.outlet.run(0.02)
    assert short.calls[0].lane is not None
    assert short.calls[1].lane is None, "it has nobody to send to"
    short.outlet.run(0.04)
    assert len(short.peer.received()) == 2
    assert short.calls[0].sender.sent == 1, "it is told when it is asked for"
    assert short.summaries()[0].packets == 2  # type: ignore[attr-defined]


def test_more_than_a_harvest_of_sound_is_kept(ends: tuple[End, End]) -> None:
    for end in ends:
        end.command(0, connect())
        for tick in range(100):
            end.outlet.run(0.02 * (tick + 1))
    assert ends[0].harvest() == ends[1].harvest()


def test_a_call_that_ends_leaves_the_others_alone(ends: tuple[End, End]) -> None:
    short, _ = ends
    for row in range(2):
        short.command(row, connect())
        short.command(row, play(3, loop=True))
    for tick in range(5):
        short.outlet.run(0.02 * tick)
    before = len(short.peer.received())
    short.outlet.remove(short.calls[0])
    for tick in range(5, 10):
        short.outlet.run(0.02 * tick)
    assert (before, len(short.peer.received())) == (10, 5)
    short.outlet.add(short.calls[0])


def test_packets_that_nobody_takes_are_send_errors_of_their_call(ends: tuple[End, End]) -> None:
    for end in ends:
        end.command(0, connect())
        end.command(1, lambda call, _: call.connect(RemoteMedia("::1", 4000), 0.0))
        for tick in range(10):
            end.outlet.run(0.02 * tick)
        reports = [call.report(200.0) for call in end.calls]
        end.outlet.sync(end.calls[1])
        assert [report.send_errors for report in reports] == [0, 10]
        assert end.calls[1].sender.sent == 10


@pytest.mark.parametrize("number", range(len(SOUNDS)))
def test_a_sound_ends_with_its_last_sample(ends: tuple[End, End], number: int) -> None:
    for end in ends:
        end.command(0, connect())
        for tick in range(40):
            if tick == 5:
                end.command(0, play(number, loop=False))
            end.outlet.run(0.02 * tick)
    assert ends[0].peer.received() == ends[1].peer.received()
    assert ends[0].told == ends[1].told
    assert [verb for verb, *_ in ends[0].told] == ["finished"]
    assert ends[0].calls[0].lane is not None, "silence is made here again"


def test_settled_calls_leave_together_in_their_order(ends: tuple[End, End]) -> None:
    for end in ends:
        for row in range(2):
            end.command(row, connect())
            end.command(row, settle)
            end.command(row, play(3, loop=True))
        for tick in range(40):
            end.outlet.run(0.02 * tick)
    packets = [end.peer.received() for end in ends]
    assert len(packets[0]) == 80
    assert packets[0] == packets[1], "the order is that of opening, in every tick"


@pytest.mark.skipif(RING is None, reason="io_uring is forbidden here")
def test_what_the_ring_cannot_send_is_tried_once_more(ends: tuple[End, End]) -> None:
    short, _ = ends
    for row in range(2):
        short.command(row, connect())
        short.command(row, settle)
    for tick in range(3):
        short.outlet.run(0.02 * tick)
    # The far end is gone: each packet brings a refusal, which surfaces with the next one.
    address = short.peer.socket.getsockname()
    short.peer.socket.close()
    for tick in range(3, 10):
        short.outlet.run(0.02 * tick)
    short.peer = Peer(*address)
    short.outlet.run(0.20)
    short.outlet.run(0.22)
    assert len(short.peer.received()) == 4, "nothing is in the way once it is there again"
    assert [call.report(200.0).send_errors for call in short.calls] == [0, 0]


@pytest.mark.skipif(RING is None, reason="io_uring is forbidden here")
def test_a_ring_that_fails_costs_no_call(ends: tuple[End, End]) -> None:
    ring = Ring()
    end = ends[0]
    end.outlet._ring = ring
    for row in range(2):
        end.command(row, connect())
        end.command(row, settle)
    end.outlet.run(0.02)
    end.outlet.run(0.04)
    ring.close()
    for tick in range(3, 6):
        end.outlet.run(0.02 * tick)
    assert len(end.peer.received()) == 10


@pytest.mark.skipif(RING is None, reason="io_uring is forbidden here")
def test_what_a_ring_leaves_undone_when_it_fails_leaves_all_the_same(ends: tuple[End, End]) -> None:
    ring = Ring()
    end = ends[0]
    end.outlet._ring = ring
    for row in range(2):
        end.command(row, connect())
        end.command(row, settle)
    end.outlet.run(0.02)
    end.outlet.run(0.04)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, ring._descriptor)  # the kernel knows of no ring there any more
    os.close(nothing)
    end.outlet.run(0.06)
    assert not ring.usable
    assert len(end.peer.received()) == 6
    assert [call.report(200.0).send_errors for call in end.calls] == [0, 0]
