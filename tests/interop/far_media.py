"""The far end's sound where sipp's own RTP stream is too simple.

Any ptime, silence suppression, a new sound at each response.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.interop.sipp import Trace
from tests.interop.sounds import RATE_HZ, SILENT_BYTE, Sound

_POLL_S = 0.005
TELEPHONE_EVENT = 101
EVENTS = "0123456789*#ABCD"
"""The digits in the order of their event numbers (RFC 4733 section 3.2)."""
EVENT_STEPS = 5
"""Packets of a digit while it is pressed, 20 ms each; its end comes three times."""


@dataclass(frozen=True, slots=True)
class HeardPacket:
    """An RTP packet that came from the phone under test."""

    at_s: float
    payload_type: int
    sequence: int
    timestamp: int
    payload: bytes


class FarMedia(threading.Thread):
    """Sends the sound that belongs to the last SDP response that sipp sent, to the address of the INVITE's SDP."""

    def __init__(
        self, sounds: Mapping[int, Sound], payload_type: int = 8, *, host: str = "127.0.0.1"
    ) -> None:
        super().__init__(daemon=True)
        self._sounds, self._payload_type = sounds, payload_type
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.heard: list[HeardPacket] = []
        self._trace: Trace | None = None
        self._done = threading.Event()
        self._events: list[bytes] = []
        """Of the digits that are still to be sent, one of each packet."""
        self._sequence, self._timestamp = 65_500, 2**32 - 4_000
        """Both wrap within the first second, as they may in the field."""

    def follow(self, trace: Trace) -> None:
        """Start, led by the messages of this trace."""
        self._trace = trace
        self.start()

    def stop(self) -> None:
        """End the thread and close the socket."""
        self._done.set()
        if self.is_alive():
            self.join(5)
        self._socket.close()

    def run(self) -> None:
        status, offset = None, 0
        due = time.monotonic()
        while not self._done.is_set():
            self._receive()
            remote, latest = self._state()
            if latest != status:
                status, offset, due = latest, 0, time.monotonic()
                self._events = _digit_events(self._sounds[latest].digits) if latest is not None else []
            if status is None or remote is None:
                self._done.wait(_POLL_S)
                continue
            sound = self._sounds[status]
            if self._events:
                self._send_event(remote)
            else:
                offset = self._send(sound, offset, remote)
            due += sound.ptime_ms / 1000
            self._done.wait(max(0.0, due - time.monotonic()))

    def _state(self) -> tuple[tuple[str, int] | None, int | None]:
        """Return the phone's RTP address and the last response sent to which a sound belongs."""
        assert self._trace is not None
        remote, status = None, None
        for message in self._trace.messages():
            if message.start == "INVITE" and not message.sent:
                remote = message.audio_address or remote
            elif message.sent and message.start.isdigit() and int(message.start) in self._sounds:
                status = int(message.start) if message.header("CSeq").endswith("INVITE") else status
        return remote, status

    def _send(self, sound: Sound, offset: int, remote: tuple[str, int]) -> int:
        """Send one packet; return the offset of the next in the sound."""
        size = sound.ptime_ms * RATE_HZ // 1000
        payload = sound.alaw[offset : offset + size]
        if len(payload) < size:
            payload += SILENT_BYTE * (size - len(payload))
        if not (sound.suppress_silence and set(payload) == set(SILENT_BYTE)):
            self._send_packet(self._payload_type, payload, remote)
        self._timestamp = (self._timestamp + size) % 2**32
        offset += size
        return 0 if sound.loop and offset >= len(sound.alaw) else offset

    def _send_event(self, remote: tuple[str, int]) -> None:
        """Send one packet of a digit; its timestamp is that of the digit's beginning."""
        event = self._events.pop(0)
        self._send_packet(TELEPHONE_EVENT, event, remote)
        if not self._events or self._events[0][0] != event[0] or event[1] & 0x80 > self._events[0][1] & 0x80:
            self._timestamp = (self._timestamp + 160 * (EVENT_STEPS + 2)) % 2**32

    def _send_packet(self, payload_type: int, payload: bytes, remote: tuple[str, int]) -> None:
        header = struct.pack("!BBHII", 0x80, payload_type, self._sequence, self._timestamp, 0x62626262)
        self._socket.sendto(header + payload, remote)
        self._sequence = (self._sequence + 1) % 2**16

    def _receive(self) -> None:
        while True:
            try:
                data = self._socket.recv(2048)
            except (BlockingIOError, ConnectionError):
                return
            if len(data) >= 12:
                _, kind, sequence, timestamp, _ = struct.unpack("!BBHII", data[:12])
                self.heard.append(HeardPacket(time.monotonic(), kind & 0x7F, sequence, timestamp, data[12:]))


def _digit_events(digits: str) -> list[bytes]:
    """Return the payloads of telephone events for these digits (RFC 4733 section 2.3), volume -10 dBm0."""
    payloads = []
    for digit in digits:
        number = EVENTS.index(digit)
        payloads += [struct.pack("!BBH", number, 10, 160 * (step + 1)) for step in range(EVENT_STEPS)]
        payloads += [struct.pack("!BBH", number, 0x80 | 10, 160 * EVENT_STEPS)] * 3
    return payloads


def heard_digits(packets: Iterable[HeardPacket], payload_type: int = TELEPHONE_EVENT) -> str:
    """Return the digits that were pressed, one for each timestamp of the telephone events."""
    pressed: dict[int, int] = {}
    for packet in packets:
        if packet.payload_type == payload_type and len(packet.payload) >= 4:
            pressed.setdefault(packet.timestamp, packet.payload[0])
    return "".join(EVENTS[number] for number in pressed.values())


def session_description(
    port: int | str,
    *,
    payload_type: int = 8,
    ptime_ms: int | None = None,
    host: str = "127.0.0.1",
    version: int = 1,
    direction: str = "sendrecv",
    events: bool = False,
) -> str:
    """Return a description with one G.711 stream, and telephone events where wanted."""
    name = {0: "PCMU", 8: "PCMA"}[payload_type]
    place = f"IN {'IP6' if ':' in host else 'IP4'} {host}"
    numbers = f"{payload_type} {TELEPHONE_EVENT}" if events else f"{payload_type}"
    lines = ["v=0", f"o=far 1 {version} {place}", "s=-", f"c={place}", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP {numbers}", f"a=rtpmap:{payload_type} {name}/8000"]
    lines += [f"a=rtpmap:{TELEPHONE_EVENT} telephone-event/8000"] if events else []
    lines += [f"a=ptime:{ptime_ms}"] if ptime_ms else []
    return "\r\n".join([*lines, f"a={direction}"])
