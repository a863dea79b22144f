"""Session descriptions (RFC 4566, offer and answer of RFC 3264), for one stream of telephone audio.

`parse_sdp` accepts what gateways really send: bare line feeds, unknown lines, several media, missing `rtpmap`
of static payload types. It never raises; what could not be read is an absent value and a note.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

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

CODECS = ("PCMA", "PCMU")
"""What we speak, the preferred first."""
_NUMBERS = {"PCMA": 8, "PCMU": 0}
PTIME_MS = 20
TELEPHONE_EVENT = 101


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
    notes: tuple[str, ...] = ()
    """What could not be read."""
    raw: bytes = b""

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


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the two descriptions agree on."""

    remote: Address
    """Where our RTP goes."""
    payload_type: int
    """The payload type that we send."""
    codec: str
    """`PCMA` or `PCMU`."""
    ptime_ms: float
    """The length of the packets that we send."""
    telephone_event: int | None
    """The payload type of DTMF events, None if there are none."""
    direction: Direction
    """As seen from us."""


def parse_sdp(body: bytes) -> SessionDescription:
    """Read a session description; never raises."""
    return _Reader(body).read()


def build_offer(
    address: Address,
    session_id: int,
    version: int = 1,
    codecs: tuple[str, ...] = CODECS,
    ptime_ms: int = PTIME_MS,
    direction: Direction = "sendrecv",
) -> bytes:
    """Return an offer of G.711 and telephone events for the RTP address."""
    formats = [PayloadType(_NUMBERS[codec], codec, 8000) for codec in codecs]
    formats.append(PayloadType(TELEPHONE_EVENT, "telephone-event", 8000, "0-15"))
    audio = _audio_lines(address.port, formats, direction, ptime_ms)
    return _compose(address, session_id, version, [audio])


def build_answer(
    offer: SessionDescription,
    address: Address,
    session_id: int,
    version: int = 1,
    codecs: tuple[str, ...] = CODECS,
    ptime_ms: int | None = None,
    direction: Direction | None = None,
) -> bytes | None:
    """Return the answer to an offer, or None when there is no common codec (488).

    The answer keeps the offer's payload type numbers and order, refuses further media with port 0, and
    mirrors the direction.
    """
    common = [p for p in offer.payload_types if p.encoding in codecs and p.clock_hz == 8000]
    if offer.audio_index < 0 or not common:
        return None
    formats = [common[0]]
    event = offer.telephone_event
    if event is not None:
        formats.append(PayloadType(event, "telephone-event", 8000, "0-15"))
    port = 0 if offer.rejected else address.port
    way = direction or MIRROR[offer.direction]
    audio = _audio_lines(port, formats, way, ptime_ms or offer.ptime_ms or PTIME_MS)
    media = [
        audio if n == offer.audio_index else [_refusal(line)] for n, line in enumerate(offer.media_lines)
    ]
    return _compose(address, session_id, version, media)


def negotiate(
    remote: SessionDescription | None, codecs: tuple[str, ...] = CODECS, ptime_ms: float | None = None
) -> Negotiated | None:
    """Return what we send to the side that described itself as `remote`, or None if there is nothing common.

    Their order of preference decides the codec, their `ptime` the packet length unless `ptime_ms` overrides
    it.
    """
    if remote is None or remote.address is None or remote.rejected:
        return None
    for payload_type in remote.payload_types:
        if payload_type.encoding in codecs and payload_type.clock_hz == 8000:
            length_ms = ptime_ms or remote.ptime_ms or PTIME_MS
            if remote.maxptime_ms is not None:
                length_ms = min(length_ms, remote.maxptime_ms)
            return Negotiated(
                remote=remote.address,
                payload_type=payload_type.number,
                codec=payload_type.encoding,
                ptime_ms=length_ms,
                telephone_event=remote.telephone_event,
                direction=MIRROR[remote.direction],
            )
    return None


def with_direction(description: SessionDescription, direction: Direction) -> SessionDescription:
    """Return the description with another direction."""
    return replace(description, direction=direction)


def _audio_lines(port: int, formats: list[PayloadType], direction: Direction, ptime_ms: float) -> list[str]:
    lines = [f"m=audio {port} RTP/AVP {' '.join(str(f.number) for f in formats)}"]
    for entry in formats:
        lines.append(f"a=rtpmap:{entry.number} {entry.encoding}/{entry.clock_hz}")
        if entry.encoding == "telephone-event":
            lines.append(f"a=fmtp:{entry.number} {entry.parameters or '0-15'}")
    lines += [f"a=ptime:{ptime_ms:g}", f"a={direction}"]
    return lines


def _refusal(media_line: str) -> str:
    words = media_line.split()
    return "m=" + " ".join([words[0], "0", *words[2:]]) if len(words) > 3 else "m=audio 0 RTP/AVP 0"


def _compose(address: Address, session_id: int, version: int, media: list[list[str]]) -> bytes:
    family = "IP6" if ":" in address.host else "IP4"
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN {family} {address.host}",
        "s=-",
        f"c=IN {family} {address.host}",
        "t=0 0",
    ]
    for section in media:
        lines += section
    return ("\r\n".join(lines) + "\r\n").encode()


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

    def read(self) -> SessionDescription:
        for line in self.body.decode("utf-8", "replace").replace("\r", "\n").split("\n"):
            kind, equals, value = line.strip().partition("=")
            if equals:
                self._line(kind.strip(), value.strip())
        return self._result()

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

    def _result(self) -> SessionDescription:
        index = self._audio_index()
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
