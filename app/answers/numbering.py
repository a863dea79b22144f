"""Numbers that were said beside those of the books. An answer key is compared and never shown. Pure.

They are read twice: in the transcript, and, where a number is announced (电话是, 号码是), by a second pass that hears
nothing but digits. What that hears, first or nearly so, and the books know, counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from app.answers.digits import COMPLETE, SaidNumber, said_numbers
from app.answers.expected import BookNumber, Expected
from app.answers.found import Answers, Found, Grade, Question
from app.answers.masking import MASK, says_key, written_ways
from app.answers.script import Script
from recordings.transcription.spelling import NUMBER, is_number
from sip.progress.syllables import Token, find, tokens_of

ANSWER_KEY: Final = "answer_key"
CUES: Final = (
    "电话号码是",
    "号码是",
    "电话是",
    "传真是",
    "手机是",
    "座机是",
    "手机号是",
    "座机",
    "记一下号码是",
    "值班室座机",
    "值班室的传真是",
    "领导的电话是",
    "打",
)
"""What is said just before a number."""
MOST_QUESTIONS: Final = 2
_CUE_COST: Final = 0.3
_SIGHT: Final = 8
_LEAST_DIGITS: Final = 3
"""Of so many syllables behind a cue so many sound like digits where a number follows."""
_GAP: Final = 0.25
"""How much less likely (mean log-probability) a number of the books may be than what was heard first."""
_MOST_CANDIDATES: Final = 24
"""Numbers of the books that the second pass weighs."""
_LEAST_SCORE: Final = -3.4
"""Log-probability of a digit below which a number of the books was not said, however far behind the others are."""
AROUND_MS: Final = 500.0
"""Of the sound before and behind the words that the second pass hears."""
_SHOWN: Final = 3
_MOST_APART: Final = 1
"""Digits in which a number may differ from one of the books and still be shown beside it."""
Heard = tuple[tuple[str, float], ...]


@lru_cache(maxsize=1)
def _digit_sounds() -> frozenset[str]:
    """How digits sound; worked out late, for the tables of sounds take 0.3 s to load."""
    return frozenset(token.sound for token in tokens_of("零一二三四五六七八九幺洞拐勾两"))


def number_questions(script: Script, expected: Expected) -> tuple[Question, ...]:
    """Return where the second pass should hear digits, and which numbers of the books it should weigh there."""
    return tuple(question for _, question in _places(script, expected))


def _places(script: Script, expected: Expected) -> list[tuple[int, Question]]:
    """Where a number is announced: its first character, and the question."""
    tokens = tokens_of(script.text)
    phrases = (NUMBER, *_candidates(expected))
    starts: dict[int, str] = {}
    for cue in CUES:
        pattern = tokens_of(cue)
        for hit in find(pattern, tokens, _CUE_COST * len(pattern) if len(pattern) > 1 else 0.0):
            ahead = tokens[hit.after : hit.after + _SIGHT]
            if sum(token.sound in _digit_sounds() for token in ahead) >= _LEAST_DIGITS:
                starts.setdefault(hit.after, script.text[: tokens[hit.first].start] + cue)
    found: dict[float, tuple[int, Question]] = {}
    for after, before in sorted(starts.items()):
        start = tokens[after].start
        piece = script.piece_at(start)
        said = piece.utterance
        question = Question(*script.around(piece, AROUND_MS), phrases, before[piece.start :])
        # One number for each utterance: the first cue that is followed by one.
        found.setdefault(said.start_ms, (start, question))
    for number in said_numbers(script.text):
        piece = script.piece_at(number.start)
        said = piece.utterance
        before = script.text[piece.start : number.start]
        question = Question(*script.around(piece, AROUND_MS), phrases, before)
        found.setdefault(said.start_ms, (number.start, question))
    return [found[key] for key in sorted(found)][:MOST_QUESTIONS]


def _candidates(expected: Expected) -> list[str]:
    """Return the numbers of the books as they are said, short and as written, in digits; never an answer key."""
    found: dict[str, None] = {}
    for book in expected.numbers:
        ways = sorted((way for way in written_ways(book.number) if is_number(way)), key=len)
        written = "".join(sign for sign in book.number if sign.isdecimal())
        found |= dict.fromkeys(way for way in ways if way in (ways[0], written))
    return [way for way in found if not says_key(way, expected.keys)][:_MOST_CANDIDATES]


def read_numbers(script: Script, expected: Expected, answers: Answers) -> Iterator[Found]:
    """Yield each telephone number that was said."""
    read = list(said_numbers(script.text))
    tokens = tokens_of(script.text)
    for start, question in _places(script, expected):
        heard = answers.get(question, ())
        if not heard:
            continue
        span = _span(tokens, start, len(heard[0][0]))
        first = [number for number in read if number.start < span[1] and span[0] < number.end]
        found = _of_second_pass(script, expected, _likely(question, heard), span, first)
        if found is not None:
            read = [number for number in read if number not in first]
            yield found
    for said in read:
        yield _of_text(script, expected, said)


def _span(tokens: Sequence[Token], start: int, digits: int) -> tuple[int, int]:
    """As many syllables from `start` as the number has digits."""
    behind = [token for token in tokens if token.start >= start][: max(digits, 1)]
    return start, behind[-1].end if behind else start


def _likely(question: Question, heard: Heard) -> Heard:
    """Return what was heard, without the numbers of the books that were asked about and are not likely enough."""
    least = max(heard[0][1] - _GAP, _LEAST_SCORE)
    return tuple(item for item in heard if item[0] not in question.phrases or item[1] >= least)


def _of_second_pass(
    script: Script, expected: Expected, heard: Heard, span: tuple[int, int], first: Sequence[SaidNumber]
) -> Found | None:
    if not heard or not (is_number(heard[0][0]) or first):
        return None
    begin, end = script.times(*span)
    text = script.text[span[0] : span[1]]
    best = heard[0]
    near = [digits for digits, score in heard if score >= best[1] - _GAP]
    in_text = {number.digits for number in first}
    if any(says_key(digits, expected.keys) for digits in (*near, *in_text)):
        evidence = {"matches": ANSWER_KEY, "second_pass": True}
        return Found("number", MASK * len(text), "", begin, end, "", 0.0, "strong", evidence)
    known = next(
        ((digits, book) for digits in (*in_text, *near) for book in expected.numbers if _is(digits, book)),
        None,
    )
    shown = [digits for digits, _ in heard if not says_key(digits, expected.keys)][:_SHOWN]
    evidence = {"second_pass": shown, "digits": best[0], "agree": best[0] in in_text}
    if known is None:
        return Found("number", text, "", begin, end, grade="none", evidence=evidence)
    digits, book = known
    evidence |= {"digits": digits, "book": {"kind": "directory", "of": book.what}}
    grade: Grade = "strong" if digits in in_text else "medium"
    return Found("number", text, "", begin, end, book.number, 0.0, grade, evidence)


def _of_text(script: Script, expected: Expected, said: SaidNumber) -> Found:
    times = script.times(said.start, said.end)
    heard = script.text[said.start : said.end]
    if any(says_key(digits, expected.keys) for digits in (said.digits, said.digits + said.extension)):
        evidence = {"matches": ANSWER_KEY, **_how(said)}
        return Found("number", MASK * len(heard), "", *times, "", 0.0, "strong", evidence)
    return _beside(said, heard, times, expected.numbers)


def _beside(said: SaidNumber, heard: str, times: tuple[float, float], books: Iterable[BookNumber]) -> Found:
    evidence: dict[str, Any] = {"digits": said.digits, **_how(said)}
    if said.extension:
        evidence["extension"] = said.extension
    nearest = min(
        ((_apart(said, book), book) for book in books), key=lambda item: (item[0], item[1].what), default=None
    )
    if nearest is None or nearest[0] > _MOST_APART:
        return Found("number", heard, "", *times, grade="none", evidence=evidence)
    apart, book = nearest
    grade: Grade = "strong" if apart == 0 and not said.corrected else "medium" if apart == 0 else "weak"
    evidence["book"] = {"kind": "directory", "of": book.what}
    distance = round(apart / len(said.digits), 3)
    return Found("number", heard, "", *times, book.number, distance, grade, evidence)


def _how(said: SaidNumber) -> dict[str, Any]:
    return {"corrected": True} if said.corrected else {}


def _is(digits: str, book: BookNumber) -> bool:
    return digits in written_ways(book.number)


def _apart(said: SaidNumber, book: BookNumber) -> int:
    """Digits in which what was said differs from a number, in any of its writings; too many: not alike."""
    least = len(said.digits)
    for way in written_ways(book.number):
        for digits in (said.digits, said.digits + said.extension):
            if len(way) == len(digits):
                least = min(least, sum(a != b for a, b in zip(way, digits, strict=True)))
    # A short number that differs is another number.
    return least if len(said.digits) >= COMPLETE or least == 0 else _MOST_APART + 1
