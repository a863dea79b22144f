"""Received RTP of one call: which stream is heard, and what its packets count as.

Which addresses may speak at all is decided before (see `sip.media.gate`); here several of them may.

Of several streams (one source address and SSRC each) the newest is heard; after the final SDP answer only those
of the answered dialog. A packet that may be a stray one (a first one of another stream while the present one
is alive, or one whose number was used already) is put aside, and used after all once the next ones follow it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sip.media.dtmf import DigitReceiver
from sip.media.gate import Named
from sip.media.model import DEFAULT_FORMATS, SAMPLE_RATE_HZ, Address, PayloadFormat, RemoteMedia
from sip.media.rtp import HEADER, HEADER_BYTES, Packet, is_rtcp, parse
from sip.media.stream import Course, Stream
from sip.media.timeline import TimeLine
from sip.record import DtmfDigit, MediaStatistics

_SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
_RETURN_S: Final = 0.2
"""Any stream of the call may be heard once the present one has been quiet for so long."""
_PAUSE_S: Final = 0.06
"""A newer stream is heard at once when the present one has been quiet for so long: three packets of 20 ms."""
_STRIDE: Final = 3
"""Duplicates follow each other when their numbers rise by no more than this; other packets only by one."""
_REPEATS: Final = 3
"""So many duplicates behind each other are a sound sent anew under its old numbers (as recorded RTP is)."""
_REPEATS_S: Final = 0.015
"""They come at the pace of sound; a network that delivers a burst twice does so at once."""
_DOUBTS: Final = 10
_STREAMS: Final = 32
"""Streams remembered per call."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A packet put aside."""

    stream: Stream
    packet: Packet
    kind: PayloadFormat
    since_s: float
    duplicate: bool
    arrived: int
    """What its stream had used by then."""

    def follows(self, other: _Doubt) -> bool:
        """Tell whether nothing of the same stream was used between the two."""
        if self.stream is not other.stream or self.arrived != other.arrived:
            return False
        rise = (self.packet.sequence - other.packet.sequence) & 0xFFFF
        stride = _STRIDE if self.duplicate and other.duplicate else 1
        return 0 < rise <= stride and self.since_s - other.since_s < _RETURN_S


class Steady(NamedTuple):
    """The stream that is heard, while its packets follow each other in every respect."""

    source: Address
    ssrc: int
    payload_type: int
    samples: int
    """Of each packet."""
    course: Course
    last_s: float
    """When its last packet came."""
    gaps_from_s: float | None
    """From when on times without packets are remembered; None before the answer."""


def _borne_out(doubts: list[_Doubt]) -> bool:
    """Tell a beginning from strays and duplicates (RFC 3550 appendix A.1 wants two in sequence)."""
    if not all(doubt.duplicate for doubt in doubts):
        return len(doubts) > 1
    return len(doubts) >= _REPEATS and doubts[-1].since_s - doubts[0].since_s >= _REPEATS_S


