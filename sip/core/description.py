"""Reading session descriptions (RFC 4566), for one stream of telephone audio.

`parse_sdp` accepts what gateways really send: bare line feeds, unknown lines, several media, missing `rtpmap`
of static payload types. It never raises; what could not be read is an absent value and a note.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .sdes import CryptoLine, parse_crypto
from .types import Address

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
MIRROR: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
"""The direction of the answer to an offered direction (RFC 3264 section 6.1)."""

STATIC_PAYLOAD_TYPES = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    13: ("CN", 8000),
    15: ("G728", 8000),
    18: ("G729", 8000),
}
"""RFC 3551 table 4."""


@dataclass(frozen=True, slots=True)
class PayloadType:
    """One format of the media line."""

    number: int
    encoding: str
    """Upper case, such as `PCMA`; "" if the format is not described."""
    clock_hz: int
    parameters: str = ""
    """The value of `a=fmtp`."""


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """The audio stream of one session description."""

    address: Address | None
    """Where the describing side wants its RTP; None without a usable audio line."""
    direction: Direction
    """As seen from the describing side."""
    payload_types: tuple[PayloadType, ...]
    """In order of preference."""
    ptime_ms: float | None = None
    maxptime_ms: float | None = None
    origin: str = ""
    """The value of the `o=` line."""
    rejected: bool = False
    """The audio line has port 0."""
    media_count: int = 0
    """How many media lines there are; an answer has as many."""
    media_lines: tuple[str, ...] = ()
    """The values of the `m=` lines, in order."""
    audio_index: int = -1
    """Which of them is described here; -1 for none."""
    profile: str = ""
    """The transport protocol of the audio line, upper case, such as `RTP/AVP`."""
    crypto: tuple[CryptoLine, ...] = ()
    """The usable `a=crypto` lines, in order."""
    fingerprint: bool = False
    """Whether the describing side has an `a=fingerprint`: keys by DTLS (RFC 5763)."""
    rtcp: Address | None = None
    """Where it wants RTCP (`a=rtcp`, RFC 3605); None: the next higher port."""
    rtcp_mux: bool = False
    """Whether it would take RTCP on the port of RTP (RFC 5761)."""
    notes: tuple[str, ...] = ()
    """What could not be read or used."""
    raw: bytes = field(default=b"", repr=False)
    """The body as it came; it may hold keys."""

    @property
    def telephone_event(self) -> int | None:
        """The payload type of RFC 4733 events at 8 kHz, None if not offered."""
        for payload_type in self.payload_types:
            if payload_type.encoding == "TELEPHONE-EVENT" and payload_type.clock_hz == 8000:
                return payload_type.number
        return None

    @property
    def on_hold(self) -> bool:
        """Whether the describing side does not want to hear us (or gave the address 0.0.0.0 of RFC 2543)."""
        held = self.direction in ("sendonly", "inactive")
        return held or (self.address is not None and self.address.host in ("0.0.0.0", "::"))


LONGEST_DESCRIPTION = 16 << 10
"""Bytes of a description that are read; those of telephones have 3,000 at most, those of browsers 8,000."""
MOST_CHOICES = 4
"""Media lines among which one is chosen: each is a reading of the whole, so that thousands would take minutes."""


def parse_sdp(body: bytes) -> SessionDescription:
    """Read a session description; never raises."""
    return _Reader(body).read()


def audio_choices(description: SessionDescription) -> list[SessionDescription]:
    """Return the description once for each audio line that is not refused: some offer SRTP and RTP side by side."""
    if description.media_count < 2:
        return [description]
    others = (_Reader(description.raw).read(index) for index in _first_audio(description))
    found = [other for other in others if other.audio_index >= 0 and not other.rejected]
    return [description if other.audio_index == description.audio_index else other for other in found]


def _first_audio(description: SessionDescription) -> list[int]:
    lines = enumerate(description.media_lines)
    return [index for index, line in lines if line.lower().startswith("audio")][:MOST_CHOICES]


class _Media:
    """The lines of one media section, as far as they matter."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.host: str | None = None
        self.direction: Direction | None = None
        self.maps: dict[int, tuple[str, int]] = {}
        self.parameters: dict[int, str] = {}
        self.ptime_ms: float | None = None
        self.maxptime_ms: float | None = None
        self.crypto: list[CryptoLine] = []
        self.fingerprint = False
        self.rtcp: tuple[str, int] | None = None
        """Host, "" for that of the audio, and port."""
        self.rtcp_mux = False

    @property
    def is_audio(self) -> bool:
        words = self.line.split()
        return len(words) >= 2 and words[0].lower() == "audio"


