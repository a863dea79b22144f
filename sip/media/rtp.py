"""RTP packets (RFC 3550 section 5.1)."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

HEADER: Final = struct.Struct("!BBHII")
_EXTENSION: Final = struct.Struct("!xxH")
HEADER_BYTES: Final = HEADER.size


class Packet(NamedTuple):
    """A received packet."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def is_rtcp(data: bytes) -> bool:
    """Tell RTCP on the same port from RTP (RFC 5761 section 4)."""
    return len(data) >= 4 and data[0] >> 6 == 2 and 192 <= data[1] <= 223


def parse(data: bytes) -> Packet | None:
    """Return the packet of a datagram, or None when it is not one."""
    if len(data) < HEADER_BYTES:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first == 0x80:
        return Packet(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, data[HEADER_BYTES:])
    if first >> 6 != 2:
        return None
    bounds = _payload_bounds(data, first)
    if bounds is None:
        return None
    return Packet(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, data[bounds[0] : bounds[1]])


def _payload_bounds(data: bytes, first: int) -> tuple[int, int] | None:
    start = HEADER_BYTES + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * _EXTENSION.unpack_from(data, start)[0]
    if first & 0x20:
        if not data[-1]:
            return None
        end -= data[-1]
    return (start, end) if start <= end else None


def build(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool = False
) -> bytes:
    """Return the datagram of a packet."""
    return HEADER.pack(0x80, payload_type | (0x80 if marker else 0), sequence, timestamp, ssrc) + payload
