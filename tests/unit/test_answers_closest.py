"""Names put where they are likest, and numbers of the books beside those that are heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answers.closest import closest
from app.answers.expected import BookNumber, BookPerson, Expected
from app.answers.reading import questions, read
from app.answers.script import Script
from recordings.transcription.spelling import fitting, ways
from sip.progress.transcript import Transcript, Utterance

DAY = ("何轩佳", "彭涵怡", "黄宝海", "段云")


def transcript(*texts: str) -> Transcript:
    utterances = (Utterance(at * 4_300.0 + 280, at * 4_300.0 + 4_280, text) for at, text in enumerate(texts))
    return Transcript("test", "zh", tuple(utterances))


def test_every_name_has_a_place_though_nothing_looks_like_a_cue() -> None:
    text = "警选死亡举办,莫将何选假?"
    found = closest(text, DAY)
    assert {like.name for like in found} == set(DAY)
    assert (found[0].name, text[found[0].start : found[0].end], found[0].cue) == ("何轩佳", "何选假", "")


def test_a_name_behind_a_cue_is_nearer_than_elsewhere() -> None:
    (cued,) = closest("您好，我是段云。", ["段云"])
    (other,) = closest("您好，看段云。", ["段云"])
    assert (cued.distance, cued.cue) == (0.0, "我是")
    assert other.distance > cued.distance


@given(st.text("您好我是值班员叫今天请问一二三何轩佳段云，。 abc", max_size=30))
def test_places_lie_in_the_text(text: str) -> None:
    for like in closest(text, DAY):
        assert 0 <= like.start < like.end <= len(text)
        assert like.distance >= 0.0


def test_the_second_pass_is_asked_about_the_whole_roster_of_a_day_with_sound_around_the_words() -> None:
    said, expected = transcript("您好", "莫将何选假"), Expected(tuple(BookPerson(name) for name in DAY))
    asked = questions(said, expected)
    assert sorted(name for question in asked for name in question.phrases) == sorted(DAY)
    spans = [Script(said).around(piece, 500.0) for piece in Script(said).pieces]
    assert spans == [(0.0, 4_430.0), (4_430.0, 9_080.0)], "a pause is shared, nothing is heard twice"
    assert {(question.start_ms, question.end_ms) for question in asked} <= set(spans)


@pytest.mark.parametrize(("score", "name"), [(-3.0, "何轩佳"), (-9.0, "")])
def test_a_name_that_the_sound_does_not_hold_is_nobody(score: float, name: str) -> None:
    said, expected = transcript("莫将何选假"), Expected(tuple(BookPerson(name) for name in DAY))
    answers = {
        question: tuple((phrase, score if phrase == "何轩佳" else -12.0) for phrase in question.phrases)
        for question in questions(said, expected)
    }
    (found,) = [item for item in read(said, expected, answers) if item.kind == "name"]
    assert found.expected == name


def test_numbers_are_said_in_one_in_groups_and_with_either_word_for_one() -> None:
    assert ways("13800138000") == (
        "幺三八零零幺三八零零零",
        "幺三八，零零幺三，八零零零",
        "一三八零零一三八零零零",
    )
    likely = {"三二六，二零零零": -3.0}
    ranked = fitting(["3262001", "3262000"], lambda text: likely.get(text, -10.0))
    assert ranked[0] == ("3262000", -3.0 / 7)


def test_a_number_of_the_books_that_the_sound_does_not_hold_is_not_shown() -> None:
    said = transcript("您记一下后码石油五八油二三四三转")
    books = Expected(numbers=(BookNumber("3262000", "duty"), BookNumber("0917-3262111", "fax")))
    (question,) = [asked for asked in questions(said, books) if "#" in asked.phrases]
    assert set(question.phrases) == {"#", "3262000", "3262111", "09173262111"}
    (found,) = read(said, books, {question: (("3262000", -2.0), ("3262111", -4.0))})[1:] or [None]
    assert found is not None
    assert (found.expected, found.evidence["second_pass"]) == ("3262000", ["3262000"])
    none = [i for i in read(said, books, {question: (("3262000", -4.0),)}) if i.kind == "number"]
    assert all(item.expected == "" and "3262000" not in str(item.evidence) for item in none)
    heard = {question: (("15812234342", -1.0), ("3262000", -2.0))}
    (other,) = [item for item in read(said, books, heard) if item.kind == "number"]
    assert (other.expected, other.evidence["digits"]) == ("", "15812234342")
    assert "3262000" not in str(other.evidence)
