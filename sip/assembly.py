"""From what a call left behind to its record: the last step, pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sip.call_log import CallLog, now_iso
from sip.media import MediaReport
from sip.progress import Heard, Limits, RingFacts, Signals, failure_tone, ring_facts
from sip.progress.answerer import who_answered
from sip.progress.forwarding import detect_forwarding
from sip.progress.late_ringing import late_ringing
from sip.progress.line_state import CallMoments
from sip.progress.outcome import Ending, decide_outcome
from sip.progress.rings import alerting_ms
from sip.record import (
    Announcement,
    AnsweredBy,
    AnswererSign,
    CallRecord,
    Forwarding,
    MediaStatistics,
    TimelineEntry,
)
from sip.understanding import (
    Understanding,
    announced_state,
    decisive_announcement,
    first_heard_ms,
    understood,
    with_announced_media,
)


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """What names a call and its moment."""

    target: str
    call_id: str
    clock_synchronised: bool | None
    same_unit: tuple[str, ...] = ()
    """Numbers of the line's unit, pilot numbers among them: that one of them is shown proves no forwarding."""
    ring_history_ms: tuple[float, ...] = ()
    """Post-dial delays of earlier calls to this line by this trunk."""


def assemble(
    identity: CallIdentity, log: CallLog, heard: Heard, report: MediaReport, limits: Limits, codec: str | None
) -> CallRecord:
    """Make the record of an ended call. With another `trunk_music` in the log it may be made again."""
    ended_ms = log.ended_ms if log.ended_ms is not None else 0.0
    signals = log.signals(ended_ms)
    preliminary = ring_facts(signals, heard, limits)
    if log.digits_due and preliminary.answered_ms is not None:
        # The switchboard answered and the extension was never dialled: nothing that was heard is the extension's.
        log.fail("the call ended before the digits for the extension had been sent")
        log.digits_sent_ms = ended_ms
        signals = replace(signals, digits_sent_ms=ended_ms)
        preliminary = ring_facts(signals, heard, limits)
    after = preliminary.after_answer.segments
    heard_ms = first_heard_ms(after)
    moments = CallMoments(log.connected_ms, preliminary.answered_ms, log.digits_sent_ms, heard_ms=heard_ms)
    spoken = tuple(log.announcements)
    # What ended the call while it lasted decides it; else what was said says it afterwards.
    said = log.announced or decisive_announcement(spoken, moments, after)
    if said is not None:
        moments = replace(moments, answered_ms=None)
    if said is None:
        _late_tone(log, signals, heard, preliminary)
    decision = decide_outcome(ending_of(log, preliminary, said))
    answered = decision.outcome == "answered"
    facts = preliminary
    if decision.outcome not in ("answered", "cancelled"):
        # A call that was interrupted after its answer keeps the answer as a fact; otherwise there was none.
        facts = ring_facts(replace(signals, outcome_answered=False), heard, limits)
    alerted_ms = alerting_ms(log.first_180_ms, log.digits_sent_ms, facts.ring_started_ms)
    facts = with_announced_media(facts, spoken, alerted_ms)
    who, signs = _who(log, facts, report) if answered else (None, ())
    understanding = understood(log, facts, decision.outcome, who, moments)
    return CallRecord(
        target=identity.target,
        call_id=identity.call_id,
        started_at=log.started_at or now_iso(),
        clock_synchronised=identity.clock_synchronised,
        outcome=decision.outcome,
        answered_by=who,
        answer_source=facts.answer_source,
        sip_status=log.status,
        sip_reason=log.reason,
        q850=log.q850,
        post_dial_delay_ms=facts.post_dial_delay_ms,
        ring_started_ms=facts.ring_started_ms,
        connected_ms=log.connected_ms,
        answered_ms=facts.answered_ms,
        answered_window_ms=facts.answered_window_ms,
        ended_ms=ended_ms,
        ended_by=log.ended_by,
        ring_to_answer_ms=facts.ring_to_answer_ms,
        ring_to_answer_min_ms=facts.ring_to_answer_min_ms,
        rings=facts.rings,
        three_ring=facts.three_ring if answered else "not_applicable",
        near_limit=facts.near_limit and answered,
        early_media=facts.early_media,
        after_answer=facts.after_answer,
        line_state=understanding.line_state,
        announcements=understanding.announcements,
        line_state_vote=understanding.vote,
        answerer=signs,
        level=heard.level,
        forwarding=_forwarding(identity, log, heard, facts, understanding),
        timeline=_timeline(log, facts),
        media=_statistics(report, codec),
        dtmf=tuple(sorted((*report.dtmf, *log.dtmf_info), key=lambda digit: digit.t_ms)),
        errors=tuple(log.errors),
        our_failure=log.our_failure,
        interrupted=log.media_lost,
    )


