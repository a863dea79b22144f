"""A call's own SIP trace: every message as it crossed the socket, secrets blanked, as text and as a capture.

    trace = CallTrace()
    trace.add(wire_message)                 in the order in which messages left and came
    trace.to_text()                         one block for each message, for people
    trace.write_pcap(path, packets)         for Wireshark, with the call's RTP

Secrets are blanked when a message is added (see `sip.blanking`): what is kept holds none. Memory is bounded: of a
call that never ends its signalling the first messages and the last ones are kept, and both exports say how many
are missing between them.
"""

from __future__ import annotations

import dataclasses
import datetime
import heapq
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Protocol

from sip.blanking import blank_secrets
from sip.core import Address, decode
from sip.kernel_time import paired_clocks
from sip.media import read_packets
from sip.pcap import CapturedPacket, write_packets
from sip.transport import WireMessage

MAX_MESSAGES = 2_000
MAX_BYTES = 2_000_000


class LoggedPacket(Protocol):
    """One RTP or RTCP packet of a call, as the media engine logged it."""

    @property
    def at(self) -> float:
        """Monotonic seconds."""

    @property
    def direction(self) -> Literal["sent", "received"]:
        """Which way it went."""

    @property
    def local(self) -> tuple[str, int]:
        """Our host and port."""

    @property
    def remote(self) -> tuple[str, int]:
        """Their host and port."""

    @property
    def data(self) -> bytes:
        """The packet after its UDP header."""


class CallTrace:
    """Keeps the messages of one call.

    `max_messages` and `max_bytes` bound what is kept: half for the first messages, half for the latest.
    `wall_offset_s` is the wall clock minus the monotonic clock, read now if None.
    """

    def __init__(
        self,
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
        wall_offset_s: float | None = None,
    ) -> None:
        self._limits = max(max_messages // 2, 1), max_bytes // 2
        self._first: list[WireMessage] = []
        self._latest: deque[WireMessage] = deque()
        self._first_bytes = self._latest_bytes = 0
        self._wall_offset_s = paired_clocks()[1] / 1e9 if wall_offset_s is None else wall_offset_s
        self._t0: float | None = None
        self.left_out = 0
        """How many messages are missing between the first and the latest ones."""

    def __len__(self) -> int:
        return len(self._first) + len(self._latest)

    @property
    def messages(self) -> tuple[WireMessage, ...]:
        """What is kept, in order, secrets blanked."""
        return (*self._first, *self._latest)

    def add(self, message: WireMessage) -> None:
        """Keep a message."""
        if self._t0 is None and message.data.lstrip(b"\r\n")[:7].upper() == b"INVITE ":
            self._t0 = message.at
        kept = dataclasses.replace(message, data=blank_secrets(message.data))
        most, room = self._limits
        size = len(kept.data)
        if not self._latest and len(self._first) < most and self._first_bytes + size <= room:
            self._first.append(kept)
            self._first_bytes += size
            return
        self._latest.append(kept)
        self._latest_bytes += size
        while self._latest and (len(self._latest) > most or self._latest_bytes > room):
            self._latest_bytes -= len(self._latest.popleft().data)
            self.left_out += 1

    def to_text(self) -> str:
        """Return the trace for people: times are those of the wall clock and milliseconds since the first INVITE."""
        blocks = [self._block(message) for message in self._first]
        if self.left_out:
            blocks.append(f"--- {self.left_out} messages are left out here: the trace is full ---\n")
        blocks += [self._block(message) for message in self._latest]
        return "\n".join(blocks)

    def write_pcap(self, path: Path, packets: Path | Iterable[LoggedPacket] | None = None) -> int:
        """Write a capture with the messages and the call's RTP and RTCP; returns its number of packets.

        `packets` is the media engine's log of a call's packets, or its entries. What was SRTP is written decrypted, as
        the log holds it, while the session description still says RTP/SAVP: Wireshark lists such streams, and plays
        them once its SDP preference "Establish media conversation" is off and their ports are decoded as RTP. Raises
        OSError, and `sip.media.PacketLogError` for a file that is no log.
        """
        media: Iterable[LoggedPacket] = read_packets(packets) if isinstance(packets, Path) else packets or ()
        signalling = sorted(map(self._captured, self.messages), key=_moment)
        sound = sorted(map(self._captured_media, media), key=_moment)
        return write_packets(path, heapq.merge(signalling, sound, key=_moment))

    def _block(self, message: WireMessage) -> str:
        wall = datetime.datetime.fromtimestamp(message.at + self._wall_offset_s).astimezone()
        t0 = self._t0 if self._t0 is not None else message.at
        way = "->" if message.direction == "sent" else "<-"
        title = (
            f"=== {wall.isoformat(timespec='milliseconds')}  {(message.at - t0) * 1000:.3f} ms  {message.direction}  "
            f"{message.local} {way} {message.remote}  {message.remote.transport}  "
            f"{len(message.data)} bytes  clock: {message.clock}"
        )
        return f"{title}\n{_readable(message.data)}\n"

    def _captured(self, message: WireMessage) -> CapturedPacket:
        ends = message.local, message.remote._replace(transport=message.local.transport)
        source, destination = ends if message.direction == "sent" else ends[::-1]
        return CapturedPacket(message.at + self._wall_offset_s, source, destination, message.data)

    def _captured_media(self, packet: LoggedPacket) -> CapturedPacket:
        ends = Address(*packet.local[:2]), Address(*packet.remote[:2])
        source, destination = ends if packet.direction == "sent" else ends[::-1]
        return CapturedPacket(packet.at + self._wall_offset_s, source, destination, packet.data)


def _moment(packet: CapturedPacket) -> float:
    return packet.wall_s


def _readable(data: bytes) -> str:
    """Decode line by line, so one name in another encoding leaves the others readable; show control characters."""
    lines = data.replace(b"\r\n", b"\n").split(b"\n")
    return "\n".join(_shown(decode(line)) for line in lines)


def _shown(line: str) -> str:
    return "".join(c if c.isprintable() or c in "\t\u3000" else _escaped(c) for c in line)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
