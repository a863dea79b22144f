"""The words that the media engine and its users exchange: what to open, whom to send to, and what was heard.

All `*_ms` are milliseconds since the call's time 0 (see `MediaSession.begin`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from sip.record import DtmfDigit, MediaStatistics

Codec: TypeAlias = Literal["PCMA", "PCMU"]
PayloadFormat: TypeAlias = Literal["PCMA", "PCMU", "CN", "telephone-event"]
Address: TypeAlias = tuple[str, int]

SAMPLE_RATE_HZ = 8000
"""G.711 and its RTP clock (RFC 3551 section 4.5.14)."""
COLUMN_MS = 20
"""The tick of the engine, and the length of one column of features."""
COLUMN_SAMPLES = SAMPLE_RATE_HZ * COLUMN_MS // 1000

SrtpSuite: TypeAlias = Literal["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]
SRTP_KEY_BYTES = 30
"""Master key (16) and master salt (14) of both suites (RFC 4568 section 6.2)."""
EXPEDITED_FORWARDING = 46
"""The DSCP of telephone sound (EF, RFC 3246; RFC 4594 section 4.1)."""

DEFAULT_FORMATS: Mapping[int, PayloadFormat] = {0: "PCMU", 8: "PCMA", 13: "CN", 101: "telephone-event"}
"""Payload types understood before any SDP came: the static ones of RFC 3551, and 101 as we offer it."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What `MediaEngine.open` needs to know of a call."""

    bind_host: str
    capture: Path | None = None
    """Where the writer keeps the raw sound of both sides; None records nothing."""
    analyse: bool = True
    """Whether features of what is heard come back as `HeardBlock`s."""
    port_range: tuple[int, int] | None = None
    """First and last UDP port that may be bound: RTP takes an even one and RTCP the odd one behind it (RFC 3550
    section 11). None: any free pair."""
    dscp: int = EXPEDITED_FORWARDING
    """The mark of our packets for the network (0 to 63), RTCP too. Where it cannot be set the call goes on without."""
    packets: Path | None = None
    """Where the writer logs every RTP and RTCP packet, see `read_packets`; None logs nothing."""


@dataclass(frozen=True, slots=True)
class SrtpPolicy:
    """The keys of one SDES exchange (RFC 4568): ours from our `a=crypto`, theirs from the one of the far side.

    Each key is the 30 bytes of master key and master salt, as they stand in base64 behind `inline:`. The keys
    are never shown. `ValueError` when a key has another length or the suite is unknown.
    """

    suite: SrtpSuite
    send_key: bytes = field(repr=False)
    receive_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.suite not in get_args(SrtpSuite):
            raise ValueError(
                f"unknown SRTP suite {self.suite!r}: {' or '.join(get_args(SrtpSuite))} are known"
            )
        for name, key in (("send", self.send_key), ("receive", self.receive_key)):
            if len(key) != SRTP_KEY_BYTES:
                raise ValueError(f"the SRTP {name} key has {len(key)} bytes instead of {SRTP_KEY_BYTES}")


@dataclass(frozen=True, slots=True)
class RemoteMedia:
    """The far side of a call, as its SDP names it."""

    host: str
    """A numeric address."""
    port: int
    payload_type: int = 8
    codec: Codec = "PCMA"
    ptime_ms: int = 20
    """Length of our packets: 10, 20, 30 or 40; anything else is sent as 20."""
    telephone_event_pt: int | None = None
    final: bool = False
    """True from the dialog that was answered: from then on only its stream is heard."""
    dialog: str = ""
    """The To-tag of the dialog whose SDP this is: all addresses that the answered dialog named stay its own.
    Without a tag every address counts as a dialog of its own."""
    receive: Mapping[int, PayloadFormat] = field(default_factory=dict)
    """Payload types that we announced, beside the static ones, `payload_type` and `telephone_event_pt`."""
    srtp: SrtpPolicy | None = None
    """What sound is encrypted with, both ways; then nothing unencrypted is taken. None: plain RTP."""
    rtcp: Address | None = None
    """Where RTCP goes and comes from (`a=rtcp`, RFC 3605), a numeric address; None: the next higher port."""
    rtcp_mux: bool = False
    """Whether RTCP shares the port of RTP, when both sides said `a=rtcp-mux` (RFC 5761)."""
    wants_sound: bool = True
    """False while the far side holds the call (`sendonly`, `inactive`): then nothing is sent (RFC 3264 section 8.4)."""
    latch: bool = True
    """Whether sound may come from another address when none comes from this one (a far side behind NAT)."""

    def formats(self) -> dict[int, PayloadFormat]:
        """Return every payload type that may arrive, with its format."""
        known: dict[int, PayloadFormat] = {**DEFAULT_FORMATS, self.payload_type: self.codec}
        if self.telephone_event_pt is not None:
            known[self.telephone_event_pt] = "telephone-event"
        return {**known, **self.receive}


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """The first admitted RTP packet of the call arrived (kernel time)."""

    at_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class HeardBlock:
    """Some columns of what is heard; the blocks of one call follow each other without a gap."""

    start_ms: float
    features: npt.NDArray[np.float32]
    """[columns, features of sip.progress]; one column is 20 ms."""
    present: npt.NDArray[np.bool_]
    """[columns, quarters of 5 ms]; False where nothing arrived: before the stream, after it, or because packets were
    lost. A packet seldom begins where a column does, so that a lost one is missing in parts of two."""


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    """An RFC 4733 digit ended."""

    digit: str
    t_ms: float
    """Its beginning."""
    duration_ms: float


@dataclass(frozen=True, slots=True)
class PlayFinished:
    """The last sample of what `play` was given has been sent."""

    t_ms: float


