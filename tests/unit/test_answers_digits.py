"""Numbers as they are said, and answer keys in what was said."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.answers.digits import SaidNumber, said_numbers
from app.answers.masking import MASK, mask, says_key

PLAIN = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
OPERATORS = PLAIN | {"0": "洞", "1": "幺", "2": "两", "7": "拐", "9": "勾"}
WIDE = dict(zip("0123456789", "０１２３４５６７８９", strict=True))
ASCII = {digit: digit for digit in "0123456789"}
MIXED = PLAIN | {"1": "幺", "0": "0", "8": "8"}
STYLES = (PLAIN, OPERATORS, WIDE, ASCII, MIXED)
BETWEEN = ("", "，", " ", "-", "、", "，呃，", " 这个 ", "…")


@st.composite
def spoken(draw: st.DrawFn, digits: str) -> str:
    """Write a number in groups, each in a style of its own, some of its digits as pairs or repeats."""
    text, at = "", 0
    while at < len(digits):
        size = draw(st.integers(1, 4))
        group = digits[at : at + size]
        style = draw(st.sampled_from(STYLES))
        how = draw(st.sampled_from(("words", "words", "tens", "repeat")))
        if how == "tens" and len(group) == 2 and group[0] != "0":
            tens = PLAIN[group[0]] + "十" + ("" if group[1] == "0" else PLAIN[group[1]])
            # A comma keeps it from what stands around it: 六，十二 is no 六十二.
            text += f"，{tens}，"
        elif how == "repeat" and len(group) >= 2 and len(set(group)) == 1:
            text += f"，{PLAIN[str(len(group))]}个{style[group[0]]}，"
        else:
            text += "".join(style[digit] for digit in group)
        at += size
        text += draw(st.sampled_from(BETWEEN)) if at < len(digits) else ""
    return text


numbers = st.text("0123456789", min_size=3, max_size=12)


@given(st.data(), numbers)
def test_a_number_is_read_however_it_is_said(data: st.DataObject, digits: str) -> None:
    said = data.draw(spoken(digits))
    text = f"您记一下，号码是{said}。谢谢"
    found = said_numbers(text)
    assert [number.digits for number in found] == [digits], text
    assert said.strip("，") in text[found[0].start : found[0].end]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("电话三二六两千", "3262000"),
        ("号码是幺三八，零零幺三，八零零零", "13800138000"),
        ("区号零五一二，电话是六二八零幺零九", "05126280109"),
        ("三二六二零零一，不对，是三二六二零零零", "3262000"),
        ("三二六，不对，三二七，二零零零", "3272000"),
        ("三二六二零零一，说错了，零零零", "3262000"),
        ("三二六。二零零零", "3262000"),
        ("八幺零一百二十", "810120"),
        ("两千三百，两千零三，一百零五", "23002003105"),
    ],
)
def test_numbers_as_people_say_them(text: str, digits: str) -> None:
    assert [number.digits for number in said_numbers(text)] == [digits]


def test_a_correction_is_told() -> None:
    assert said_numbers("三二六二零零一，不对，三二六二零零零")[0].corrected
    assert not said_numbers("三二六二零零零")[0].corrected


def test_an_extension_stands_by_itself() -> None:
    assert said_numbers("总机三二六二零零零转八零幺二") == (SaidNumber("3262000", 2, 14, extension="8012"),)


@pytest.mark.parametrize(
    "text",
    [
        "二零二六年十一月二十六日",
        "今天有一百二十人值班",
        "我们在三楼",
        "下午四点三十分",
        "两个一样",
        "一",
        "",
    ],
)
def test_what_is_no_telephone_number(text: str) -> None:
    assert said_numbers(text) == ()


KEY = "0917-3262000"


@given(
    st.data(),
    st.from_regex(r"[2-8][0-9]{6,7}", fullmatch=True),
    st.sampled_from(("", "0917", "917", "86917")),
)
def test_no_key_is_left_however_it_is_written(data: st.DataObject, core: str, prefix: str) -> None:
    said = data.draw(spoken(prefix + core))
    text = f"上级值班室的电话是{said}。请记好"
    hidden = mask(text, [f"0917-{core}"])
    assert len(hidden) == len(text)
    assert not any(core in number.digits for number in said_numbers(hidden))
    assert hidden.startswith("上级值班室的电话是") and hidden.endswith("请记好")
    assert MASK in hidden
    assert mask(hidden, [f"0917-{core}"]) == hidden


@given(st.text("一二三四五六七八九零幺0123456789转电话，。 ", max_size=40))
@example("三二六二零零零")
def test_masking_keeps_what_is_no_digit(text: str) -> None:
    hidden = mask(text, [KEY, "8012"])
    assert all(a == b or b == MASK for a, b in zip(text, hidden, strict=True))


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("三二六二零零零", "＊＊＊＊＊＊＊"),
        ("+86 917 326 2000", "+＊＊ ＊＊＊ ＊＊＊ ＊＊＊＊"),
        ("三二留而零零零", "＊＊＊＊＊＊＊"),
        ("三二六 那么 二零零零", "＊＊＊ 那么 ＊＊＊＊"),
        ("三二六二三个零", "＊＊＊＊＊＊＊"),
        ("三二六二零零幺", "三二六二零零幺"),
        ("转八零幺二", "转＊＊＊＊"),
        ("八零幺二三", "八零幺二三"),
    ],
)
def test_what_is_masked(text: str, hidden: str) -> None:
    assert mask(text, [KEY, "8012"]) == hidden


def test_without_keys_nothing_is_masked() -> None:
    assert mask("三二六二零零零", []) == "三二六二零零零"


def test_a_key_is_recognised_with_and_without_its_prefixes() -> None:
    assert all(says_key(digits, [KEY]) for digits in ("3262000", "09173262000", "869173262000"))
    assert not says_key("3262001", [KEY])
