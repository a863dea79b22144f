"""One call inside the engine: its sockets, what it receives and sends, and what goes to its capture."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from typing import Final

from sip.media.capture import Block
from sip.media.gate import Gate, Held
from sip.media.model import (
    SAMPLE_RATE_HZ,
    Address,
    Codec,
    DigitsSent,
    MediaReport,
    RemoteMedia,
    SessionSpec,
)
from sip.media.packet_log import PacketLog
from sip.media.receive import Receiver, Steady
from sip.media.reporter import Reporter
from sip.media.rtp import is_rtcp
from sip.media.send import Regular, Sender
from sip.media.srtp import Crypto
from sip.media.timeline import TimeLine
from sip.media.udp import accept_only, bind, drain_errors, read
from sip.record import DtmfDigit

LATE_S: Final = 0.010
"""A packet that leaves later than this after its slot is late."""
_TICK_S: Final = 0.020
_NOTHING: Final[list[DtmfDigit]] = []


class Call:
    """The engine's side of a `MediaSession`."""

    def __init__(self, number: int, row: int, line: TimeLine, spec: SessionSpec) -> None:
        """Bind the call's sockets; OSError when that cannot be."""
        self.number = number
        self.row = row
        self.line = line
        self.spec = spec
        self.socket, self.rtcp_socket = bind(spec.bind_host, spec.port_range, spec.dscp)
        self.local: Address = self.socket.getsockname()[:2]
        self.log = PacketLog() if spec.packets is not None else None
        self.receiver = Receiver(line)
        self.sender = Sender()
        self.crypto = Crypto()
        self.gate = Gate(self.receiver.named, self._valid, self._note_refused)
        parts = (self.sender, self.receiver, self.gate, self.crypto)
        self.reporter = Reporter(self.socket, self.rtcp_socket, parts, self.log)
        self.receiver.on_rtcp = self.reporter.take
        self.analyse = spec.analyse
        self.t0: float | None = None
        self.digits: list[DtmfDigit] = []
        self.failures = 0
        """Ticks that went wrong for this call through a fault of ours."""
        self.recorded = False
        """Whether its sound goes to a capture."""
        self.told_first = False
        """Whether the first packet has been told of."""
        self.attentive = True
        """Whether a packet that was taken may have changed more than the time line."""
        self.unlogged = 0
        """Packets that the log of packets lacks."""
        self._special = self.log is not None
        """Whether packets are logged or encrypted: nearly all calls do without either."""
        self.lane: memoryview | None = None
        """The packet of this tick where `sip.media.outlet` makes it."""
        self.late = 0
        """Packets that left late."""
        self._send_errors = 0
        self.drops = 0
        """Datagrams that the socket has lost."""
        self.filtered = False
        """Whether the kernel refuses all sources but one."""
        self.direct = False
        """Whether that one is also whom we send to."""
        self.redirected = False
        """Whether packets go elsewhere than before, or in another way; whoever follows it resets it."""
        self._held_at: float | None = None
        """Since when the far side wants nothing."""
        self._digits_began_ms: float | None = None
        self._digits_ended_ms = 0.0
        self._sent_parts: list[bytes] = []
        self._sent_start, self._sent_end = 0, -1
        self._sent_codec: Codec = "PCMA"
        self._sent_blocks: list[Block] = []

    def close(self) -> None:
        """Give back the sockets, and leave no circle of references: the engine collects none while it has calls."""
        self.receiver.on_rtcp = None
        self.gate.close()
        self.socket.close()
        self.rtcp_socket.close()

    def since_start_ms(self, at: float) -> float:
        """Return a monotonic time as milliseconds of the call."""
        return (at - (self.t0 or at)) * 1000

    def position(self, at: float) -> int:
        """Return a monotonic time as a sample position of the call."""
        return round((at - (self.t0 or at)) * SAMPLE_RATE_HZ)

    # What comes in

    def receive(self, offset: float, now: float) -> list[DtmfDigit]:
        """Take one datagram from the socket; return the digits that ended with it."""
        datagram = read(self.socket, offset, now)
        return _NOTHING if datagram is None else self.take(*datagram)

    def take(self, data: bytes, source: Address, at: float, drops: int = 0) -> list[DtmfDigit]:
        """Take a datagram that arrived at the monotonic time `at`; return the digits that ended with it.

        `drops` is how many the socket has lost so far (0: unsaid).
        """
        if self.t0 is None:
            return _NOTHING
        if drops:
            self.drops = drops
        gate = self.gate
        if source == gate.trusted and not self._special:
            gate.last_at = at
            ended = self.receiver.packet(data, source, at, self.t0)
        else:
            ended = self._admit(Held(data, source, at))
        if ended:
            self.digits += ended
        return ended

    def steady(self, source: Address) -> Steady | None:
        """Return the stream from `source` when its regular packets need no decision of this call."""
        if source != self.gate.trusted or self._special or self.t0 is None:
            return None
        steady = self.receiver.steady()
        return steady if steady is not None and steady.source == source else None

    def _admit(self, held: Held) -> list[DtmfDigit]:
        """Take a datagram the long way: its source may be a foreign one, it may be encrypted, or it is logged."""
        gate, ended = self.gate, _NOTHING
        if held.source == gate.trusted:
            gate.last_at = held.at
            return self._use(held)
        if is_rtcp(held.data):
            self.reporter.take(held.data, held.source, held.at)
            return ended
        self.attentive = True
        latched = gate.latched
        admitted = gate.knock(held.data, held.source, held.at)
        if gate.latched != latched:
            self._follow_gate()
        for one in admitted:
            ended = ended + self._use(one)
        return ended

    def _use(self, held: Held) -> list[DtmfDigit]:
        """Hear an admitted datagram."""
        data: bytes | None = held.data
        if self.crypto.active and not held.plain:
            if is_rtcp(held.data):
                self.reporter.take(held.data, held.source, held.at)
                return _NOTHING
            data = self.crypto.unprotect(held.data)
        if data is None or self.t0 is None:
            self.gate.refused += 1
            self._note_refused(held)
            return _NOTHING
        if not is_rtcp(data):
            self._note(held._replace(data=data))
        return self.receiver.packet(data, held.source, held.at, self.t0)

    def _valid(self, data: bytes) -> bytes | None:
        """Return a packet decrypted when it is one of this call's kinds."""
        plain = self.crypto.unprotect(data, count=False) if self.crypto.active else data
        return plain if plain is not None and self.receiver.knows(plain) else None

    def _follow_gate(self) -> None:
        """Send to the address that is heard in place of the announced one."""
        self.direct, self.redirected = False, True
        address = self.gate.latched or self.gate.announced
        if address is not None:
            self.sender.redirect(address)

    def _note(self, held: Held, *, refused: bool = False) -> None:
        """Log a received RTP packet."""
        if self.log is not None:
            encrypted = self.crypto.active and (held.plain or not refused)
            self.log.add(
                held.at, held.source, held.data, local=self.local, refused=refused, encrypted=encrypted
            )

    def _note_refused(self, held: Held) -> None:
        self._note(held, refused=True)

    def refused(self) -> None:
        """Count the ICMP errors that came back."""
        self._send_errors += drain_errors(self.socket)

    def expire(self, now: float) -> list[DtmfDigit]:
        """Return a digit whose end was lost."""
        ended = self.receiver.expire(self.since_start_ms(now))
        self.digits += ended
        return ended

    def begin(self, t0: float) -> None:
        """Set time 0."""
        self.t0 = t0
        if self.log is not None:
            self.log.t0 = t0

    def connect(self, remote: RemoteMedia, now: float) -> list[DtmfDigit]:
        """Learn an SDP answer; return the digits that ended with the packets that had waited for it."""
        self._close_part()  # the law may change
        if self.filtered:
            self.filtered = self.direct = accept_only(self.socket, None)
        announced = self.receiver.connect(remote, now - (self.t0 or now))
        self.crypto.connect(remote)
        self._special = self.log is not None or self.crypto.active or self.crypto.sends
        self.reporter.connect(remote)
        self._connect_sender(remote, now)
        ended = _NOTHING
        for held in self.gate.connect(remote, announced, now):
            ended = ended + self._admit(held)
        self._follow_gate()
        self.digits += ended
        return ended

    def _connect_sender(self, remote: RemoteMedia, now: float) -> None:
        """Send to another address, in another law, or no more; the time of a hold passes for the stream, too."""
        sender = self.sender
        sender.connect(remote)
        if sender.remote is None:
            self._held_at = now if self._held_at is None else self._held_at
        elif self._held_at is not None:
            if sender.sent:
                self.skip(round((now - self._held_at) / _TICK_S))
            self._held_at = None

    def follow(self, now: float) -> None:
        """Do what is due twice a second: refuse what waited in vain, let the kernel filter a settled source."""
        self.gate.expire(now)
        if not self.filtered and (source := self.gate.steady(now)) is not None:
            self.filtered = accept_only(self.socket, source)
            self.direct = self.filtered and source == self.sender.remote
            self.redirected = True

    # What goes out

    def regular(self) -> Regular | None:
        """Return what is sent when its packets can be made elsewhere, else None."""
        return None if self._special else self.sender.regular()

    def keep_sent(self, codes: bytes, slot: float) -> None:
        """Keep sound that was sent from the tick at `slot` on for the capture."""
        if self.recorded:
            if not self._sent_parts:
                self._begin_part(slot)
            self._sent_parts.append(codes)

    def send(self, slot: float) -> bool:
        """Send what belongs to the tick at `slot`; return whether the sound that played ended with it."""
        finished = False
        for _ in range(self.sender.due()):
            datagram, payload, ended = self.sender.packet()
            self._put(datagram)
            if time.monotonic() - slot > LATE_S:
                self.late += 1
            self.keep_sent(payload, slot)
            finished = finished or ended
        return finished

    def send_digits(self, slot: float) -> list[DigitsSent]:
        """Send what belongs to the tick at `slot` while digits wait; return what has been sent whole."""
        done: list[DigitsSent] = []
        at_ms = self.since_start_ms(slot)
        for _ in range(self.sender.due()):
            if self.sender.digits.busy:
                datagram, sound, step = self.sender.digit_packet()
                if step.begins and self._digits_began_ms is None:
                    self._digits_began_ms = at_ms
                if step.ends:
                    self._digits_ended_ms = at_ms + self.sender.packet_ms
                if step.finished:
                    done.append(DigitsSent(self._digits_ended_ms, self._digits_began_ms or 0.0))
                    self._digits_began_ms = None
            else:
                datagram, sound, _ = self.sender.packet()
            self._put(datagram)
            self.keep_sent(sound, slot)
            at_ms += self.sender.packet_ms
        return done

    def skip(self, ticks: int) -> None:
        """Leave out ticks that a stall made worthless."""
        self.sender.skip(ticks)
        self._close_part()
        self._sent_end = -1

    def _put(self, datagram: bytes) -> None:
        """Hand a packet to the kernel. A refusal of an earlier one surfaces here once and costs another try."""
        remote = self.sender.remote
        if self._special:
            datagram = self._log_and_encrypt(datagram)
        try:
            self.socket.sendto(datagram, remote or ())
        except OSError as error:
            self.put_again(datagram, error)

    def put_again(self, datagram: bytes | memoryview, error: OSError) -> None:
        """Try once more after a refusal of an earlier packet; another error is one of this packet."""
        if error.errno != errno.ECONNREFUSED:
            self._send_errors += 1
            return
        try:
            self.socket.sendto(datagram, self.sender.remote or ())
        except OSError as again:
            self._send_errors += again.errno != errno.ECONNREFUSED

    def _log_and_encrypt(self, datagram: bytes) -> bytes:
        """Log a packet that leaves; return it as it goes over the network."""
        encrypted, remote = self.crypto.sends, self.sender.remote
        if self.log is not None and remote is not None:
            now = time.monotonic()
            self.log.add(now, remote, datagram, local=self.local, sent=True, encrypted=encrypted)
        return self.crypto.protect(datagram) if encrypted else datagram

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
            blocks += (Block("heard", at, self.line.codec, codes) for at, codes in heard.spans())
        blocks += (Block.pause(*pause) for pause in self.line.pauses if pause[0] >= 0)
        self.line.pauses.clear()
        blocks.append(Block("alive", max(until, 0)))
        return blocks

    def last_harvest(self, end: int) -> list[Block]:
        """Return the remaining blocks of a call that ends at position `end`."""
        return [*self.harvest(end + SAMPLE_RATE_HZ), Block("ended", max(end, 0))]

    def report(self, end_ms: float) -> MediaReport:
        """Return the counts of a call that ended at `end_ms`."""
        received, reports, gate = self.receiver.statistics(), self.reporter.reports, self.gate
        gate.expire(float("inf"))
        codec = received.codec or (self.sender.codec if self.sender.remote else None)
        last_s, gap_s = self.receiver.last_packet_s, self.receiver.longest_gap_s(end_ms / 1000)
        ignored = received.ignored + gate.refused
        return MediaReport(
            statistics=replace(received, codec=codec, late=self.late, sent=self.sender.sent, ignored=ignored),
            dtmf=tuple(self.digits),
            send_errors=self._send_errors,
            malformed=self.receiver.malformed,
            dropped_by_kernel=self.drops,
            srtp_failures=self.crypto.failures,
            rejected_sources=len(gate.rejected_sources | self.reporter.strangers),
            latched=gate.latched,
            last_packet_ms=None if last_s is None else last_s * 1000,
            longest_gap_ms=None if gap_s is None else gap_s * 1000,
            rtcp_received=reports.received,
            remote_lost=reports.remote_lost,
            remote_jitter_ms=reports.remote_jitter_ms,
            round_trip_ms=reports.round_trip_ms,
            packets_unlogged=self.unlogged + (self.log.dropped if self.log is not None else 0),
        )
