"""Numbers that are never dialled, however they are written; and whom the phone may dial at all.

The phone itself refuses them, so no plan, page or command can reach one by mistake. Every refusal is a
`NeverDialledError`::

    NeverDialledError         an emergency number
    +-- DeniedNumberError     a number of the deny list: abroad, or charged beyond an ordinary call
    +-- AnswerKeyError        a superior duty office, whose number is only an answer key
    +-- NotAllowedError       a number on no list of ours

A number is looked at as it was typed and as it leaves after rewriting, with and without the access code, the
international, country and long-distance prefix, area code and prefixes of cheap long-distance calls; through
URI escapes, wide and other digits, invisible characters and separators. Where pauses, extensions or feature
codes stand in it (`9,110`, `9w110`, `*31#110`), each run of digits is looked at, and all of them together.

On a trunk and after the answer, 9 and 0 are taken for the digit of an outside line even where no access code is
set: a wrong refusal of an extension 9110 is cheaper than a call to the police.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from sip.dialled import OUTSIDE_DIGITS, Callee, callees_in, listed, readings, runs_of
from sip.numbers import HOME

NEVER_DIALLED = frozenset({"110", "119", "120", "122", "999", "112", "911"})
"""Police, fire, ambulance and traffic police of the mainland; 999, 112 and 911 as handsets and other
regions know them."""

DEFAULT_DENY = (
    "+*",
    "160??*",
    "168??*",
    "12590*",
    "10158*",
    "10159*",
    "179??*",
    "12593*",
    "11808*",
    "10193*",
)
"""What no duty line of the mainland is, in the order of the lines:

everything abroad (00 and +; Hong Kong, Macao and Taiwan, and satellite systems as +870 and +881, count as abroad
in charging); 160 and 168 with two digits more, the voice information services (声讯台) with extra charges, so that
the extensions 1601 and 1680 of a switchboard are left alone; 12590, 10158 and 10159, the mobile operators' paid
voice services; the prefixes of IP and carrier-selected long distance (17900 to 17999, 12593, 11808, 10193), behind
which any number can stand.

