"""The repeat (复拨): whether an order asks for another call, and when. Pure, but for the dice.

One cap holds for all causes together: no order calls its line more than `most_calls` times. What failed on our own
side asks for another call like any other cause, and is never one of the two unanswered calls that end an order.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

Cause = Literal["no_answer", "busy", "line", "rejected", "silence", "our_side"]
"""Why a call may be repeated: nobody answered, the line was engaged, it could not be reached, the call was turned
away, it was answered and nothing was heard, or our own side failed."""
CAUSES: tuple[Cause, ...] = get_args(Cause)
Why = Literal["settled", "not_asked_for", "twice_unanswered", "cap", "too_late", "night", "barred"]
"""Why an order is closed: its last call settles it, its cause is none that is repeated, twice unanswered, as many calls
as there may be, more than an hour after the first one, between 00:00 and 06:00, or not to be called at present."""

NIGHT_ENDS = time(6)
"""00:00 to 06:00 nobody is called without a supervisor's approval."""
GUARD = timedelta(minutes=15)
"""Nobody is called so close to a handover (交接班), before and after it."""
LATEST = timedelta(hours=1)
"""A repeat later than this after the first call is none of the same check any more; three engaged calls within it are
长时间占线."""
UNANSWERED_ENOUGH = 2
Dice = Callable[[int, int], int]
"""Gives a whole number from the first to the second, both inclusive."""


class RetryRule(BaseModel):
    """What a plan says about repeats."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_min_s: int = Field(default=600, ge=60, le=3000)
    """Least seconds from the end of a call to its repeat."""
    after_max_s: int = Field(default=780, ge=60, le=3000)
    """Most of them; a guard of a handover comes on top."""
    most_calls: int = Field(default=3, ge=1, le=5)
    """Of one order, whatever the causes."""
    causes: tuple[Cause, ...] = ("no_answer", "busy", "line", "silence", "our_side")
    other_trunk: bool = True
    """The next call leaves by another trunk where there is one, so that a fault of ours does not speak twice."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.after_min_s > self.after_max_s:
            raise ValueError(
                f"after_min_s is {self.after_min_s}; it takes at most after_max_s ({self.after_max_s})"
            )
        return self


@dataclass(frozen=True, slots=True)
class CallMade:
    """One call of an order, as far as its repeat depends on it."""

    cause: Cause | None
    """None: it asks for no further call."""
    began_at: datetime
    ended_at: datetime
    trunk: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a repeat has to keep to."""

    zone: ZoneInfo
    handovers: tuple[time, ...] = ()
    """Local times of day of every unit that is reached by the line."""
    night_approved: bool = False
    barred: bool = False
    """The line or its unit is exempted, withdrawn or under an emergency stop."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Another call is due."""

    at: datetime
    avoid_trunk: str | None
    """Name of the trunk that should not carry it."""


@dataclass(frozen=True, slots=True)
class Closed:
    """No further call."""

    why: Why


def cast(least: int, most: int) -> int:
    """Give a whole number that nobody can foretell."""
    return least + secrets.randbelow(most - least + 1)


def next_call(
    rule: RetryRule, calls: Sequence[CallMade], bounds: Bounds, dice: Dice = cast
) -> Repeat | Closed:
    """Say what follows the calls of an order, of which there is at least one, the earliest first."""
    last = calls[-1]
    closed = _settled(rule, calls)
    if closed is not None:
        return Closed(closed)
    if bounds.barred:
        return Closed("barred")
    at = last.ended_at + timedelta(seconds=dice(rule.after_min_s, rule.after_max_s))
    spread_s = rule.after_max_s - rule.after_min_s
    at = _after_guards(at, bounds, lambda: timedelta(seconds=dice(0, spread_s)))
    if at - calls[0].began_at > LATEST:
        return Closed("too_late")
    if at_night(at, bounds.zone) and not bounds.night_approved:
        return Closed("night")
    return Repeat(at, avoided_trunk(rule, calls))


def avoided_trunk(rule: RetryRule, calls: Sequence[CallMade]) -> str | None:
    """Return the trunk that the next call should not take: the one of the last call."""
    return calls[-1].trunk if calls and rule.other_trunk else None


def at_night(at: datetime, zone: ZoneInfo) -> bool:
    """Whether a moment lies between 00:00 and 06:00 local time."""
    return at.astimezone(zone).time() < NIGHT_ENDS


def guarded_until(at: datetime, handovers: Sequence[time], zone: ZoneInfo) -> datetime | None:
    """Return when the guard of a handover ends that the moment lies in, None where it lies in none."""
    local = at.astimezone(zone)
    for day in (local.date() - timedelta(days=1), local.date(), local.date() + timedelta(days=1)):
        for moment in handovers:
            handover = datetime.combine(day, moment, zone)
            if abs(at - handover) < GUARD:
                return handover + GUARD
    return None


def _settled(rule: RetryRule, calls: Sequence[CallMade]) -> Why | None:
    cause = calls[-1].cause
    if cause is None:
        return "settled"
    if sum(call.cause == "no_answer" for call in calls) >= UNANSWERED_ENOUGH:
        return "twice_unanswered"
    if cause not in rule.causes:
        return "not_asked_for"
    return "cap" if len(calls) >= rule.most_calls else None


def _after_guards(at: datetime, bounds: Bounds, spread: Callable[[], timedelta]) -> datetime:
    """Move a moment behind the handovers whose guard it lies in; two of them may lie side by side."""
    for _ in range(2 * len(bounds.handovers) + 1):
        end = guarded_until(at, bounds.handovers, bounds.zone)
        if end is None:
            return at
        at = end + spread()
    return at
