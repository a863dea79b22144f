"""The vote on the state of a line (线路状态): words, samples, tones and signalling, each with its weight.

| road | weight | why |
|---|---|---|
| sample | 1.0 × confidence | the very recording that an operator marked |
| words | 0.95 × confidence | clear words; below 0.6 they only agree |
| tone | 0.75 × confidence | a tone ends many announcements, and says less |
| signalling | its confidence | how specific the status or cause is (`sip.progress.signalled`) |

What was said clearly names the state; without that a tone does; without either the signalling and unclear words may.
Announcements for one state add up as independent signs, 1 - (1-a)(1-b); a coarser sign (486 beside 正在通话中) agrees
with half its weight. The strongest state wins if it reaches 0.4. What speaks for another state lowers the confidence
and stays visible. 请稍后再拨 trails other prompts: it weighs half.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sip.progress.words import LINE_STATES, ORDER
from sip.record import Announcement, AnnouncementMeaning, AnnouncementRoad, LineState, LineVote

SPOKEN: frozenset[AnnouncementRoad] = frozenset({"words", "sample"})
"""Roads by which something said was understood."""
CLEAR = 0.6
"""Confidence from which something said names a state by itself."""
CLEAR_AFTER_ANSWER = 0.82
"""After a 200 a person may speak: only words that no person says count, and 请稍后再拨 (0.8 of a frame) people say. A
recording is nobody's words."""
NETWORK_WITHIN_MS = 4_000.0
"""So soon after the answer an announcement must begin to be the network's instead of an answer. What is heard later
may be another telephone in the room of whoever answered, or where they passed the call on to."""
FIRST_WITHIN_MS = 10_000.0
"""The same where nothing was heard before it: a gateway answers and only then dials. And behind a switchboard, which
may say first that it connects."""
_BEGINNING_MS = 1_500.0
"""So long before the words that count a network may have begun to speak (您好, 对不起)."""
MACHINE_WITHIN_MS = 8_000.0
"""So soon after the answer a machine says that it is one: a mailbox, an assistant, a menu, a transfer."""
NAMED = 0.4
"""Weight that names a state."""

_ROAD_WEIGHTS: Mapping[AnnouncementRoad, float] = {
    "sample": 1.0,
    "words": 0.95,
    "tone": 0.75,
    "signalling": 1.0,
}
_ROADS: tuple[AnnouncementRoad, ...] = ("words", "sample", "tone", "signalling")
_UNCLEAR = 0.35
"""Weight, below `NAMED`, that unclear words have at most."""
_TRAILING = 0.5
_COARSE = 0.5
_DISAGREEMENT = 0.5

_COARSE_SIGNS: Mapping[LineState, frozenset[LineState]] = {
    "busy": frozenset({"in_call", "declined", "network_busy"}),
    "declined": frozenset({"in_call", "busy"}),
    "no_answer": frozenset({"cannot_answer", "call_reminder", "redial_later"}),
    "unobtainable": frozenset({"number_changed", "suspended", "service_paused", "wrong_prefix"}),
    "number_changed": frozenset({"unobtainable"}),
    "network_busy": frozenset({"redial_later"}),
    "not_reachable": frozenset(
        {
            "powered_off",
            "suspended",
            "service_paused",
            "incoming_barred",
            "line_fault",
            "call_reminder",
            "cannot_answer",
            "forward_failed",
            "redial_later",
            "in_call",
            "no_answer",
        }
    ),
}
"""States that a status, a cause or a tone cannot tell from the one it names."""


@dataclass(frozen=True, slots=True)
class CallMoments:
    """What places announcements in their call, milliseconds."""

    connected_ms: float | None = None
    """The 200."""
    answered_ms: float | None = None
    from_ms: float | None = None
    """The end of the digits to a switchboard: what was announced before them is the switchboard's."""
    spoken_ms: float | None = None
    """When a person was first understood to speak after the answer, by their words."""
    heard_ms: float | None = None
    """When a voice or anything else that somebody made was first heard after the answer."""


def counting(announcements: Iterable[Announcement], moments: CallMoments) -> tuple[Announcement, ...]:
    """Return the announcements that may speak of the line.

    Before the answer all do; after it what begins within its first seconds, if nobody spoke before: a network or a
    mailbox that answers with a 200. What is said later is said by whoever answered, or beside them.
    """
    return tuple(a for a in announcements if _counts(a, moments))


