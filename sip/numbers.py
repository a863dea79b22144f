"""Telephone numbers as people write them, brought to one form. The only reader of numbers in `sip`.

The mainland's plan (电信网编号计划): country code 86, international prefix 00, long-distance prefix 0. Area codes
have two digits (10, 2x) or three (3xx to 9xx); numbers within an area have 7 or 8 digits and begin with 2 to 8.
Mobile numbers have 11 digits and begin with 13 to 19. Service numbers 400 and 800 have 10 digits and no area.
Short codes begin with 1 (110, 12345, 10086) or with 95 or 96 and may be asked of another area by its code.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

HOME = "86"
"""The country whose plan is known here."""
Kind = Literal["mobile", "fixed", "local", "service", "short", "foreign", "other"]
MOBILE = re.compile(r"1[3-9]\d{9}")
"""A mainland mobile number without prefixes."""

_SEPARATORS = re.compile(r"[\s\-.()/·‐-―−\[\]]+")
_NUMBER = re.compile(r"\+?[\d*#]*\d[\d*#]*", re.ASCII)
_SERVICE = re.compile(r"[48]00\d{7}")
_AREA = re.compile(r"10|2\d|[3-9]\d\d")
_SUBSCRIBER = re.compile(r"[2-8]\d{6,7}")
_SHORT = re.compile(r"1\d{2,7}|9[56]\d{3,6}")
_EXTENSION = re.compile(
    r"\s*(?:转|轉|分机|内线|,|;|#|\bext(?:ension)?\b\.?|(?<=\d)\s*ext\.?|(?<=\d)\s*[xwp]+)[\s:.\-]*(\d{1,8})\s*$",
    re.IGNORECASE,
)
_HYPHENED = re.compile(r"^(.*\d)\s*-\s*(\d{1,6})$", re.ASCII)


class NumberError(ValueError):
    """The text is no telephone number."""


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number in the one form in which numbers are compared."""

    kind: Kind
    """`local` lacks its area code; `other` fits no plan (an extension, a feature code)."""
    country: str
    """The country code; "" where it is not known or, for `foreign`, part of `national`."""
    national: str
    """The national significant number; all digits after the 00 for `foreign`; as typed for `other`."""
    area: str = ""
    """The area code that `national` begins with, without its 0."""

    @property
    def subscriber(self) -> str:
        """The number within its area."""
        return self.national[len(self.area) :]

    @property
    def key(self) -> str:
        """One text for one number, E.164 where there is such a form."""
        if self.kind == "short" and not self.area:
            return self.national
        return f"+{self.country}{self.national}" if self.country or self.kind == "foreign" else self.national


def dialled_digits(text: str) -> str:
    """Return the digits of `text` with its leading +, separators off and wide digits made plain.

    Invisible characters, which come with numbers copied from elsewhere, are left out.

    Raises `NumberError` for what is no number.
    """
    visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    plain = _SEPARATORS.sub("", visible)
    if not _NUMBER.fullmatch(plain):
        raise NumberError(f"{text!r} is no telephone number; it takes digits such as 0917-3262000")
    return plain


@lru_cache(maxsize=4096)
def parse_number(text: str, area_code: str | None = None, country: str = HOME) -> PhoneNumber:
    """Read a number. `area_code`, without its 0, completes a local one. Raises `NumberError`."""
    digits = dialled_digits(text)
    if not digits.removeprefix("+").isdigit():
        return PhoneNumber("other", "", digits)
    rest = _after_country(digits, country)
    if rest is not None:
        return _domestic(rest, country) or PhoneNumber("other", country, rest)
    if digits.startswith("+"):
        return PhoneNumber("foreign", "", digits[1:])
    if digits.startswith("00"):
        is_international = len(digits) >= 8
        return (
            PhoneNumber("foreign", "", digits[2:]) if is_international else PhoneNumber("other", "", digits)
        )
    if digits.startswith("0"):
        found = _domestic(digits[1:], country)
        is_short = found is not None and found.kind == "short" and not found.area
        return found if found and not is_short else PhoneNumber("other", "", digits)
    return _bare(digits, area_code, country)


