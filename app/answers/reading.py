"""An answer read: unit, names, titles and numbers in what was said, each beside what the books say. Pure.

It is done in two steps, so that the engine can be asked in between: `questions` says which names the second pass
should decide between, `read` takes its answers. What comes out is evidence; a person says yes or no.
"""

from __future__ import annotations

from app.answers.expected import Expected
from app.answers.found import Answers, Found, Grade, Question
from app.answers.naming import name_questions, read_names
from app.answers.numbering import number_questions, read_numbers
from app.answers.script import Script
from app.answers.titles import read_titles
from app.answers.units import said_unit
from sip.progress.syllables import tokens_of
from sip.progress.transcript import Transcript

_STRONG_UNIT = 0.1


def questions(said: Transcript, expected: Expected) -> tuple[Question, ...]:
    """Return what a second pass over the sound should decide."""
    script = Script(said)
    return (*name_questions(script, expected), *number_questions(script, expected))


def read(said: Transcript, expected: Expected, answers: Answers | None = None) -> tuple[Found, ...]:
    """Return what was found, in order of time.

    Where something was said and no name of the books is like it, there is one item of kind `name` that says so.
    """
    script = Script(said)
    tokens = tokens_of(script.text)
    found = [
        *_read_units(script, expected),
        *read_names(script, expected, answers or {}),
        *read_titles(script, expected),
        *read_numbers(script, expected, answers or {}),
    ]
    if tokens and not any(item.kind == "name" for item in found):
        found.append(_nobody(script))
    return tuple(sorted(found, key=lambda item: (item.start_ms, item.end_ms, item.kind)))


def _read_units(script: Script, expected: Expected) -> list[Found]:
    tokens = tokens_of(script.text)
    found: list[Found] = []
    for name in expected.units:
        like = said_unit(script.text, tokens, name)
        if like is not None:
            begin, end = script.times(like.start, like.end)
            grade: Grade = "strong" if like.distance <= _STRONG_UNIT else "medium"
            heard = script.text[like.start : like.end]
            distance = round(like.distance, 3)
            evidence = {"book": {"kind": "directory"}, "form": like.cue}
            found.append(Found("unit", heard, like.pinyin, begin, end, name, distance, grade, evidence))
    return found


def _nobody(script: Script) -> Found:
    """What was said, with no name of the books in it: dialect, somebody else, or no name at all (未核实)."""
    text = script.text
    begin, end = script.times(0, len(text))
    return Found("name", text, "", begin, end, evidence={"why": "no name of the books is like it"})
