"""Whom a target would reach: every way in which it may be read. The eyes of `sip.guard`.

Nothing here decides; it only reads generously: through URI escapes, wide and foreign digits, invisible
characters, separators, pauses, extensions, feature codes and prefixes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from sip.numbers import HOME, NumberError, PhoneNumber, parse_number, split_extension

OUTSIDE_DIGITS = ("9", "0")
"""What switchboards take for an outside line, where no access code is set."""

_SCHEME = re.compile(r"^\s*(?:sips?|tel):", re.IGNORECASE)
_WORDS = re.compile(r"ext(?:ension)?\.?|转|轉|分机|内线", re.IGNORECASE)
_NUMBER_LIKE = re.compile(r"[0-9+*#\-.()\[\]/\s,;wpx:·‐-―−]*", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\-.()\[\]/\s·‐-―−]+")
_PARAMETER = r";(?=[a-z][a-z0-9\-]*(?:[=;]|$))|[?]"
_URI_USER_END = re.compile(rf"{_PARAMETER}|:", re.IGNORECASE)
_TEXT_END = re.compile(rf"{_PARAMETER}|:(?!\s*\d)", re.IGNORECASE)
_HIDDEN_DIGITS = re.compile(r";\s*(?:ext|postd)\s*=\s*([^;?@]*)", re.IGNORECASE)
"""Digits behind the number, in parameters (RFC 3966 and RFC 2806)."""
_HOME = re.compile(rf"^(?:\+|00){HOME}")
_AREA = re.compile(rf"^(?:(?:\+|00){HOME}0?|0)(?:10|2\d|[3-9]\d\d)(?=\d)")
_CARRIER = re.compile(r"^(?:179\d\d|12593|11808|10193)(?=\d)")
"""IP long distance and carrier selection: the number stands behind it."""
_ESCAPES_OF_ESCAPES = 5


@dataclass(frozen=True, slots=True)
class Callee:
    """Who is called, in the forms in which that can be compared."""

    text: str
    number: PhoneNumber | None
    """None for a name."""
    host: str = ""

    @classmethod
    def of(cls, target: str, area_code: str | None, access_code: str = "") -> Callee:
        """Read a URI or a number; an extension behind the number is left out, and the access code before it."""
        user, host = user_and_host(target)
        digits, _ = split_extension(user)
        digits = digits.removeprefix(access_code) or digits
        try:
            return cls(digits, parse_number(digits, area_code), host)
        except NumberError:
            return cls(user.lower(), None, host)

    @property
    def is_complete(self) -> bool:
        """Whether the number means the same line wherever it is dialled in our area."""
        number = self.number
        if number is None or number.kind == "other":
            return False
        return number.kind != "short" or bool(number.area)

    @property
    def names(self) -> frozenset[str]:
        """What a list is searched for: the number itself, or user and host where the user alone says little."""
        if self.number is not None and self.is_complete:
            return frozenset({self.number.key})
        short = self.number.key if self.number else self.text
        return frozenset({f"{short}@{self.host}"} if self.host else {short, f"{short}@"})

    @property
    def forms(self) -> frozenset[str]:
        """The writings with which patterns are compared: +E.164, national, within the area, 0 and national."""
        number = self.number
        if number is None:
            return frozenset()
        if number.kind == "foreign" or number.national.startswith("+"):
            return frozenset({f"+{number.national.lstrip('+')}"})
        zero = {f"0{number.national}"} if number.area else set()
        return frozenset({number.national, number.subscriber, number.key, *zero})


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of callees."""

    names: frozenset[str]
    subscribers: frozenset[str]
    """The numbers of `names` within their areas."""

    def has(self, callee: Callee) -> bool:
        """Whether the list names exactly this callee."""
        return bool(callee.names & self.names)

    def may_have(self, callee: Callee) -> bool:
        """Whether the list may name this callee: the area is looked through where one of both lacks it, the
        host where the list has none."""
        number = callee.number
        if self.has(callee):
            return True
        if number is None or not callee.is_complete:
            return (number.key if number else callee.text) in self.names
        if number.kind == "local":
            return number.national in self.subscribers
        return number.kind == "fixed" and number.subscriber in self.names


