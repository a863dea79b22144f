"""Telephone numbers as people write them, brought to one form. The only reader of numbers in `sip`.

Two readers share the work. `phonenumbers` (the library of numbering plans) tells country codes, numbers from abroad
with their type and one form, the type of a complete mainland number and where its area code ends. Our own reading
does what the library cannot know or takes for something else: wide digits and invisible characters; local numbers
and short ones (62, 8012); short codes and those of another area (12345, 0917-12345, 010-96xxx); extensions (转8012,
-806); that 10 without its 0 is no Beijing; and complete numbers that the library's tables do not have (yet): a new
mobile prefix, an area that has gone from 7 digits to 8 and a directory that has not.

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

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

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
    r"\s*(?:(?:总机)?\s*[转轉]\s*(?:分机)?|分机|内线|,|;|#|\bext(?:ension)?\b\.?|(?<=\d)\s*ext\.?|(?<=\d)\s*[xwp]+)[\s:.\-]*(\d{1,8})\s*$",
    re.IGNORECASE,
)
_SWITCHBOARD = re.compile(r"^总机[\s:]*(?=\S)")
_CARRIER_PREFIX = re.compile(r"^\d{2,6}#(?=\+?\d{7,}$)", re.ASCII)
"""Which carrier or gateway is to take the call (8888#09173262000): networks put it before the number."""
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
        if self.kind == "foreign":
            return _e164(self.national)
        return f"+{self.country}{self.national}" if self.country else self.national


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
    kind, area_length = _type_of(country, national)
    if country != HOME:
        return PhoneNumber("fixed", country, national, national[:area_length])
    area = _AREA.match(national)
    if area and _SHORT.fullmatch(national, area.end()):
        return PhoneNumber("short", country, national, area[0])
    if _SHORT.fullmatch(national):
        return PhoneNumber("short", country, national)
    if kind in ("mobile", "service"):
        return PhoneNumber(kind, country, national)
    if kind == "fixed" and area_length:
        return PhoneNumber("fixed", country, national, national[:area_length])
    return _by_plan(national, country)


def _by_plan(national: str, country: str) -> PhoneNumber | None:
    """A complete number that the library's tables do not have, by the plan alone."""
    if MOBILE.fullmatch(national):
        return PhoneNumber("mobile", country, national)
    if _SERVICE.fullmatch(national):
        return PhoneNumber("service", country, national)
    area = _AREA.match(national)
    if area and _SUBSCRIBER.fullmatch(national, area.end()):
        return PhoneNumber("fixed", country, national, area[0])
    return None


_TYPES: dict[int, Kind] = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed",
    PhoneNumberType.TOLL_FREE: "service",
    PhoneNumberType.SHARED_COST: "service",
}


def _type_of(country: str, national: str) -> tuple[Kind, int]:
    """What the library makes of a complete national number: its type, and the digits of its area code."""
    if not national.isascii() or national.startswith("0") or not 4 <= len(national) <= 15:
        return "other", 0
    number = phonenumbers.PhoneNumber(country_code=int(country), national_number=int(national))
    kind = _TYPES.get(phonenumbers.number_type(number), "other")
    return kind, phonenumbers.length_of_geographical_area_code(number)


def _abroad(digits: str) -> phonenumbers.PhoneNumber | None:
    """Read the digits behind 00 or +; None for what the library finds impossible."""
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _e164(digits: str) -> str:
    """The one form of a number from abroad: without the 0 of `+44 (0)20`, as it came where nobody knows it."""
    number = _abroad(digits)
    return f"+{digits}" if number is None else phonenumbers.format_number(number, PhoneNumberFormat.E164)


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
    if found is None or found.kind == "short" or found.area == "10" or _by_plan(digits, country) is None:
        # 10 without its 0 begins operators' codes as well as Beijing's numbers, and without any prefix only what
        # fits the plan to the digit is a number.
        return PhoneNumber("other", "", digits)
    return found


def split_extension(text: str) -> tuple[str, str | None]:
    """Part a switchboard's number from the extension behind it (总机转分机).

    `0917-3262000转6001`, `总机3262000转6001`, `,6001`, `ext 6001`, `x6001` and `0917-3262000-6001` are understood.
    The number comes back as written, the extension as digits, None where there is none.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    marked = _EXTENSION.search(plain)
    if marked and marked.start() > 0:
        return _SWITCHBOARD.sub("", plain[: marked.start()].rstrip()), marked[1]
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


@lru_cache(maxsize=4096)
def normalise_user(user: str) -> str:
    """Bring a dialled user to one form: the national number, E.164 without + from abroad, the name in lower case."""
    plain = unquote(user).split(";")[0].strip().lower()
    try:
        number = parse_number(plain)
    except NumberError:
        return plain
    return number.key.removeprefix("+") if number.kind == "foreign" else number.national


@lru_cache(maxsize=4096)
def is_mobile(user: str) -> bool:
    """Whether a user is a mobile number, of the mainland or of abroad. Where a plan does not part them: False."""
    plain = unquote(user).split(";")[0].strip().lower()
    try:
        number = parse_number(plain)
    except NumberError:
        return False
    if number.kind != "foreign":
        return number.kind == "mobile"
    known = _abroad(number.national)
    return known is not None and phonenumbers.number_type(known) == PhoneNumberType.MOBILE


def same_number(first: str, second: str) -> bool:
    """Whether two users are one number: equal, or the local form of a national one (7 digits at least).

    A longer one may also carry an access code before it, or a carrier's prefix that ends in #. A mobile number has
    no local form.
    """
    one, other = (normalise_user(_CARRIER_PREFIX.sub("", user)) for user in (first, second))
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    if not (shorter.isdigit() and longer.isdigit() and len(shorter) >= 7 and longer.endswith(shorter)):
        return False
    return is_mobile(shorter) or not is_mobile(longer)
