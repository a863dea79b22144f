"""What was announced on a call, and what that makes of it: the roads gathered, the vote, the outcome's part of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from sip.call_log import CallLog
from sip.progress import RingFacts
from sip.progress.in_band import MADE_BY_SOMEONE
from sip.progress.line_state import SPOKEN, CallMoments, counting, spoken_state, takes_message, vote
from sip.progress.rings import with_announcements
from sip.progress.signalled import signalled, told_by_tone
from sip.progress.words import LINE_STATES
from sip.record import (
    Announcement,
    AnnouncementMeaning,
    AnsweredBy,
    LineState,
    LineVote,
    Outcome,
    Segment,
)

_SPOKE_MS = 300.0
"""So much of a voice, or of another sound that is made by somebody, after the answer is theirs."""
OVER_ANSWER_MS = 1_000.0
"""A recording that goes on for so long over a 200 was not cut off by somebody who answered. Its end is where the
whole of it would end: the last part need not have come."""
_CALL_GOES_ON: frozenset[AnnouncementMeaning] = frozenset({"arrears"})
"""Said before a call that goes through all the same (余额不足); one that does not the network ends itself."""
_CALL_WAITS: frozenset[AnnouncementMeaning] = frozenset({"in_call"})
"""Said while the line rings all the same (呼叫等待: 请不要挂机，您拨打的电话正在通话中)."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """The fields of the record that announcements fill."""

    announcements: tuple[Announcement, ...]
    line_state: LineState | None
    vote: LineVote | None
    counted: tuple[Announcement, ...] = ()
    """Those of them that speak of the line: what is heard in the talk is not the line's."""


def decisive_announcement(
    spoken: tuple[Announcement, ...],
    moments: CallMoments,
    after_answer: tuple[Segment, ...],
) -> Announcement | None:
    """Return the announcement that says how the call ended, None where none does.

    None where a machine takes a message after the answer (that is an answer, by a machine), and where somebody
    spoke after the announcement had ended or was cut off (请不要挂机，您拨打的电话正在通话中, and then they took the
    call).
    """
    counted = counting(spoken, moments)
    answered_ms = moments.answered_ms
    said = spoken_state(counted)
    if said is None or answered_ms is None:
        return said
    if takes_message(a for a in counted if a.end_ms > answered_ms):
        return None
    end_ms = _said_until_ms(said, counted)
    if moments.spoken_ms is not None and moments.spoken_ms >= end_ms:
        return None
    over_ms = OVER_ANSWER_MS if said.road == "sample" else 0.0
    taken = moments.spoken_ms is not None or _somebody_in(after_answer, end_ms)
    if end_ms <= answered_ms + over_ms and (taken or said.meaning in _CALL_GOES_ON):
        return None
    return said


def ending_announcement(
    spoken: tuple[Announcement, ...],
    moments: CallMoments,
    after_answer: tuple[Segment, ...],
    *,
    ringing: bool,
) -> Announcement | None:
    """Return the announcement upon which a call is ended while it lasts, None where somebody may still answer.

    `moments` are those of the present moment, `ringing`: there was a ring start. After an answer the announcement
    must have gone on over it; whoever has just answered is given the time to speak.
    """
    said = decisive_announcement(spoken, moments, after_answer)
    if said is None or said.meaning in _CALL_GOES_ON:
        return None
    if moments.answered_ms is None:
        return None if ringing and said.meaning in _CALL_WAITS else said
    end_ms = _said_until_ms(said, counting(spoken, moments))
    return said if end_ms >= moments.answered_ms + OVER_ANSWER_MS else None


def _said_until_ms(said: Announcement, counted: tuple[Announcement, ...]) -> float:
    """Return when an announcement ended, the last time that it was said: networks repeat theirs."""
    return max(a.end_ms for a in (said, *counted) if a.meaning == said.meaning and a.road in SPOKEN)


def first_heard_ms(after_answer: tuple[Segment, ...]) -> float | None:
    """Return when a voice, music or a machine's tone was first heard after the answer."""
    return next((s.start_ms for s in after_answer if s.kind in MADE_BY_SOMEONE), None)


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
    counted = counting(announcements, moments)
    state, how = vote(counted)
    if outcome == "answered" and answered_by != "machine":
        state, how = None, None
    ordered = sorted(announcements, key=lambda said: said.start_ms)
    return Understanding(tuple(ordered), state, how, counted)


def with_announced_media(
    facts: RingFacts, announcements: tuple[Announcement, ...], alerted_ms: float | None
) -> RingFacts:
    """Return the facts with announced speech before the answer named as announcement."""
    answered = facts.answered_ms is not None
    early = with_announcements(facts.early_media, announcements, answered=answered, alerting_ms=alerted_ms)
    return facts if early is facts.early_media else replace(facts, early_media=early)


def _somebody_in(segments: tuple[Segment, ...], from_ms: float) -> bool:
    """Tell whether a voice, a fax machine or music was heard from a moment on; an announcement is nobody."""
    made = (
        s.end_ms - max(s.start_ms, from_ms) for s in segments if s.kind in MADE_BY_SOMEONE - {"announcement"}
    )
    return sum(lasting_ms for lasting_ms in made if lasting_ms > 0.0) >= _SPOKE_MS


def _final_ms(log: CallLog, ended_ms: float) -> float:
    finals = (
        e.t_ms
        for e in reversed(log.timeline)
        if e.fields.get("status") == log.status and e.event == "received"
    )
    return next(finals, ended_ms)
