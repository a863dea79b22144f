"""Numbers that were said beside those of the books. An answer key is compared and never shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.answers.digits import COMPLETE, SaidNumber, said_numbers
from app.answers.expected import BookNumber, Expected
from app.answers.found import Found, Grade
from app.answers.masking import MASK, says_key, written_ways
from app.answers.script import Script

_MOST_APART = 1
"""Digits in which a number may differ from one of the books and still be shown beside it."""
ANSWER_KEY = "answer_key"


def read_numbers(script: Script, expected: Expected) -> Iterator[Found]:
    """Yield each telephone number that was said."""
    for said in said_numbers(script.text):
        begin, end = script.times(said.start, said.end)
        heard = script.text[said.start : said.end]
        whole = said.digits + said.extension
        if says_key(said.digits, expected.keys) or says_key(whole, expected.keys):
            hidden = MASK * len(heard)
            yield Found(
                "number", hidden, "", begin, end, "", 0.0, "strong", {"matches": ANSWER_KEY, **_how(said)}
            )
            continue
        yield _beside(said, heard, (begin, end), expected.numbers)


def _beside(said: SaidNumber, heard: str, times: tuple[float, float], books: Iterable[BookNumber]) -> Found:
    evidence = {
        "digits": said.digits,
        **({"extension": said.extension} if said.extension else {}),
        **_how(said),
    }
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


def _apart(said: SaidNumber, book: BookNumber) -> int:
    """Digits in which what was said differs from a number, in any of its writings; too many: not alike."""
    ways = written_ways(book.number)
    least = len(said.digits)
    for way in ways:
        for digits in (said.digits, said.digits + said.extension):
            if len(way) == len(digits):
                least = min(least, sum(a != b for a, b in zip(way, digits, strict=True)))
    # A short number that differs is another number.
    return least if len(said.digits) >= COMPLETE or least == 0 else _MOST_APART + 1
