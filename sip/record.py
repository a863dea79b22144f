"""What a call yields: immutable facts, as they stand in the JSON of `dutyring call`.

The field names and meanings are those of the command line's contract (docs/reference/call-record.md). All
`*_ms` values are milliseconds since the first INVITE was handed to the kernel. `CallRecord.to_dict` gives
the JSON with three decimals.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = "dutyring.call/1"
AUDIO_SCHEMA = "dutyring.audio/1"

Outcome = Literal[
    "answered",
    "busy",
    "rejected",
    "no_answer",
    "unobtainable",
    "unreachable",
    "redirected",
    "cancelled",
    "network_failure",
]
AnsweredBy = Literal["human", "machine", "fax", "silence", "unknown"]
AnswerSource = Literal["signalling", "in_band"]
EndedBy = Literal["us", "them", "network"]
ThreeRing = Literal["within", "borderline", "exceeded", "not_applicable"]
RingSource = Literal["audio", "cadence"]
GapCause = Literal["lost", "more", "unwritten"]
"""Lost between two stretches that came; more of these than are listed, summed; not written: the disk was full."""
SegmentKind = Literal[
    "ringback",
    "busy",
    "congestion",
    "unobtainable",
    "dial_tone",
    "call_waiting",
    "howler",
    "fax_cng",
    "fax_ced",
    "beep",
    "music",
    "speech",
    "announcement",
    "noise",
    "silence",
]
EarlyMediaKind = Literal[
    "none",
    "ringback",
    "busy",
    "congestion",
    "unobtainable",
    "dial_tone",
    "call_waiting",
    "howler",
    "fax_cng",
    "fax_ced",
    "beep",
    "crbt",
    "announcement",
    "speech",
    "noise",
    "silence",
]
LineState = Literal[
    "powered_off",
    "unobtainable",
    "suspended",
    "in_call",
    "declined",
    "not_reachable",
    "service_paused",
    "busy",
    "wrong_prefix",
    "incoming_barred",
    "call_reminder",
    "forward_failed",
    "network_busy",
    "no_answer",
    "arrears",
    "cannot_answer",
    "number_changed",
    "line_fault",
    "redial_later",
    "own_line",
]
AnnouncementRoad = Literal["words", "sample", "tone", "signalling"]
"""How a meaning was found: words of a transcript, a marked sample heard again, a tone, SIP status or Q.850 cause."""
OtherMeaning = Literal["transfer", "mailbox", "assistant", "menu", "other"]
"""What an announcement may say beside a state of the line: it transfers (转接), or a machine speaks for the line."""
AnnouncementMeaning = LineState | OtherMeaning
EvidenceKind = Literal[
    "sip_181",
    "redirect",
    "history_info",
    "diversion",
    "redirection_number",
    "asserted_identity",
    "mobile_announcement",
    "transfer_announcement",
    "crbt",
    "ringback_restart",
    "late_ringing",
]
"""Signs of forwarding: of the signalling, of the sound, of the line's history."""
Grade = Literal["definitive", "near_proof", "strong", "medium", "weak", "none"]
GRADES: tuple[Grade, ...] = ("none", "weak", "medium", "strong", "near_proof", "definitive")
"""Weakest first."""


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst of ringback as heard."""

    start_ms: float
    end_ms: float
    frequency_hz: float
    level_dbm0: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the line with one kind of sound."""

    kind: SegmentKind
    start_ms: float
    end_ms: float
    confidence: float
    """0 to 1."""
    tone: str | None = None
    """Name of the tone in its tone plan, `cn.ringback`, `us.ringback`, `cn.toll_notice`; None where it is no tone."""
    measured: Mapping[str, float] | None = None
    """What the kind was told by, in the units of the names; None where nothing more was measured."""


@dataclass(frozen=True, slots=True)
class Rings:
    """Rings begun before the answer (响铃声数)."""

    count: int | None = None
    source: RingSource | None = None
    bursts: tuple[Burst, ...] = ()
    plan: str | None = None
    """Name of the tone plan that the ringback heard belongs to; another than ours hints at a private exchange or a
    foreign network. None where none was heard."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the network or a machine said, as one road understood it (提示音)."""

    meaning: AnnouncementMeaning
    road: AnnouncementRoad
    start_ms: float
    end_ms: float
    confidence: float
    """0 to 1."""
    detail: str
    """What proves it: the words that matched, the sample's name, the status or cause."""
    mobile: bool = False
    """Only a mobile network says this of a line."""


@dataclass(frozen=True, slots=True)
class LineVote:
    """How the announcements voted on `line_state`."""

    confidence: float
    """0 to 1; disagreement lowers it."""
    roads: tuple[AnnouncementRoad, ...]
    """The roads that agree with the state."""
    against: tuple[str, ...] = ()
    """What spoke for another state: `signalling: busy`."""


@dataclass(frozen=True, slots=True)
class AnswererSign:
    """One sign of who answered (谁接听)."""

    who: AnsweredBy
    grade: Grade
    t_ms: float
    detail: str


