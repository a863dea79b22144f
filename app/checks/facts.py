"""A typed view of stored call facts: what the verdict reads of a call record's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from app.checks.wording import TONES
from sip.record import GRADES, AnsweredBy, EarlyMediaKind, EndedBy, Grade, LineState, Outcome, SegmentKind
from sip.trunks import AlarmKind


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of forwarding."""

    kind: str
    grade: Grade
    t_ms: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Sound:
    """One stretch of sound."""

    kind: SegmentKind
    start_ms: float
    end_ms: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verdict needs; None is what the call did not show (未核实)."""

    outcome: Outcome
    answered_by: AnsweredBy | None = None
    ring_started_ms: float | None = None
    answered_ms: float | None = None
    ended_ms: float = 0.0
    ring_to_answer_ms: float | None = None
    ring_to_answer_min_ms: float | None = None
    early_media: EarlyMediaKind = "none"
    early_sounds: tuple[Sound, ...] = ()
    later_sounds: tuple[Sound, ...] = ()
    line_state: LineState | None = None
    signalled_state: bool = False
    """The state follows from signalling alone: nothing was heard that says it."""
    sip_status: int | None = None
    ended_by: EndedBy | None = None
    forwarding_grade: Grade = "none"
    forwarding_target: str | None = None
    forwarding_class: str | None = None
    """`same_unit`: the target is a registered number of the unit itself."""
    forwarding_condition: str | None = None
    """`always`, `no_answer`, `busy` or `unknown`."""
    signs: tuple[Sign, ...] = ()
    errors: tuple[str, ...] = ()
    our_failure: bool = False
    interrupted: bool = False
    alarms: tuple[str, ...] = ()
    """Codes of what was wrong on our own side, of any trunk that was tried."""
    alerting: bool = True
    """The network said that the line rings (180), or ringback was heard; else only music told of a ring start."""
    packets: int | None = None
    """Of their sound; None: a record that does not say."""

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Facts:
        """Read a `dutyring.call/1` object; what it lacks stays unknown. KeyError without an outcome."""
        early = record.get("early_media") or {}
        later = record.get("after_answer") or {}
        forwarding = record.get("forwarding") or {}
        return cls(
            outcome=cast(Outcome, record["outcome"]),
            answered_by=record.get("answered_by"),
            ring_started_ms=record.get("ring_started_ms"),
            answered_ms=record.get("answered_ms"),
            ended_ms=record.get("ended_ms") or 0.0,
            ring_to_answer_ms=record.get("ring_to_answer_ms"),
            ring_to_answer_min_ms=record.get("ring_to_answer_min_ms"),
            early_media=early.get("kind") or "none",
            early_sounds=_sounds(early.get("segments")),
            later_sounds=_sounds(later.get("segments")),
            line_state=record.get("line_state"),
            signalled_state=(record.get("line_state_vote") or {}).get("roads") == ["signalling"],
            sip_status=record.get("sip_status"),
            ended_by=record.get("ended_by"),
            forwarding_grade=forwarding.get("grade") or "none",
            forwarding_target=forwarding.get("target"),
            forwarding_class=forwarding.get("target_class"),
            forwarding_condition=forwarding.get("condition"),
            signs=tuple(_sign(item) for item in forwarding.get("evidence") or ()),
            errors=tuple(record.get("errors") or ()),
            our_failure=bool(record.get("our_failure")),
            interrupted=bool(record.get("interrupted")),
            alarms=tuple(record.get("alarms") or ()),
            alerting=_alerting(record),
            packets=(record.get("media") or {}).get("received"),
        )

    @property
    def unheard(self) -> bool:
        """Whether an answered call brought no sound of theirs: that is our line's fault as likely as theirs."""
        return AlarmKind.ONE_WAY_AUDIO in self.alarms or self.packets == 0

    @property
    def ring_unseen(self) -> bool:
        """Whether the ring start is that of our own trunk's music: it says nothing of when the line rang."""
        return AlarmKind.TRUNK_MUSIC in self.alarms and not self.alerting

    @property
    def failure_tone(self) -> Sound | None:
        """The tone that told us to give up (忙音, 拥塞音, 空号音); None when none was heard after the ringing."""
        sounds = (*self.early_sounds, *self.later_sounds)
        rang_ms = max((sound.start_ms for sound in sounds if sound.kind == "ringback"), default=0.0)
        return next((s for s in sounds if s.kind in TONES and s.start_ms >= rang_ms), None)

    @property
    def announced_ms(self) -> float | None:
        """Where an announcement took the place of the ringing; None when none followed it."""
        rang_ms = max(
            (sound.start_ms for sound in self.early_sounds if sound.kind in ("ringback", "music")),
            default=self.ring_started_ms or 0.0,
        )
        later = (s.start_ms for s in self.early_sounds if s.kind == "announcement" and s.start_ms > rang_ms)
        return next(later, None)

    @property
    def rung_ms(self) -> float | None:
        """How long an unanswered call rang: to our CANCEL, or to the tone or announcement that followed the ringing."""
        if self.ring_started_ms is None or self.ring_unseen or self.outcome == "answered":
            return None
        tone = self.failure_tone
        ends = (self.ended_ms, None if tone is None else tone.start_ms, self.announced_ms)
        return max(min(end for end in ends if end is not None) - self.ring_started_ms, 0.0)

    @property
    def least_ring_ms(self) -> float | None:
        """Least milliseconds that an answered call rang: what is doubtful counts in favour of the unit."""
        if self.ring_to_answer_ms is None or self.ring_to_answer_min_ms is None:
            return self.ring_to_answer_ms
        return min(self.ring_to_answer_ms, self.ring_to_answer_min_ms)


def stronger(first: Grade, second: Grade) -> bool:
    """Whether `first` is at least as strong as `second`."""
    return GRADES.index(first) >= GRADES.index(second)


def _sounds(items: Any) -> tuple[Sound, ...]:
    return tuple(
        Sound(item["kind"], item["start_ms"], item["end_ms"], item.get("confidence", 0.0))
        for item in items or ()
    )


def _alerting(record: Mapping[str, Any]) -> bool:
    if (record.get("rings") or {}).get("bursts"):
        return True
    received = (entry for entry in record.get("timeline") or () if entry.get("event") == "received")
    return any(entry.get("status") == 180 for entry in received)


def _sign(item: Mapping[str, Any]) -> Sign:
    return Sign(item["kind"], item.get("grade", "none"), item.get("t_ms"), item.get("detail", ""))
