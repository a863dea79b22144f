"""Announcements understood from the words of a transcript (提示音识别，由文字).

Texts are compared by sound with a tolerance (`sip.progress.syllables`): the heart of an announcement (已关机) counts
where the words that a network puts around it stand beside it (您拨打的…, …请稍后再拨). So what a person says of a
telephone (那个电话停机检修过) is no state of the line.

Of the states in one message the first of `ORDER` is taken: prompts trail each other, and 请稍后再拨 trails them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from sip.progress.phrases import Frame, Pattern, Phrase, phrase_book
from sip.progress.syllables import Hit, Nearest, Token, distance, find, tokens_of
from sip.progress.transcript import Transcript, Utterance
from sip.record import Announcement, AnnouncementMeaning, LineState

ORDER: tuple[LineState, ...] = (
    "powered_off",
    "unobtainable",
    "suspended",
    "service_paused",
    "incoming_barred",
    "arrears",
    "number_changed",
    "line_fault",
    "forward_failed",
    "call_reminder",
    "wrong_prefix",
    "not_reachable",
    "cannot_answer",
    "no_answer",
    "network_busy",
    "in_call",
    "busy",
    "declined",
    "redial_later",
)
"""The order of matching that mod_da2 uses: 2, 3, 4, 8, 11, 16, 18, 19, 13, 12, 10, 7, 17, 15, 14, 5, 9, 6, 20."""
_RANK: dict[str, int] = {"own_line": -1, **{state: at for at, state in enumerate(ORDER)}}
LINE_STATES: frozenset[str] = frozenset(get_args(LineState))

_PAUSE_MS = 2_000.0
"""A longer pause parts two messages."""
_FRAME_WORTH = {"called": 0.95, "own": 0.95, "redial": 0.8, "sorry": 0.75}
_BOTH_WORTH = 0.98
_ALONE_WORTH = 0.9
_ENGLISH_WORTH = 0.9
_FRAME_DOUBT = 0.2
_FRAME_BLUR = 1.5
"""A frame that costs so much takes a fifth of the confidence."""
_YOU = Token("nin")
_LIKE_YOU = 0.6
_OTHER_PERSONS = frozenset({"wo", "ta", "men"})
_PERSONS = frozenset({"wo", "ta"})
_GREETING_ENDS = frozenset({"hao", "qi", "qian"})
_CLEAR_FRAME = 0.5
_BLURRED_WORTH = 0.65
"""Enough to count before an answer, too little after one."""
_DIFFERENCE = 3.0
"""Syllables that a difference of one weighs where phrases overlap: 无法接通 is not the longer 暂时无法接听."""
_DOUBT = 0.35
"""How much of its worth a match at the edge of its budget loses."""


@dataclass(frozen=True, slots=True)
class _Timed:
    """A token with its time."""

    token: Token
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class _Match:
    meaning: AnnouncementMeaning
    phrase: str
    heart: Hit
    first: int
    after: int
    """Tokens [first, after): the heart with the frame beside it."""
    weight: float
    """What decides between two that overlap: syllables said, less what differs."""
    confidence: float
    latin: bool
    mobile: bool


def announced(transcript: Transcript) -> tuple[Announcement, ...]:
    """Return what the far side announced, one entry for each meaning, in order of time.

    The road is `words`; times are those of the matched words; the confidence falls with the distance between what was
    said and the phrase; `detail` holds both.
    """
    best: dict[AnnouncementMeaning, Announcement] = {}
    for message in _messages(transcript):
        for found in _understood(message):
            known = best.get(found.meaning)
            if known is None or found.confidence > known.confidence + 0.1:
                best[found.meaning] = found
    return tuple(sorted(best.values(), key=lambda announcement: announcement.start_ms))


def announced_in(text: str) -> tuple[Announcement, ...]:
    """Return what a text without times announces; all times are 0."""
    return announced(Transcript(utterances=(Utterance(0.0, 0.0, text),)))


def _messages(transcript: Transcript) -> Iterator[tuple[str, list[_Timed]]]:
    """Yield the text and the tokens of each message: utterances with no long pause between them."""
    text, tokens, end_ms = "", list[_Timed](), float("-inf")
    for utterance in transcript.utterances:
        if tokens and utterance.start_ms - end_ms > _PAUSE_MS:
            yield text, tokens
            text, tokens = "", []
        said, timed = _timed(utterance)
        offset = len(text)
        for one in timed:
            token = one.token
            moved = Token(token.sound, token.latin, token.key, token.start + offset, token.end + offset)
            tokens.append(_Timed(moved, one.start_ms, one.end_ms))
        text += said + " "
        end_ms = max(end_ms, utterance.end_ms)
    if tokens:
        yield text, tokens


def _timed(utterance: Utterance) -> tuple[str, list[_Timed]]:
    """Return the utterance's text and its tokens with their times: those of the words, else spread evenly."""
    # English words need their spaces, which some engines leave to the reader.
    spelt = [f"{word.text} " if word.text.isascii() else word.text for word in utterance.words]
    text = "".join(spelt) if any(word.text.strip() for word in utterance.words) else utterance.text
    spans: list[tuple[int, int, float, float]] = []
    at = 0
    for word, letters in zip(utterance.words, spelt, strict=True):
        spans.append((at, at + len(letters), word.start_ms, word.end_ms))
        at += len(letters)
    if text is utterance.text or not spans:
        spans = [(0, len(text), utterance.start_ms, utterance.end_ms)]
    return text, list(_spread(tokens_of(text), spans))


