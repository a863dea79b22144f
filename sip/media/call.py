"""One call inside the engine: its socket, what it receives and sends, and what goes to its capture."""

from __future__ import annotations

import errno
import socket
import time
from dataclasses import replace
from typing import Final

from sip.media.capture import Block
from sip.media.model import SAMPLE_RATE_HZ, Codec, MediaReport, RemoteMedia
from sip.media.receive import Receiver
from sip.media.send import Sender
from sip.media.timeline import TimeLine
from sip.media.udp import bind, drain_errors, read
from sip.record import DtmfDigit

_LATE_S: Final = 0.010
"""A packet that leaves later than this after its slot is late."""
_NOTHING: Final[list[DtmfDigit]] = []


class Call:
    """The engine's side of a `MediaSession`."""

    def __init__(self, number: int, row: int, line: TimeLine, sock: socket.socket) -> None:
        self.number = number
        self.row = row
        self.line = line
        self.socket = sock
        self.receiver = Receiver(line)
        self.sender = Sender()
        self.capture: str | None = None
        self.analyse = False
        self.t0: float | None = None
        self.digits: list[DtmfDigit] = []
        self.failures = 0
        """Ticks that went wrong for this call through a fault of ours."""
        self.recorded = False
        """Whether its sound goes to a capture."""
        self._late = 0
        self._send_errors = 0
        self._drops = 0
        self._sent_parts: list[bytes] = []
        self._sent_start, self._sent_end = 0, -1
        self._sent_codec: Codec = "PCMA"
        self._sent_blocks: list[Block] = []

    @classmethod
    def open(cls, number: int, row: int, line: TimeLine, host: str, ports: tuple[int, int] | None) -> Call:
        """Bind the call's socket; OSError when that cannot be."""
        return cls(number, row, line, bind(host, ports))

    def since_start_ms(self, at: float) -> float:
        """Return a monotonic time as milliseconds of the call."""
        return (at - (self.t0 or at)) * 1000

    def position(self, at: float) -> int:
        """Return a monotonic time as a sample position of the call."""
        return round((at - (self.t0 or at)) * SAMPLE_RATE_HZ)

    def receive(self, offset: float, now: float) -> list[DtmfDigit]:
        """Take one datagram from the socket; return the digits that ended with it."""
        datagram = read(self.socket, offset, now)
        if datagram is None or self.t0 is None:
            return _NOTHING
        data, source, at, drops = datagram
        if drops:
            self._drops = drops
        ended = self.receiver.packet(data, source, at, self.t0)
        if ended:
            self.digits += ended
        return ended

    def refused(self) -> None:
        """Count the ICMP errors that came back."""
        self._send_errors += drain_errors(self.socket)

    def expire(self, now: float) -> list[DtmfDigit]:
        """Return a digit whose end was lost."""
        ended = self.receiver.expire(self.since_start_ms(now))
        self.digits += ended
        return ended

    def connect(self, remote: RemoteMedia) -> None:
        """Learn an SDP answer."""
        self._close_part()  # the law may change
        self.receiver.connect(remote)
        self.sender.connect(remote)

    def send(self, slot: float) -> bool:
        """Send what belongs to the tick at `slot`; return whether the sound that played ended with it."""
        finished = False
        for _ in range(self.sender.due()):
            datagram, payload, ended = self.sender.packet()
            self._put(datagram)
            if time.monotonic() - slot > _LATE_S:
                self._late += 1
            if self.recorded:
                if not self._sent_parts:
                    self._begin_part(slot)
                self._sent_parts.append(payload)
            finished = finished or ended
        return finished

    def skip(self, ticks: int) -> None:
        """Leave out ticks that a stall made worthless."""
        self.sender.skip(ticks)
        self._close_part()
        self._sent_end = -1

    def _put(self, datagram: bytes) -> None:
        """Hand a packet to the kernel. A refusal of an earlier one surfaces here once and costs another try."""
        remote = self.sender.remote
        for _ in range(2):
            try:
                self.socket.sendto(datagram, remote or ())
                return
            except OSError as error:
                if error.errno != errno.ECONNREFUSED:
                    self._send_errors += 1
                    return

    def _begin_part(self, slot: float) -> None:
        """Begin a stretch of sent sound; without a stall between, it lies where the last one ended."""
        self._sent_codec = self.sender.codec
        self._sent_start = self._sent_end if self._sent_end >= 0 else max(0, self.position(slot))

    def _close_part(self) -> None:
        if self._sent_parts:
            codes = b"".join(self._sent_parts)
            self._sent_blocks.append(Block("sent", self._sent_start, self._sent_codec, codes))
            self._sent_end = self._sent_start + len(codes)
            self._sent_parts = []

    def harvest(self, until: int) -> list[Block]:
        """Return the blocks up to position `until` for the capture, and empty the ring."""
        heard = self.line.take(until)
        self._close_part()
        blocks, self._sent_blocks = self._sent_blocks, []
        if heard is not None:
            blocks.append(Block("heard", heard[0], self.line.codec, heard[1]))
        blocks.append(Block("alive", max(until, 0)))
        return blocks

    def last_harvest(self, end: int) -> list[Block]:
        """Return the remaining blocks of a call that ends at position `end`."""
        return [*self.harvest(end + SAMPLE_RATE_HZ), Block("ended", max(end, 0))]

    def report(self) -> MediaReport:
        """Return the call's counts."""
        received = self.receiver.statistics()
        codec = received.codec or (self.sender.codec if self.sender.remote else None)
        return MediaReport(
            statistics=replace(received, codec=codec, late=self._late, sent=self.sender.sent),
            dtmf=tuple(self.digits),
            send_errors=self._send_errors,
            malformed=self.receiver.malformed,
            dropped_by_kernel=self._drops,
        )