Left alone on purpose: 11-digit mobile numbers (162, 165, 166 and 167 are ordinary ones), satellite phones with
home numbers (1349, 1740: emergency offices have them), 400, 800, 95xxx, 96xxx and 123xx (hotlines of the
government among them), and 200 to 300, with which local numbers begin.
"""

_PATTERN = re.compile(r"(?:\+|00)?[0-9?]*\*?")


class NeverDialledError(ValueError):
    """The target is a number that is never dialled."""

    def __init__(self, target: str, number: str, why: str = "") -> None:
        super().__init__(f"{target}: {why or f'{number} is an emergency number and is never dialled'}")
        self.number = number


class DeniedNumberError(NeverDialledError):
    """The number is on the deny list; `pattern` is the entry."""

    def __init__(self, target: str, number: str, pattern: str) -> None:
        super().__init__(target, number, f"numbers that match {pattern} are denied and never dialled")
        self.pattern = pattern


class AnswerKeyError(NeverDialledError):
    """The number is an answer key. The number is a work secret: neither the error nor its text bears it."""

    def __init__(self) -> None:
        super().__init__(
            "the target", "", "it is an answer key (a superior duty office) and is never dialled"
        )


class NotAllowedError(NeverDialledError):
    """A call by a trunk to a number that is on no list of ours."""

    def __init__(self, target: str, number: str, *, listed: bool) -> None:
        why = "it is not among the numbers that may be dialled on a trunk; it takes a line of the directory"
        super().__init__(
            target, number, why if listed else "no list of numbers that may be dialled was given"
        )


@dataclass(frozen=True, slots=True)
class DialPolicy:
    """What the phone may dial. Raises `ValueError` for a pattern that cannot be read."""

    deny: tuple[str, ...] = DEFAULT_DENY
    """Patterns: digits, `?` for any one digit, `*` at the end for any rest. They are compared with the number
    in its national form, within its area, and with its 0 and area code. A pattern that begins with + or 00
    is compared with the international form; `+*` is everything abroad and never our own country."""
    answer_keys: frozenset[str] = field(default=frozenset(), repr=False)
    """Numbers or URIs of superior duty offices, in any writing; an extension behind one does not matter."""
    allow: frozenset[str] | None = field(default=None, repr=False)
    """Numbers or URIs, in any writing, to which trunk calls may go; None: no trunk call may go anywhere."""
    area_code: str | None = None
    """Our own area, without the 0: 3262000 is then the same number as 0917-3262000."""
    any_number: bool = False
    """Whether trunk calls need no list; say `DialPolicy.open(...)`."""

    def __post_init__(self) -> None:
        """Refuse patterns that cannot be read."""
        for pattern in self.deny:
            if not pattern or not _PATTERN.fullmatch(pattern):
                raise ValueError(f"deny takes patterns such as 168* or +852*, not {pattern!r}")

    @classmethod
    def open(
        cls,
        deny: tuple[str, ...] = DEFAULT_DENY,
        answer_keys: frozenset[str] = frozenset(),
        area_code: str | None = None,
    ) -> DialPolicy:
        """A policy under which trunk calls need no list. Everything else still holds."""
        return cls(deny, answer_keys, None, area_code, any_number=True)

    def check(
        self, target: str, dialled: str | None = None, access_code: str = "", trunk: bool = True
    ) -> None:
        """Raise a `NeverDialledError` unless the call may be made.

        `target` is what was asked for, `dialled` the number or URI as it leaves (after rewriting, with the
        access code). `trunk` is False for a URI that is called directly: it needs no list, all else holds.
        """
        leaves = target if dialled is None else dialled
        outside = (access_code, *OUTSIDE_DIGITS) if trunk else (access_code,)
        for text in (target, leaves):
            number = _emergency_among(runs_of(text), outside, self.area_code)
            if number is not None:
                raise NeverDialledError(target, number)
        callees = [
            *callees_in(target, self.area_code, "", outside),
            *callees_in(target, self.area_code, access_code, outside),
            *callees_in(leaves, self.area_code, access_code, outside),
        ]
        self._refuse_keys(callees)
        self._refuse_denied(target, callees)
        if trunk and not self.any_number:
            self._demand_allowed(target)

    def check_digits_sent(self, digits: str) -> None:
        """Raise a `NeverDialledError` where digits sent after the answer (`9w110`) would dial such a number.

        A dial tone may stand behind a switchboard, so emergency numbers, answer keys and the deny list hold.
        """
        check_digits_sent(digits)
        callees = list(callees_in(digits, self.area_code, "", OUTSIDE_DIGITS))
        # A key that is an extension of another switchboard says nothing about this one's.
        self._refuse_keys([callee for callee in callees if callee.is_complete])
        self._refuse_denied("digits to send", callees)

    def _refuse_keys(self, callees: Iterable[Callee]) -> None:
        keys = listed(self.answer_keys, self.area_code)
        if any(keys.may_have(callee) for callee in callees):
            raise AnswerKeyError

    def _refuse_denied(self, target: str, callees: Iterable[Callee]) -> None:
        for form in (form for callee in callees for form in sorted(callee.forms)):
            for pattern in self.deny:
                if _matcher(pattern).fullmatch(form):
                    raise DeniedNumberError(target, form, pattern)

    def _demand_allowed(self, target: str) -> None:
        asked = Callee.of(target, self.area_code)
        if not listed(self.allow or frozenset(), self.area_code).has(asked):
            raise NotAllowedError(target, asked.text, listed=self.allow is not None)


def emergency_number(target: str) -> str | None:
    """Return the emergency number that `target` (a SIP or tel URI, or a number) would reach, or None.

    Escapes, separators, pauses, the prefixes +86, 0086 and 0, an area code before the number, and parameters are
    looked through.
    """
    return _emergency_among(runs_of(target), (), None)


def refuse_emergency(target: str) -> None:
    """Raise `NeverDialledError` where `target` would reach an emergency number."""
    number = emergency_number(target)
    if number is not None:
        raise NeverDialledError(target, number)


def check_digits_sent(digits: str) -> None:
    """Raise `NeverDialledError` where digits sent after the answer would dial an emergency number.

    `9w110` asks a switchboard for an outside line and dials the police; so do `9110` and `w1w1w0`.
    """
    number = _emergency_among(runs_of(digits), OUTSIDE_DIGITS, None)
    if number is not None:
        raise NeverDialledError("digits to send", number)


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> re.Pattern[str]:
    body = pattern.removeprefix("00") if pattern.startswith("00") else pattern.removeprefix("+")
    text = body.replace("?", "[0-9]").replace("*", ".*")
    if body == pattern:
        return re.compile(text)
    # Our own country is abroad to nobody here, unless the pattern names it.
    home = "" if body.startswith(HOME) else rf"(?!{HOME})"
    return re.compile(rf"\+{home}{text}")


def _emergency_among(runs: Iterable[str], outside: Iterable[str], area_code: str | None) -> str | None:
    codes = tuple(outside)
    for run in runs:
        found = readings(run, codes, area_code) & NEVER_DIALLED
        if found:
            return min(found)
    return None
