"""The RTCP of one call inside the engine: when reports leave, whereto, and whose are believed."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from typing import Final

from sip.media.gate import Gate
from sip.media.model import Address, RemoteMedia
from sip.media.packet_log import PacketLog
from sip.media.receive import Receiver
from sip.media.rtcp import Received, Reports
from sip.media.send import Sender
from sip.media.srtp import Crypto
from sip.media.udp import read

_TOLD_APART: Final = 64
_LAST_READS: Final = 8


class Reporter:
    """Sends and receives the reports of one call."""

    def __init__(
        self,
        rtp: socket.socket,
        rtcp: socket.socket,
        parts: tuple[Sender, Receiver, Gate, Crypto],
        log: PacketLog | None,
    ) -> None:
        self.socket = rtcp
        self.reports = Reports()
        self.strangers: set[Address] = set()
        """Addresses that reports were refused from."""
        self._rtp = rtp
        self._sender, self._receiver, self._gate, self._crypto = parts
        self._log = log
        self._remote: Address | None = None
        self._muxed = False

    def connect(self, remote: RemoteMedia) -> None:
        """Learn from an SDP answer where reports go and come from."""
        host, port = remote.rtcp or (remote.host, remote.port + 1)
        with contextlib.suppress(ValueError):
            self._remote = (str(ipaddress.ip_address(host)), port)
            self.strangers.discard(self._remote)
        self._muxed = remote.rtcp_mux

    def receive(self, offset: float, now: float) -> bool:
        """Take one datagram from the RTCP socket; return whether there was one."""
        datagram = read(self.socket, offset, now)
        if datagram is None:
            return False
        self.take(datagram[0], datagram[1], datagram[2])
        return True

    def drain(self, offset: float, now: float) -> None:
        """Take what has arrived, within reason."""
        for _ in range(_LAST_READS):
            if not self.receive(offset, now):
                return

    def take(self, data: bytes, source: Address, at: float) -> None:
        """Take one report, of this socket or of the one of RTP."""
        plain = None
        if self._believed(source):
            plain = self._crypto.unprotect(data, rtcp=True) if self._crypto.active else data
        elif len(self.strangers) < _TOLD_APART:
            self.strangers.add(source)
        if self._log is not None:
            encrypted = self._crypto.active and plain is not None
            whole = data if plain is None else plain
            self._log.add(
                at, source, whole, local=self._local(), rtcp=True, refused=plain is None, encrypted=encrypted
            )
        if plain is not None:
            self.reports.take(plain, self._sender.ssrc, at, time.time() - (time.monotonic() - at))

    def _believed(self, source: Address) -> bool:
        """Tell whether a source may report: the announced address, or the host that we hear in its place."""
        if source == self._remote or (self._muxed and source == self._gate.announced):
            return True
        latched = self._gate.latched
        return latched is not None and source[0] == latched[0]

    def due(self, now: float) -> bool:
        """Tell whether a report has to leave at `now`; to be asked again and again."""
        return self._sender.remote is not None and self.reports.due(now)

    def report(self, now: float) -> None:
        """Send a report."""
        self._send(now, bye=False)

    def bye(self, now: float) -> None:
        """Say that our stream has ended."""
        if self._sender.sent and self._sender.remote is not None:
            self._send(now, bye=True)

    def _send(self, now: float, *, bye: bool) -> None:
        destination = self._destination()
        if destination is None:
            return
        packet = self.reports.build(self._sender.summary(), self._heard(), now, time.time(), bye=bye)
        wire = self._crypto.protect_rtcp(packet) if self._crypto.sends else packet
        with contextlib.suppress(OSError):  # nobody needs reports as much as sound; its errors are counted
            (self._rtp if self._muxed else self.socket).sendto(wire, destination)
        if self._log is not None:
            encrypted = wire is not packet
            self._log.add(
                now, destination, packet, local=self._local(), sent=True, rtcp=True, encrypted=encrypted
            )

    def _destination(self) -> Address | None:
        if self._muxed:
            return self._sender.remote
        if self._remote is not None and not 0 < self._remote[1] < 65536:
            return None
        return self._remote

    def _heard(self) -> Received | None:
        stream = self._receiver.current
        if stream is None:
            return None
        return Received(stream.ssrc, stream.expected, stream.lost, stream.highest, stream.jitter)

    def _local(self) -> Address:
        address: Address = (self._rtp if self._muxed else self.socket).getsockname()[:2]
        return address
