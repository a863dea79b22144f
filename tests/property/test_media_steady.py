"""The short way of received packets gives what the long way gives, whatever comes."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip.media.model import RemoteMedia
from tests.unit.media_peer import rtp
from tests.unit.media_ways import Ways

T0 = 1000.0
ANNOUNCED = ("127.0.0.1", 4000)
STRANGER = ("192.0.2.7", 4000)
SIX = ("2001:db8::7", 4000)
TICK_S = 0.02

regular = st.tuples(st.just("regular"), st.integers(2, 40))
happenings = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                "lost",
                "twice",
                "swapped",
                "marker",
                "ssrc",
                "stranger",
                "jump",
                "comfort",
                "digit",
                "padded",
                "extended",
                "short",
                "empty",
                "broken",
                "law",
                "pause",
                "burst",
                "late",
                "step",
                "answer",
                "harvest",
                "look",
            ]
        ),
        st.integers(1, 4),
    ),
    st.tuples(st.just("ptime"), st.sampled_from([80, 160, 240, 320, 100])),
    st.tuples(st.just("drift"), st.sampled_from([-40, 0, 40])),
)


@dataclass
class Far:
    """A far side: what it sends next, and what the network has not delivered yet."""

    sequence: int
    timestamp: int
    size: int = 160
    ssrc: int = 77
    pt: int = 8
    source: tuple[str, int] = ANNOUNCED
    clock: float = T0
    drift_us: int = 0
    code: int = 0
    arrived: list[tuple[bytes, tuple[str, int], float]] = field(default_factory=list)

    def packet(self, *, marker: bool = False, pt: int | None = None, payload: bytes | None = None) -> bytes:
        """The next packet; its time passes."""
        self.code = (self.code + 1) % 251
        body = bytes([self.code]) * self.size if payload is None else payload
        data = rtp(
            self.sequence,
            self.timestamp,
            body,
            ssrc=self.ssrc,
            pt=self.pt if pt is None else pt,
            marker=marker,
        )
        self.sequence += 1
        self.timestamp += self.size
        self.clock += self.size / 8000 + self.drift_us / 1e6
        return data

    def send(self, data: bytes, late_s: float = 0.0, source: tuple[str, int] | None = None) -> None:
        """Let a packet arrive."""
        self.arrived.append((data, source or self.source, self.clock + late_s))

    def do(self, what: str, number: int) -> None:
        """Let something happen."""
        match what:
            case "regular":
                for turn in range(number):
                    self.send(self.packet(), (turn * 7 % 5) / 1000)
            case "lost":
                for _ in range(number):
                    self.packet()
            case "twice":
                self.arrived += self.arrived[-number:]
            case "swapped":
                first, second = self.packet(), self.packet()
                self.send(second)
                self.send(first)
            case "marker":
                self.send(self.packet(marker=True))
            case "ssrc":
                self.ssrc, self.sequence, self.timestamp = self.ssrc + 1, 65530 + number, 5 * number
            case "stranger":
                for _ in range(number):
                    self.send(self.packet(), source=STRANGER if number % 2 else SIX)
            case "jump":
                self.timestamp += 8000 * number
            case "comfort":
                self.send(self.packet(pt=13, payload=b"\x40"))
            case "digit":
                self.send(self.packet(pt=101, payload=bytes((number, 0x8A, 3, 0x20))))
            case "padded":
                data = self.packet()
                self.send(bytes([0xA0]) + data[1:] + b"\0\0\0\x04")
            case "extended":
                data = self.packet()
                self.send(bytes([0x90]) + data[1:12] + b"\xbe\xde\0\0" + data[12:])
            case "short":
                self.send(self.packet()[: 12 + number])
            case "empty":
                self.send(self.packet()[:12])
            case "broken":
                self.send(b"\x80\x08"[:number])
            case "law":
                self.pt = 0 if self.pt == 8 else 8
            case "pause":
                self.clock += number * 0.3
                self.timestamp += number * 2400
            case "burst":
                for _ in range(number + 1):
                    self.send(self.packet(), late_s=number * 0.02)
            case "late":
                self.clock += 0.1 * number
            case "step":
                self.sequence += 4000 * number
            case "ptime":
                self.size = number
            case "drift":
                self.drift_us = number


def deliver(ways: Ways, fars: list[Far]) -> None:
    """Let everything that is on its way arrive, tick by tick."""
    for far in fars:
        far.arrived.sort(key=lambda packet: packet[2])
    while any(far.arrived for far in fars):
        end = min(far.arrived[0][2] for far in fars if far.arrived) + TICK_S
        tick = []
        for far in fars:
            count = sum(packet[2] < end for packet in far.arrived)
            tick.append(far.arrived[:count])
            del far.arrived[:count]
        ways.take(tick)


def harvest(ways: Ways, until_s: float) -> None:
    """Empty the rings up to a moment, as the engine does."""
    position = int((until_s - T0 - 0.3) * 8000)
    for one, other in zip(ways.short, ways.long, strict=True):
        assert one.line.take(position) == other.line.take(position)
        assert one.expire(until_s) == other.expire(until_s)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 2), happenings, regular), min_size=3, max_size=30),
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)), min_size=3, max_size=3),
    st.booleans(),
)
def test_both_ways_lead_to_the_same(
    story: list[tuple[int, tuple[str, int], tuple[str, int]]], starts: list[tuple[int, int]], answered: bool
) -> None:
    ways = Ways(3, T0)
    remote = RemoteMedia(*ANNOUNCED, final=answered, telephone_event_pt=101)
    try:
        fars = [Far(*start) for start in starts]
        for call in (*ways.short, *ways.long):
            call.connect(remote, T0)
        for far in fars:
            far.do("regular", 3)
        for number, (what, count), after in story:
            fars[number].do(what, count)
            fars[number].do(*after)
            if what == "answer":
                deliver(ways, fars)
                ways.intake.recall(ways.short[number])
                for call in (ways.short[number], ways.long[number]):
                    call.connect(
                        RemoteMedia(*ANNOUNCED, final=True, telephone_event_pt=101), fars[number].clock
                    )
            elif what == "harvest":
                deliver(ways, fars)
                harvest(ways, min(far.clock for far in fars))
            elif what == "look":
                deliver(ways, fars)
                ways.intake.sync(ways.short[number])
                assert ways.short[number].receiver.statistics() == ways.long[number].receiver.statistics()
        deliver(ways, fars)
        ways.same()
    finally:
        ways.close()
