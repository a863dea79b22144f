"""How texts are compared for the character error rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speech.errors import edits, plain

texts = st.text("一二三零十百万幺两点值班室0123,，。 a", max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("三百二十八万一千一百三十八点四八", "3281138点48"),
        ("3,281,138.48", "3281138点48"),
        ("号码是幺三八，零零二。", "号码是138002"),
        ("１３８ ００２", "138002"),
        ("十五", "15"),
        ("两千零六", "2006"),
        ("一亿三千万", "130000000"),
        ("万一", "1"),
        ("千万不要", "千万不要"),
        ("您好，这里是值班室！", "您好这里是值班室"),
        ("", ""),
    ],
)
def test_numbers_and_signs_are_written_one_way(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_numbers_in_words_and_digits_are_no_errors() -> None:
    assert edits(plain("值班电话三二六，幺零九八。"), plain("值班电话3261098")) == 0


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("值班室", "值班室", 0),
        ("值班室", "职班室", 1),
        ("值班室", "值室", 1),
        ("", "啊", 1),
        ("值班室", "", 3),
    ],
)
def test_edits_are_the_least_ones(said: str, heard: str, count: int) -> None:
    assert edits(said, heard) == count


@given(texts, texts, texts)
def test_edits_measure_a_distance(one: str, other: str, third: str) -> None:
    assert edits(one, other) == edits(other, one)
    assert (edits(one, other) == 0) == (one == other)
    assert edits(one, third) <= edits(one, other) + edits(other, third)
    assert plain(plain(one)) == plain(one)
