"""Which packets take the short way, and that they lose nothing by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sip.media.model import RemoteMedia
from tests.unit.media_peer import rtp
from tests.unit.media_ways import Ways

T0 = 500.0
FAR = ("127.0.0.1", 4000)
FAR_6 = ("2001:db8::1", 4000)


@pytest.fixture
def ways() -> Iterator[Ways]:
    ways = Ways(2, T0)
    for call in (*ways.short, *ways.long):
        call.connect(RemoteMedia(*FAR, final=True), T0)
    yield ways
    ways.close()


def stream(
    count: int, *, first: int = 0, size: int = 160, source: tuple[str, int] = FAR, timestamp: int = 0
) -> list[tuple[bytes, tuple[str, int], float]]:
    """Packets at their pace, each of another sound."""
    return [
        (
            rtp(first + number, timestamp + number * size, bytes([number % 200]) * size),
            source,
            T0 + 0.5 + number * size / 8000,
        )
        for number in range(count)
    ]


def feed(ways: Ways, packets: list[tuple[bytes, tuple[str, int], float]]) -> None:
    for packet in packets:
        ways.take([[packet], [packet]])


@pytest.mark.parametrize("size", [80, 160, 240, 320])
def test_a_regular_stream_takes_the_short_way_from_its_second_packet_on(ways: Ways, size: int) -> None:
    feed(ways, stream(100, size=size))
    assert [call.long for call in ways.short] == [1, 1]
    assert ways.short[0].receiver.statistics().received == 1, "it is told when it is asked for"
    ways.intake.sync(ways.short[0])
    assert ways.short[0].receiver.statistics().received == 100
    ways.same()


def test_an_address_of_the_other_family_takes_it_too(ways: Ways) -> None:
    for call in (*ways.short, *ways.long):
        call.connect(RemoteMedia(*FAR_6, final=True), T0)
    feed(ways, stream(50, source=FAR_6))
    assert ways.short[0].long == 1
    ways.same()


def test_numbers_that_wrap_take_the_long_way_once(ways: Ways) -> None:
    feed(ways, stream(60, first=65_516, timestamp=0xFFFFFFFF - 160 * 40))
    assert ways.short[0].long == 3, "the first one, the number 0, and the timestamp that wraps"
    ways.same()
    assert ways.short[0].receiver.statistics().lost == 0


def test_two_packets_of_one_call_in_a_tick_are_no_loss(ways: Ways) -> None:
    packets = stream(100)
    for place in range(0, 100, 2):
        ways.take([packets[place : place + 2], packets[place : place + 2]])
    ways.same()
    statistics = ways.short[1].receiver.statistics()
    assert (statistics.received, statistics.lost, statistics.reordered) == (100, 0, 0)
    assert ways.short[1].long == 1


def test_what_was_lost_is_counted_and_the_stream_goes_on_short(ways: Ways) -> None:
    packets = stream(100)
    feed(ways, packets[:40] + packets[43:])
    assert ways.short[0].long == 2
    ways.same()
    assert ways.short[0].receiver.statistics().lost == 3


def test_an_address_that_looks_alike_is_a_strangers(ways: Ways) -> None:
    packets = stream(40)
    feed(ways, packets[:20])
    feed(ways, [(data, ("127.0.0.1", 4001), at) for data, _, at in packets[20:23]])
    feed(ways, packets[23:])
    ways.same()
    assert ways.short[0].gate.refused == 3
    assert ways.short[0].receiver.statistics().lost == 3


def test_a_packet_of_another_payload_type_with_number_0_is_not_taken_for_the_next_one(ways: Ways) -> None:
    """The number behind 65535 carries into the payload type of the header's first word."""
    feed(ways, stream(16, first=65_520))
    odd = rtp(0, 16 * 160, b"\x11" * 160, pt=9)
    ways.take([[(odd, FAR, T0 + 0.82)]] * 2)
    ways.same()
    assert ways.short[0].receiver.statistics().ignored == 1
    assert ways.short[0].receiver.statistics().received == 16


def test_a_stream_that_drifts_is_moved_as_on_the_long_way(ways: Ways) -> None:
    packets = [(data, FAR, at + number * 2e-4) for number, (data, _, at) in enumerate(stream(600))]
    for first in range(0, 600, 100):
        feed(ways, packets[first : first + 100])
        for one, other in zip(ways.short, ways.long, strict=True):
            assert one.line.take(first * 160) == other.line.take(first * 160)
    ways.same()
    assert 100 < ways.short[0].long < 400, "long while the anchor is moved, short before and after"


def test_a_packet_over_the_end_of_the_ring_takes_the_long_way(ways: Ways) -> None:
    for first in range(0, 600, 100):
        feed(ways, stream(600)[first : first + 100])
        for one, other in zip(ways.short, ways.long, strict=True):
            assert one.line.take(first * 160) == other.line.take(first * 160)
    ways.same()
    assert ways.short[0].long == 1, "packets and columns begin together"
    packets = [(data, FAR, at + 0.005) for data, _, at in stream(300, first=600, timestamp=600 * 160 + 40)]
    for first in range(0, 300, 100):
        feed(ways, [(data, FAR, at + 12.0) for data, _, at in packets[first : first + 100]])
        for one, other in zip(ways.short, ways.long, strict=True):
            assert one.line.take((first + 600) * 160) == other.line.take((first + 600) * 160)
    ways.same()
    assert ways.short[0].long == 3, "one that began 5 ms late, and one in the middle of which the ring ends"


def test_what_is_taken_out_of_the_ring_is_not_written_again(ways: Ways) -> None:
    packets = stream(60)
    feed(ways, packets[:30])
    taken = [call.line.take(8000 * 2) for call in (ways.short[0], ways.long[0])]
    assert taken[0] == taken[1]
    feed(ways, packets[30:])
    ways.same()


def test_the_first_packet_of_another_length_has_the_header_that_is_expected(ways: Ways) -> None:
    feed(ways, stream(20))
    feed(ways, stream(20, first=20, size=320, timestamp=20 * 160))
    ways.same()
    assert ways.short[0].long == 2, "the first one and the first longer one"


@pytest.mark.parametrize("late_s", [0.35, -0.25])
def test_a_packet_far_from_its_place_takes_the_long_way(ways: Ways, late_s: float) -> None:
    packets = stream(60)
    feed(ways, packets[:20])
    feed(ways, [(data, source, at + late_s) for data, source, at in packets[20:]])
    ways.same()
    assert ways.short[0].long == 2
