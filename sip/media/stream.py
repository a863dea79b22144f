"""One received stream (RFC 3550): its sequence numbers, its jitter and where its packets lie on the time line.

A stream is anchored by the arrival of its first packet; its later packets lie where their timestamps say. It is
anchored anew when timestamps and arrivals do not belong together any more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sip.media.model import SAMPLE_RATE_HZ, Address
from sip.media.rtp import Packet

_SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
AHEAD: Final = 200 * _SAMPLES_PER_MS
"""A packet that would lie further in the future than this had its timestamp jump."""
BEHIND: Final = 300 * _SAMPLES_PER_MS
"""A packet that would lie further in the past than this belongs to a sender whose timestamps stood still."""
DRIFT: Final = 40 * _SAMPLES_PER_MS
"""The time line follows arrivals once the quickest packets of a window are off by this much."""
_STEP: Final = 80 * _SAMPLES_PER_MS
"""Smaller drifts are closed sample by sample, larger ones at once."""
_SLEW: Final = 2
"""Samples per packet while closing a drift: 1.25 % of a 20 ms packet."""
WINDOW_PACKETS: Final = 25
FAR: Final = 1 << 40
_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
"""RFC 3550 appendix A.1."""
_SEEN_MASK: Final = (1 << (_MAX_MISORDER + 1)) - 1


class Course(NamedTuple):
    """Where a stream that runs regularly is: enough to take its next packets elsewhere (see `sip.media.steady`)."""

    sequence: int
    """Of its newest packet, as the timestamp, the position and the arrival."""
    timestamp: int
    position: int
    arrival: int
    window: int
    """Packets since the anchor was last looked at, and the least delay among them."""
    quickest: int
    jitter: float


class Stream:
    """One source's packets: sequence accounting (RFC 3550 appendix A.1), jitter (A.8) and its anchor."""

    def __init__(self, source: Address, ssrc: int, began: int) -> None:
        self.source = source
        self.ssrc = ssrc
        self.began = began
        """Of two streams, the one with the larger number began later."""
        self.arrived = 0
        """Packets used."""
        self.last_s = 0.0
        self.jitter = 0.0
        """In samples."""
        self._newest = -1
        self._cycles = 0
        self._expected = 0
        self._seen = 0
        self._timestamp: int | None = None
        self._position = 0
        self._arrival = 0
        self._window = 0
        self._quickest = FAR
        self._slew = 0

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return max(0, self._expected - self.arrived)

    @property
    def expected(self) -> int:
        """Packets that should have come, as far as is known."""
        return self._expected

    @property
    def highest(self) -> int:
        """The extended highest sequence number (RFC 3550 section 6.4.1)."""
        return (self._cycles << 16 | max(self._newest, 0)) & 0xFFFFFFFF

    @property
    def confirmed(self) -> bool:
        """Whether it is more than one stray packet."""
        return self.arrived > 1

    def sequence(self, number: int, *, fits: bool = True) -> str:
        """Take a sequence number: `new`, `reordered`, `duplicate`, or `stray` (outside of every window).

        Nothing changes for the last two. What is behind the newest counts as reordered only if its timestamp
        `fits`; else it is the beginning of something else under used numbers.
        """
        if self._newest < 0:
            self.restart(number)
        ahead = (number - self._newest) & 0xFFFF
        if 0 < ahead < _MAX_DROPOUT:
            self._cycles += number < self._newest
            self._newest = number
            self._seen = (self._seen << ahead | 1) & _SEEN_MASK
            self._expected += ahead
            self.arrived += 1
            return "new"
        behind = (self._newest - number) & 0xFFFF
        if behind > _MAX_MISORDER:
            return "stray"
        if self._seen >> behind & 1:
            return "duplicate"
        if not fits:
            return "stray"
        self._seen |= 1 << behind
        self.arrived += 1
        self._expected = max(self._expected, self.arrived)
        return "reordered"

    def restart(self, number: int) -> None:
        """Forget numbers and anchor: the stream goes on at `number`, which is yet to be taken."""
        self._newest, self._seen, self._timestamp = (number - 1) & 0xFFFF, 0, None
        self._cycles -= number == 0  # taking it will look like a wrap

    def fits(self, timestamp: int, arrival: int) -> bool:
        """Tell whether a timestamp lies about where its packet arrived."""
        if self._timestamp is None:
            return True
        return -AHEAD <= arrival - self._position - self._step(timestamp, self._timestamp) <= BEHIND

    @staticmethod
    def _step(timestamp: int, before: int) -> int:
        return (timestamp - before + 0x80000000 & 0xFFFFFFFF) - 0x80000000

    def place(self, packet: Packet, arrival: int, *, in_order: bool) -> tuple[int, bytes]:
        """Return (position, payload) on the time line for a packet that arrived at position `arrival`."""
        if self._timestamp is None:
            self._anchor(packet.timestamp, arrival)
            return arrival, packet.payload
        step = self._step(packet.timestamp, self._timestamp)
        position = self._position + step
        offset = arrival - position
        if not in_order:
            return position, packet.payload
        if offset > BEHIND or offset < -AHEAD or (packet.marker and offset > DRIFT):
            self._anchor(packet.timestamp, arrival)
            return arrival, packet.payload
        self.jitter += (abs(arrival - self._arrival - step) - self.jitter) / 16
        self._arrival, self._timestamp, self._position = arrival, packet.timestamp, position
        return self._follow(offset, packet.payload)

    def _anchor(self, timestamp: int, arrival: int) -> None:
        self._timestamp, self._position = timestamp, arrival
        self._arrival = arrival
        self._window, self._quickest = 0, FAR
        self._slew = 0

    def steady(self, sequence: int, timestamp: int, length: int, arrival: int) -> int | None:
        """Take the packet that follows the last one in every respect: the short way of `sequence` and `place`.

        Returns its position, or None, with nothing changed, when it has to go the long way.
        """
        step = timestamp - (self._timestamp or 0)
        position = self._position + step
        offset = arrival - position
        if sequence != self._newest + 1 or step != length or not -AHEAD <= offset <= BEHIND:
            return None
        if self._slew or self._window == WINDOW_PACKETS - 1 or self._timestamp is None:
            return None
        self._newest = sequence
        self._seen = (self._seen << 1 | 1) & _SEEN_MASK
        self._expected += 1
        self.arrived += 1
        self.jitter += (abs(arrival - self._arrival - step) - self.jitter) / 16
        self._arrival, self._timestamp, self._position = arrival, timestamp, position
        self._window += 1
        if offset < self._quickest:
            self._quickest = offset
        return position

    def course(self) -> Course | None:
        """Return where the stream is; None while its anchor is unknown or being moved."""
        if self._timestamp is None or self._slew:
            return None
        return Course(
            self._newest,
            self._timestamp,
            self._position,
            self._arrival,
            self._window,
            self._quickest,
            self.jitter,
        )

    def resume(self, course: Course, packets: int) -> None:
        """Go on from `course`, which some packets that followed each other without a gap have led to."""
        self._newest, self._timestamp, self._position, self._arrival = course[:4]
        self._window, self._quickest, self.jitter = course[4:]
        shown = min(packets, _MAX_MISORDER + 1)
        self._seen = (self._seen << shown | (1 << shown) - 1) & _SEEN_MASK
        self._expected += packets
        self.arrived += packets

    def _follow(self, offset: int, payload: bytes) -> tuple[int, bytes]:
        """Correct the anchor by what a window of packets shows; a hole is filled with the sample beside it."""
        self._window += 1
        self._quickest = min(self._quickest, offset)
        if self._window == WINDOW_PACKETS:
            quickest = self._quickest
            self._window, self._quickest = 0, FAR
            if abs(quickest) > _STEP:
                self._position += quickest
                self._slew = 0
            elif abs(quickest) > DRIFT and not self._slew:
                self._slew = quickest
        if not self._slew:
            return self._position, payload
        step = max(-_SLEW, min(_SLEW, self._slew))
        self._slew -= step
        self._position += step
        if step > 0:
            return self._position - step, payload[:1] * step + payload
        return self._position, payload
