"""What the templates show, made of rows and facts. No words here: they stand in the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.checks.models import LIVE_STATES, Attempt, Recording, SpotCheck
from app.checks.rules import CODES, Rules
from app.web.picture import Picture, draw


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of the list."""

    check_id: int
    attempt_id: int
    number: int
    at: str
    unit: str
    line: str
    state: str
    live: bool
    outcome: str | None
    answered_by: str | None
    ring_s: float | None
    least_ring_s: float | None
    rings: int | None
    code: str | None
    title: str | None
    tone: str
    needs_review: bool


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One dial on the page of its check."""

    row: RowView
    facts: Mapping[str, Any]
    """Empty when there are none: the attempt is under way, was interrupted or failed."""
    verdict: Mapping[str, Any] | None
    next_step: str
    picture: Picture | None
    recording: Recording | None
    recording_reads: int
    events: tuple[tuple[str, str, str], ...]
    """Time, state, detail of each ledger entry."""
    target: str
    error: str | None


def row(attempt: Attempt, zone: ZoneInfo) -> RowView:
    """Make one row."""
    info = CODES.get(attempt.verdict_code) if attempt.verdict_code else None  # type: ignore[call-overload]
    return RowView(
        check_id=attempt.check_id,
        attempt_id=attempt.id,
        number=attempt.number,
        at=clock_time(attempt.started_at or attempt.claimed_at, zone),
        unit=attempt.unit.name,
        line=attempt.line.number,
        state=attempt.state,
        live=attempt.state in LIVE_STATES,
        outcome=attempt.outcome,
        answered_by=attempt.answered_by,
        ring_s=_seconds(attempt.ring_to_answer_ms),
        least_ring_s=_seconds(attempt.ring_to_answer_min_ms),
        rings=attempt.rings,
        code=attempt.verdict_code,
        title=info.zh if info else None,
        tone=_tone(attempt),
        needs_review=bool(attempt.needs_review),
    )


def attempt_view(attempt: Attempt, zone: ZoneInfo, rules: Rules, recording_reads: int) -> AttemptView:
    """Make one dial of a check's page."""
    facts = attempt.facts.content if attempt.facts else {}
    verdict = attempt.verdicts[-1].content if attempt.verdicts else None
    info = CODES.get(verdict["code"]) if verdict else None
    return AttemptView(
        row=row(attempt, zone),
        facts=facts,
        verdict=verdict,
        next_step=info.next_zh if info else "",
        picture=draw(facts, rules) if facts else None,
        recording=attempt.recording,
        recording_reads=recording_reads,
        events=tuple((clock_time(e.at, zone, ms=True), e.state, e.detail) for e in attempt.events),
        target=attempt.target,
        error=attempt.error,
    )


def clock_time(at: datetime, zone: ZoneInfo, *, ms: bool = False) -> str:
    """Return local date and time, to the second or to the millisecond."""
    local = at.astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S") + (f".{local.microsecond // 1000:03}" if ms else "")


def title_of(check: SpotCheck) -> str:
    """Return the name of the unit that was checked; empty while there is no attempt."""
    return check.attempts[0].unit.name if check.attempts else ""


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000


def _tone(attempt: Attempt) -> str:
    """How a verdict is set off: red only for what needs a person."""
    if attempt.verdict_code is None:
        return "open"
    if attempt.needs_review:
        return "person"
    return "good" if attempt.verdict_code in ("within", "borderline") else "quiet"