def _late_tone(log: CallLog, signals: Signals, heard: Heard, facts: RingFacts) -> None:
    """A tone whose second cycle ended with the call was not acted upon, but it says the same."""
    tone = failure_tone(signals, heard, facts.answered_ms) if log.tone is None else None
    if tone is not None:
        log.tone, log.tone_ms = tone.kind, tone.start_ms


def _timeline(log: CallLog, facts: RingFacts) -> tuple[TimelineEntry, ...]:
    """The time line with ring start and answer where the final facts have them, not where they were first seen."""
    entries = [entry for entry in log.timeline if entry.event not in ("ring_started", "answered")]
    if facts.ring_started_ms is not None:
        entries.append(TimelineEntry(facts.ring_started_ms, "ring_started"))
    if facts.answered_ms is not None:
        entries.append(TimelineEntry(facts.answered_ms, "answered", {"source": facts.answer_source}))
    return tuple(sorted(entries, key=lambda entry: entry.t_ms))


def ending_of(log: CallLog, facts: RingFacts, said: Announcement | None = None) -> Ending:
    """Reduce a call to what its outcome depends on; `said` is the announcement that decides it."""
    before = log.tone_ms if log.tone_ms is not None else float("inf")
    before = said.start_ms if said is not None else before
    return Ending(
        interrupted=log.interrupted,
        tone=log.tone,
        announced=announced_state(said),
        rang=facts.ring_started_ms is not None and facts.ring_started_ms < before,
        connected=log.connected_ms is not None,
        answered=log.crossed or facts.answered_ms is not None,
        q850=log.q850,
        status=log.status,
        extension=log.digits_sent_ms is not None,
        gave_up=log.gave_up,
        our_failure=log.our_failure,
    )


def _who(log: CallLog, facts: RingFacts, report: MediaReport) -> tuple[AnsweredBy, tuple[AnswererSign, ...]]:
    if log.crossed or facts.answered_ms is None:
        return "unknown", ()
    return who_answered(
        facts.after_answer.segments,
        facts.answered_ms,
        report.statistics.received,
        announcements=log.announcements,
    )


def _forwarding(
    identity: CallIdentity, log: CallLog, heard: Heard, facts: RingFacts, understanding: Understanding
) -> Forwarding:
    return detect_forwarding(
        identity.target,
        log.signs,
        crbt_ms=None if log.trunk_music else _crbt_ms(facts),
        same_unit=identity.same_unit,
        switchboard=log.digits_sent_ms is not None,
        announcements=understanding.counted,
        restarts=[r for r in heard.restarts if not (log.trunk_music and r.what == "music")],
        late=late_ringing(facts.post_dial_delay_ms, identity.ring_history_ms),
        ring_started_ms=facts.ring_started_ms,
        connected_ms=log.connected_ms,
        answered_ms=facts.answered_ms,
    )


def _crbt_ms(facts: RingFacts) -> float | None:
    if facts.early_media.kind != "crbt":
        return None
    tunes = (s.start_ms for s in facts.early_media.segments if s.kind in ("music", "speech"))
    return next(tunes, facts.ring_started_ms)


def _statistics(report: MediaReport, codec: str | None) -> MediaStatistics:
    return replace(report.statistics, codec=report.statistics.codec or codec)