class _Reader:
    """Reads one body line by line."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.origin = ""
        self.session = _Media("")
        self.media: list[_Media] = []
        self.notes: list[str] = []

    def read(self, index: int | None = None) -> SessionDescription:
        """Describe the media line of that number, which must be audio, or the first audio line in use."""
        if len(self.body) > LONGEST_DESCRIPTION:
            self.notes.append(f"the description is longer than {LONGEST_DESCRIPTION} bytes")
        read = self.body[:LONGEST_DESCRIPTION].decode("utf-8", "replace")
        for line in read.replace("\r", "\n").split("\n"):
            kind, equals, value = line.strip().partition("=")
            if equals:
                self._line(kind.strip(), value.strip())
        if index is None:
            index = self._audio_index()
        return self._result(index if index >= 0 and self.media[index].is_audio else -1)

    def _line(self, kind: str, value: str) -> None:
        here = self.media[-1] if self.media else self.session
        if kind == "o":
            self.origin = value
        elif kind == "m":
            self.media.append(_Media(value))
        elif kind == "c":
            words = value.split()
            if len(words) >= 3:
                here.host = words[2].partition("/")[0]
            else:
                self.notes.append("c= line cannot be read")
        elif kind == "a":
            self._attribute(here, value)

    def _attribute(self, here: _Media, value: str) -> None:
        name, _, content = value.partition(":")
        name = name.strip().lower()
        if name in MIRROR:
            here.direction = name
        elif name == "rtpmap":
            self._map(here, content)
        elif name == "fmtp":
            number, _, parameters = content.strip().partition(" ")
            if (known := _integer(number)) is not None:
                here.parameters[known] = parameters.strip()
        elif name in ("ptime", "maxptime"):
            setattr(here, f"{name}_ms", self._length(name, content))
        else:
            self._keys_or_rtcp(here, name, content)

    def _keys_or_rtcp(self, here: _Media, name: str, content: str) -> None:
        if name == "crypto":
            line = parse_crypto(content)
            if isinstance(line, CryptoLine):
                here.crypto.append(line)
            else:
                self.notes.append(line)
        elif name == "fingerprint":
            here.fingerprint = True
        elif name == "rtcp-mux":
            here.rtcp_mux = True
        elif name == "rtcp":
            words = content.split()
            port = _integer(words[0]) if words else None
            if port is None or not 0 < port < 65536:
                self.notes.append("a=rtcp cannot be read")
            else:
                here.rtcp = (words[3] if len(words) > 3 else "", port)

    def _map(self, here: _Media, content: str) -> None:
        number, _, rest = content.strip().partition(" ")
        encoding, _, clock = rest.strip().partition("/")
        known, clock_hz = _integer(number), _integer(clock.partition("/")[0])
        if known is None or not encoding:
            self.notes.append("a=rtpmap cannot be read")
        else:
            here.maps[known] = (encoding.strip().upper(), clock_hz or 8000)

    def _length(self, name: str, content: str) -> float | None:
        try:
            length_ms = float(content)
        except ValueError:
            length_ms = 0.0
        if 1.0 <= length_ms <= 1000.0:
            return length_ms
        self.notes.append(f"a={name} cannot be read")
        return None

    def _result(self, index: int) -> SessionDescription:
        audio = self.media[index] if index >= 0 else _Media("")
        words = audio.line.split()
        port = _integer(words[1].partition("/")[0]) if len(words) > 1 else None
        if index >= 0 and (port is None or port > 65535):
            self.notes.append("the port of the audio line cannot be read")
            port = None
        host = audio.host or self.session.host
        return SessionDescription(
            address=Address(host, port) if host and port else None,
            direction=audio.direction or self.session.direction or "sendrecv",
            payload_types=self._payload_types(audio, words[3:]),
            ptime_ms=audio.ptime_ms or self.session.ptime_ms,
            maxptime_ms=audio.maxptime_ms or self.session.maxptime_ms,
            origin=self.origin,
            rejected=port == 0,
            media_count=len(self.media),
            media_lines=tuple(media.line for media in self.media),
            audio_index=index,
            profile=words[2].upper() if len(words) > 2 else "",
            crypto=tuple(audio.crypto),
            fingerprint=audio.fingerprint or self.session.fingerprint,
            rtcp=Address(audio.rtcp[0] or host, audio.rtcp[1]) if audio.rtcp and host else None,
            rtcp_mux=audio.rtcp_mux,
            notes=tuple(self.notes),
            raw=self.body,
        )

    def _audio_index(self) -> int:
        candidates = [n for n, media in enumerate(self.media) if media.is_audio]
        for n in candidates:
            if _integer(self.media[n].line.split()[1].partition("/")[0]):
                return n
        return candidates[0] if candidates else -1

    def _payload_types(self, audio: _Media, numbers: list[str]) -> tuple[PayloadType, ...]:
        found = []
        for text in numbers:
            number = _integer(text)
            if number is None or number > 127:
                self.notes.append(f"payload type {text[:8]!r} cannot be read")
                continue
            encoding, clock_hz = audio.maps.get(number) or STATIC_PAYLOAD_TYPES.get(number) or ("", 0)
            found.append(PayloadType(number, encoding, clock_hz, audio.parameters.get(number, "")))
        return tuple(found)


def _integer(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
