"""What one call sends: an RTP stream paced by the engine's tick."""

from __future__ import annotations

import random
from typing import Final

import numpy as np

from sip.media.g711 import SILENCE, encode
from sip.media.model import COLUMN_SAMPLES, Codec, RemoteMedia
from sip.media.rtp import HEADER

_PTIMES_MS: Final = (10, 20, 30, 40)
_SAMPLES_PER_MS: Final = 8
_NOWHERE: Final = ("0.0.0.0", "::")
"""An answer with one of these addresses, or with port 0, wants no packets (RFC 3264 sections 6 and 8.4)."""


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
        self._marker = 0x80
        self._sound: Sound | None = None
        self._codes = b""
        self._loop = False
        self._offset = 0

    def connect(self, remote: RemoteMedia) -> None:
        """Send to `remote` from the next tick on."""
        ptime_ms = remote.ptime_ms if remote.ptime_ms in _PTIMES_MS else 20
        self._samples = ptime_ms * _SAMPLES_PER_MS
        if self.remote is None:
            self._credit = self._samples - COLUMN_SAMPLES
        held = remote.port == 0 or remote.host in _NOWHERE
        self.remote = None if held else (remote.host, remote.port)
        self.codec = remote.codec
        self._payload_type = remote.payload_type
        self._silence = bytes([SILENCE[self.codec]]) * self._samples
        if self._sound is not None:
            self._codes = self._sound.codes(self.codec)

    def play(self, sound: Sound, *, loop: bool) -> None:
        """Play from the next packet on."""
        self._sound, self._loop, self._offset = sound, loop, 0
        self._codes = sound.codes(self.codec)
        self._marker = 0x80

    def stop(self) -> None:
        """Go back to silence."""
        self._sound = None

    def skip(self, ticks: int) -> None:
        """Let the stream's clock pass over ticks in which nothing was sent."""
        self._timestamp = (self._timestamp + ticks * COLUMN_SAMPLES) & 0xFFFFFFFF

    def due(self) -> int:
        """Return how many packets belong to this tick."""
        if self._samples == COLUMN_SAMPLES:
            return 1
        packets, self._credit = divmod(self._credit + COLUMN_SAMPLES, self._samples)
        return packets

    def packet(self) -> tuple[bytes, bytes, bool]:
        """Return (datagram, its payload, whether the sound ended with it)."""
        ended = False
        payload = self._silence
        if self._sound is not None:
            payload = self._codes[self._offset : self._offset + self._samples]
            self._offset += self._samples
            if self._offset >= len(self._codes):
                payload, ended = self._turn(payload)
        head = HEADER.pack(
            0x80, self._payload_type | self._marker, self._sequence, self._timestamp, self._ssrc
        )
        self._marker = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + self._samples) & 0xFFFFFFFF
        self.sent += 1
        return head + payload, payload, ended

    def _turn(self, payload: bytes) -> tuple[bytes, bool]:
        """Complete the packet in which the sound ends or begins anew."""
        if not self._loop:
            self._sound = None
            return payload + self._silence[len(payload) :], True
        while len(payload) < self._samples:
            payload += self._codes[: self._samples - len(payload)]
        self._offset %= len(self._codes)
        return payload, False
