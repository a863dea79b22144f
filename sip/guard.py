"""Numbers that are never dialled: emergency services, however they are written.

The phone itself refuses them, so no plan, page or command can reach one by mistake.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

NEVER_DIALLED = frozenset({"110", "119", "120", "122", "999", "112", "911"})
"""Police, fire, ambulance and traffic police of the mainland; 999, 112 and 911 as handsets and other
regions know them."""

_SCHEME = re.compile(r"^\s*(?:sips?|tel):", re.IGNORECASE)
_PREFIXES = re.compile(r"^(?:\+86|0086|\+|00)?0*")


class NeverDialledError(ValueError):
    """The target is a number that is never dialled."""

    def __init__(self, target: str, number: str) -> None:
        super().__init__(f"{target}: {number} is an emergency number and is never dialled")
        self.number = number


def emergency_number(target: str) -> str | None:
    """Return the emergency number that `target` (a SIP or tel URI, or a number) would reach, or None.

    Escapes, separators, the prefixes +86, 0086 and 0, an area code before the number, and parameters are
    looked through.
    """
    user = _user_part(target)
    if re.search(r"[^\d+*#\-.()\s]", user):
        # A name, not a number.
        return None
    digits = re.sub(r"[^\d+*#]", "", user)
    bare = _PREFIXES.sub("", digits)
    for candidate in (digits, bare, *_without_area_code(digits)):
        if candidate in NEVER_DIALLED:
            return candidate
    return None


def refuse_emergency(target: str) -> None:
    """Raise `NeverDialledError` where `target` would reach an emergency number."""
    number = emergency_number(target)
    if number is not None:
        raise NeverDialledError(target, number)


def _user_part(target: str) -> str:
    text = unquote(unquote(target))
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    user = rest.rpartition("@")[0] or (rest if _is_number(scheme, rest) else "")
    return re.split(r"[;:?]", user, maxsplit=1)[0]


def _is_number(scheme: re.Match[str] | None, rest: str) -> bool:
    return scheme is None or scheme[0].strip().lower() == "tel:"


def _without_area_code(digits: str) -> list[str]:
    """Area codes have two digits (10, 2x) or three, written after a 0 or after +86."""
    match = re.match(r"^(?:(?:\+86|0086)0?|0)(\d+)$", digits)
    if not match:
        return []
    national = match[1]
    if re.match(r"10|2\d", national):
        return [national[2:]]
    return [national[3:]]
