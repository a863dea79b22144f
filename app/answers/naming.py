"""Names that were said beside those of the books: by sound, then by the second pass over the sound. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.answers.closest import closest
from app.answers.expected import BookPerson, Expected
from app.answers.found import Answers, Found, Grade, Question
from app.answers.names import Likeness, nearest, same_sound
from app.answers.script import Script
from sip.progress.syllables import tokens_of

ASKED: Final = 40
"""Names that the second pass is asked about, the likest by sound: all of a day's roster, the nearest of a whole one."""
FAR: Final = 0.65
"""Distance beyond which a name is not looked at where there is no second pass."""
AROUND_MS: Final = 500.0
"""Of the sound before and behind the words that the second pass hears: cut closer, Whisper loses the first and last."""
SCORE_WEIGHT: Final = 0.33
"""What each unit of the second pass's score below 0 adds to the distance of a name."""
SHORT: Final = 0.33
"""What is added for each syllable that a name has fewer than three: less must fit by chance."""
ACCEPTED: Final = 1.75
"""Distance, the second pass counted in, up to which a name counts as said."""
ASKED_OF_MANY: Final = 1.35
"""The same among more than `MANY` names."""
ACCEPTED_UNASKED: Final = 0.4
"""The same where there was no second pass."""
ACCEPTED_OF_MANY: Final = 0.2
"""The same among more than `MANY` names, where one is like anything."""
MANY: Final = 30
MARGIN: Final = 0.03
"""How much farther the next name that sounds otherwise must be."""
MARGIN_ASKED: Final = 0.05
"""The same with the second pass counted in."""
MARGIN_OF_SHORTER: Final = 0.4
"""The same for a name that leaves syllables over where a longer one, about as like, leaves none (蒋宏, 蒋宏德)."""
_ABOUT: Final = 0.1
STRONG: Final = (0.2, 0.2)
MEDIUM: Final = (0.4, 0.12)
"""Of these grades: the most distance, the least margin."""
STRONG_ASKED: Final = (0.6, 0.5)
MEDIUM_ASKED: Final = (1.2, 0.3)
"""The same with the second pass counted in."""
_NEAR_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Weighed:
    """A name with all that speaks for and against it."""

    like: Likeness
    cost: float
    """Its distance and what the second pass adds."""
    score: float | None = None
    """Of the second pass."""


def name_questions(script: Script, expected: Expected) -> tuple[Question, ...]:
    """Return which names the second pass should weigh, for each place where some of them are likest."""
    return tuple(_asked(script, expected))


def read_names(script: Script, expected: Expected, answers: Answers) -> Iterator[Found]:
    """Yield each name of the books that was said."""
    people: dict[str, list[BookPerson]] = {}
    for person in expected.people:
        people.setdefault(person.name, []).append(person)
    for weighed in _weighed(script, expected, answers):
        found = _decide(script, weighed, people)
        if found is not None:
            yield found


def _weighed(script: Script, expected: Expected, answers: Answers) -> Iterator[tuple[Weighed, ...]]:
    """Yield for each stretch in which a name may be said the names that are likeliest there."""
    asked = _asked(script, expected) if answers else {}
    scores = {
        (like.name, score)
        for question, likes in asked.items()
        for like, score in ((like, dict(answers.get(question, ())).get(like.name)) for like in likes)
        if score is not None
    }
    if not scores:
        yield from (weigh(group, {}) for group in nearest(script.text, _names(expected), FAR))
        return
    left = weigh((like for likes in asked.values() for like in likes), dict(scores))
    left = tuple(item for item in left if item.score is not None)
    yield left
    # Somebody else may be named in another place; there only what stands behind a cue counts.
    best = left[0].like
    others = [
        item
        for item in left
        if item.like.cue and (item.like.end <= best.start or best.end <= item.like.start)
    ]
    if others and not same_sound(others[0].like.name, best.name):
        yield tuple(others)


def _names(expected: Expected) -> Iterable[str]:
    return dict.fromkeys(person.name for person in expected.people if person.name)


def _asked(script: Script, expected: Expected) -> dict[Question, list[Likeness]]:
    """Return the names that the second pass is asked about, by what stands before them."""
    places: dict[int, list[Likeness]] = {}
    for like in closest(script.text, _names(expected))[:ASKED]:
        places.setdefault(like.start, []).append(like)
    return {_question(script, likes): likes for likes in places.values()}


