"""The UDP sockets of calls: bound with kernel timestamps, errors and drop counts switched on."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import random
import socket
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

from sip.kernel_time import SO_TIMESTAMPNS, enable_timestamps, paired_clocks
from sip.media.model import Address

SO_RXQ_OVFL: Final = 40
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
"""Linux's numbers (asm-generic/socket.h, linux/in.h, linux/in6.h); the socket module of 3.11 does not name them."""
_BUFFER_BYTES: Final = 1 << 20
_TIMESPEC: Final = struct.Struct("@qq")
_COUNT: Final = struct.Struct("@I")
_TRIES: Final = 64
_LOWEST, _HIGHEST = 16384, 65534
"""Where a pair is looked for when the range is free; most of the lower half is not given out by the kernel."""
LARGEST_BYTES: Final = 2048
OLDEST_S: Final = 60.0
NEWEST_S: Final = 0.1
"""A kernel timestamp further off than these was taken before the clock of day was set. What a socket
holds (1.5 MB, some 40 s of sound in packets of 20 ms) is younger, however long the process stood still."""


_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_DICE: Final = random.SystemRandom()
"""Its own: how many ports are tried must not change what else is drawn; nor can anybody tell the next port."""

Datagram: TypeAlias = tuple[bytes, Address, float, int]
"""Its bytes, its source, the monotonic seconds of its arrival, and how many the socket has lost so far (0: unsaid)."""


def bind(host: str, port_range: tuple[int, int] | None, dscp: int) -> tuple[socket.socket, socket.socket]:
    """Return non-blocking sockets for RTP and RTCP on an even port of `host` and the odd one behind it.

    OSError, with the range and its use, when there is no such pair.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports, most = _candidates(port_range)
    for port in islice(_shuffled(ports), most):
        pair: list[socket.socket] = []
        try:
            for number in (port, port + 1):
                pair.append(socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
                pair[-1].bind((host, number))
        except OSError as error:
            _close(pair)
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            continue
        except BaseException:  # a host that cannot even be encoded
            _close(pair)
            raise
        for sock in pair:
            _prepare(sock, dscp)
        return pair[0], pair[1]
    raise OSError(_used_up(port_range, most))


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _candidates(port_range: tuple[int, int] | None) -> tuple[range, int]:
    """Return the even ports (RFC 3550 section 11) with their odd neighbours in the range, and how many to try.

    The ports are named instead of letting the kernel choose: only a socket that was bound to a port by number
    keeps it when it is disconnected (see `accept_only`).
    """
    if port_range is None:
        return range(_LOWEST, _HIGHEST, 2), _TRIES
    ports = range(port_range[0] + port_range[0] % 2, min(port_range[1], 65535), 2)
    return ports, len(ports)


def _shuffled(ports: range) -> Iterator[int]:
    """Yield ports in random order, drawn as they are asked for: nearly always the first one is free.

    What is drawn gives its place to the last one that is left (Fisher and Yates), as in a list of all of them.
    """
    moved: dict[int, int] = {}
    for last in reversed(range(len(ports))):
        place = _DICE.randrange(last + 1)
        yield ports[moved.get(place, place)]
        moved[place] = moved.get(last, last)


def _used_up(port_range: tuple[int, int] | None, pairs: int) -> str:
    if port_range is None:
        return f"none of {pairs} pairs of ports that were tried is free"
    span = f"ports {port_range[0]} to {port_range[1]}"
    if not pairs:
        return f"{span} hold no even port with the odd one behind it, as RTP and RTCP need"
    return f"all {pairs} pairs of RTP and RTCP ports among {span} are in use"


def _prepare(sock: socket.socket, dscp: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    enable_timestamps(sock)
    sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    mark = (dscp & 0x3F) << 2  # RFC 2474 section 3: the upper six bits
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, mark)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, mark)


def accept_only(sock: socket.socket, source: Address | None) -> bool:
    """Let the kernel refuse what comes from anywhere else; None: let it accept everything again.

    Return whether it does. Sending is not affected: `sendto` names each destination.
    """
    if source is not None:
        try:
            sock.connect(source)
        except OSError:
            return False
        return True
    # The socket module cannot disconnect: `connect` to the family AF_UNSPEC does (connect(2)).
    nowhere = struct.pack("=H26x", socket.AF_UNSPEC)
    return bool(_LIBC.connect(sock.fileno(), nowhere, len(nowhere)) != 0)


def wall_offset() -> float:
    """Return what to add to a time of day to make it monotonic, as of now."""
    return -paired_clocks()[1] / 1e9


def read(sock: socket.socket, offset: float, now: float) -> Datagram | None:
    """Return the next datagram, or None when there is none; pending errors of earlier sends are skipped.

    `offset` is `wall_offset()` at the monotonic time `now`, taken once for many reads.
    """
    try:
        data, ancillary, _, source = sock.recvmsg(LARGEST_BYTES, 128)
    except OSError:
        return None
    at, drops = 0.0, 0
    for _, kind, value in ancillary:
        if kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            at = seconds + nanoseconds / 1e9 + offset
        elif kind == SO_RXQ_OVFL:
            (drops,) = _COUNT.unpack(value)
    if not -OLDEST_S < at - now < NEWEST_S:
        at = now
    return data, source if len(source) == 2 else source[:2], at, drops


def drain_errors(sock: socket.socket) -> int:
    """Take the queued ICMP errors; return how many there were."""
    count = 0
    while True:
        try:
            sock.recvmsg(LARGEST_BYTES, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return count
        count += 1
