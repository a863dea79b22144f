"""Texts and queries as tokens."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadInputError
from app.transcripts.search_service import cut_out
from app.transcripts.search_words import (
    MOST_SIGNS,
    Phrase,
    find,
    merged,
    plain,
    read_query,
    sought,
    with_pairs,
)
from app.transcripts.word_times import word_time
from sip.progress.transcript import Utterance, Word

texts = st.text(max_size=60) | st.text("值班室你我0１2三四幺洞abAÉ，。 -", max_size=60)


def only(query: str) -> Phrase:
    (phrase,) = read_query(query)
    return phrase


def marked(query: str, text: str) -> list[str]:
    return [plain(text)[start:end] for start, end in find(only(query), text)]


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("值班室", "这里是县值班室，您好", ["值班室"]),
        ("您好我是", "您好，我是张三", ["您好，我是"]),
        ("您好，我是", "您好 我是张三", ["您好 我是"]),
        ("OK", "ok，Ｏｋ。okay", ["ok", "Ｏｋ"]),
        ("café", "cafe\u0301", ["café"]),
        ("3", "３号", ["３"]),
        ("110", "请拨打幺幺零", ["幺幺零"]),
        ("幺幺零", "请拨打110", ["110"]),
        ("零九五四", "电话0954-2032", ["0954"]),
        ("2032", "电话零九五四二零三二", ["二零三二"]),
        ("洞拐", "幺洞洞拐", ["洞拐"]),
        ("07", "幺洞洞拐", ["洞拐"]),
        ("33", "三三两两", ["三三"]),
        ("33", "三三", []),
        ("国", "國", []),
        ("班值", "值班", []),
        ("oka", "okay", []),
        ("值班", "值班值班", ["值班", "值班"]),
        ("々", "人々", ["々"]),
        ("葛", "葛\U000e0100城", ["葛"]),
        ("葛城", "葛\U000e0100城", ["葛\U000e0100城"]),
    ],
)
def test_what_is_found_in_a_text(query: str, text: str, found: list[str]) -> None:
    assert marked(query, text) == found


def test_pairs_of_neighbours_stand_behind_the_tokens() -> None:
    assert with_pairs(" x503c n3 wb ") == " x503c n3 wb yy n3wb x503cn3 "
    assert with_pairs(" x5e7a zz n1 ") == " x5e7a zz n1 "
    assert with_pairs("") == ""


def test_tokens_are_ascii_whatever_the_text() -> None:
    assert sought("值3b") == " x503c n3 wb "
    assert sought("幺洞洞") == " x5e7a x6d1e x6d1e zz n1 n0 n0 "
    assert sought("，。… \t") == ""


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("张三 值班", 2),
        ("  张三\u3000值班 ", 2),
        ('"张三 值班"', 1),
        ("“张三 值班” 局长", 2),
        ('"张三 值班', 1),
        ("张三 张三", 1),
        ("张三 ，", 1),
    ],
)
def test_a_query_is_phrases(query: str, phrases: int) -> None:
    assert len(read_query(query)) == phrases


@pytest.mark.parametrize(
    "query", ["", "  ", "，。！", '""', "a b c d e f g h i", "值" * (MOST_SIGNS + 1), "值" * 61]
)
def test_what_is_no_query_is_named(query: str) -> None:
    with pytest.raises(BadInputError) as caught:
        read_query(query)
    assert caught.value.faults[0].where == "q"


def test_repeated_words_are_one_phrase() -> None:
    assert len(read_query("a " * 9)) == 1


@given(texts)
def test_what_is_stored_is_ascii_and_any_part_of_a_text_finds_it(text: str) -> None:
    stored = sought(text)
    assert stored.isascii()
    assert stored == "" or re.fullmatch(r"( [a-z0-9]+)+ ", stored)
    assert sought(plain(text)) == stored


@given(st.text("值班室你我三四幺洞，。", max_size=30), st.data())
def test_any_stretch_of_a_text_finds_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    try:
        phrase = only(f'"{text[start:end]}"')
    except BadInputError:
        return
    assert find(phrase, text)
    assert any(tokens in sought(text) for tokens in phrase.contained)


@given(texts, texts)
def test_the_stored_form_and_the_text_agree(query: str, text: str) -> None:
    try:
        phrases = read_query(query)
    except BadInputError:
        return
    for phrase in phrases:
        spans = find(phrase, text)
        assert bool(spans) == any(tokens in sought(text) for tokens in phrase.contained)
        assert all(0 <= start < end <= len(plain(text)) for start, end in spans)
        assert all(one[1] <= other[0] for one, other in pairwise(spans))


@given(texts, st.lists(st.tuples(st.integers(0, 59), st.integers(1, 5)), min_size=1))
def test_a_snippet_shows_what_is_marked(text: str, raw: list[tuple[int, int]]) -> None:
    text = text.ljust(65, "字")
    spans = merged((start, start + length) for start, length in raw)
    snippet, marks = cut_out(text, spans)
    assert [snippet[start:end] for start, end in marks] == [text[start:end] for start, end in spans]
    assert snippet.strip("…") in text or "…" in text


def test_time_is_that_of_the_word_in_which_the_phrase_begins() -> None:
    words = (Word("您好", 100.0, 500.0), Word("我 是", 600.0, 900.0), Word("张三", 950.0, 1_400.0))
    utterance = Utterance(100.0, 1_400.0, "您好，我 是张三", words)
    assert word_time(utterance, 0) == 100.0
    assert word_time(utterance, 3) == 600.0
    assert word_time(utterance, 7) == 950.0
    assert word_time(utterance, 4, end=True) == 900.0
    assert word_time(Utterance(100.0, 1_400.0, "您好", ()), 1) == 100.0
    assert word_time(Utterance(100.0, 1_400.0, "别的话", words), 1) == 100.0
