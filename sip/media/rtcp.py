"""RTCP of one call (RFC 3550 section 6): reports of both sides, without any socket or clock.

We send a compound packet of SR or RR, SDES with a CNAME and, at the end, BYE. Of theirs we read the sender's
time and what they say about our stream; everything else is passed over.
"""

from __future__ import annotations

import base64
import random
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from sip.media.model import SAMPLE_RATE_HZ

_SR: Final = 200
_RR: Final = 201
_SDES: Final = 202
_BYE: Final = 203
_CNAME: Final = 1
_HEAD: Final = struct.Struct("!BBH")
_WORD: Final = struct.Struct("!I")
_SENDER: Final = struct.Struct("!IIIII")
_BLOCK: Final = struct.Struct("!IIIIII")
_NTP_UNIX_S: Final = 2_208_988_800
"""From 1900, where NTP begins, to 1970."""
_INTERVAL_S: Final = 5.0
"""RFC 3550 section 6.2: the least interval, which one call's RTCP never exceeds 5 % of its bandwidth with."""
_LONGEST_TRIP_S: Final = 60.0
"""A round trip beyond this is a mistake of theirs."""
_SPREAD: Final = (0.5, 1.5)
"""RFC 3550 section 6.3.1: so that reports of many calls do not fall together."""


class Block(NamedTuple):
    """What one side says about the stream of the other (RFC 3550 section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Of 256, since the report before."""
    lost: int
    """Since the beginning; negative where duplicates came."""
    highest: int
    jitter: int
    """In timestamp units, 8 to the millisecond."""
    last_report: int
    """The middle 32 bits of the NTP time of the SR that is answered; 0: none came yet."""
    delay: int
    """Since that SR arrived, in 1/65536 s."""


@dataclass(frozen=True, slots=True)
class Report:
    """One SR or RR."""

    ssrc: int
    ntp_middle: int | None
    """The middle 32 bits of the sender's NTP time; None in an RR."""
    blocks: tuple[Block, ...]


def ntp_middle(wall_s: float) -> int:
    """Return the middle 32 bits of a time of day (Unix seconds) as NTP has it: units of 1/65536 s."""
    return int((wall_s + _NTP_UNIX_S) * 65536) & 0xFFFFFFFF


