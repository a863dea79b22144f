"""Titles (职务) that were said: those of the books, and any that stands behind a surname. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.answers.expected import Expected
from app.answers.found import Found
from app.answers.names import TITLES
from app.answers.script import Script
from sip.progress.syllables import find, tokens_of

_LIMIT = 0.1
"""Cost for each syllable up to which a title counts as said."""
_COMMON = frozenset({"值班员", "带班领导", "值班领导"})
"""They are said of everybody and say nothing of a person."""


def read_titles(script: Script, expected: Expected) -> Iterator[Found]:
    """Yield each title of the people of the books that was said, the longest where one is within another."""
    tokens = tokens_of(script.text)
    taken: list[tuple[int, int]] = []
    on_duty = {person.title for person in expected.people if person.on_duty and person.title}
    known = {person.title for person in expected.people if person.title}
    for title in sorted({*known, *TITLES} - _COMMON, key=lambda text: (-len(text), text)):
        pattern = tokens_of(title)
        for hit in find(pattern, tokens, _LIMIT * len(pattern)):
            start, end = tokens[hit.first].start, tokens[hit.after - 1].end
            if any(start < b and a < end for a, b in taken):
                continue
            # 副局长 is no 局长, also where the books know only the latter.
            taken.append((start, end))
            if title not in known:
                continue
            begin, stop = script.times(start, end)
            pinyin = " ".join(token.sound for token in pattern)
            distance = round(hit.cost / len(pattern), 3)
            evidence = {"book": {"kind": "roster" if title in on_duty else "people"}}
            heard = script.text[start:end]
            yield Found("title", heard, pinyin, begin, stop, title, distance, "medium", evidence)
