"""What was announced on a call, and what that makes of it: the roads gathered, the vote, the outcome's part of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from sip.call_log import CallLog
from sip.progress import RingFacts
from sip.progress.line_state import CallMoments, counting, spoken_state, takes_message, vote
from sip.progress.rings import with_announcements
from sip.progress.signalled import signalled, told_by_tone
from sip.progress.words import LINE_STATES
from sip.record import Announcement, AnsweredBy, LineState, LineVote, Outcome, Segment

_SPOKE_MS = 300.0
"""So much of a voice after the answer is somebody's."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """The fields of the record that announcements fill."""

    announcements: tuple[Announcement, ...]
    line_state: LineState | None
    vote: LineVote | None


def decisive_announcement(
    spoken: tuple[Announcement, ...],
    moments: CallMoments,
    after_answer: tuple[Segment, ...],
) -> Announcement | None:
    """Return the announcement that says how the call ended, None where none does.

    None where a machine takes a message after the answer (that is an answer, by a machine), and where somebody
    answered after the announcement had ended (请不要挂机，您拨打的电话正在通话中, and then they took the call).
    """
    counted = counting(spoken, moments)
    answered_ms = moments.answered_ms
    said = spoken_state(counted)
    if said is None or answered_ms is None:
        return said
    if takes_message(a for a in counted if a.end_ms > answered_ms):
        return None
    if said.end_ms <= answered_ms and (moments.spoken_ms is not None or _voice_in(after_answer)):
        return None
    return said


def announced_state(said: Announcement | None) -> LineState | None:
    """Return the state of the line that an announcement names; None where it names none."""
    return cast(LineState, said.meaning) if said is not None and said.meaning in LINE_STATES else None


def understood(
    log: CallLog, facts: RingFacts, outcome: Outcome, answered_by: AnsweredBy | None, moments: CallMoments
) -> Understanding:
    """Gather the four roads of an ended call and let them vote. `moments` are those before the outcome was known."""
    ended_ms = log.ended_ms if log.ended_ms is not None else 0.0
    rang_ms = facts.ring_started_ms
    named: list[Announcement] = []
    if log.tone is not None:
        from_ms = log.tone_ms if log.tone_ms is not None else ended_ms
        rang = rang_ms is not None and rang_ms < from_ms
        named += told_by_tone(log.tone, from_ms, max(ended_ms, from_ms), rang=rang)
    if outcome != "answered" and not log.our_failure:
        status = log.status if log.connected_ms is None else None
        named += signalled(
            status,
            log.q850,
            rang=rang_ms is not None,
            t_ms=_final_ms(log, ended_ms),
            own_cancel=log.ended_by == "us" or log.gave_up or log.interrupted,
        )
    return voted((*log.announcements, *named), outcome, answered_by, moments)


def voted(
    announcements: tuple[Announcement, ...],
    outcome: Outcome,
    answered_by: AnsweredBy | None,
    moments: CallMoments,
) -> Understanding:
    """Let all announcements vote. An answered line is in no state, unless a machine speaks for it."""
    state, how = vote(counting(announcements, moments))
    if outcome == "answered" and answered_by != "machine":
        state, how = None, None
    ordered = sorted(announcements, key=lambda said: said.start_ms)
    return Understanding(tuple(ordered), state, how)


def with_announced_media(
    facts: RingFacts, announcements: tuple[Announcement, ...], first_180_ms: float | None
) -> RingFacts:
    """Return the facts with announced speech before the answer named as announcement."""
    answered = facts.answered_ms is not None
    early = with_announcements(facts.early_media, announcements, answered=answered, alerting_ms=first_180_ms)
    return facts if early is facts.early_media else replace(facts, early_media=early)


def _voice_in(segments: tuple[Segment, ...]) -> bool:
    return sum(s.end_ms - s.start_ms for s in segments if s.kind == "speech") >= _SPOKE_MS


def _final_ms(log: CallLog, ended_ms: float) -> float:
    finals = (
        e.t_ms
        for e in reversed(log.timeline)
        if e.fields.get("status") == log.status and e.event == "received"
    )
    return next(finals, ended_ms)
