"""What may be dialled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.checks.guard import NEVER_DIALLED, NeverDialledError, TargetError, check_target

WRITINGS = [
    "{n}",
    " {n} ",
    "+86{n}",
    "+86 {n}",
    "0086{n}",
    "0086-{n}",
    "0{n}",
    "029-{n}",
    "010{n}",
    "tel:{n}",
    "tel:+86-{n}",
    "TEL:{n};phone-context=+86",
    "sip:{n}@127.0.0.1",
    "sips:{n}@gateway.example:5061",
    "SIP:{n}@127.0.0.1;user=phone",
    "sip:{n};phone-context=+86@127.0.0.1",
    "sip:+86{n}@127.0.0.1",
    "sip:0{n}@127.0.0.1",
]


@pytest.mark.parametrize("number", sorted(NEVER_DIALLED))
@pytest.mark.parametrize("writing", WRITINGS)
def test_emergency_numbers_are_refused_in_every_writing(number: str, writing: str) -> None:
    with pytest.raises(NeverDialledError):
        check_target(writing.format(n=number))


@pytest.mark.parametrize("number", sorted(NEVER_DIALLED))
def test_escapes_separators_and_wide_digits_are_looked_through(number: str) -> None:
    escaped = "".join(f"%{ord(digit):02x}" for digit in number)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in number)
    parted = "-".join(number)
    for text in (
        f"sip:{escaped}@127.0.0.1",
        wide,
        f"sip:{wide}@127.0.0.1",
        parted,
        f"sip:{parted}@127.0.0.1",
    ):
        with pytest.raises(NeverDialledError):
            check_target(text)


@pytest.mark.parametrize(
    "target",
    [
        "62",
        "0915-6321110",
        "63211199",
        "sip:62@127.0.0.1:5062",
        "+8609156321234",
        "sip:duty@pbx.example",
        "1104",
        "11012",
    ],
)
def test_other_numbers_pass(target: str) -> None:
    assert check_target(f" {target} ") == target


@pytest.mark.parametrize(
    "rubbish", ["", "hello", "http://x", "sip:", "sip:a@b@c", "12;rm", "1" * 60, "sip:a b@c"]
)
def test_what_is_no_target_is_refused(rubbish: str) -> None:
    with pytest.raises((TargetError, NeverDialledError)):
        check_target(rubbish)


@given(st.text(max_size=40))
def test_any_text_is_passed_or_refused(text: str) -> None:
    try:
        target = check_target(text)
    except (TargetError, NeverDialledError):
        return
    assert target
    assert target not in NEVER_DIALLED


@pytest.mark.parametrize("text", ["1\u200b10", "9,110", "0917-3262000转110", "17909-119", "*31#120"])
def test_pauses_extensions_and_prefixes_are_looked_through(text: str) -> None:
    with pytest.raises(NeverDialledError):
        check_target(text)