@dataclass(frozen=True, slots=True)
class DigitsSent:
    """All digits of one `send_digits` have been sent."""

    t_ms: float
    """The end of the last digit's tone."""
    began_ms: float = 0.0
    """The beginning of the first one's."""


@dataclass(frozen=True, slots=True)
class PacketLogFailed:
    """The writer cannot keep this call's packets; call and recording go on."""

    reason: str


@dataclass(frozen=True, slots=True)
class CaptureFailed:
    """The writer cannot keep this call's sound; the call itself goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The engine or its writer died; nothing more is heard, sent or kept."""

    reason: str


MediaEvent: TypeAlias = (
    FirstPacket
    | HeardBlock
    | DtmfReceived
    | PlayFinished
    | DigitsSent
    | CaptureFailed
    | PacketLogFailed
    | MediaLost
)


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """How the engine keeps up, over its last ticks (80 s of them)."""

    ticks: int
    sessions: int
    tick_ms_p50: float
    """The work of one tick, of the 20 ms there are."""
    tick_ms_p99: float
    wake_ms_p99: float
    """How long after its time a tick began."""
    blocks_dropped: int
    """Feature blocks that the parent did not take in time."""
    bank_ms_p99: float = 0.0
    """The part of `tick_ms_p99` that computing features may take: the work of the bank in one tick."""


ALWAYS: Final = 16
"""So few calls are always tried: what makes their ticks long is no load of theirs."""

Limit: TypeAlias = Literal["tick", "sockets", "capacity", "behind"]


@dataclass(frozen=True, slots=True)
class CapacityEstimate:
    """How many calls this machine carries at once, and what limits that (see `sip.media.admission`)."""

    calls: int
    """At once, those under way included."""
    limited_by: Limit
    """`tick`: the time that calls take of the 20 ms of a tick. `behind`: ticks take too long already, or messages wait
    too long to be read, so that nothing more is taken. `sockets`: the files that the process may open. `capacity`: what
    `MediaEngine.start` was told."""
    tick_ms: float
    """What a tick takes in nine of ten, lately."""
    talking: int
    """Calls that did talk in these ticks; 0: the estimate is of what was tried when the engine started."""
    per_call_us: float
    """What a call takes of each tick."""
    sessions: int = 0
    """Calls that are open."""
    tick_ms_p99: float = 0.0
    """What the longest ticks of the last 5 s took (99th percentile)."""
    waits_s: float = 0.0
    """How long SIP messages, or what the engine says, have waited lately until they were read; 0: not for too long."""

    @property
    def full(self) -> bool:
        """Whether another call is refused."""
        return self.sessions >= self.calls

    @property
    def worth_having(self) -> int:
        """How many calls may be under way before no other is begun.

        A machine that is behind gets none beside those that are open, except the few that are always tried: on a
        machine that something else keeps busy checks would never be made otherwise.
        """
        return min(self.calls, max(self.sessions, ALWAYS)) if self.limited_by == "behind" else self.calls

    def __str__(self) -> str:
        """Say it in a sentence, for people and errors."""
        if self.limited_by == "capacity":
            held = f"the media engine holds {self.sessions} calls already, which is its capacity"
            return held if self.full else f"the media engine takes {self.calls} calls at once"
        if self.limited_by == "sockets":
            return (
                f"this machine carries {self.calls} calls at once: each takes two sockets, and the limit of "
                "open files (RLIMIT_NOFILE) allows no more"
            )
        takes = (
            f"a tick of the media engine takes {self.tick_ms:.1f} of {COLUMN_MS} ms with {self.talking} calls"
        )
        if self.waits_s:
            takes = f"messages wait {self.waits_s:.1f} s until they are read"
        if self.limited_by == "behind":
            return f"this machine does not keep up and takes no more calls for now: {takes}"
        if not self.talking:
            takes = f"a call takes {self.per_call_us:.1f} µs of the {COLUMN_MS} ms of each tick, as tried beforehand"
        return f"this machine carries about {self.calls} calls at once: {takes}"


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What a closed session leaves behind."""

    statistics: MediaStatistics = field(default_factory=MediaStatistics)
    dtmf: tuple[DtmfDigit, ...] = ()
    send_errors: int = 0
    """Packets that the kernel refused (for instance after an ICMP port unreachable)."""
    malformed: int = 0
    """Datagrams that were neither RTP nor RTCP; also part of `statistics.ignored`."""
    dropped_by_kernel: int = 0
    """Datagrams lost in our own socket buffer (SO_RXQ_OVFL)."""
    srtp_failures: int = 0
    """Packets from an address of the call that were not encrypted with its key; also part of
    `statistics.ignored`."""
    rejected_sources: int = 0
    """Addresses whose packets were refused because they are neither negotiated nor latched (64 are told apart).
    Once the kernel filters for us, it refuses them without telling."""
    latched: Address | None = None
    """The address that was heard in place of the negotiated one."""
    last_packet_ms: float | None = None
    """The last packet that was used; with `longest_gap_ms` it tells sound that goes one way only."""
    longest_gap_ms: float | None = None
    """The longest time after the answer (the first final `connect`) without any packet, up to the end of the
    call; a silence that the far side announced (comfort noise) does not count. None without an answer."""
    rtcp_received: int = 0
    """Reports of the far side that were used."""
    remote_lost: int | None = None
    """Our packets that the far side missed (RFC 3550 section 6.4.1); None while it told nothing."""
    remote_jitter_ms: float | None = None
    """The jitter of our packets, as the far side last told it."""
    round_trip_ms: float | None = None
    """The last time measured from our report to their answer, without their delay (RFC 3550 section 6.4.1)."""
    packets_unlogged: int = 0
    """Packets that are missing in the log of packets because the disk was too slow."""
    lost: str | None = None
    """Why the counts are missing: the engine or the writer died before the session was closed."""