def _counts(said: Announcement, moments: CallMoments) -> bool:
    answered_ms = moments.answered_ms
    if moments.from_ms is not None and said.road in SPOKEN and said.start_ms < moments.from_ms:
        return False
    if answered_ms is None:
        return True
    if said.road not in SPOKEN:
        return said.start_ms < answered_ms
    if said.end_ms <= answered_ms or said.start_ms < answered_ms - 1.0:
        return True
    late = said.start_ms - answered_ms > _within_ms(said, moments)
    unclear = said.road == "words" and said.confidence < CLEAR_AFTER_ANSWER
    spoken = moments.spoken_ms is not None and moments.spoken_ms < said.start_ms
    return not (late or unclear or spoken)


def _within_ms(said: Announcement, moments: CallMoments) -> float:
    if said.meaning not in LINE_STATES:
        return MACHINE_WITHIN_MS
    first = moments.heard_ms is not None and moments.heard_ms >= said.start_ms - _BEGINNING_MS
    return FIRST_WITHIN_MS if first or moments.from_ms is not None else NETWORK_WITHIN_MS


def vote(announcements: Iterable[Announcement]) -> tuple[LineState | None, LineVote | None]:
    """Return the state that the announcements name and how they voted; (None, None) where they name none."""
    signs = [said for said in announcements if said.meaning in LINE_STATES]
    scores = {state: _score(state, signs) for state in dict.fromkeys(_state(said) for said in _first(signs))}
    state = max(scores, key=lambda s: (round(scores[s], 3), -_rank(s)), default=None)
    if state is None or scores[state] < NAMED:
        return None, None
    others = [said for said in signs if not _agrees(said, state)]
    worst = max((_weight(said) for said in others), default=0.0)
    agreeing = {said.road for said in signs if _agrees(said, state)}
    return state, LineVote(
        confidence=round(scores[state] * (1.0 - _DISAGREEMENT * worst), 2),
        roads=tuple(road for road in _ROADS if road in agreeing),
        against=tuple(dict.fromkeys(f"{said.road}: {said.meaning}" for said in others)),
    )


def spoken_state(announcements: Iterable[Announcement]) -> Announcement | None:
    """Return the announcement that says clearly how the call ended, None where nothing said does."""
    clear = [
        said
        for said in announcements
        if said.road in SPOKEN and said.meaning in LINE_STATES and said.confidence >= CLEAR
    ]
    state, _ = vote(clear)
    return min((a for a in clear if a.meaning == state), key=lambda a: a.start_ms, default=None)


def takes_message(announcements: Iterable[Announcement]) -> bool:
    """Tell whether a machine speaks for the line (mailbox, assistant, menu, 来电提醒): that is an answer of its own."""
    machines: tuple[AnnouncementMeaning, ...] = ("mailbox", "assistant", "menu")
    return any(said.meaning in machines and said.road in SPOKEN for said in announcements)


def _first(signs: Sequence[Announcement]) -> Sequence[Announcement]:
    """Return the signs that may name the state: those of the best road there is."""
    clear = [said for said in signs if said.road in SPOKEN and said.confidence >= CLEAR]
    # A trailing 请稍后再拨 tells less than a tone.
    said_more = [said for said in clear if said.meaning != "redial_later"]
    tones = [said for said in signs if said.road == "tone"]
    return said_more or tones or clear or signs


def _score(state: LineState, signs: Sequence[Announcement]) -> float:
    doubt = 1.0
    best: dict[tuple[AnnouncementRoad, AnnouncementMeaning], float] = {}
    for said in signs:
        if not _agrees(said, state):
            continue
        weight = _weight(said) * (1.0 if said.meaning == state else _COARSE)
        key = (said.road, said.meaning)
        best[key] = max(best.get(key, 0.0), weight)
    if not any(meaning == state for _, meaning in best):
        return 0.0
    for weight in best.values():
        doubt *= 1.0 - min(weight, 0.99)
    return 1.0 - doubt


def _weight(said: Announcement) -> float:
    weight = _ROAD_WEIGHTS[said.road] * said.confidence
    if said.road in SPOKEN and said.confidence < CLEAR:
        weight = min(weight, _UNCLEAR)
    return weight * _TRAILING if said.meaning == "redial_later" else weight


def _agrees(said: Announcement, state: LineState) -> bool:
    if said.meaning == state:
        return True
    coarse = said.road not in SPOKEN or said.meaning == "redial_later"
    return coarse and (
        said.meaning == "redial_later" or state in _COARSE_SIGNS.get(_state(said), frozenset())
    )


def _state(said: Announcement) -> LineState:
    return cast(LineState, said.meaning)


def _rank(state: LineState) -> int:
    return ORDER.index(state) if state in ORDER else -1