def _spread(tokens: Iterable[Token], spans: Sequence[tuple[int, int, float, float]]) -> Iterator[_Timed]:
    at = 0
    for token in tokens:
        while at + 1 < len(spans) and spans[at][1] <= token.start:
            at += 1
        first, after, start_ms, end_ms = spans[at]
        per_character = (end_ms - start_ms) / max(after - first, 1)
        yield _Timed(
            token,
            min(start_ms + (token.start - first) * per_character, end_ms),
            min(start_ms + (token.end - first) * per_character, end_ms),
        )


def _understood(message: tuple[str, list[_Timed]]) -> list[Announcement]:
    """Return the one state of the line that a message names, and what else it means."""
    text, timed = message
    matches = list(_matches([one.token for one in timed]))
    states = [m for m in matches if m.meaning in LINE_STATES]
    chosen = [m for m in matches if m.meaning not in LINE_STATES]
    if states:
        # The English half repeats the Chinese one, in words that several states share.
        spoken = [m for m in states if not m.latin and m.meaning != "redial_later"] or states
        sure = max(m.confidence for m in spoken)
        near = [m for m in spoken if m.confidence >= sure - 0.3]
        chosen.append(min(near, key=lambda m: (_RANK[m.meaning], -m.confidence)))
    announcements: dict[AnnouncementMeaning, Announcement] = {}
    for match in sorted(chosen, key=lambda m: -m.confidence):
        announcements.setdefault(match.meaning, _announcement(match, text, timed))
    return list(announcements.values())


def _announcement(match: _Match, text: str, timed: Sequence[_Timed]) -> Announcement:
    first, last = timed[match.first], timed[match.after - 1]
    said = text[first.token.start : last.token.end]
    return Announcement(
        meaning=match.meaning,
        road="words",
        start_ms=first.start_ms,
        end_ms=last.end_ms,
        confidence=round(match.confidence, 2),
        detail=f"“{said}” ({match.phrase})",
        mobile=match.mobile,
    )


def _matches(tokens: Sequence[Token]) -> list[_Match]:
    """Return the phrases found, of those that overlap the weightiest."""
    book = phrase_book()
    nearest = Nearest(tokens)
    frames = {frame.name: _framed(frame, tokens, nearest) for frame in book.frames}
    # 您的电话 also looks a little like 您拨打的电话.
    frames["called"] = [
        hit for hit in frames["called"] if not _is_better(frames["own"], hit) and _is_addressed(hit, tokens)
    ]
    after = {frame.name: frame.after for frame in book.frames}
    near = {frame.name: frame.near for frame in book.frames}
    found: list[_Match] = []
    for phrase in book.phrases:
        places = [
            (p, hit)
            for p in phrase.patterns
            if nearest.may_hold(p.tokens, p.loose)
            for hit in find(p.tokens, tokens, p.loose)
        ]
        if phrase.twice and len({hit.after for _, hit in places}) < 2:
            continue
        for pattern, hit in places:
            beside = [
                (name, other)
                for name in phrase.beside
                for other in frames[name]
                if _is_beside(hit, other, after[name], near[name]) and not _of_persons(hit, other, tokens)
            ]
            if phrase.last and hit.after < len(tokens) - 1:
                continue
            if hit.cost > pattern.budget and not _is_clear(beside):
                continue
            if beside or not phrase.beside:
                found.append(_match(phrase, pattern, hit, beside))
    return _exclusive(found)


