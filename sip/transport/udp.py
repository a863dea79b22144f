"""UDP for SIP: kernel receive timestamps, and ICMP refusals seen on an unconnected socket.

asyncio's own datagram transport drops ancillary data, so the socket is read by `recvmsg` from a reader
callback.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Callable

from sip.core import Address
from sip.kernel_time import ANCILLARY_SPACE, ArrivalClock, ClockSource, enable_timestamps, stamp_of

from .failures import Trouble, network_trouble
from .sockets import address_of, open_socket

IP_RECVERR = 11
"""Linux <linux/in.h>."""
IPV6_RECVERR = 25
"""Linux <linux/in6.h>."""
_EXTENDED_ERROR = struct.Struct("@IBBBBII")
"""struct sock_extended_err: errno, origin, type, code, pad, info, data."""
RECEIVE_BUFFER = 4 << 20
MAX_DATAGRAM = 65_535
BATCH = 64
"""Datagrams read per wake-up, so that one flood does not starve the timers."""
BATCH_S = 0.005
"""And for how long: a datagram of 60 kB may take as long as fifty of the usual ones."""
BATCH_SHARE, BATCH_MOST_S = 0.5, 0.1
"""Where more is waiting, it reads for this share of the time that the loop had for everything else, up to so long: a
phone that listens to hundreds of calls would else read five messages between two turns of a third of a second."""

OnDatagram = Callable[[bytes, Address, float, ClockSource], None]
OnRefused = Callable[[Address, float, Trouble], None]


class UdpTransport:
    """One unconnected UDP socket. Open it with `open`; callbacks run in the event loop.

    `on_datagram(data, source, at, clock)` brings each datagram with its monotonic arrival time;
    `on_refused(destination, at, trouble)` tells of an ICMP error or a failed send.
    """

    def __init__(self, sock: socket.socket, on_datagram: OnDatagram, on_refused: OnRefused) -> None:
        self._sock = sock
        self._on_datagram = on_datagram
        self._on_refused = on_refused
        self._clock = ArrivalClock()
        self._buffer = bytearray(MAX_DATAGRAM)
        self._broken_off: float | None = None
        """When reading ended although more may wait."""
        self._loop = asyncio.get_running_loop()
        self.local = address_of(sock.getsockname(), Address("", 0))
        self._loop.add_reader(sock.fileno(), self._readable)

    @classmethod
    def open(
        cls, bind: Address, on_datagram: OnDatagram, on_refused: OnRefused, *, dscp: int = 0
    ) -> UdpTransport:
        """Bind and start reading; port 0 takes a free one. Raises `BindError`."""
        sock = open_socket(bind._replace(transport="udp"), dscp)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        enable_timestamps(sock)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        return cls(sock, on_datagram, on_refused)

    def send(self, data: bytes, destination: Address) -> float:
        """Hand one datagram to the kernel; return the monotonic time of it. A failure goes to
        `on_refused`."""
        at = time.monotonic()
        try:
            self._send(data, destination)
        except BlockingIOError:
            # A full send buffer is a lost datagram: SIP's retransmission timers repair it.
            pass
        except OSError as error:
            trouble = network_trouble(error.errno or errno.EIO, f"sending to {destination}")
            self._loop.call_soon(self._on_refused, destination, at, trouble)
        return at

    def _send(self, data: bytes, destination: Address) -> None:
        try:
            self._sock.sendto(data, (destination.host, destination.port))
        except BlockingIOError:
            raise
        except OSError:
            # It may belong to an earlier datagram, to somebody else (the queue entry names whom): this one has
            # not been sent yet. An error of its own comes back at the second try.
            self._sock.sendto(data, (destination.host, destination.port))

    def close(self) -> None:
        """Stop reading and release the socket. May be called twice."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _readable(self) -> None:
        now = time.monotonic()
        broken_off, self._broken_off = self._broken_off, None
        others_s = 0.0 if broken_off is None else now - broken_off
        until = now + max(BATCH_S, min(BATCH_SHARE * others_s, BATCH_MOST_S))
        for _ in range(max(BATCH, int(BATCH * (until - now) / BATCH_S))):
            # Both clocks are read per packet: a busy process may spend long between two of them.
            try:
                size, ancillary, _flags, source = self._sock.recvmsg_into([self._buffer], ANCILLARY_SPACE)
            except BlockingIOError:
                # Woken by the error queue alone: left unread it would wake the loop for ever.
                self._read_errors()
                return
            except OSError:
                self._read_errors()
                continue
            self._clock.read()
            at, clock = self._clock.arrival(stamp_of(ancillary))
            self._on_datagram(bytes(self._buffer[:size]), address_of(source, self.local), at, clock)
            if self._sock.fileno() < 0 or time.monotonic() >= until:
                break
        self._broken_off = time.monotonic()

    def _read_errors(self) -> None:
        while True:
            try:
                _data, ancillary, _flags, destination = self._sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            trouble = _refusal(ancillary)
            if trouble is not None and destination:
                self._on_refused(address_of(destination, self.local), time.monotonic(), trouble)


def _refusal(ancillary: list[tuple[int, int, bytes]]) -> Trouble | None:
    for level, kind, data in ancillary:
        known = (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))
        if known and len(data) >= _EXTENDED_ERROR.size:
            code = _EXTENDED_ERROR.unpack_from(data)[0]
            name = errno.errorcode.get(code, str(code))
            return network_trouble(code, f"{name}, reported by ICMP")
    return None
