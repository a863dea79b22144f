"""The UDP sockets of calls: bound with kernel timestamps, errors and drop counts switched on."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

from sip.kernel_time import SO_TIMESTAMPNS, enable_timestamps, paired_clocks
from sip.media.model import Address

_SO_RXQ_OVFL: Final = 40
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
"""Linux's numbers (asm-generic/socket.h, linux/in.h, linux/in6.h); the socket module of 3.11 does not name them."""
_BUFFER_BYTES: Final = 1 << 20
_TIMESPEC: Final = struct.Struct("@qq")
_COUNT: Final = struct.Struct("@I")
_EVEN_TRIES: Final = 64
_LARGEST: Final = 2048
_OLDEST_S: Final = 10.0
_NEWEST_S: Final = 0.1
"""A kernel timestamp further off than these was taken before the clock of day was set."""


Datagram: TypeAlias = tuple[bytes, Address, float, int]
"""Its bytes, its source, the monotonic seconds of its arrival, and how many the socket has lost so far (0: unsaid)."""


def bind(host: str, port_range: tuple[int, int] | None) -> socket.socket:
    """Return a non-blocking socket on an even port of `host`; OSError when there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    error: OSError | None = None
    for port in _candidates(port_range):
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind((host, port))
        except OSError as caught:
            sock.close()
            error = caught
            if port == 0:
                break
            continue
        except BaseException:  # a host that cannot even be encoded
            sock.close()
            raise
        if sock.getsockname()[1] % 2 == 0:
            return _prepare(sock)
        sock.close()
    raise error or OSError("no even port is free")


def _candidates(port_range: tuple[int, int] | None) -> Iterator[int]:
    """RTP ports are even (RFC 3550 section 11)."""
    if port_range is None:
        yield from [0] * _EVEN_TRIES
        return
    ports = list(range(port_range[0] + port_range[0] % 2, port_range[1] + 1, 2))
    random.shuffle(ports)
    yield from ports


def _prepare(sock: socket.socket) -> socket.socket:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    enable_timestamps(sock)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    return sock


def wall_offset() -> float:
    """Return what to add to a time of day to make it monotonic, as of now."""
    return -paired_clocks()[1] / 1e9


def read(sock: socket.socket, offset: float, now: float) -> Datagram | None:
    """Return the next datagram, or None when there is none; pending errors of earlier sends are skipped.

    `offset` is `wall_offset()` at the monotonic time `now`, taken once for many reads.
    """
    try:
        data, ancillary, _, source = sock.recvmsg(_LARGEST, 128)
    except OSError:
        return None
    at, drops = 0.0, 0
    for _, kind, value in ancillary:
        if kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            at = seconds + nanoseconds / 1e9 + offset
        elif kind == _SO_RXQ_OVFL:
            (drops,) = _COUNT.unpack(value)
    if not -_OLDEST_S < at - now < _NEWEST_S:
        at = now
    return data, source if len(source) == 2 else source[:2], at, drops


def drain_errors(sock: socket.socket) -> int:
    """Take the queued ICMP errors; return how many there were."""
    count = 0
    while True:
        try:
            sock.recvmsg(_LARGEST, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return count
        count += 1
