"""One received stream (RFC 3550): its sequence numbers, its jitter and where its packets lie on the time line.

A stream is anchored by the arrival of its first packet; its later packets lie where their timestamps say. That is right
as long as the far end's clock runs like ours, and as the first packet was not a late one. So the anchor is watched:

- A packet that came before its place proves the place too late, for no packet travels faster than the quickest. In the
  first 200 ms of a stream, which nobody has read yet, all that came is moved to where it belongs; later it takes a
  second such packet, and the error is closed bit by bit (see `sip.media.fitting`).
- When even the quickest packets of some seconds come behind their places, the far end's clock is the slower one, or
  the way has become longer: the same.
- After a pause there is nothing to be torn: a packet that does not fit is an anchor anew, by its arrival.

What a clock does that is off by 300 ppm, as no working one is, thus stays within 10 ms for ever.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from sip.media.fitting import fitted
from sip.media.model import SAMPLE_RATE_HZ, Address
from sip.media.rtp import Packet
from sip.media.timeline import TimeLine

_SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
AHEAD: Final = 200 * _SAMPLES_PER_MS
"""A packet that would lie further in the future than this had its timestamp jump."""
BEHIND: Final = 300 * _SAMPLES_PER_MS
"""A packet that would lie further in the past than this belongs to a sender whose timestamps stood still."""
EARLY: Final = 4 * _SAMPLES_PER_MS
"""A packet may come before its place by so much, as a sender of irregular pace makes it."""
LATE: Final = 6 * _SAMPLES_PER_MS
"""The quickest packets of `_WINDOWS` may come behind their places by so much."""
_WINDOWS: Final = 8
"""With 20 ms packets, 4 s: what a burst of other traffic holds up does not move the line."""
_WINDOWS_FAR: Final = 2
"""So many windows are enough for an error that would be noticed."""
_AT_ONCE: Final = 80 * _SAMPLES_PER_MS
"""What came later than this is moved in one piece: the way has become longer, and the hole is no loss of sound."""
_SETTLING: Final = 200 * _SAMPLES_PER_MS
"""The beginning of a stream, by its arrivals: less than the time before it goes to the capture."""
_PAUSE: Final = 500 * _SAMPLES_PER_MS
_BELIEVED: Final = 20 * _SAMPLES_PER_MS
"""The first packet behind a pause may come behind its place by this and twice the stream's jitter."""
WINDOW_PACKETS: Final = 25
FAR: Final = 1 << 40
_CHANGES: Final = 16
"""Changed packets remembered, for those that come later than a newer one."""
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
        self._late = 0
        """Windows in a row whose quickest packets were late, and the least of their delays."""
        self._least = FAR
        self._early: int | None = None
        """A packet that came before the place that is aimed at, by how much (below 0)."""
        self._slew = 0
        """How far the place is still to be moved."""
        self._began, self._from = 0, 0
        """Arrival and place of the anchor."""
        self._changes: deque[tuple[int, int]] = deque(maxlen=_CHANGES)
        """Timestamps of packets that were made longer or shorter, and by how much."""
        self._skipped = 0
        """Packets that are missing before the newest one."""
        self._quiet_from: int | None = None
        """Since where the far side has announced silence."""
        self.length = 0
        """Samples of the newest packet in order."""

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
            self._skipped = ahead - 1
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

    def place(self, packet: Packet, arrival: int, line: TimeLine, *, in_order: bool) -> None:
        """Write a packet that arrived at position `arrival` to the time line."""
        if self._timestamp is None:
            self._anchor(packet, arrival, line)
            return
        step = self._step(packet.timestamp, self._timestamp)
        position = self._position + step
        if not in_order:
            line.write(position - self._moved_since(packet.timestamp), packet.payload)
            return
        offset, end = arrival - position, self._position + self.length
        if self._lies_elsewhere(packet, arrival, offset):
            self._anchor(packet, arrival, line)
        else:
            self.jitter += (abs(arrival - self._arrival - step) - self.jitter) / 16
            self._arrival, self._timestamp, self._position = arrival, packet.timestamp, position
            self._watch(offset, line)
            position = self._position
            self._write(packet.payload, line)
        self._note_pause(end, min(arrival, position), line)

    def _anchor(self, packet: Packet, arrival: int, line: TimeLine) -> None:
        self._timestamp = packet.timestamp
        self._position = self._arrival = self._began = self._from = arrival
        self._late, self._early = 0, None
        self._changes.clear()
        self._aim(0)
        self._write(packet.payload, line)

    def _aim(self, slew: int) -> None:
        """Move the place by `slew` samples from now on, and watch it anew."""
        self._slew, self._early = slew, None
        self._window, self._quickest, self._late, self._least = 0, FAR, 0, FAR

    def _write(self, payload: bytes, line: TimeLine) -> None:
        """Write the newest packet where it lies, closing a bit of the error."""
        position, self.length = self._position, len(payload)
        if self._slew and payload:
            change, payload = fitted(payload, self._slew, line.codec)
            self._change(change)
            self._slew -= change
        line.write(position, payload)

    def _change(self, samples: int) -> None:
        self._position += samples
        self._changes.append((self._timestamp or 0, samples))

    def _moved_since(self, timestamp: int) -> int:
        """Return how far the place was moved behind a packet that comes late."""
        return sum(change for at, change in self._changes if self._step(at, timestamp) > 0)

    def _lies_elsewhere(self, packet: Packet, arrival: int, offset: int) -> bool:
        """Tell whether arrival and timestamp of a packet do not belong together any more."""
        if offset > BEHIND or offset < -AHEAD:
            return True
        paused = arrival - self._arrival > _PAUSE
        if paused and offset < -EARLY:
            return True
        return (packet.marker or paused) and offset > _BELIEVED + 2 * self.jitter

    def place_of(self, timestamp: int) -> int | None:
        """Return where sound of a timestamp lies; None while there has been no sound."""
        if self._timestamp is None:
            return None
        return self._position + self._step(timestamp, self._timestamp)

    def quiet(self, timestamp: int) -> None:
        """Note that silence is announced in place of packets."""
        if self._timestamp is not None and self._quiet_from is None:
            self._quiet_from = self._position + max(0, self._step(timestamp, self._timestamp))

    def _note_pause(self, end: int, position: int, line: TimeLine) -> None:
        """Tell the line where nothing was sent between the packet that ended at `end` and the one at `position`."""
        start, self._quiet_from = self._quiet_from, None
        if start is None and not self._skipped:
            start = end
        position -= self._skipped * self.length
        if start is not None and position > start:
            line.pauses.append((start, position))

    def steady(self, sequence: int, timestamp: int, length: int, arrival: int) -> int | None:
        """Take the packet that follows the last one in every respect: the short way of `sequence` and `place`.

        Returns its position, or None, with nothing changed, when it has to go the long way.
        """
        step = timestamp - (self._timestamp or 0)
        position = self._position + step
        offset = arrival - position
        if sequence != self._newest + 1 or step != length or not -EARLY <= offset <= BEHIND:
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
        if self._window + packets >= WINDOW_PACKETS:
            self._late, self._least = 0, FAR  # elsewhere only windows of a right place are closed
        self._window, self._quickest, self.jitter = course[4:]
        shown = min(packets, _MAX_MISORDER + 1)
        self._seen = (self._seen << shown | (1 << shown) - 1) & _SEEN_MASK
        self._expected += packets
        self.arrived += packets

    def _watch(self, offset: int, line: TimeLine) -> None:
        """Learn from a packet that came `offset` behind its place whether the place is right."""
        if offset - self._slew < -EARLY:
            offset -= self._hasten(offset, line)
        if self._slew:
            return
        self._window += 1
        self._quickest = min(self._quickest, offset)
        if self._window == WINDOW_PACKETS:
            self._close_window()

    def _hasten(self, offset: int, line: TimeLine) -> int:
        """Bring the place forward for a packet that was quicker; return how far that was done at once (below 0)."""
        moved = 0
        if self._arrival - self._began <= _SETTLING:
            moved = line.move(self._from, self._position, offset)
            self._position += moved
            self._from += moved
            self._quickest -= moved
        elif self._early is None:
            self._early = offset - self._slew
        else:
            self._aim(self._slew + max(self._early, offset - self._slew))
        return moved

    def _close_window(self) -> None:
        """Believe the quickest packets of some windows that they are not slow but the place is too early."""
        quickest = self._quickest
        self._window, self._quickest = 0, FAR
        if quickest <= LATE:
            self._late, self._least = 0, FAR
            return
        self._late += 1
        self._least = least = min(self._least, quickest)
        if self._late < (_WINDOWS if least <= _BELIEVED else _WINDOWS_FAR):
            return
        self._aim(least)
        if least > _AT_ONCE:
            self._change(least)
            self._slew = 0
