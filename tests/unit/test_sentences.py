"""Sentences of verdicts and proposals in English: every part that the machine writes, and no words of a person."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app.checks import proposal_words, wording
from app.web import i18n
from app.web.sentences import marked, told

CHINESE = re.compile("[\u3400-\u9fff]")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    i18n.speak("en")
    i18n.enter("/checks/7")
    yield
    i18n.speak(i18n.FIRST)


@pytest.mark.parametrize(
    ("chinese", "english"),
    [
        (
            "第 1 次（2026-11-27 05:13:06）：响铃 24.0 秒接听，折算限 15 秒",
            "Call 1 (2026-11-27 05:13:06): answered after 24.0 s of ringing, the limit is 15 s",
        ),
        (
            "响铃 30.0 秒无人接听，后转忙音，仅一次拨打",
            "rang for 30.0 s without an answer, then the tone: busy, one call only",
        ),
        ("线路占线，信令应答 486（用户忙）", "the line is busy, SIP answer 486 (user busy)"),
        ("信令应答 499", "SIP answer 499"),
        (
            "信令中的转接历史指向其他号码，转至 13900001811",
            "history in the signalling leads to another number, to 13900001811",
        ),
        ("三声内接听", "answered within three rings"),
        (
            "豁免期间，不作认定：线路或设备维护（换线，割接）",
            "exempted, no finding: maintenance (换线，割接)",
        ),
    ],
)
def test_a_sentence_is_told_in_english(chinese: str, english: str) -> None:
    assert told(chinese) == english
    i18n.speak(i18n.FIRST)
    assert told(chinese) == chinese


def machine_sentences() -> Iterator[str]:
    """What the machine writes, by the tables it writes from."""
    yield from (wording.status(code) for code in range(400, 700))
    yield from (f"提示音：{wording.line_state(state)}" for state in wording.LINE_STATES)
    yield from (f"听到{tone}，线路不通，未见振铃" for tone in wording.TONES.values())
    yield from (wording.forwarding_sign(kind, "0000-5550000") for kind in (*wording.SIGNS, ""))
    yield wording.forwarding_sign("redirect", "0000-5550000", "same_unit")
    yield from (words for _, words in wording._OUR_ERRORS)
    yield from proposal_words.MITIGATIONS.values()
    yield from (
        proposal_words.NEVER_CALLED, proposal_words.NOT_BOUND, proposal_words.FIXED_LINE, proposal_words.ON_BUSY,
        proposal_words.BY_REFERENCE, proposal_words.CHANGED_BETWEEN, proposal_words.HUNG_UP,
    )  # fmt: skip


def test_everything_that_the_machine_writes_has_its_english() -> None:
    assert [text for text in machine_sentences() if CHINESE.search(told(text))] == []


def test_words_of_a_person_stay_and_are_marked_as_chinese() -> None:
    said = "值班室无人，值班员外出就餐"
    assert told(said) == said
    assert marked(said) == ' lang="zh-CN"'
    assert marked(told("三声内接听")) == ""
    i18n.speak(i18n.FIRST)
    assert marked(said) == ""
