"""What the templates show, made of rows and facts. No words here: they stand in the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.checks.models import LIVE_STATES, Attempt, SpotCheck
from app.checks.rules import CODES, Rules
from app.phone_keeper import PhoneKeeper
from app.picture import ring_seconds


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
    ring_text: str
    """Seconds of ringing to the answer, a span where its moment is one."""
    rang_s: float | None
    """How long it rang when nobody answered."""
    rings: int | None
    code: str | None
    title: str | None
    tone: str
    needs_review: bool


@dataclass(frozen=True, slots=True)
class UnplacedView:
    """A check that was never dialled."""

    at: str
    unit: str
    line: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoppedView:
    """A phone process that does not get ready."""

    starts: int
    status: int | None


def unplaced(check: SpotCheck, zone: ZoneInfo) -> UnplacedView:
    """Make one row of the checks that were never dialled."""
    at = clock_time(check.due_at, zone)
    return UnplacedView(at, check.line.unit.name, check.line.number, check.state, check.reason)


def stopped(keeper: PhoneKeeper | None) -> StoppedView | None:
    """What to warn of when the phone process does not come up, however often it is started."""
    if keeper is None or not keeper.failing:
        return None
    return StoppedView(keeper.starts, keeper.last_status)


def row(attempt: Attempt, zone: ZoneInfo, rules: Rules, rang_ms: float | None = None) -> RowView:
    """Make one row; `rang_ms` is how long an unanswered call rang."""
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
        ring_s=seconds_of(attempt.ring_to_answer_ms),
        ring_text=ring_seconds(attempt.ring_to_answer_ms, attempt.ring_to_answer_min_ms, rules),
        rang_s=seconds_of(rang_ms),
        rings=attempt.rings,
        code=attempt.verdict_code,
        title=info.zh if info else None,
        tone=_tone(attempt),
        needs_review=bool(attempt.needs_review),
    )


def limits_of(verdict: Mapping[str, Any] | None, rules: Rules) -> Rules:
    """The limits that a verdict was made with; those of the settings where it names none."""
    known = (verdict or {}).get("limits") or {}
    limits = {name: float(known[name]) for name in ("within_s", "limit_s", "finding_s") if name in known}
    return replace(rules, **limits)


def clock_time(at: datetime, zone: ZoneInfo, *, ms: bool = False) -> str:
    """Return local date and time, to the second or to the millisecond."""
    local = at.astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S") + (f".{local.microsecond // 1000:03}" if ms else "")


def seconds_of(ms: float | None) -> float | None:
    """Milliseconds as seconds; None stays None."""
    return None if ms is None else ms / 1000


def _tone(attempt: Attempt) -> str:
    """How a verdict is set off: red only for what needs a person, of the unit or of our own line."""
    if attempt.verdict_code is None:
        return "open"
    if attempt.needs_review:
        return "person"
    if attempt.verdict_code == "our_side":
        return "ours"
    return "good" if attempt.verdict_code in ("within", "borderline") else "quiet"
