"""The far end's sound where sipp's own RTP stream is too simple.

Any ptime, silence suppression, a new sound at each response.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tests.interop.sipp import Trace
from tests.interop.sounds import RATE_HZ, SILENT_BYTE, Sound

_POLL_S = 0.005


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

    def __init__(self, sounds: Mapping[int, Sound], payload_type: int = 8) -> None:
        super().__init__(daemon=True)
        self._sounds, self._payload_type = sounds, payload_type
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.heard: list[HeardPacket] = []
        self._trace: Trace | None = None
        self._done = threading.Event()
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
            if status is None or remote is None:
                self._done.wait(_POLL_S)
                continue
            sound = self._sounds[status]
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
            header = struct.pack(
                "!BBHII", 0x80, self._payload_type, self._sequence, self._timestamp, 0x62626262
            )
            self._socket.sendto(header + payload, remote)
            self._sequence = (self._sequence + 1) % 2**16
        self._timestamp = (self._timestamp + size) % 2**32
        offset += size
        return 0 if sound.loop and offset >= len(sound.alaw) else offset

    def _receive(self) -> None:
        while True:
            try:
                data = self._socket.recv(2048)
            except (BlockingIOError, ConnectionError):
                return
            if len(data) >= 12:
                _, kind, sequence, timestamp, _ = struct.unpack("!BBHII", data[:12])
                self.heard.append(HeardPacket(time.monotonic(), kind & 0x7F, sequence, timestamp, data[12:]))


def session_description(port: int, *, payload_type: int = 8, ptime_ms: int | None = None) -> str:
    """Return an SDP answer with one G.711 stream."""
    name = {0: "PCMU", 8: "PCMA"}[payload_type]
    lines = ["v=0", "o=far 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP {payload_type}", f"a=rtpmap:{payload_type} {name}/8000"]
    lines += [f"a=ptime:{ptime_ms}"] if ptime_ms else []
    return "\r\n".join([*lines, "a=sendrecv"])
