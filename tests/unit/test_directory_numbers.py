"""Numbers as directories print them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.checks.guard import check_target
from app.directory.numbers import key_of, needs_main, read_number
from app.errors import BadInputError
from sip.guard import DialPolicy
from sip.numbers import split_extension

MAIN = ("3212345",)
NUMBERS = st.from_regex(r"[2-8][0-9]{6,7}", fullmatch=True)
AREAS = st.sampled_from(["", "0917-", "0917", "(0917)", "+86 917 ", "010-"])
EXTENSIONS = st.from_regex(r"[2-8][0-9]{2,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("printed", "target"),
    [
        ("3212345转8012", "3212345转8012"),
        ("3212345 转 8012", "3212345转8012"),
        ("总机3212345转8012", "3212345转8012"),
        ("总机:0917-3212345转分机8012", "09173212345转8012"),
        ("３２１２３４５－８０６", "3212345转806"),
        ("0917-3262000-806", "09173262000转806"),
        ("0917-3262000", "09173262000"),
        ("(0917)3262000", "09173262000"),
        ("0917/3262000", "09173262000"),
        ("\u202a3262000\u202c", "3262000"),
        ("-806", "3212345转806"),
        ("—806", "3212345转806"),
        ("转8012", "3212345转8012"),
        ("总机转8012", "3212345转8012"),
        ("分机8012", "3212345转8012"),
        ("sip:62@127.0.0.1:5062", "sip:62@127.0.0.1:5062"),
    ],
)
def test_what_is_printed_is_dialled(printed: str, target: str) -> None:
    read = read_number(printed, MAIN)
    assert (read.target, read.printed) == (target, printed)
    assert check_target(read.target) == target
    assert read.completed is needs_main(printed)


@pytest.mark.parametrize(
    ("printed", "mains", "reason"),
    [
        ("-806", (), "没有登记总机号码"),
        ("-806", ("3212345", "3212346"), "不止一个"),
        ("", MAIN, "1 至 40"),
        ("9" * 41, MAIN, "1 至 40"),
        ("32l2345", MAIN, "不是号码的字符"),
        ("值班室 3212345", MAIN, "不是号码的字符"),
        ("3212345转", MAIN, "不是号码的字符"),
        ("3212345、3212346", MAIN, "只能登记一个"),
        ("3212345/3212346", MAIN, "只能登记一个"),
        ("3212345,3212346", MAIN, "只能登记一个"),
        ("3212345 3212346", MAIN, "位数过多"),
        ("转806、807", MAIN, "只能登记一个"),
        ("110", MAIN, "禁拨"),
        ("0917-119", MAIN, "禁拨"),
        ("１１０", MAIN, "禁拨"),
        ("3212345转9110", MAIN, "禁拨"),
        ("-9110", MAIN, "禁拨"),
    ],
)
def test_what_is_no_single_number_is_refused_with_its_reason(
    printed: str, mains: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(BadInputError, match=reason) as caught:
        read_number(printed, mains, "row 7")
    assert caught.value.faults[0].where == "row 7"


def test_one_switchboard_written_twice_is_one() -> None:
    assert read_number("-806", ("0917-3262000", "+86 917 3262000")).target.endswith("转806")


@settings(max_examples=80, deadline=None)
@given(AREAS, NUMBERS, EXTENSIONS, st.sampled_from(["转", "转分机", " ext ", "-", ",", "分机"]))
def test_every_writing_of_one_extension_is_one_line(
    area: str, number: str, extension: str, mark: str
) -> None:
    read = read_number(f"{area}{number}{mark}{extension}")
    main, behind = split_extension(read.target)
    assert behind == extension == read.extension
    bare = read_number(f"-{extension}", [main])
    assert bare.key == read.key == key_of(read.target)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=45) | st.text("0123456789-转,;/() +总机分ext", max_size=20))
def test_any_text_is_read_or_refused_and_never_reaches_the_police(text: str) -> None:
    try:
        read = read_number(text, MAIN)
    except BadInputError:
        return
    assert check_target(read.target) == read.target
    DialPolicy.open(deny=()).check(read.target, trunk=False)