def parse_reports(data: bytes) -> list[Report]:
    """Return the reports of a compound packet as far as it is whole. Never raises.

    A packet that does not begin with SR or RR is no RTCP of ours (RFC 3550 appendix A.2) and yields nothing.
    """
    reports: list[Report] = []
    for kind, count, body in _packets(data):
        if kind in (_SR, _RR):
            report = _report(kind, count, body)
            if report is not None:
                reports.append(report)
        elif not reports:
            break
    return reports


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (type, count, body) of each packet of a compound."""
    place = 0
    while place + _HEAD.size <= len(data):
        first, kind, words = _HEAD.unpack_from(data, place)
        end = place + 4 * (words + 1)
        if first >> 6 != 2 or end > len(data):
            return
        yield kind, first & 0x1F, data[place + _HEAD.size : end]
        place = end


def _report(kind: int, count: int, body: bytes) -> Report | None:
    start = _WORD.size + (_SENDER.size if kind == _SR else 0)
    if len(body) < start + count * _BLOCK.size:
        return None
    (ssrc,) = _WORD.unpack_from(body)
    middle = None
    if kind == _SR:
        seconds, fraction, *_ = _SENDER.unpack_from(body, _WORD.size)
        middle = (seconds & 0xFFFF) << 16 | fraction >> 16
    blocks = [_block(body, start + number * _BLOCK.size) for number in range(count)]
    return Report(ssrc, middle, tuple(blocks))


def _block(body: bytes, place: int) -> Block:
    ssrc, losses, highest, jitter, last_report, delay = _BLOCK.unpack_from(body, place)
    lost = (losses & 0xFFFFFF ^ 0x800000) - 0x800000
    return Block(ssrc, losses >> 24, lost, highest, jitter, last_report, delay)


def _pack(kind: int, count: int, body: bytes) -> bytes:
    return _HEAD.pack(0x80 | count, kind, len(body) // 4) + body


class Sent(NamedTuple):
    """What our SR says of our stream."""

    ssrc: int
    timestamp: int
    """Of the sound that leaves now."""
    packets: int
    octets: int


class Received(NamedTuple):
    """What our report says of their stream."""

    ssrc: int
    expected: int
    lost: int
    highest: int
    jitter: float
    """In samples."""


class Reports:
    """The reports of one call, both ways."""

    def __init__(self) -> None:
        self.received = 0
        """Compounds that held a report."""
        self.remote_lost: int | None = None
        self.remote_jitter_ms: float | None = None
        self.round_trip_ms: float | None = None
        self._cname = base64.urlsafe_b64encode(secrets.token_bytes(12))
        """Of 96 random bits: tells nothing of this machine, and is new for each call (RFC 7022 section 4.2)."""
        self._due: float | None = None
        self._their_report: tuple[int, int, float] | None = None
        """SSRC, middle NTP and monotonic arrival of their last SR."""
        self._before: tuple[int, int, int] = (0, 0, 0)
        """SSRC, expected and lost of our last report."""
        self._packets_before = 0

    def due(self, now: float) -> bool:
        """Tell whether a report has to leave at `now`; asked again and again, it is so every 2.5 to 7.5 s."""
        if self._due is not None and now < self._due:
            return False
        first = self._due is None
        interval_s = _INTERVAL_S * random.uniform(*_SPREAD)
        self._due = now + (interval_s / 2 if first else interval_s)
        return not first

    def build(
        self, sent: Sent, received: Received | None, now: float, wall_s: float, *, bye: bool = False
    ) -> bytes:
        """Return the compound packet that leaves at monotonic `now`, Unix time `wall_s`."""
        blocks = self._our_block(received, now) if received is not None else b""
        count = len(blocks) // _BLOCK.size
        head = _WORD.pack(sent.ssrc)
        if sent.packets > self._packets_before:
            ntp = wall_s + _NTP_UNIX_S
            head += _SENDER.pack(
                int(ntp) & 0xFFFFFFFF,
                int(ntp % 1 * (1 << 32)),
                sent.timestamp & 0xFFFFFFFF,
                sent.packets & 0xFFFFFFFF,
                sent.octets & 0xFFFFFFFF,
            )
            compound = _pack(_SR, count, head + blocks)
        else:
            compound = _pack(_RR, count, head + blocks)
        self._packets_before = sent.packets
        item = bytes((_CNAME, len(self._cname))) + self._cname
        compound += _pack(_SDES, 1, _WORD.pack(sent.ssrc) + item + bytes(4 - len(item) % 4))
        return compound + (_pack(_BYE, 1, _WORD.pack(sent.ssrc)) if bye else b"")

    def _our_block(self, received: Received, now: float) -> bytes:
        ssrc, expected_before, lost_before = self._before
        if ssrc != received.ssrc:
            expected_before = lost_before = 0
        expected, lost = received.expected - expected_before, received.lost - lost_before
        self._before = (received.ssrc, received.expected, received.lost)
        fraction = min(255, max(0, lost) * 256 // expected) if expected > 0 else 0
        middle = delay = 0
        if self._their_report is not None and self._their_report[0] == received.ssrc:
            _, middle, arrival = self._their_report
            delay = min(0xFFFFFFFF, max(0, int((now - arrival) * 65536)))
        lost_word = fraction << 24 | min(received.lost, 0x7FFFFF)
        return _BLOCK.pack(
            received.ssrc, lost_word, received.highest, int(received.jitter) & 0xFFFFFFFF, middle, delay
        )

    def take(self, data: bytes, ours: int, at: float, wall_s: float) -> None:
        """Take a compound of theirs that arrived at monotonic `at`, Unix time `wall_s`; `ours` is our SSRC."""
        reports = parse_reports(data)
        self.received += bool(reports)
        for report in reports:
            if report.ntp_middle is not None:
                self._their_report = report.ssrc, report.ntp_middle, at
            for block in report.blocks:
                if block.ssrc == ours:
                    self._take_block(block, wall_s)

    def _take_block(self, block: Block, wall_s: float) -> None:
        self.remote_lost = max(0, block.lost)
        self.remote_jitter_ms = block.jitter * 1000 / SAMPLE_RATE_HZ
        if not block.last_report:
            return
        trip = (ntp_middle(wall_s) - block.last_report - block.delay) & 0xFFFFFFFF
        trip = trip - (1 << 32) if trip >> 31 else trip
        trip_s = trip / 65536
        if trip_s < _LONGEST_TRIP_S:
            # A clock that ticks in 1/65536 s may put a trip on one machine a little below nothing.
            self.round_trip_ms = max(0.0, trip_s * 1000)
