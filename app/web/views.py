"""What the templates show, made of rows and facts. No words here: they stand in the templates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from app.checks.facts import Facts
from app.checks.models import LIVE_STATES, Attempt, AttemptTarget, Recording, SpotCheck
from app.checks.rules import CODES, Rules
from app.evidence.wordless import shown_facts, shown_verdict
from app.phone_keeper import PhoneKeeper
from app.picture import Picture, draw, ring_seconds, svg_fragment, worth_drawing
from app.transcripts.models import Transcription
from app.transcripts.showing import masked, masked_utterance

DIRECT = "direct"
"""What the phone calls the way of a SIP URI."""


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
class TargetView:
    """One INVITE of a dial."""

    position: int
    at: str
    trunk: str | None
    """None where a SIP URI was called directly."""
    outcome: str | None
    sip_status: int | None
    alerted: bool


@dataclass(frozen=True, slots=True)
class SaidView:
    """One utterance, or what is said so far in a call under way."""

    start_s: float
    side: str
    """`us` or `them`."""
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptView:
    """The words of a recording beside its sound, as a machine understood them."""

    state: str
    """`none`, `waiting`, `running`, `done`, `failed`, `withdrawn` or `live`."""
    said: tuple[SaidView, ...] = ()
    partial: str = ""
    engine: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One dial on the page of its check."""

    row: RowView
    facts: Mapping[str, Any]
    """Empty when there are none: the attempt is under way, was interrupted or failed. With its words where it was read
    again."""
    verdict: Mapping[str, Any] | None
    next_step: str
    limits: Rules
    """The limits that it was judged by."""
    picture: Picture | None
    drawing: Markup
    """The picture as an `<svg>` element; empty where there is none."""
    recording: Recording | None
    recording_reads: int
    events: tuple[tuple[str, str, str], ...]
    """Time, state, detail of each ledger entry."""
    target: str
    error: str | None
    targets: tuple[TargetView, ...]
    has_trace: bool
    """Whether the SIP messages were kept."""
    transcript: TranscriptView
    reread: bool
    """Whether `facts` are those of the call read again with its words."""


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
        ring_s=_seconds(attempt.ring_to_answer_ms),
        ring_text=ring_seconds(attempt.ring_to_answer_ms, attempt.ring_to_answer_min_ms, rules),
        rang_s=_seconds(rang_ms),
        rings=attempt.rings,
        code=attempt.verdict_code,
        title=info.zh if info else None,
        tone=_tone(attempt),
        needs_review=bool(attempt.needs_review),
    )


NO_TRANSCRIPT = TranscriptView("none")


def attempt_view(
    attempt: Attempt,
    zone: ZoneInfo,
    rules: Rules,
    recording_reads: int,
    has_trace: bool = False,
    *,
    reading: Mapping[str, Any] | None = None,
    transcript: TranscriptView = NO_TRANSCRIPT,
) -> AttemptView:
    """Make one dial of a check's page; `reading` is the call read again with its words, where it was."""
    facts = reading or shown_facts(attempt)
    verdict = shown_verdict(attempt)
    info = CODES.get(verdict["code"]) if verdict else None
    limits = limits_of(verdict, rules)
    rang_ms = Facts.from_json(facts).rung_ms if facts else None
    picture = draw(facts, limits) if worth_drawing(facts) else None
    return AttemptView(
        row=row(attempt, zone, limits, rang_ms),
        facts=facts,
        verdict=verdict,
        next_step=info.next_zh if info else "",
        limits=limits,
        picture=picture,
        # The writer escapes all text: its XML is markup of ours alone.
        drawing=Markup("" if picture is None else svg_fragment(picture, f"picture-{attempt.id}")),
        recording=attempt.recording,
        recording_reads=recording_reads,
        events=tuple((clock_time(e.at, zone, ms=True), e.state, e.detail) for e in attempt.events),
        target=attempt.target,
        error=attempt.error,
        targets=tuple(target_view(target, zone) for target in attempt.targets),
        has_trace=has_trace,
        transcript=transcript,
        reread=reading is not None,
    )


def transcript_view(rows: Sequence[Transcription], keys: Collection[str]) -> TranscriptView:
    """Make the words of a recording from its transcriptions, newest first: of the newest that is done."""
    done = next((row for row in rows if row.state == "done"), None)
    if done is None:
        return TranscriptView(rows[0].state, error=rows[0].error or "") if rows else NO_TRANSCRIPT
    said = [
        SaidView(item["start_ms"] / 1000, side, item["text"])
        for side, channel in masked(done.content, keys).items()
        for item in channel["utterances"]
    ]
    said.sort(key=lambda one: one.start_s)
    return TranscriptView("done", tuple(said), engine=done.engine or "")


def live_view(found: Mapping[str, Any], keys: Collection[str]) -> TranscriptView:
    """Make what is said so far in a call under way."""
    said = [masked_utterance(item, keys) for item in found["utterances"]]
    partial = masked_utterance({"text": found["partial"]}, keys)["text"]
    return TranscriptView(
        "live", tuple(SaidView(item["start_ms"] / 1000, "them", item["text"]) for item in said), partial
    )


def target_view(target: AttemptTarget, zone: ZoneInfo) -> TargetView:
    """Make one INVITE of a dial."""
    return TargetView(
        position=target.position,
        at=clock_time(target.started_at, zone, ms=True),
        trunk=None if target.trunk == DIRECT else target.trunk,
        outcome=target.outcome,
        sip_status=target.sip_status,
        alerted=target.alerted,
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


def title_of(check: SpotCheck) -> str:
    """Return the name of the unit that was checked; empty while there is no attempt."""
    return check.attempts[0].unit.name if check.attempts else ""


def _seconds(ms: float | None) -> float | None:
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
