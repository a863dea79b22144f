"""Terms that the readers of forwarding share: what was dialled, and a piece of evidence with what it implies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sip.numbers import MOBILE, NumberError, is_mobile, normalise_user, parse_number, same_number
from sip.record import Evidence

TargetClass = Literal["mobile", "other_fixed", "same_unit", "unknown"]
Condition = Literal["always", "no_answer", "busy", "unknown"]

FORK_MS = 3_000.0
"""Dialogs that begin within such a time are a group that rings together; a later one is where the call went next."""
_BEHIND_ACCESS_CODE = re.compile(r"\d{1,4}?0?" + MOBILE.pattern)


@dataclass(frozen=True, slots=True)
class Dialled:
    """What the signs of a call are compared with."""

    wanted: str
    """The dialled user, normalised."""
    same_unit: tuple[str, ...] = ()
    """Numbers that are known to be the unit's own, pilot numbers among them."""
    switchboard: bool = False
    """An extension was dialled behind a switchboard."""
    connected_ms: float | None = None
    """The 200; None where there was none."""
    ring_started_ms: float | None = None
    answered_ms: float | None = None
    dialogs_ms: tuple[float, ...] = ()
    """When the first response of each early dialog came, in order."""

    @property
    def is_mobile(self) -> bool:
        """A mobile number was dialled, perhaps behind an access code: mobile signs prove nothing then."""
        return is_mobile(self.wanted) or _BEHIND_ACCESS_CODE.fullmatch(self.wanted) is not None

    @property
    def is_routed(self) -> bool:
        """A 400, 800, 95, 96 or 1xx number was dialled: those always lead to a line of another number."""
        try:
            return parse_number(self.wanted).kind in ("service", "short")
        except NumberError:
            return False

    def may_write(self, user: str, least_digits: int = 2, full_digits: int = 2) -> bool:
        """Whether `user` may be the dialled line in other digits: its extension, or its number in full.

        The one must be the end of the other; `least_digits` and `full_digits` are how long they must be at least.
        """
        number = normalise_user(user)
        if same_number(number, self.wanted):
            return True
        shorter, longer = sorted((number, self.wanted), key=len)
        if not (shorter.isdigit() and longer.isdigit() and longer.endswith(shorter)):
            return False
        long_enough = len(shorter) >= least_digits and len(longer) >= full_digits
        return long_enough and not is_mobile(number) and not self.is_mobile

    def is_extension(self, user: str) -> bool:
        """Whether `user` is surely the same line within a switchboard: the last digits of a whole number."""
        return self.may_write(user, 3, 7)

    def rings_in_parallel(self, since_ms: float, until_ms: float) -> bool:
        """Whether another early dialog began between two moments because several telephones are rung at once."""
        first_ms = self.dialogs_ms[0] if self.dialogs_ms else 0.0
        return any(
            since_ms <= begun_ms <= until_ms and begun_ms - first_ms < FORK_MS
            for begun_ms in self.dialogs_ms[1:]
        )

    def rang_before(self, t_ms: float) -> bool:
        """Whether the line was ringing before that moment."""
        return self.ring_started_ms is not None and self.ring_started_ms < t_ms


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence and what it implies."""

    evidence: Evidence
    target: str | None = None
    condition: Condition = "unknown"
    implied: TargetClass = "unknown"
    """What kind of line the sign speaks of where it names no number."""
    until_ms: float | None = None
    """The end of the sound that it was heard in; None for other evidence."""
    switchboards_do: bool = False
    """An unregistered switchboard of the unit would do the same."""


def classify_target(target: str | None, same_unit: Iterable[str] = ()) -> TargetClass:
    """Tell a mobile from another line by its number alone, and the unit's own numbers by the list of them.

    A mobile of the unit is a mobile: that is where a duty line must not lead.
    """
    if target is None:
        return "unknown"
    if is_mobile(target):
        return "mobile"
    if any(same_number(target, own) for own in same_unit):
        return "same_unit"
    return "other_fixed" if re.fullmatch(r"\+?0?\d{5,15}", normalise_user(target)) else "unknown"