def _question(script: Script, group: Sequence[Likeness]) -> Question:
    piece = script.piece_at(group[0].start)
    before = script.text[piece.start : group[0].start]
    start_ms, end_ms = script.around(piece, AROUND_MS)
    return Question(start_ms, end_ms, tuple(like.name for like in group), before)


def weigh(group: Iterable[Likeness], ranked: Mapping[str, float]) -> tuple[Weighed, ...]:
    """Return the names with the second pass counted in, the likeliest first."""
    weighed = []
    for like in group:
        score = ranked.get(like.name)
        more = 0.0
        if score is not None:
            more = SCORE_WEIGHT * max(0.0, -score) + SHORT * max(0, 3 - len(like.pinyin.split()))
        weighed.append(Weighed(like, like.distance + more, score))
    return tuple(sorted(weighed, key=lambda item: (item.cost, item.like.distance, item.like.name)))


def chosen(weighed: Sequence[Weighed], names: int) -> tuple[tuple[Weighed, ...], float]:
    """Return the likeliest of so many names with all that sound like it, and how much farther the next one is.

    Nothing where it is too far, or others are as near.
    """
    if not weighed or not _may_be(weighed[0], names):
        return (), 0.0
    best = weighed[0]
    alike = [item for item in weighed if item is best or same_sound(item.like.name, best.like.name)]
    others = [item.cost for item in weighed if item not in alike]
    margin = min(others, default=best.cost + 1.0) - best.cost
    if best.score is not None:
        least = MARGIN_ASKED
    else:
        least = MARGIN_OF_SHORTER if _cut_short(best.like, (item.like for item in weighed)) else MARGIN
    return (tuple(alike), margin) if margin >= least else ((), margin)


def _cut_short(best: Likeness, others: Iterable[Likeness]) -> bool:
    """Whether a longer name is about as like as one that leaves syllables over."""
    return best.left > 0 and any(
        other.left <= 0 and other.end > best.end and other.distance <= best.distance + _ABOUT
        for other in others
    )


def _may_be(best: Weighed, names: int) -> bool:
    if best.score is not None:
        most = ASKED_OF_MANY if names > MANY else ACCEPTED
        return best.cost <= most
    return best.cost <= (ACCEPTED_OF_MANY if names > MANY else ACCEPTED_UNASKED)


def _decide(script: Script, weighed: Sequence[Weighed], people: dict[str, list[BookPerson]]) -> Found | None:
    alike, margin = chosen(weighed, len(people))
    if not alike:
        return None
    best = alike[0].like
    begin, end = script.times(best.start, best.end)
    heard = script.text[best.start : best.end]
    pinyin = " ".join(token.sound for token in tokens_of(heard))
    names = sorted({item.like.name for item in alike}, key=lambda name: (not _on_duty(people[name]), name))
    evidence: dict[str, Any] = {
        "pinyin": best.pinyin,
        "cue": best.cue,
        "books": [entry for name in names for entry in _books(people[name])],
        "margin": round(margin, 3),
    }
    near = [item for item in weighed if item not in alike][:_NEAR_SHOWN]
    if near:
        evidence["near"] = [
            {"name": item.like.name, "distance": round(item.like.distance, 3)} for item in near
        ]
    if len(names) > 1:
        evidence["same_sound"] = names
    if alike[0].score is not None:
        evidence["second_pass"] = {
            item.like.name: round(item.score, 3) for item in (*alike, *near) if item.score is not None
        }
    grade = _grade(alike, margin)
    return Found(
        "name", heard, pinyin, begin, end, "、".join(names), round(best.distance, 3), grade, evidence
    )


def _grade(alike: Sequence[Weighed], margin: float) -> Grade:
    """Names that sound the same are never told apart: at most medium."""
    best = alike[0]
    strong, medium = (STRONG, MEDIUM) if best.score is None else (STRONG_ASKED, MEDIUM_ASKED)
    if best.like.cue and best.cost <= strong[0] and margin >= strong[1] and len(alike) == 1:
        return "strong"
    return "medium" if best.cost <= medium[0] and margin >= medium[1] else "weak"


def _on_duty(people: Iterable[BookPerson]) -> bool:
    return any(person.on_duty for person in people)


def _books(people: Iterable[BookPerson]) -> Iterator[dict[str, Any]]:
    for person in people:
        yield {"name": person.name, "title": person.title, "on_duty": person.on_duty, **(person.book or {})}
