"""Numbers are read in every writing a directory holds, and sent as a trunk wants them."""

from __future__ import annotations

import pytest

from sip.numbers import NumberError, parse_number, same_number, split_extension
from sip.trunks import NumberRules, Style

FIXED = "+869173262000"


@pytest.mark.parametrize(
    ("text", "kind", "key", "area"),
    [
        ("0917-3262000", "fixed", FIXED, "917"),
        ("(0917) 326 2000", "fixed", FIXED, "917"),
        ("+86 917 3262000", "fixed", FIXED, "917"),
        ("+86 (0)917-326-2000", "fixed", FIXED, "917"),
        ("0086-0917-3262000", "fixed", FIXED, "917"),
        ("869173262000", "fixed", FIXED, "917"),
        ("9173262000", "fixed", FIXED, "917"),
        ("０９１７－３２６２０００", "fixed", FIXED, "917"),
        ("010-58881234", "fixed", "+861058881234", "10"),
        ("0755 8326 2000", "fixed", "+8675583262000", "755"),
        ("3262000", "local", "3262000", ""),
        ("13912345678", "mobile", "+8613912345678", ""),
        ("013912345678", "mobile", "+8613912345678", ""),
        ("+86-139-1234-5678", "mobile", "+8613912345678", ""),
        ("8613912345678", "mobile", "+8613912345678", ""),
        ("16612345678", "mobile", "+8616612345678", ""),
        ("400-800-1234", "service", "+864008001234", ""),
        ("12345", "short", "12345", ""),
        ("+86 12345", "short", "12345", ""),
        ("0917-12345", "short", "+8691712345", "917"),
        ("95588", "short", "95588", ""),
        ("+8610086", "short", "10086", ""),
        ("00852 2123 4567", "foreign", "+85221234567", ""),
        ("+1 212 555 0100", "foreign", "+12125550100", ""),
        ("62", "other", "62", ""),
        ("0110", "other", "0110", ""),
        ("0012", "other", "0012", ""),
        ("1058881234", "other", "1058881234", ""),
        ("*31#3262000", "other", "*31#3262000", ""),
    ],
)
def test_one_number_has_one_form(text: str, kind: str, key: str, area: str) -> None:
    number = parse_number(text)
    assert (number.kind, number.key, number.area) == (kind, key, area)


def test_a_local_number_is_completed_with_our_area() -> None:
    assert parse_number("326-2000", "917").key == FIXED
    assert parse_number("326-2000", "917").subscriber == "3262000"
    assert parse_number("12345", "917").key == "12345"


@pytest.mark.parametrize("text", ["", "duty", "0917-326x", "sip:62@h", "+", "#", "12;34"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(NumberError, match="no telephone number"):
        parse_number(text)


@pytest.mark.parametrize(
    ("text", "number", "extension"),
    [
        ("0917-3262000转6001", "0917-3262000", "6001"),
        ("0917-3262000 转 6001", "0917-3262000", "6001"),
        ("0917-3262000轉60", "0917-3262000", "60"),
        ("0917-3262000，6001", "0917-3262000", "6001"),
        ("3262000,6001", "3262000", "6001"),
        ("3262000 ext. 6001", "3262000", "6001"),
        ("3262000ext6001", "3262000", "6001"),
        ("3262000x6001", "3262000", "6001"),
        ("3262000ww6001", "3262000", "6001"),
        ("3262000 分机：6001", "3262000", "6001"),
        ("0917-3262000-6001", "0917-3262000", "6001"),
        ("0917-326-2000", "0917-326-2000", None),
        ("139-1234-5678", "139-1234-5678", None),
        ("+86 917 3262000", "+86 917 3262000", None),
        ("转6001", "转6001", None),
        ("62", "62", None),
    ],
)
def test_an_extension_is_parted_from_its_switchboard(text: str, number: str, extension: str | None) -> None:
    assert split_extension(text) == (number, extension)


@pytest.mark.parametrize(
    ("style", "sent"),
    [
        ("as_is", ["09173262000", "+8602988881234", "3262000", "013912345678", "12345", "0085221234567"]),
        ("national", ["09173262000", "02988881234", "09173262000", "13912345678", "12345", "0085221234567"]),
        ("local", ["3262000", "02988881234", "3262000", "13912345678", "12345", "0085221234567"]),
        (
            "plus",
            ["+869173262000", "+862988881234", "+869173262000", "+8613912345678", "12345", "+85221234567"],
        ),
        ("e164", ["869173262000", "862988881234", "869173262000", "8613912345678", "12345", "85221234567"]),
        (
            "international",
            [
                "00869173262000",
                "00862988881234",
                "00869173262000",
                "008613912345678",
                "12345",
                "0085221234567",
            ],
        ),
    ],
)
def test_each_style_writes_numbers_its_way(style: Style, sent: list[str]) -> None:
    rules = NumberRules(area_code="917", style=style)
    given = ["0917-3262000", "+86 029 8888 1234", "326 2000", "0139-1234-5678", "12345", "00852-21234567"]
    assert [rules.rewrite(number) for number in given] == sent


def test_an_area_is_kept_on_a_short_code_unless_it_is_our_own() -> None:
    assert NumberRules(area_code="917", style="local").rewrite("0917-12345") == "12345"
    assert NumberRules(area_code="917", style="local").rewrite("029-12345") == "02912345"
    assert NumberRules(style="national").rewrite("029-12345") == "02912345"


def test_without_an_area_code_a_local_number_stays_as_it_is() -> None:
    assert NumberRules(style="plus").rewrite("326-2000") == "3262000"
    assert NumberRules(style="national").rewrite("8001") == "8001"


def test_the_longest_prefix_is_replaced_first_and_the_access_code_comes_last() -> None:
    rules = NumberRules(access_code="9", replace=(("0", "17"), ("0917", ""), ("6", "32620")), style="as_is")
    assert rules.rewrite("0917-3262000") == "93262000"
    assert rules.rewrite("029-88881234") == "9172988881234"
    assert rules.rewrite("605") == "93262005"
    assert NumberRules(access_code="0", replace=(("66", "+86917"),), style="national").rewrite(
        "663262000"
    ) == ("009173262000")


def test_another_country_keeps_its_digits() -> None:
    rules = NumberRules(country="49", style="plus")
    assert rules.rewrite("030 1234567") == "+49301234567"
    assert NumberRules(country="49", style="national").rewrite("+49 30 1234567") == "0301234567"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"area_code": "0917"}, "area_code"),
        ({"style": "odd"}, "style"),
        ({"style": "local"}, "area_code"),
        ({"access_code": "9w"}, "access_code"),
        ({"country": "CN"}, "country"),
        ({"replace": (("", "9"),)}, "replace"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        NumberRules(**wrong)  # type: ignore[arg-type]


def test_same_number_looks_through_prefixes() -> None:
    assert same_number("09173262000", "+86917-3262000")
    assert same_number("3262000", "0917-3262000")
    assert not same_number("2000", "0917-3262000")
    assert not same_number("3262001", "0917-3262000")
