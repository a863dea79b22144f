"""How a trunk wants numbers written. Reading them is the business of `sip.numbers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sip.numbers import HOME, PhoneNumber, dialled_digits, parse_number

Style = Literal["as_is", "national", "international", "plus", "e164", "local"]
STYLES: tuple[Style, ...] = ("as_is", "national", "international", "plus", "e164", "local")


@dataclass(frozen=True, slots=True)
class NumberRules:
    """How a number of the directory is written on this trunk. Raises `ValueError` for rules that contradict.

    Extensions and short codes without an area (62, 12345, 95588) have one form only and are sent as they are.
    """

    country: str = HOME
    area_code: str | None = None
    """Our own area code without its 0, such as 917: needed for `local`, and to complete local numbers."""
    style: Style = "as_is"
    """`as_is` only removes separators; `national` 09173262000, `local` 3262000 in our own area and `national`
    elsewhere, `international` 00869173262000, `plus` +869173262000, `e164` 869173262000."""
    access_code: str = ""
    """Put first, after everything else: the digits for an outside line."""
    replace: tuple[tuple[str, str], ...] = ()
    """(prefix, replacement), tried on the digits as given before everything else; the longest that fits wins."""

    def __post_init__(self) -> None:
        """Refuse rules that cannot be followed."""
        area = self.area_code
        if area is not None and not (area.isascii() and area.isdigit() and not area.startswith("0")):
            raise ValueError(f"area_code takes digits without the leading 0, such as 917, not {area!r}")
        if self.style not in STYLES:
            raise ValueError(f"style takes one of {', '.join(STYLES)}, not {self.style!r}")
        if self.style == "local" and area is None:
            raise ValueError("style local takes an area_code to leave out")
        if not (self.country.isascii() and self.country.isdigit()):
            raise ValueError(f"country takes a country code such as 86, not {self.country!r}")
        for text in (self.access_code, *(text for pair in self.replace for text in pair)):
            if not set(text) <= set("+*#0123456789"):
                raise ValueError(f"access_code and replace take digits, not {text!r}")
        if any(not prefix for prefix, _ in self.replace):
            raise ValueError("replace takes prefixes of at least one digit")

    def parse(self, number: str) -> PhoneNumber:
        """Read a number as someone in our area means it. Raises `NumberError`."""
        return parse_number(number, self.area_code, self.country)

    def rewrite(self, number: str) -> str:
        """Return `number` as this trunk must be sent it. Raises `NumberError` for what is no number."""
        digits = self._replaced(dialled_digits(number))
        return self.access_code + (digits if self.style == "as_is" else self._styled(digits))

    def _replaced(self, digits: str) -> str:
        fitting = [pair for pair in self.replace if digits.startswith(pair[0])]
        if not fitting:
            return digits
        prefix, replacement = max(fitting, key=lambda pair: len(pair[0]))
        return replacement + digits[len(prefix) :]

    def _styled(self, digits: str) -> str:
        number = self.parse(digits)
        if number.kind in ("other", "local"):
            return digits if number.kind == "local" or not number.country else number.national
        if number.kind == "short" and not number.area:
            return number.national
        if self.style in ("international", "plus", "e164"):
            lead = {"international": "00", "plus": "+", "e164": ""}[self.style]
            return lead + number.country + number.national
        if number.kind == "foreign":
            return "00" + number.national
        if self.style == "local" and number.area and number.area == self.area_code:
            return number.subscriber
        return ("0" if self._has_trunk_zero(number) else "") + number.national

    def _has_trunk_zero(self, number: PhoneNumber) -> bool:
        """Mobile and service numbers of the mainland are dialled without the 0, area codes with it."""
        return bool(number.area) if number.country == HOME else number.kind == "fixed"