@lru_cache(maxsize=64)
def listed(entries: frozenset[str], area_code: str | None) -> Listed:
    """Read a list of numbers and URIs in any writing."""
    callees = [Callee.of(entry, area_code) for entry in entries]
    names = frozenset(name for callee in callees for name in callee.names)
    fixed = (callee.number for callee in callees if callee.number and callee.number.kind == "fixed")
    return Listed(names, frozenset(number.subscriber for number in fixed))


def callees_in(
    target: str, area_code: str | None, access_code: str = "", outside: Iterable[str] = ()
) -> Iterator[Callee]:
    """Everyone whom the number, a run of digits in it or all of them in a row may reach.

    Digits that fit no plan are also read without a 0, the digit of an outside line or a carrier's prefix.
    """
    main = Callee.of(target, area_code, access_code)
    yield main
    for run in runs_of(target):
        callee = Callee.of(run.removeprefix(access_code) or run, area_code)
        yield Callee(callee.text, callee.number, main.host)
        if callee.number is not None and callee.number.kind == "other":
            shorter = (*_behind(run, (*outside, "0")), *_behind_carrier(run))
            yield from (Callee.of(rest, area_code) for rest in shorter)


def readings(digits: str, outside: Iterable[str], area_code: str | None) -> set[str]:
    """Everything `digits` may be understood as, prefixes off one after the other."""
    found: set[str] = set()
    waiting = [digits, *_behind(digits, outside)]
    while waiting:
        reading = waiting.pop()
        if reading and reading not in found:
            found.add(reading)
            waiting += _shorter(reading, area_code)
    return found


def runs_of(target: str) -> list[str]:
    """The runs of digits of what is meant as a number, and all its digits in a row; [] for a name."""
    user, _ = user_and_host(target)
    found = []
    for part in (user, *_HIDDEN_DIGITS.findall(_plain(target))):
        runs = _runs(part)
        found += runs
        if len(runs) > 1:
            found.append("".join(runs).replace("+", ""))
    return found


def user_and_host(target: str) -> tuple[str, str]:
    """The user and the host of a URI, the host in lower case; a number without a scheme is all user."""
    text = _plain(target)
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    user, at, host = rest.rpartition("@")
    if not at and _is_number(scheme, rest):
        user, host = rest, ""
    end = _URI_USER_END if at or scheme else _TEXT_END
    return end.split(user, maxsplit=1)[0].strip(), re.split(r"[;:?>]", host, maxsplit=1)[0].strip().lower()


def _is_number(scheme: re.Match[str] | None, rest: str) -> bool:
    """Whether a target without @ is a number and not a host; `sip:110` is taken for what it looks like."""
    return scheme is None or scheme[0].strip().lower() == "tel:" or rest.strip().isdigit()


def _shorter(digits: str, area_code: str | None) -> Iterator[str]:
    for prefix in (_HOME, _AREA, _CARRIER):
        if match := prefix.match(digits):
            yield digits[match.end() :]
    yield digits.removeprefix("+")
    yield digits.lstrip("0")
    if area_code and digits.startswith(area_code):
        yield digits.removeprefix(area_code)


def _behind(digits: str, outside: Iterable[str]) -> list[str]:
    return [digits.removeprefix(code) for code in outside if code and digits.startswith(code)]


def _behind_carrier(digits: str) -> list[str]:
    match = _CARRIER.match(digits)
    return [digits[match.end() :]] if match else []


def _runs(text: str) -> list[str]:
    plain = _WORDS.sub(",", text)
    if not _NUMBER_LIKE.fullmatch(plain):
        return []
    return re.findall(r"\+?[0-9]+", _SEPARATORS.sub("", plain))


def _plain(target: str) -> str:
    """The text without escapes and invisible characters, its digits those of ASCII."""
    if target.isascii() and target.isprintable() and "%" not in target:
        return target
    for _ in range(_ESCAPES_OF_ESCAPES):
        target, before = unquote(target), target
        if target == before:
            break
    text = unicodedata.normalize("NFKC", target)
    kept = (c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c in "\t\r\n")
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in kept)