class Receiver:
    """All that one call's socket receives."""

    def __init__(self, line: TimeLine) -> None:
        self.line = line
        self.first_packet_ms: float | None = None
        self.malformed = 0
        self._formats: dict[int, PayloadFormat] = dict(DEFAULT_FORMATS)
        self._streams: dict[tuple[Address, int], Stream] = {}
        """Those that have been heard, the latest last."""
        self._began = 0
        self._lost_before = 0
        """Losses of streams that are forgotten."""
        self._current: Stream | None = None
        self._doubts: list[_Doubt] = []
        self.named = Named()
        self.on_rtcp: Callable[[bytes, Address, float], None] | None = None
        """Takes the RTCP packets that come among the RTP packets, with source and monotonic time of arrival."""
        self._answered_s: float | None = None
        self._left_s = 0.0
        """When the streams before the current one were last heard."""
        self._longest_gap_s = 0.0
        self._announced_silence = False
        self._settled = False
        """Whether the current stream's source is the answered dialog's."""
        self._digits = DigitReceiver()
        self._received = self._duplicated = self._reordered = self._ignored = 0
        self._heard = False
        self._steady: Stream | None = None
        self._steady_type = self._steady_samples = 0

    def connect(self, remote: RemoteMedia, since_s: float = 0.0) -> Address:
        """Learn what an SDP answer says about the stream to come; return the address that it names."""
        named = self.named
        self._steady = None
        if remote.final or named.final is None:
            self._formats = remote.formats()
        address = named.learn(remote)
        if not remote.final:
            return address
        if self._answered_s is None:
            self._answered_s = since_s
        current = self._current
        if current is not None and named.anothers(current.source):
            self._left_s = current.last_s
            self._current = current = None
        self._settled = current is not None and (named.alone() or current.source in named)
        return address

    def knows(self, data: bytes) -> bool:
        """Tell whether a datagram is an RTP packet of a payload type that the call uses."""
        packet = parse(data)
        return packet is not None and not is_rtcp(data) and packet.payload_type in self._formats

    def packet(self, data: bytes, source: Address, at: float, t0: float) -> list[DtmfDigit]:
        """Take one datagram with its monotonic time of arrival; return the digits that ended with it."""
        if self._steady is not None and self._take_steady(self._steady, data, source, at - t0):
            return []
        packet = parse(data)
        if is_rtcp(data):
            if self.on_rtcp is not None:
                self.on_rtcp(data, source, at)
            return []
        if packet is None:
            self.malformed += 1
            self._ignored += 1
            return []
        kind = self._formats.get(packet.payload_type)
        if kind is None:
            self._ignore(packet, source)
            return []
        return self._consider(self._stream(source, packet.ssrc), packet, kind, at - t0)

    def _consider(
        self, stream: Stream, packet: Packet, kind: PayloadFormat, since_s: float
    ) -> list[DtmfDigit]:
        """Use a packet, ignore it, or put it aside."""
        if stream is self._current:
            return self._take(stream, packet, kind, since_s)
        verdict = self._verdict(stream, since_s)
        if verdict == "ignored":
            self._ignored += 1
            return []
        return self._doubt(stream, packet, kind, since_s, sure=verdict == "heard")

    def _take(self, stream: Stream, packet: Packet, kind: PayloadFormat, since_s: float) -> list[DtmfDigit]:
        """Use a packet of the stream that is heard, unless its number is used already."""
        self._note_gap(max(stream.last_s, self._left_s), since_s)
        stream.last_s = since_s
        arrival = round(since_s * SAMPLE_RATE_HZ)
        fits = kind == "telephone-event" or stream.fits(packet.timestamp, arrival)
        order = stream.sequence(packet.sequence, fits=fits)
        if order in ("duplicate", "stray"):
            return self._doubt(stream, packet, kind, since_s, duplicate=order == "duplicate")
        self._received += 1
        self._reordered += order == "reordered"
        return self._use(stream, packet, kind, since_s, in_order=order == "new")

    def _note_gap(self, last_s: float, since_s: float) -> None:
        """Remember the longest time without packets."""
        if self._answered_s is not None and not self._announced_silence:
            self._longest_gap_s = max(self._longest_gap_s, since_s - max(last_s, self._answered_s))

    def _doubt(
        self,
        stream: Stream,
        packet: Packet,
        kind: PayloadFormat,
        since_s: float,
        *,
        duplicate: bool = False,
        sure: bool = False,
    ) -> list[DtmfDigit]:
        """Put a packet aside; use it and those before it when they are the beginning of something."""
        doubt = _Doubt(stream, packet, kind, since_s, duplicate, stream.arrived)
        if not self._doubts or not doubt.follows(self._doubts[-1]):
            self._doubts = []
        self._doubts.append(doubt)
        self._count_doubt(doubt, 1)
        if not sure and not _borne_out(self._doubts):
            del self._doubts[:-_DOUBTS]
            return []
        doubts, self._doubts = self._doubts, []
        self._hear(stream)
        stream.restart(doubts[0].packet.sequence)
        ended: list[DtmfDigit] = []
        for doubt in doubts:
            self._count_doubt(doubt, -1)
            ended += self._take(stream, doubt.packet, doubt.kind, doubt.since_s)
        return ended

    def _count_doubt(self, doubt: _Doubt, change: int) -> None:
        if doubt.duplicate:
            self._duplicated += change
        else:
            self._ignored += change

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
        self._note_gap(max(stream.last_s, self._left_s), since_s)
        stream.last_s = since_s
        self._received += 1
        self._steady_samples = stream.length = len(data) - HEADER_BYTES
        self.line.write(position, data[HEADER_BYTES:])
        return True

    def steady(self) -> Steady | None:
        """Return the stream whose next packet would go the short way; None where none would."""
        stream = self._steady
        course = stream.course() if stream is not None else None
        if stream is None or course is None:
            return None
        since_s = None if self._answered_s is None else max(self._left_s, self._answered_s)
        return Steady(
            stream.source,
            stream.ssrc,
            self._steady_type,
            self._steady_samples,
            course,
            stream.last_s,
            since_s,
        )

    def resume(self, course: Course, packets: int, last_s: float, gap_s: float) -> None:
        """Count packets of the steady stream that were taken elsewhere.

        `last_s` is when the last one came, `gap_s` the longest time without any since the answer.
        """
        if self._steady is None or not packets:
            return
        self._steady.resume(course, packets)
        self._steady.last_s = last_s
        self._received += packets
        self._longest_gap_s = max(self._longest_gap_s, gap_s)

    def _ignore(self, packet: Packet, source: Address) -> None:
        """Count a packet that is not used; a format that we do not know is not a loss of its stream."""
        self._ignored += 1
        current = self._current
        if current and current.source == source and current.ssrc == packet.ssrc:
            current.sequence(packet.sequence)

    def _stream(self, source: Address, ssrc: int) -> Stream:
        current = self._current
        if current and current.ssrc == ssrc and current.source == source:
            return current
        known = self._streams.get((source, ssrc))
        if known is not None:
            return known
        if self._doubts:
            doubtful = self._doubts[-1].stream
            if doubtful.ssrc == ssrc and doubtful.source == source:
                return doubtful
        self._began += 1
        return Stream(source, ssrc, self._began)

    def _verdict(self, stream: Stream, since_s: float) -> str:
        """Tell what a packet of a stream that is not heard is worth: `heard`, `doubtful` or `ignored`.

        The newer of two streams is heard; after the answer a second source only when the first has become
        quiet, or when it is the one that the answer names: nobody else can take over a call that is heard.
        """
        current = self._current
        if self.named.anothers(stream.source):
            return "ignored"
        if current is None or (stream.confirmed and not current.confirmed):
            return "heard"
        quiet_s = since_s - current.last_s
        if quiet_s >= _RETURN_S:
            return "heard"
        if self._settled and stream.source != current.source:
            rightful = stream.source == self.named.final
        else:
            rightful = stream.began > current.began
        if not rightful:
            return "ignored"
        return "heard" if quiet_s >= _PAUSE_S else "doubtful"

    def _hear(self, stream: Stream) -> None:
        """Make a stream the current one."""
        if stream is self._current:
            return
        if self._current is not None:
            self._left_s = self._current.last_s
        self._current, self._steady = stream, None
        self._settled = self.named.final is not None
        key = (stream.source, stream.ssrc)
        self._streams.pop(key, None)
        self._streams[key] = stream
        if len(self._streams) > _STREAMS:
            self._lost_before += self._streams.pop(next(iter(self._streams))).lost

    def _use(
        self, stream: Stream, packet: Packet, kind: PayloadFormat, since_s: float, *, in_order: bool
    ) -> list[DtmfDigit]:
        at_ms = since_s * 1000
        if self.first_packet_ms is None:
            self.first_packet_ms = at_ms
        if kind == "telephone-event":
            place = stream.place_of(packet.timestamp)
            placed_ms = None if place is None else place / _SAMPLES_PER_MS
            return self._digits.packet(packet.timestamp, packet.payload, at_ms, placed_ms)
        if kind == "CN":
            self._steady = None
            self._announced_silence = True
            stream.quiet(packet.timestamp)
            self.line.comfort(True)
            return []
        self._heard, self._announced_silence = True, False
        self.line.comfort(False)
        self.line.switch(kind)
        self._steady, self._steady_type = stream, packet.payload_type
        self._steady_samples = len(packet.payload)
        arrival = round(since_s * SAMPLE_RATE_HZ)
        stream.place(packet, arrival, self.line, in_order=in_order)
        return []

    def expire(self, now_ms: float) -> list[DtmfDigit]:
        """Return a digit whose end was lost."""
        return self._digits.expire(now_ms)

    @property
    def last_packet_s(self) -> float | None:
        """When the last packet that was used came."""
        if self.first_packet_ms is None:
            return None
        return max(self._left_s, self._current.last_s if self._current is not None else 0.0)

    def longest_gap_s(self, end_s: float) -> float | None:
        """Return the longest time without packets between the answer and `end_s`; None without an answer."""
        if self._answered_s is None:
            return None
        since_last_s = end_s - max(self._answered_s, self.last_packet_s or 0.0)
        return max(self._longest_gap_s, 0.0 if self._announced_silence else since_last_s)

    @property
    def current(self) -> Stream | None:
        """The stream that is heard."""
        return self._current

    def statistics(self) -> MediaStatistics:
        """Return the counts of the received side."""
        latest = next(reversed(self._streams.values()), None)
        return MediaStatistics(
            codec=self.line.codec if self._heard else None,
            received=self._received,
            lost=self._lost_before + sum(stream.lost for stream in self._streams.values()),
            jitter_ms=latest.jitter / _SAMPLES_PER_MS if latest else None,
            first_packet_ms=self.first_packet_ms,
            duplicated=self._duplicated,
            reordered=self._reordered,
            ignored=self._ignored,
        )
