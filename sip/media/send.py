"""What one call sends: an RTP stream paced by the engine's tick."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sip.media.digits import DigitSender, Step
from sip.media.g711 import SILENCE, encode
from sip.media.model import COLUMN_SAMPLES, Address, Codec, RemoteMedia
from sip.media.rtcp import Sent
from sip.media.rtp import HEADER

_PTIMES_MS: Final = (10, 20, 30, 40)
_SAMPLES_PER_MS: Final = 8
_NOWHERE: Final = ("0.0.0.0", "::")
"""An answer with one of these addresses, or with port 0, wants no packets (RFC 3264 sections 6 and 8.4)."""


class Track:
    """A sound as packets of 20 ms are cut from it: element i of `strips` is what begins at sample i."""

    def __init__(self, codes: bytes, *, loop: bool) -> None:
        self.samples = len(codes)
        self.loop = loop
        whole = codes + codes[:COLUMN_SAMPLES] if loop else codes
        while len(whole) < self.samples + COLUMN_SAMPLES:
            whole += codes if loop else bytes(COLUMN_SAMPLES)
        kind = np.dtype((np.void, COLUMN_SAMPLES))
        self.strips: npt.NDArray[np.void] = np.ndarray((self.samples,), kind, whole, 0, (1,))


class Sound:
    """A prompt, encoded once for all calls that play it."""

    def __init__(self, pcm: bytes) -> None:
        self._pcm = pcm
        self._codes: dict[Codec, bytes] = {}
        self._tracks: dict[tuple[Codec, bool], Track] = {}

    def track(self, codec: Codec, *, loop: bool) -> Track:
        """Return the prompt in one law for the packets of many calls."""
        key = (codec, loop)
        if key not in self._tracks:
            self._tracks[key] = Track(self.codes(codec), loop=loop)
        return self._tracks[key]

    def codes(self, codec: Codec) -> bytes:
        """Return the prompt in one law."""
        if codec not in self._codes:
            self._codes[codec] = encode(np.frombuffer(self._pcm, np.int16), codec)
        return self._codes[codec]


class Regular(NamedTuple):
    """A stream of packets of 20 ms, each of which follows from the one before."""

    payload_type: int
    sequence: int
    """Of the next packet, as the timestamp and the offset."""
    timestamp: int
    ssrc: int
    silence: bytes
    """The payload while nothing plays."""
    track: Track | None
    """What plays; None: silence."""
    offset: int
    """Sample of the track."""


class Sender:
    """Makes the packets of one call: silence, the sound that plays, or digits (the sound waits for them)."""

    def __init__(self) -> None:
        self.codec: Codec = "PCMA"
        self.sent = 0
        self.octets = 0
        """Payload sent, for our reports."""
        self.remote: Address | None = None
        self.digits = DigitSender()
        self._payload_type = 8
        self._samples = COLUMN_SAMPLES
        self._silence = b""
        self._sequence = random.randrange(1 << 15)
        """In the lower half, so that no loss at the beginning hides a wrap from SRTP (RFC 3711 section 3.3.1)."""
        self._timestamp = random.randrange(1 << 32)
        self.ssrc = random.randrange(1 << 32)
        self._credit = 0
        self._marker = 0x80
        self._event_type: int | None = None
        self._event_head = (0, 0)
        """Payload type and timestamp of the digit that is being sent."""
        self._sound: Sound | None = None
        self._codes = b""
        self._loop = False
        self._offset = 0

    def connect(self, remote: RemoteMedia) -> None:
        """Send to `remote` from the next tick on."""
        ptime_ms = remote.ptime_ms if remote.ptime_ms in _PTIMES_MS else 20
        samples_before, self._samples = self._samples, ptime_ms * _SAMPLES_PER_MS
        # What was sent ahead of its time stays so: the stream neither jumps nor drifts.
        self._credit += self._samples - samples_before
        held = remote.port == 0 or remote.host in _NOWHERE or not remote.wants_sound
        self.remote = None if held else (remote.host, remote.port)
        self.codec = remote.codec
        self._payload_type = remote.payload_type
        self._event_type = remote.telephone_event_pt
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

    def redirect(self, address: Address) -> None:
        """Send to another address than the one of the SDP, unless nothing is to be sent."""
        if self.remote is not None:
            self.remote = address

    @property
    def packet_ms(self) -> int:
        """The length of our packets."""
        return self._samples // _SAMPLES_PER_MS

    def summary(self) -> Sent:
        """Return what a report says of the stream right after a tick."""
        return Sent(self.ssrc, self._timestamp - self._samples & 0xFFFFFFFF, self.sent, self.octets)

    def regular(self) -> Regular | None:
        """Return the stream when its next packets can be made elsewhere (see `sip.media.outlet`); else None."""
        if self._samples != COLUMN_SAMPLES or self._credit or self._marker or self.digits.busy:
            return None
        if self.remote is None:
            return None
        track = None if self._sound is None else self._sound.track(self.codec, loop=self._loop)
        return Regular(
            self._payload_type,
            self._sequence,
            self._timestamp,
            self.ssrc,
            self._silence,
            track,
            self._offset,
        )

    def resume(self, packets: int, offset: int) -> None:
        """Go on after some packets that were made elsewhere; the sound that plays has come to `offset`."""
        self._sequence = (self._sequence + packets) & 0xFFFF
        self._timestamp = (self._timestamp + packets * COLUMN_SAMPLES) & 0xFFFFFFFF
        self.sent += packets
        self.octets += packets * COLUMN_SAMPLES
        self._offset = offset

    def due(self) -> int:
        """Return how many packets belong to this tick."""
        if self._samples == COLUMN_SAMPLES and not self._credit:
            return 1
        credit = self._credit + COLUMN_SAMPLES
        packets = max(0, credit // self._samples)
        self._credit = credit - packets * self._samples
        return packets

    def digit_packet(self) -> tuple[bytes, bytes, Step]:
        """Return (datagram, its sound, what it is) while digits are being sent."""
        step = self.digits.step(self._samples, self.codec, events=self._event_type is not None)
        sound = step.sound or self._silence
        if step.event is None:
            return self._packet(sound), sound, step
        if step.begins:
            self._event_head = (self._event_type or 0, self._timestamp)
        payload_type, timestamp = self._event_head
        marker = 0x80 if step.begins else 0
        head = HEADER.pack(0x80, payload_type | marker, self._sequence, timestamp, self.ssrc)
        self._advance(len(step.event))
        self._marker = 0x80  # the sound begins anew after it
        return head + step.event, sound, step

    def packet(self) -> tuple[bytes, bytes, bool]:
        """Return (datagram, its payload, whether the sound ended with it)."""
        ended = False
        payload = self._silence
        if self._sound is not None:
            payload = self._codes[self._offset : self._offset + self._samples]
            self._offset += self._samples
            if self._offset >= len(self._codes):
                payload, ended = self._turn(payload)
        # The same as `_packet`, without two calls for every packet of every call.
        head = HEADER.pack(
            0x80, self._payload_type | self._marker, self._sequence, self._timestamp, self.ssrc
        )
        self._marker = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + self._samples) & 0xFFFFFFFF
        self.sent += 1
        self.octets += self._samples
        return head + payload, payload, ended

    def _packet(self, payload: bytes) -> bytes:
        """Return the datagram of the next packet of sound."""
        head = HEADER.pack(
            0x80, self._payload_type | self._marker, self._sequence, self._timestamp, self.ssrc
        )
        self._marker = 0
        self._advance(len(payload))
        return head + payload

    def _advance(self, octets: int) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + self._samples) & 0xFFFFFFFF
        self.sent += 1
        self.octets += octets

    def _turn(self, payload: bytes) -> tuple[bytes, bool]:
        """Complete the packet in which the sound ends or begins anew."""
        if not self._loop:
            self._sound = None
            return payload + self._silence[len(payload) :], True
        while len(payload) < self._samples:
            payload += self._codes[: self._samples - len(payload)]
        self._offset %= len(self._codes)
        return payload, False
