"""What one call sends: an RTP stream paced by the engine's tick."""

from __future__ import annotations

import random
from typing import Final

import numpy as np

from sip.media.g711 import SILENCE, encode
from sip.media.model import COLUMN_SAMPLES, Codec, RemoteMedia
from sip.media.rtp import build

_PTIMES_MS: Final = (10, 20, 30, 40)
_SAMPLES_PER_MS: Final = 8


class Sound:
    """A prompt, encoded once for all calls that play it."""

    def __init__(self, pcm: bytes) -> None:
        self._pcm = pcm
        self._codes: dict[Codec, bytes] = {}

    def codes(self, codec: Codec) -> bytes:
        """Return the prompt in one law."""
        if codec not in self._codes:
            self._codes[codec] = encode(np.frombuffer(self._pcm, np.int16), codec)
        return self._codes[codec]


class Sender:
    """Makes the packets of one call: silence, or the sound that plays."""

    def __init__(self) -> None:
        self.codec: Codec = "PCMA"
        self.sent = 0
        self.remote: tuple[str, int] | None = None
        self._payload_type = 8
        self._samples = COLUMN_SAMPLES
        self._silence = b""
        self._sequence = random.randrange(1 << 16)
        self._timestamp = random.randrange(1 << 32)
        self._ssrc = random.randrange(1 << 32)
        self._credit = 0
        self._marker = True
        self._sound: Sound | None = None
        self._loop = False
        self._offset = 0

    def connect(self, remote: RemoteMedia) -> None:
        """Send to `remote` from the next tick on."""
        first = self.remote is None
        self.remote = (remote.host, remote.port)
        self.codec = remote.codec
        self._payload_type = remote.payload_type
        ptime_ms = remote.ptime_ms if remote.ptime_ms in _PTIMES_MS else 20
        self._samples = ptime_ms * _SAMPLES_PER_MS
        if first:
            self._credit = self._samples
        self._silence = bytes([SILENCE[self.codec]]) * self._samples

    def play(self, sound: Sound, *, loop: bool) -> None:
        """Play from the next packet on."""
        self._sound, self._loop, self._offset = sound, loop, 0
        self._marker = True

    def stop(self) -> None:
        """Go back to silence."""
        self._sound = None

    def skip(self, ticks: int) -> None:
        """Let the stream's clock pass over ticks in which nothing was sent."""
        self._timestamp = (self._timestamp + ticks * COLUMN_SAMPLES) & 0xFFFFFFFF

    def due(self) -> int:
        """Return how many packets belong to this tick."""
        packets, self._credit = divmod(self._credit, self._samples)
        self._credit += COLUMN_SAMPLES
        return packets

    def packet(self) -> tuple[bytes, bytes, bool]:
        """Return (datagram, its payload, whether the sound ended with it)."""
        payload, ended = self._next()
        datagram = build(
            self._payload_type, self._sequence, self._timestamp, self._ssrc, payload, marker=self._marker
        )
        self._marker = False
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + self._samples) & 0xFFFFFFFF
        self.sent += 1
        return datagram, payload, ended

    def _next(self) -> tuple[bytes, bool]:
        if self._sound is None:
            return self._silence, False
        codes, start = self._sound.codes(self.codec), self._offset
        self._offset += self._samples
        payload = codes[start : self._offset]
        if self._loop and codes:
            while len(payload) < self._samples:
                payload += codes[: self._samples - len(payload)]
            self._offset = self._offset % len(codes)
            return payload, False
        if self._offset < len(codes):
            return payload, False
        self._sound = None
        return payload + self._silence[len(payload) :], True
