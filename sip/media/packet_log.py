"""The log of a call's RTP and RTCP packets on disk, as the writer leaves it.

A log is a header and records, only ever appended, so that one that was cut off yields every whole record:

```
header  8s "DUTYRPKT"  u16 version  u16 0  f64 wall time of time 0 (Unix seconds)  f64 its monotonic time
record  2s "p:"  u8 flags  u8 family (4 or 6)  u32 length  i64 microseconds since the call's time 0
        local address (4 or 16 bytes)  u16 local port  remote address (4 or 16 bytes)  u16 remote port  packet
flags   1 sent, else received  2 RTCP, else RTP  4 refused: not used for the call  8 encrypted on the wire
```

All numbers are little-endian, addresses are in network order. A packet that was encrypted stands there as it
was before or after, unless it was refused. Records stand in the order in which the engine decided about them,
which is up to a second after the time of a packet; `read_packets` puts them in order.
"""

from __future__ import annotations

import heapq
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from sip.media.errors import MediaError

if TYPE_CHECKING:
    from sip.media.model import Address

_MAGIC: Final = b"DUTYRPKT"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<8sHHdd")
_SYNC: Final = b"p:"
_RECORD: Final = struct.Struct("<2sBBIq")
_PORT: Final = struct.Struct("<H")
_SENT, _RTCP, _REFUSED, _ENCRYPTED = 1, 2, 4, 8
_LARGEST: Final = 1 << 16
_DISORDER_MS: Final = 1000.0
_LIMIT_BYTES: Final = 1 << 20
"""What one call may log in half a second; beyond it somebody floods us."""


class PacketLogError(MediaError):
    """A log of packets cannot be read: it is missing, or it is no such log at all."""


@dataclass(frozen=True, slots=True)
class LoggedPacket:
    """One packet of a log."""

    at_ms: float
    """Milliseconds of the call: when it was handed to the kernel, or taken by it."""
    at: float
    """The same as monotonic seconds (CLOCK_MONOTONIC of the machine that logged it)."""
    wall_time_s: float
    """The same as Unix time."""
    direction: Literal["sent", "received"]
    kind: Literal["rtp", "rtcp"]
    refused: bool
    """Whether it was not let into the call: a foreign address, the wrong key, or nothing was known yet."""
    encrypted: bool
    """Whether it was SRTP or SRTCP on the wire; `data` is plain nevertheless unless it was refused."""
    local: Address
    remote: Address
    data: bytes


class PacketLog:
    """Collects a call's records until they are handed to the writer."""

    def __init__(self) -> None:
        self.dropped = 0
        """Packets that are missing because there were too many."""
        self.t0: float | None = None
        """The monotonic time of the call's time 0; nothing is logged before it is known."""
        self._records: list[bytes] = []
        self._size = 0

    def add(
        self,
        at: float,
        remote: Address,
        data: bytes,
        *,
        local: Address,
        sent: bool = False,
        rtcp: bool = False,
        refused: bool = False,
        encrypted: bool = False,
    ) -> None:
        """Log one packet of the monotonic time `at`."""
        if self.t0 is None:
            return
        if self._size > _LIMIT_BYTES:
            self.dropped += 1
            return
        flags = sent * _SENT | rtcp * _RTCP | refused * _REFUSED | encrypted * _ENCRYPTED
        family = 6 if ":" in local[0] else 4
        head = _RECORD.pack(_SYNC, flags, family, len(data), round((at - self.t0) * 1e6))
        record = b"".join((head, _pack_address(local, family), _pack_address(remote, family), data))
        self._records.append(record)
        self._size += len(record)

    def take(self) -> tuple[int, bytes]:
        """Return (number of packets, records) since the last time."""
        records, self._records, self._size = self._records, [], 0
        return len(records), b"".join(records)


def pack_log_header(wall_time_s: float, t0: float) -> bytes:
    """Return the header of a new log: the call's time 0 as Unix time and as monotonic seconds."""
    return _HEADER.pack(_MAGIC, _VERSION, 0, wall_time_s, t0)


def _pack_address(address: Address, family: int) -> bytes:
    host = address[0].partition("%")[0]
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    try:
        packed = socket.inet_pton(kind, host)
    except OSError:  # an address of the other family, which the kernel refused, too
        packed = bytes(16 if family == 6 else 4)
    return packed + _PORT.pack(address[1] & 0xFFFF)


def _unpack_address(data: bytes) -> Address:
    kind = socket.AF_INET6 if len(data) > 6 else socket.AF_INET
    return socket.inet_ntop(kind, data[: -_PORT.size]), _PORT.unpack(data[-_PORT.size :])[0]


def read_packets(path: Path) -> Iterator[LoggedPacket]:
    """Yield the packets of a log in the order of time, as far as it is whole.

    `PacketLogError` when it cannot be read at all.
    """
    waiting: list[tuple[float, int, LoggedPacket]] = []
    for number, packet in enumerate(_records(path)):
        heapq.heappush(waiting, (packet.at_ms, number, packet))
        while waiting[0][0] < packet.at_ms - _DISORDER_MS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _records(path: Path) -> Iterator[LoggedPacket]:
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            if header[: len(_MAGIC)] != _MAGIC[: len(header)]:
                raise PacketLogError(f"{path}: is not a log of packets")
            if len(header) < _HEADER.size:
                return
            _, version, _, wall_time_s, t0 = _HEADER.unpack(header)
            if version != _VERSION:
                raise PacketLogError(
                    f"{path}: is of version {version}, this program reads version {_VERSION}"
                )
            while (packet := _read_record(file, wall_time_s, t0)) is not None:
                yield packet
    except OSError as error:
        raise PacketLogError(f"{path}: {error.strerror or error}") from error


def _read_record(file: BinaryIO, wall_time_s: float, t0: float) -> LoggedPacket | None:
    head = file.read(_RECORD.size)
    if len(head) < _RECORD.size:
        return None
    sync, flags, family, length, at_us = _RECORD.unpack(head)
    if sync != _SYNC or family not in (4, 6) or length > _LARGEST:
        return None
    size = (4 if family == 4 else 16) + _PORT.size
    body = file.read(2 * size + length)
    if len(body) < 2 * size + length:
        return None
    return LoggedPacket(
        at_ms=at_us / 1000,
        at=t0 + at_us / 1e6,
        wall_time_s=wall_time_s + at_us / 1e6,
        direction="sent" if flags & _SENT else "received",
        kind="rtcp" if flags & _RTCP else "rtp",
        refused=bool(flags & _REFUSED),
        encrypted=bool(flags & _ENCRYPTED),
        local=_unpack_address(body[:size]),
        remote=_unpack_address(body[size : 2 * size]),
        data=body[2 * size :],
    )
