"""A typed view of stored call facts: what the verdict reads of a call record's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sip.record import GRADES, AnsweredBy, EarlyMediaKind, Grade, LineState, Outcome, SegmentKind


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
    sip_status: int | None = None
    forwarding_grade: Grade = "none"
    signs: tuple[Sign, ...] = ()
    errors: tuple[str, ...] = ()
    our_failure: bool = False
    interrupted: bool = False

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
            sip_status=record.get("sip_status"),
            forwarding_grade=forwarding.get("grade") or "none",
            signs=tuple(_sign(item) for item in forwarding.get("evidence") or ()),
            errors=tuple(record.get("errors") or ()),
            our_failure=bool(record.get("our_failure")),
            interrupted=bool(record.get("interrupted")),
        )


def stronger(first: Grade, second: Grade) -> bool:
    """Whether `first` is at least as strong as `second`."""
    return GRADES.index(first) >= GRADES.index(second)


def _sounds(items: Any) -> tuple[Sound, ...]:
    return tuple(
        Sound(item["kind"], item["start_ms"], item["end_ms"], item.get("confidence", 0.0))
        for item in items or ()
    )


def _sign(item: Mapping[str, Any]) -> Sign:
    return Sign(item["kind"], item.get("grade", "none"), item.get("t_ms"), item.get("detail", ""))
