"""Captures that Wireshark opens, made of what a program saw on its sockets.

The file is a classic pcap with nanoseconds and raw IP (LINKTYPE_RAW, 101): each packet begins with its IP header.
What a socket does not tell is filled in: identification, TTL and, for TCP, a window. UDP packets are what the
wire carried but for IP fragmentation. A stream (TCP, TLS) is written as one segment for each message, its sequence
numbers counting on from 1, with no handshake, since nobody saw one. What came over TLS is written decrypted, with
its true ports: Wireshark finds no TLS in it and recognises SIP by its text.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sip.core import Address

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 101)
_UDP, _TCP = 17, 6
_PUSH_ACK = 0x18
_LARGEST_SEGMENT = 60_000
"""Of a stream, in bytes: an IP packet holds 65,535."""
_LARGEST_DATAGRAM = 65_507 - 20


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """The payload of one packet with its ends and its moment."""

    wall_s: float
    """Seconds since 1970."""
    source: Address
    destination: Address
    data: bytes


def write_packets(path: Path, packets: Iterable[CapturedPacket]) -> int:
    """Write a capture in the given order; returns how many packets it holds. Raises OSError."""
    streams = _Streams()
    count = 0
    with path.open("wb") as file:
        file.write(_FILE_HEADER)
        for packet in packets:
            for data in _ip_packets(packet, streams, count):
                _write_record(file, packet.wall_s, data)
                count += 1
    return count


def _write_record(file: BinaryIO, wall_s: float, data: bytes) -> None:
    seconds, fraction = divmod(max(wall_s, 0.0), 1.0)
    nanoseconds = min(round(fraction * 1e9), 999_999_999)
    file.write(struct.pack("<IIII", int(seconds), nanoseconds, len(data), len(data)) + data)


def _ip_packets(packet: CapturedPacket, streams: _Streams, number: int) -> Iterator[bytes]:
    source, destination = _same_family(packet.source.host, packet.destination.host)
    if packet.source.transport == "udp":
        data = packet.data[:_LARGEST_DATAGRAM]
        head = struct.pack("!HHHH", packet.source.port, packet.destination.port, 8 + len(data), 0)
        yield _ip_packet(source, destination, _UDP, head, data, number)
        return
    for first in range(0, len(packet.data), _LARGEST_SEGMENT):
        piece = packet.data[first : first + _LARGEST_SEGMENT]
        head = streams.segment_head(packet.source, packet.destination, len(piece))
        yield _ip_packet(source, destination, _TCP, head, piece, number)


class _Streams:
    """Counts the bytes of each direction of each connection."""

    def __init__(self) -> None:
        self._next: dict[tuple[Address, Address], int] = {}

    def segment_head(self, source: Address, destination: Address, length: int) -> bytes:
        """Return the TCP header, without checksum, of the next `length` bytes."""
        sequence = self._next.get((source, destination), 1)
        seen = self._next.get((destination, source), 1)
        self._next[source, destination] = (sequence + length) & 0xFFFFFFFF
        return struct.pack(
            "!HHIIBBHHH", source.port, destination.port, sequence, seen, 5 << 4, _PUSH_ACK, 65_535, 0, 0
        )


def _ip_packet(
    source: IpAddress, destination: IpAddress, protocol: int, head: bytes, data: bytes, number: int
) -> bytes:
    """Return the packet, its checksums filled in (RFC 791, RFC 8200 section 8.1)."""
    length = len(head) + len(data)
    pseudo = source.packed + destination.packed + struct.pack("!II", length, protocol)
    at = 6 if protocol == _UDP else 16
    summed = _checksum(pseudo + head + data)
    if protocol == _UDP and summed == 0:
        # Zero means no checksum (RFC 768).
        summed = 0xFFFF
    segment = head[:at] + struct.pack("!H", summed) + head[at + 2 :] + data
    if isinstance(source, ipaddress.IPv6Address):
        return (
            struct.pack("!IHBB", 6 << 28, length, protocol, 64) + source.packed + destination.packed + segment
        )
    outer = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, number & 0xFFFF, 0x4000, 64, protocol, 0)
    outer += source.packed + destination.packed
    return outer[:10] + struct.pack("!H", _checksum(outer)) + outer[12:] + segment


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _same_family(source: str, destination: str) -> tuple[IpAddress, IpAddress]:
    one, other = _literal(source), _literal(destination)
    if one.version == other.version:
        return one, other
    return _as_v6(one), _as_v6(other)


def _literal(host: str) -> IpAddress:
    """Return the address; an IPv4 address in IPv6 clothes is IPv4, what is no address is `0.0.0.0`."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address(0)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _as_v6(address: IpAddress) -> IpAddress:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