@dataclass(frozen=True, slots=True)
class LevelTrack:
    """The loudness of what was heard, for the picture of the call."""

    start_ms: float
    step_ms: float
    dbm0: tuple[int | None, ...]
    """The loudest 20 ms of each step; None where nothing came."""


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """What was heard before the answer."""

    kind: EarlyMediaKind = "none"
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class AfterAnswer:
    """What was heard after the answer."""

    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sign of forwarding (呼叫转移), with its strength."""

    kind: EvidenceKind
    grade: Grade
    t_ms: float
    detail: str


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Whether the call went elsewhere; `grade` is the strongest evidence."""

    detected: bool = False
    grade: Grade = "none"
    target: str | None = None
    target_class: Literal["mobile", "other_fixed", "same_unit", "unknown"] | None = None
    condition: Literal["always", "no_answer", "busy", "unknown"] | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened on the wire or in the phone."""

    t_ms: float
    event: str
    """`sent`, `received`, or a named occurrence such as `ring_started`, `answered`, `gave_up`."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Further JSON members: `method`, `status`, `reason`, `sdp`, `clock`, ..."""

    def to_dict(self) -> dict[str, Any]:
        """Return the flat JSON object."""
        return {"t_ms": self.t_ms, "event": self.event, **self.fields}


@dataclass(frozen=True, slots=True)
class MediaStatistics:
    """Counts of the call's RTP, both ways."""

    codec: str | None = None
    received: int = 0
    lost: int = 0
    late: int = 0
    jitter_ms: float | None = None
    sent: int = 0
    first_packet_ms: float | None = None
    duplicated: int = 0
    reordered: int = 0
    ignored: int = 0
    """Packets of other sources, other streams or of no known format."""


@dataclass(frozen=True, slots=True)
class DtmfDigit:
    """A digit received as an RFC 4733 event."""

    digit: str
    t_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a recording that is silent because its sound never came."""

    channel: Literal["us", "them"]
    start_ms: float
    end_ms: float
    why: GapCause
    silent_ms: float
    """How much of the stretch is silent: all of it, but for `more`."""


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A finished sound file of the call: left us, right them; its time 0 is `t_ms` 0."""

    path: str
    sha256: str
    duration_ms: float
    channels: int
    sample_rate: int
    gaps: tuple[Gap, ...] = ()
    """Silence of the file that stands for sound which did not come, in order."""


@dataclass(frozen=True, slots=True)
class TargetTry:
    """One destination that an attempt was sent to; a second one only where nothing but 100 came from the first."""

    trunk: str
    """Name of the trunk; `direct` where the URI itself was called."""
    uri: str
    """The request-URI."""
    destination: str
    """Address and port that the INVITE went to, and by which transport."""
    call_id: str
    started_at: str | None
    """ISO 8601 with offset; None where no INVITE left."""
    status: int | None
    """The final status, None where there was none."""
    error: str | None = None
    """What failed on the way there."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """The facts of one call. Immutable: verdicts are computed from it, never written into it."""

    target: str
    call_id: str
    started_at: str
    """ISO 8601 with offset."""
    clock_synchronised: bool | None
    outcome: Outcome
    answered_by: AnsweredBy | None = None
    answer_source: AnswerSource | None = None
    sip_status: int | None = None
    sip_reason: str | None = None
    q850: int | None = None
    post_dial_delay_ms: float | None = None
    ring_started_ms: float | None = None
    connected_ms: float | None = None
    answered_ms: float | None = None
    answered_window_ms: tuple[float, float] | None = None
    ended_ms: float = 0.0
    ended_by: EndedBy | None = None
    ring_to_answer_ms: float | None = None
    ring_to_answer_min_ms: float | None = None
    rings: Rings = field(default_factory=Rings)
    three_ring: ThreeRing = "not_applicable"
    near_limit: bool = False
    early_media: EarlyMedia = field(default_factory=EarlyMedia)
    after_answer: AfterAnswer = field(default_factory=AfterAnswer)
    line_state: LineState | None = None
    announcements: tuple[Announcement, ...] = ()
    """What was announced, one entry for each road that understood it; `line_state` is their vote."""
    line_state_vote: LineVote | None = None
    """How sure `line_state` is; None where that is None."""
    answerer: tuple[AnswererSign, ...] = ()
    """The signs that `answered_by` rests on."""
    level: LevelTrack | None = None
    forwarding: Forwarding = field(default_factory=Forwarding)
    timeline: tuple[TimelineEntry, ...] = ()
    media: MediaStatistics = field(default_factory=MediaStatistics)
    dtmf: tuple[DtmfDigit, ...] = ()
    transcript: Any = None
    recording: RecordingInfo | None = None
    errors: tuple[str, ...] = ()
    our_failure: bool = False
    """Our own side failed (exit status 3 of `dutyring call`); never a finding against a unit."""
    interrupted: bool = False
    """A process of ours died in mid-call: the facts stop there."""
    trunk: str | None = None
    """Name of the trunk that carried the call; None where no INVITE left."""
    targets: tuple[TargetTry, ...] = ()
    """Every destination tried, in order. The facts of the record are those of the last one."""
    alarms: tuple[str, ...] = ()
    """Codes of what was wrong on our own side (docs/reference/alarms.md); never a matter of the unit."""
    schema: str = SCHEMA

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the contract, floats rounded to three decimals."""
        plain = {
            f.name: [entry.to_dict() for entry in self.timeline]
            if f.name == "timeline"
            else _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)
            if f.name != "schema"
        }
        rounded: dict[str, Any] = {"schema": self.schema, **_rounded(plain)}
        return rounded


def to_json(value: Any) -> Any:
    """Return a part of a record as it stands in the JSON: objects and lists, floats rounded to three decimals."""
    return _rounded(_plain(value))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