def _framed(frame: Frame, tokens: Sequence[Token], nearest: Nearest) -> list[Hit]:
    return [
        hit
        for pattern in frame.patterns
        if nearest.may_hold(pattern.tokens, pattern.budget)
        for hit in find(pattern.tokens, tokens, pattern.budget)
    ]


def _is_better(others: Sequence[Hit], hit: Hit) -> bool:
    return any(o.first < hit.after and hit.first < o.after and o.cost < hit.cost for o in others)


def _is_addressed(hit: Hit, tokens: Sequence[Token]) -> bool:
    """Tell whether the frame speaks to 您: 我打的电话已关机 is a person's.

    Its 您 may be blurred; it may be missing where the text begins, or where 您好 or 对不起 stands before it.
    """
    first = tokens[hit.first]
    if first.latin or distance(_YOU, first) <= _LIKE_YOU:
        return True
    ahead = tokens[max(hit.first - 2, 0) : hit.first]
    others = {token.sound for token in (*ahead[-1:], *tokens[hit.first : hit.first + 2])} & _OTHER_PERSONS
    # One syllable that was 您 may stand between.
    return not others and (hit.first < 2 or any(token.sound in _GREETING_ENDS for token in ahead))


def _is_beside(hit: Hit, frame: Hit, after: bool, near: int) -> bool:
    gap = frame.first - hit.after if after else hit.first - frame.after
    return 0 <= gap <= near


def _of_persons(hit: Hit, frame: Hit, tokens: Sequence[Token]) -> bool:
    """Tell whether somebody is spoken of between a frame and a heart: 您打的电话我们主任关机了 no network says."""
    between = tokens[min(hit.after, frame.after) : max(hit.first, frame.first)]
    return any(token.sound in _PERSONS for token in between)


def _is_clear(beside: Iterable[tuple[str, Hit]]) -> bool:
    """Tell whether the network's words stand beside a heart so well that the heart may be blurred."""
    return any(name in ("called", "own") and hit.cost <= _CLEAR_FRAME for name, hit in beside)


def _match(phrase: Phrase, pattern: Pattern, hit: Hit, beside: Sequence[tuple[str, Hit]]) -> _Match:
    names = {name for name, _ in beside}
    worth = max((_FRAME_WORTH[name] for name in names), default=_ALONE_WORTH)
    if {"called", "redial"} <= names:
        worth = _BOTH_WORTH
    doubt = hit.cost / pattern.budget if pattern.budget else 0.0
    if hit.cost > pattern.budget:
        worth = min(worth, _BLURRED_WORTH)
        doubt = 0.0
    nearest = min((other for _, other in beside), key=lambda other: other.cost, default=hit)
    blur = 0.0 if nearest is hit else min(nearest.cost, _FRAME_BLUR)
    confidence = worth * (1.0 - _DOUBT * doubt) * (_ENGLISH_WORTH if pattern.latin else 1.0)
    confidence *= 1.0 - _FRAME_DOUBT * blur / _FRAME_BLUR
    return _Match(
        phrase.meaning,
        pattern.text,
        hit,
        min(hit.first, nearest.first),
        max(hit.after, nearest.after),
        worth * (len(pattern.tokens) - _DIFFERENCE * hit.cost),
        confidence,
        pattern.latin,
        phrase.mobile,
    )


def _exclusive(matches: Sequence[_Match]) -> list[_Match]:
    kept: list[_Match] = []
    for match in sorted(matches, key=lambda m: (-m.weight, m.first)):
        mine = match.heart
        if all(mine.after <= other.heart.first or mine.first >= other.heart.after for other in kept):
            kept.append(match)
    return kept