def _after_country(digits: str, country: str) -> str | None:
    """What follows our country code, the 0 of `+86 (0)917` off; None where there is no code of ours."""
    for prefix in (f"+{country}", f"00{country}"):
        if digits.startswith(prefix) and len(digits) > len(prefix):
            national = digits[len(prefix) :]
            return national.lstrip("0") or national
    rest = digits[len(country) :].removeprefix("0")
    # No number without prefixes is longer than 11 digits: what begins with 86 then begins with the country code.
    if country == HOME and len(digits) >= 12 and digits.startswith(country) and _domestic(rest, country):
        return rest
    return None


def _domestic(national: str, country: str) -> PhoneNumber | None:
    """A number of which the area code is known to be there, if it has one."""
    if country != HOME:
        return PhoneNumber("fixed", country, national)
    if MOBILE.fullmatch(national):
        return PhoneNumber("mobile", country, national)
    if _SERVICE.fullmatch(national):
        return PhoneNumber("service", country, national)
    area = _AREA.match(national)
    if area and _SUBSCRIBER.fullmatch(national, area.end()):
        return PhoneNumber("fixed", country, national, area[0])
    if area and _SHORT.fullmatch(national, area.end()):
        return PhoneNumber("short", country, national, area[0])
    return PhoneNumber("short", country, national) if _SHORT.fullmatch(national) else None


def _bare(digits: str, area_code: str | None, country: str) -> PhoneNumber:
    """A number as dialled within its area, or with its area code but without the 0."""
    if country != HOME:
        return PhoneNumber("local", "", digits)
    if _SHORT.fullmatch(digits):
        return PhoneNumber("short", country, digits)
    if _SUBSCRIBER.fullmatch(digits):
        if area_code:
            return PhoneNumber("fixed", country, area_code + digits, area_code)
        return PhoneNumber("local", "", digits)
    found = _domestic(digits, country)
    if found is None or found.kind == "short" or (found.area == "10" and found.kind == "fixed"):
        # 10 without its 0 begins operators' codes as well as Beijing's numbers.
        return PhoneNumber("other", "", digits)
    return found


def split_extension(text: str) -> tuple[str, str | None]:
    """Part a switchboard's number from the extension behind it (总机转分机).

    `0917-3262000转6001`, `,6001`, `ext 6001`, `x6001` and `0917-3262000-6001` are understood; the number comes
    back as written, the extension as digits, None where there is none.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    marked = _EXTENSION.search(plain)
    if marked and marked.start() > 0:
        return plain[: marked.start()].rstrip(), marked[1]
    hyphened = _HYPHENED.match(plain)
    if hyphened is None or _kind(hyphened[1]) not in ("fixed", "local", "mobile", "service"):
        return plain, None
    # Nobody parts the last digit alone from a number: 0755-2000000-0 is an extension, not 0755-20000000.
    if _kind(plain) == "other" or len(hyphened[2]) == 1:
        return hyphened[1].rstrip(), hyphened[2]
    return plain, None


def _kind(text: str) -> Kind | None:
    try:
        return parse_number(text).kind
    except NumberError:
        return None


def normalise_user(user: str) -> str:
    """Bring a dialled user to one form: the national number, or the name in lower case."""
    plain = unquote(user).split(";")[0].strip().lower()
    try:
        return parse_number(plain).national
    except NumberError:
        return plain


def same_number(first: str, second: str) -> bool:
    """Whether two users are one number: equal, or the local form of a national one (7 digits at least)."""
    one, other = normalise_user(first), normalise_user(second)
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    return shorter.isdigit() and longer.isdigit() and len(shorter) >= 7 and longer.endswith(shorter)
