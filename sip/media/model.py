"""The words that the media engine and its users exchange: what to open, whom to send to, and what was heard.

All `*_ms` are milliseconds since the call's time 0 (see `MediaSession.begin`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

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
    """First and last UDP port that may be bound (even ones are taken); None: any free one."""


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
    """[columns]; False where nothing arrived: before the stream, after it, or because packets were lost."""


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
class CaptureFailed:
    """The writer cannot keep this call's sound; the call itself goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The engine or its writer died; nothing more is heard, sent or kept."""

    reason: str


MediaEvent: TypeAlias = FirstPacket | HeardBlock | DtmfReceived | PlayFinished | CaptureFailed | MediaLost


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
    lost: str | None = None
    """Why the counts are missing: the engine or the writer died before the session was closed."""
