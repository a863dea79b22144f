"""Received RTP of one call: which stream is heard, where its packets lie on the time line, and its counts.

A stream (one source address and SSRC) is anchored by the arrival of its first packet; its later packets lie
where their timestamps say. It is anchored anew when timestamps and arrivals do not belong together any more.
Of several streams the newest is heard; after the final SDP answer only those of the answered dialog.
"""

from __future__ import annotations

from typing import Final

from sip.media.dtmf import DigitReceiver
from sip.media.model import DEFAULT_FORMATS, SAMPLE_RATE_HZ, Address, PayloadFormat, RemoteMedia
from sip.media.rtp import HEADER, HEADER_BYTES, Packet, is_rtcp, parse
from sip.media.timeline import TimeLine
from sip.record import DtmfDigit, MediaStatistics

_SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
_AHEAD: Final = 200 * _SAMPLES_PER_MS
"""A packet that would lie further in the future than this had its timestamp jump."""
_BEHIND: Final = 300 * _SAMPLES_PER_MS
"""A packet that would lie further in the past than this belongs to a sender whose timestamps stood still."""
_DRIFT: Final = 40 * _SAMPLES_PER_MS
"""The time line follows arrivals once the quickest packets of a window are off by this much."""
_STEP: Final = 80 * _SAMPLES_PER_MS
"""Smaller drifts are closed sample by sample, larger ones at once."""
_SLEW: Final = 2
"""Samples per packet while closing a drift: 1.25 % of a 20 ms packet."""
_WINDOW_PACKETS: Final = 25
_FAR: Final = 1 << 40
_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
"""RFC 3550 appendix A.1."""
_SEEN_MASK: Final = (1 << (_MAX_MISORDER + 1)) - 1
_RETURN_S: Final = 0.2
"""An older stream is heard again once the newer one has been quiet for so long."""


