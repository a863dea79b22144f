"""What the words of a call add to its record, after the call: the same facts, understood better.

A record is never changed: `reconsider` returns another one. What only the words can tell is made anew (announcements,
state of the line, who answered, the outcome where an announcement says it, the share of forwarding evidence that is
spoken); everything else stays as it was measured.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sip.progress.answerer import WINDOW_MS, human_words_ms, who_answered
from sip.progress.forwarding import reconsider_forwarding
from sip.progress.line_state import SPOKEN, CallMoments
from sip.progress.outcome import Ending, decide_outcome
from sip.progress.rings import alerting_ms, unanswered_media, with_announcements
from sip.progress.transcript import Transcript
from sip.progress.words import announced
from sip.record import (
    Announcement,
    AnsweredBy,
    EarlyMedia,
    Evidence,
    Forwarding,
    Outcome,
    Segment,
    to_json,
)
from sip.trunks.signs import SURE_LINE_STATES
from sip.understanding import announced_state, decisive_announcement, first_heard_ms, voted

_NO_ANSWER: dict[str, Any] = {
    "answered_by": None,
    "answer_source": None,
    "answered_ms": None,
    "answered_window_ms": None,
    "ring_to_answer_ms": None,
    "ring_to_answer_min_ms": None,
    "three_ring": "not_applicable",
    "near_limit": False,
    "after_answer": {"segments": []},
    "answerer": [],
}
"""The fields of a call that nobody answered."""


def reconsider(record: Mapping[str, Any], transcript: Transcript) -> dict[str, Any]:
    """Return the record (schema dutyring.call/1) with what the transcript of the far side adds.

    Pure: neither argument is changed, and the same two give the same result. KeyError for an object that is no
    record.
    """
    result = copy.deepcopy(dict(record))
    result["transcript"] = transcript.to_json()
    words = announced(transcript)
    others = tuple(_announcements(record, without="words"))
    spoken = (*words, *(a for a in others if a.road in SPOKEN))
    answered_ms = record["answered_ms"]
    after = _segments(record["after_answer"])
    moments = CallMoments(
        record["connected_ms"],
        answered_ms,
        _digits_ms(record),
        None if answered_ms is None else human_words_ms(transcript, answered_ms, answered_ms + WINDOW_MS),
        first_heard_ms(after),
    )
    outcome = _outcome(record, decisive_announcement(spoken, moments, after))
    who: AnsweredBy | None = None
    if outcome == "answered" and answered_ms is not None:
        received = int(record["media"]["received"])
        who, signs = who_answered(after, answered_ms, received, transcript, spoken)
        result |= {"answered_by": who, "answerer": to_json(signs)}
    elif outcome not in ("answered", "cancelled"):
        result |= _unanswered(record)
    result["outcome"] = outcome
    understanding = voted((*words, *others), outcome, who, moments)
    result["announcements"] = to_json(understanding.announcements)
    result["line_state"] = understanding.line_state
    result["line_state_vote"] = to_json(understanding.vote)
    result["early_media"] = to_json(_early_media(result, spoken))
    result["forwarding"] = to_json(_forwarding(result, understanding.counted))
    result["alarms"] = _alarms(record, understanding.announcements)
    return result


def _outcome(record: Mapping[str, Any], said: Announcement | None) -> Outcome:
    outcome = cast(Outcome, record["outcome"])
    if said is None or outcome == "cancelled" or record.get("interrupted") or record.get("our_failure"):
        return outcome
    ring_ms = record["ring_started_ms"]
    rang = ring_ms is not None and ring_ms < said.start_ms
    return decide_outcome(Ending(announced=announced_state(said), rang=rang)).outcome


def _unanswered(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a call that turns out to have been answered by nobody: all that was heard is early."""
    if record["answered_ms"] is None:
        return {}
    heard = (*_segments(record["early_media"]), *_segments(record["after_answer"]))
    timeline = [entry for entry in record["timeline"] if entry["event"] != "answered"]
    media = to_json(unanswered_media(heard))
    return {**copy.deepcopy(_NO_ANSWER), "early_media": media, "timeline": copy.deepcopy(timeline)}


def _early_media(record: Mapping[str, Any], spoken: Sequence[Announcement]) -> EarlyMedia:
    early = record["early_media"]
    return with_announcements(
        EarlyMedia(early["kind"], _segments(early)),
        spoken,
        answered=record["answered_ms"] is not None,
        alerting_ms=alerting_ms(_first_180_ms(record), _digits_ms(record), record["ring_started_ms"]),
    )


def _alarms(record: Mapping[str, Any], announcements: Sequence[Announcement]) -> list[str]:
    """Return the codes of what was wrong on our side, what was announced of our own line among them."""
    ours = [
        SURE_LINE_STATES[a.meaning].value
        for a in announcements
        if a.meaning == record["line_state"] or a.road == "words"
        if a.meaning in SURE_LINE_STATES and a.road in SPOKEN and a.confidence >= 0.6
    ]
    return list(dict.fromkeys([*record.get("alarms", ()), *ours]))


def _forwarding(record: Mapping[str, Any], announcements: Sequence[Announcement]) -> Forwarding:
    """Weigh the evidence of forwarding anew with what was said."""
    known = record["forwarding"]
    return reconsider_forwarding(
        Forwarding(**{**known, "evidence": tuple(Evidence(**item) for item in known["evidence"])}),
        record["target"],
        announcements,
        switchboard=_digits_ms(record) is not None,
        # What was taken for a spoken 彩铃 may have been an announcement.
        crbt=record["early_media"]["kind"] == "crbt",
        ring_started_ms=record["ring_started_ms"],
        connected_ms=record["connected_ms"],
    )


def _digits_ms(record: Mapping[str, Any]) -> float | None:
    """Return when the digits had been sent to a switchboard; None where none were."""
    at = [float(e["t_ms"]) for e in record["timeline"] if e["event"] == "digits_sent"]
    return max(at, default=None)


def _first_180_ms(record: Mapping[str, Any]) -> float | None:
    entries = (e for e in record["timeline"] if e["event"] == "received" and e.get("status") == 180)
    return next((float(entry["t_ms"]) for entry in entries), None)


def _segments(part: Mapping[str, Any]) -> tuple[Segment, ...]:
    return tuple(Segment(**item) for item in part["segments"])


def _announcements(record: Mapping[str, Any], *, without: str) -> list[Announcement]:
    """Read the announcements of a record; one of an earlier version has none."""
    return [Announcement(**a) for a in record.get("announcements") or () if a["road"] != without]
