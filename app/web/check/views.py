"""What the page of one check shows, made of rows and facts. No words here: they stand in the templates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from app.answers.schemas import AnswerItemOut
from app.checks.facts import Facts
from app.checks.models import Attempt, AttemptTarget, Recording, SpotCheck
from app.checks.rules import CODES, Rules
from app.evidence.sight import Sight
from app.picture import EN, ZH, Picture, draw, svg_fragment, worth_drawing
from app.transcripts.models import Transcription
from app.transcripts.showing import masked, masked_utterance
from app.web import i18n
from app.web.views import RowView, clock_time, limits_of, row

DIRECT = "direct"
"""What the phone calls the way of a SIP URI."""


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
    """`none`, `waiting`, `running`, `done`, `failed`, `withdrawn`, `live`, or `hidden` from who reads."""
    said: tuple[SaidView, ...] = ()
    partial: str = ""
    engine: str = ""
    error: str = ""


NO_TRANSCRIPT = TranscriptView("none")
HIDDEN_TRANSCRIPT = TranscriptView("hidden")


@dataclass(frozen=True, slots=True)
class MarkView:
    """A moment on the wave of a recording."""

    at_s: float
    kind: str
    """`ring`, `limit`, `answer`, `end`, or `proof`: what a finding rests on."""
    text: str
    """In Chinese; translated where it is shown."""
    value: str = ""
    """Of a limit: its seconds."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside an attempt when its view is made."""

    reads: int = 0
    """How often its recording was read."""
    has_trace: bool = False
    reading: Mapping[str, Any] | None = None
    """The call read again with its words, where it was."""
    transcript: TranscriptView = NO_TRANSCRIPT
    answers: tuple[AnswerItemOut, ...] = ()


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
    marks: tuple[MarkView, ...]
    answers: tuple[AnswerItemOut, ...]

    @property
    def audible(self) -> bool:
        """Whether there is something to hear."""
        return self.recording is not None and self.recording.gone_why is None


def attempt_view(attempt: Attempt, zone: ZoneInfo, rules: Rules, sight: Sight, beside: Beside) -> AttemptView:
    """Make one dial of a check's page, as far as its reader may see it."""
    facts = sight.facts(attempt, beside.reading)
    verdict = sight.verdict(attempt)
    info = CODES.get(verdict["code"]) if verdict else None
    limits = limits_of(verdict, rules)
    rang_ms = Facts.from_json(facts).rung_ms if facts else None
    words = EN if i18n.language() == "en" else ZH
    picture = draw(facts, limits, words) if worth_drawing(facts) else None
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
        recording_reads=beside.reads,
        events=tuple((clock_time(e.at, zone, ms=True), e.state, e.detail) for e in attempt.events),
        target=attempt.target,
        error=attempt.error,
        targets=tuple(target_view(target, zone) for target in attempt.targets),
        has_trace=beside.has_trace,
        transcript=beside.transcript,
        reread=beside.reading is not None,
        marks=tuple(sorted(_marks(facts, verdict, limits), key=lambda mark: mark.at_s)),
        answers=beside.answers,
    )


def _marks(facts: Mapping[str, Any], verdict: Mapping[str, Any] | None, limits: Rules) -> Iterator[MarkView]:
    """The moments that a listener jumps to: ring, limits, answer, end, and what the findings rest on."""
    ring, answer, end = (facts.get(name) for name in ("ring_started_ms", "answered_ms", "ended_ms"))
    if ring is not None:
        yield MarkView(ring / 1000, "ring", "振铃开始")
        until = answer if answer is not None else end
        for value, text in (
            (limits.within_s, "三声止"),
            (limits.limit_s, "折算限"),
            (limits.finding_s, "拟认定线"),
        ):
            # A limit that the call never came near is no moment of it.
            if until is not None and ring + value * 1000 <= until + 5_000:
                yield MarkView(ring / 1000 + value, "limit", text, f"{value:g}")
    if answer is not None:
        yield MarkView(answer / 1000, "answer", "接听")
    seen = set()
    for finding in (verdict or {}).get("findings") or ():
        at_ms = finding.get("t_ms")
        if at_ms is not None and (at_ms, finding.get("title_zh")) not in seen:
            seen.add((at_ms, finding.get("title_zh")))
            yield MarkView(at_ms / 1000, "proof", finding.get("title_zh") or "证据")
    for sign in (facts.get("forwarding") or {}).get("evidence") or ():
        if sign.get("t_ms") is not None:
            yield MarkView(sign["t_ms"] / 1000, "proof", "转移证据")


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


def title_of(check: SpotCheck) -> str:
    """Return the name of the unit that was checked; empty while there is no attempt."""
    return check.attempts[0].unit.name if check.attempts else ""