class Stream:
    """One source's packets: sequence accounting (RFC 3550 appendix A.1), jitter (A.8) and its anchor."""

    def __init__(self, source: Address, ssrc: int) -> None:
        self.source = source
        self.ssrc = ssrc
        self.last_s = 0.0
        self.jitter = 0.0
        """In samples."""
        self._newest = -1
        self._expected = 0
        self._arrived = 0
        self._seen = 0
        self._restart_at = -1
        self._timestamp: int | None = None
        self._position = 0
        self._arrival = 0
        self._window = 0
        self._quickest = _FAR
        self._slew = 0

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return max(0, self._expected - self._arrived)

    def sequence(self, number: int) -> str:
        """Take a sequence number: `new`, `reordered`, `duplicate`, or `stray` (outside of every window)."""
        ahead = (number - self._newest) & 0xFFFF
        if self._newest < 0 or number == self._restart_at:
            return self._restart(number)
        if 0 < ahead < _MAX_DROPOUT:
            self._newest = number
            self._seen = (self._seen << ahead | 1) & _SEEN_MASK
            self._expected += ahead
            self._arrived += 1
            return "new"
        behind = (self._newest - number) & 0xFFFF
        if behind > _MAX_MISORDER:
            self._restart_at = (number + 1) & 0xFFFF
            return "stray"
        if self._seen >> behind & 1:
            return "duplicate"
        self._seen |= 1 << behind
        self._arrived += 1
        self._expected = max(self._expected, self._arrived)
        return "reordered"

    def _restart(self, number: int) -> str:
        self._newest, self._restart_at, self._seen = number, -1, 1
        self._expected += 1
        self._arrived += 1
        self._timestamp = None
        return "new"

    def place(self, packet: Packet, arrival: int, *, in_order: bool) -> tuple[int, bytes]:
        """Return (position, payload) on the time line for a packet that arrived at position `arrival`."""
        if self._timestamp is None:
            self._anchor(packet.timestamp, arrival)
            return arrival, packet.payload
        step = (packet.timestamp - self._timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        position = self._position + step
        offset = arrival - position
        if not in_order:
            return position, packet.payload
        if offset > _BEHIND or offset < -_AHEAD or (packet.marker and offset > _DRIFT):
            self._anchor(packet.timestamp, arrival)
            return arrival, packet.payload
        self.jitter += (abs(arrival - self._arrival - step) - self.jitter) / 16
        self._arrival, self._timestamp, self._position = arrival, packet.timestamp, position
        return self._follow(offset, packet.payload)

    def _anchor(self, timestamp: int, arrival: int) -> None:
        self._timestamp, self._position = timestamp, arrival
        self._arrival = arrival
        self._window, self._quickest = 0, _FAR
        self._slew = 0

    def steady(self, sequence: int, timestamp: int, length: int, arrival: int) -> int | None:
        """Take the packet that follows the last one in every respect: the short way of `sequence` and `place`.

        Returns its position, or None, with nothing changed, when it has to go the long way.
        """
        step = timestamp - (self._timestamp or 0)
        position = self._position + step
        offset = arrival - position
        if sequence != self._newest + 1 or step != length or not -_AHEAD <= offset <= _BEHIND:
            return None
        if self._slew or self._window == _WINDOW_PACKETS - 1 or self._timestamp is None:
            return None
        self._newest = sequence
        self._seen = (self._seen << 1 | 1) & _SEEN_MASK
        self._expected += 1
        self._arrived += 1
        self.jitter += (abs(arrival - self._arrival - step) - self.jitter) / 16
        self._arrival, self._timestamp, self._position = arrival, timestamp, position
        self._window += 1
        if offset < self._quickest:
            self._quickest = offset
        return position

    def _follow(self, offset: int, payload: bytes) -> tuple[int, bytes]:
        """Correct the anchor by what a window of packets shows; a hole is filled with the sample beside it."""
        self._window += 1
        self._quickest = min(self._quickest, offset)
        if self._window == _WINDOW_PACKETS:
            quickest = self._quickest
            self._window, self._quickest = 0, _FAR
            if abs(quickest) > _STEP:
                self._position += quickest
                self._slew = 0
            elif abs(quickest) > _DRIFT and not self._slew:
                self._slew = quickest
        if not self._slew:
            return self._position, payload
        step = max(-_SLEW, min(_SLEW, self._slew))
        self._slew -= step
        self._position += step
        if step > 0:
            return self._position - step, payload[:1] * step + payload
        return self._position, payload


class Receiver:
    """All that one call's socket receives."""

    def __init__(self, line: TimeLine) -> None:
        self.line = line
        self.first_packet_ms: float | None = None
        self.malformed = 0
        self._formats: dict[int, PayloadFormat] = dict(DEFAULT_FORMATS)
        self._streams: dict[tuple[Address, int], Stream] = {}
        self._current: Stream | None = None
        self._final: Address | None = None
        self._pinned: Address | None = None
        self._others: set[Address] = set()
        self._digits = DigitReceiver()
        self._received = self._duplicated = self._reordered = self._ignored = 0
        self._heard = False
        self._steady: Stream | None = None
        self._steady_type = self._steady_samples = 0

    def connect(self, remote: RemoteMedia) -> None:
        """Learn what an SDP answer says about the stream to come."""
        address = (remote.host, remote.port)
        self._formats = remote.formats()
        self._steady = None
        if not remote.final:
            self._others.add(address)
            return
        self._others.discard(address)
        self._final = address
        known = self._current.source if self._current else None
        self._pinned = known if known == address else None

    def packet(self, data: bytes, source: Address, at: float, t0: float) -> list[DtmfDigit]:
        """Take one datagram with its monotonic time of arrival; return the digits that ended with it."""
        if self._steady is not None and self._take_steady(self._steady, data, source, at - t0):
            return []
        packet = parse(data)
        if packet is None or is_rtcp(data):
            if packet is None and not is_rtcp(data):
                self.malformed += 1
                self._ignored += 1
            return []
        kind = self._formats.get(packet.payload_type)
        stream = self._admit(source, packet.ssrc, at - t0) if kind else None
        if stream is None or kind is None:
            self._ignore(packet, source)
            return []
        order = stream.sequence(packet.sequence)
        if order in ("duplicate", "stray"):
            self._duplicated += order == "duplicate"
            self._ignored += order == "stray"
            return []
        self._received += 1
        self._reordered += order == "reordered"
        return self._use(stream, packet, kind, at - t0, in_order=order == "new")

    def _take_steady(self, stream: Stream, data: bytes, source: Address, since_s: float) -> bool:
        """Take the next packet of the stream that is heard; nearly all packets go this way."""
        if len(data) <= HEADER_BYTES:
            return False
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        if first != 0x80 or second != self._steady_type or ssrc != stream.ssrc or source != stream.source:
            return False
        position = stream.steady(sequence, timestamp, self._steady_samples, round(since_s * SAMPLE_RATE_HZ))
        if position is None:
            return False
        stream.last_s = since_s
        self._received += 1
        self._steady_samples = len(data) - HEADER_BYTES
        self.line.write(position, data[HEADER_BYTES:])
        return True

    def _ignore(self, packet: Packet, source: Address) -> None:
        """Count a packet that is not used; a format that we do not know is not a loss of its stream."""
        self._ignored += 1
        current = self._current
        if current and current.source == source and current.ssrc == packet.ssrc:
            current.sequence(packet.sequence)

    def _admit(self, source: Address, ssrc: int, since_s: float) -> Stream | None:
        current = self._current
        if current and current.ssrc == ssrc and current.source == source and self._final is None:
            current.last_s = since_s
            return current
        if self._final is not None and not self._belongs(source):
            return None
        stream = self._streams.get((source, ssrc))
        if stream is None:
            stream = self._streams[source, ssrc] = Stream(source, ssrc)
        elif stream is not current and current and since_s - current.last_s < _RETURN_S:
            return None
        stream.last_s = since_s
        self._current = stream
        return stream

    def _belongs(self, source: Address) -> bool:
        """Tell whether a source is the answered dialog's: its SDP's, else the first that is nobody else's."""
        if source == self._final or (self._pinned is None and source not in self._others):
            self._pinned = source
        return source == self._pinned

    def _use(
        self, stream: Stream, packet: Packet, kind: PayloadFormat, since_s: float, *, in_order: bool
    ) -> list[DtmfDigit]:
        at_ms = since_s * 1000
        if self.first_packet_ms is None:
            self.first_packet_ms = at_ms
        if kind == "telephone-event":
            return self._digits.packet(packet.timestamp, packet.payload, at_ms)
        if kind == "CN":
            self._steady = None
            self.line.comfort(True)
            return []
        self._heard = True
        self.line.comfort(False)
        self.line.switch(kind)
        self._steady, self._steady_type = stream, packet.payload_type
        self._steady_samples = len(packet.payload)
        arrival = round(since_s * SAMPLE_RATE_HZ)
        self.line.write(*stream.place(packet, arrival, in_order=in_order))
        return []

    def expire(self, now_ms: float) -> list[DtmfDigit]:
        """Return a digit whose end was lost."""
        return self._digits.expire(now_ms)

    def statistics(self) -> MediaStatistics:
        """Return the counts of the received side."""
        current = self._current
        return MediaStatistics(
            codec=self.line.codec if self._heard else None,
            received=self._received,
            lost=sum(stream.lost for stream in self._streams.values()),
            jitter_ms=current.jitter / _SAMPLES_PER_MS if current else None,
            first_packet_ms=self.first_packet_ms,
            duplicated=self._duplicated,
            reordered=self._reordered,
            ignored=self._ignored,
        )
