"""Two readers of numbers: what the library of numbering plans makes of a writing, and what our face makes of it."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat

from sip.numbers import is_mobile, normalise_user, parse_number, same_number, split_extension


def by_library(text: str) -> str | None:
    """The library alone, told that it reads in the mainland: E.164 of a valid number, else None."""
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if valid else None


@pytest.mark.parametrize(
    ("text", "library", "kind", "key"),
    [
        # Both know it, and agree.
        ("+86 917 3262000", "+869173262000", "fixed", "+869173262000"),
        ("0086 0917 3262000", "+869173262000", "fixed", "+869173262000"),
        ("0917-3262000", "+869173262000", "fixed", "+869173262000"),
        ("010-5888 1234", "+861058881234", "fixed", "+861058881234"),
        ("0755 8326 2000", "+8675583262000", "fixed", "+8675583262000"),
        ("13912345678", "+8613912345678", "mobile", "+8613912345678"),
        ("013912345678", "+8613912345678", "mobile", "+8613912345678"),
        ("+86 192 1234 5678", "+8619212345678", "mobile", "+8619212345678"),
        ("400-800-1234", "+864008001234", "service", "+864008001234"),
        ("8008101234", "+868008101234", "service", "+868008101234"),
        ("+1 212 555 0100", "+12125550100", "foreign", "+12125550100"),
        ("00852-9123 4567", "+85291234567", "foreign", "+85291234567"),
        ("+44 (0)20 7946 0018", "+442079460018", "foreign", "+442079460018"),
        ("0039 06 6982 1234", "+390669821234", "foreign", "+390669821234"),
        # The library has no such number (yet), or knows only another length in this area.
        ("0517-3212345", None, "fixed", "+865173212345"),
        ("14112345678", None, "mobile", "+8614112345678"),
        # What has meaning only here: local and short numbers, codes of another area, feature codes.
        ("3262000", None, "local", "3262000"),
        ("62", None, "other", "62"),
        ("8012", None, "other", "8012"),
        ("12345", None, "short", "12345"),
        ("95588", None, "short", "95588"),
        ("96123", None, "short", "96123"),
        ("0917-12345", None, "short", "+8691712345"),
        ("*57*13912345678#", None, "other", "*57*13912345678#"),
        # What the library takes for something else: Beijing without its 0, a code of Beijing's.
        ("1058881234", "+861058881234", "other", "1058881234"),
        ("010-18588890", "+861018588890", "short", "+861018588890"),
        ("4339736758", "+864339736758", "other", "4339736758"),
        ("0433-9736758", "+864339736758", "fixed", "+864339736758"),
    ],
)
def test_hard_cases(text: str, library: str | None, kind: str, key: str) -> None:
    assert by_library(text) == library
    number = parse_number(text)
    assert (number.kind, number.key) == (kind, key)


@pytest.mark.parametrize(
    ("text", "number", "extension"),
    [
        ("3212345转8012", "3212345", "8012"),
        ("总机3212345转8012", "3212345", "8012"),
        ("总机：0917-3212345 转分机 8012", "0917-3212345", "8012"),
        ("3212345总机转8012", "3212345", "8012"),
        ("0917-3262000-806", "0917-3262000", "806"),
        ("0755-2000000-0", "0755-2000000", "0"),
        ("+86 917 3262000 ext. 6001", "+86 917 3262000", "6001"),
        ("95588-0", "95588-0", None),
        ("8012", "8012", None),
    ],
)
def test_extensions_are_our_own_reading(text: str, number: str, extension: str | None) -> None:
    assert split_extension(text) == (number, extension)


@pytest.mark.parametrize(
    ("text", "mobile"),
    [
        ("13912345678", True),
        ("+86-139-1234-5678", True),
        ("tel", False),
        ("0917-3262000", False),
        ("14112345678", True),
        ("00852 9123 4567", True),
        ("+852 2123 4567", False),
        ("+44 7911 123456", True),
        # Nobody can tell by the number: land lines and mobiles share a plan.
        ("+1 212 555 0100", False),
        ("8012", False),
    ],
)
def test_mobiles_of_the_mainland_and_of_abroad(text: str, mobile: bool) -> None:
    assert is_mobile(text) is mobile


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("+442079460018", "0044 (0)20 7946 0018", True),
        ("+85291234567", "91234567", True),
        ("0917-3262000", "3262000", True),
        ("83262000", "13983262000", False),
        ("13983262000", "83262000", False),
        ("913983262000", "13983262000", True),
        ("90173262000", "0917-3262000", False),
        ("909173262000", "+86 917 3262000", True),
        ("duty", "Duty", True),
    ],
)
def test_one_number_in_two_writings(first: str, second: str, same: bool) -> None:
    assert same_number(first, second) is same
    assert same_number(second, first) is same


def test_a_number_from_abroad_has_one_form() -> None:
    assert normalise_user("+44 (0)20 7946 0018") == normalise_user("00442079460018") == "442079460018"
    assert normalise_user("+999 12345678") == "99912345678"
