"""Whether a line may be called at a moment: the same rules for drawn moments and for designated checks.

Every rule here is for the sake of the duty room: emergencies at hand, handovers (交接班), the night, and caps over all
checks of a line, whoever ordered them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import stops
from app.checks.retry import at_night, guarded_until
from app.directory import repository as directory
from app.directory.models import CALLED_KINDS, DutyLine, Unit
from app.planning import ledger, repository
from app.planning.spec import Caps

Why = Literal["line", "number", "stopped", "exempted", "handover", "night", "cap"]
LONGEST_LOOK = timedelta(days=62)
"""How far back caps ask what a line bore: a month and more, or the gap of the caps where that is longer."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line may not be called now."""

    why: Why
    detail: str
    """One sentence; it tells of what was, never of what is to come."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that somebody would like to place."""

    at: datetime
    caps: Caps
    night_approved: bool = False
    handover_allowed: bool = False
    maintenance_allowed: bool = False
    """Whether it may be called under maintenance: to see whether the line works again."""


async def refusal(session: AsyncSession, line: DutyLine, asked: Asked, zone: ZoneInfo) -> Refusal | None:
    """Say why a line may not be called; None where it may. The line comes with its unit."""
    further = (await directory.further_units(session, [line.id])).get(line.id, ())
    return (
        _gone(line, asked.at.astimezone(zone).date())
        or await _held(session, line, further, asked)
        or await _guarded(session, line, further, asked, zone)
        or await _worn(session, line, asked, zone)
    )


def _gone(line: DutyLine, day: date) -> Refusal | None:
    if (
        not line.active
        or line.kind not in CALLED_KINDS
        or not (_within(line, day) and _within(line.unit, day))
    ):
        return Refusal("line", f"line {line.id} is not called (any more)")
    if line.verification == "failed":
        return Refusal("number", f"the number of line {line.id} could not be verified (核号)")
    return None


def _within(row: DutyLine | Unit, day: date) -> bool:
    return (row.first_day is None or row.first_day <= day) and (row.last_day is None or row.last_day >= day)


async def _held(
    session: AsyncSession, line: DutyLine, further: Sequence[int], asked: Asked
) -> Refusal | None:
    stop = await stops.stopped_line(session, line.id, line.unit_id)
    if stop is not None:
        return Refusal("stopped", f"calls are stopped (紧急停拨 {stop.id})")
    for unit_id in (line.unit_id, *further):
        for exemption in await directory.unit_exemptions_at(session, unit_id, line.id, asked.at):
            if exemption.kind == "maintenance" and asked.maintenance_allowed:
                continue
            return Refusal("exempted", f"exemption {exemption.id} ({exemption.kind}) holds")
    return None


async def _guarded(
    session: AsyncSession, line: DutyLine, further: Sequence[int], asked: Asked, zone: ZoneInfo
) -> Refusal | None:
    if asked.handover_allowed:
        return None
    times = list(line.unit.handover_times)
    for unit_id in further:
        unit = await repository.unit(session, unit_id)
        times += unit.handover_times if unit is not None else ()
    if guarded_until(asked.at, times_of(times), zone) is not None:
        return Refusal("handover", "a handover (交接班) is less than 15 minutes away")
    return None


def times_of(texts: Iterable[str]) -> list[time]:
    """Read times of day `HH:MM`; what is none guards nothing."""
    found = []
    for text in texts:
        with contextlib.suppress(ValueError):
            found.append(time.fromisoformat(text))
    return found


async def _worn(session: AsyncSession, line: DutyLine, asked: Asked, zone: ZoneInfo) -> Refusal | None:
    look = max(LONGEST_LOOK, timedelta(hours=asked.caps.least_gap_h))
    found = await ledger.uses(session, [line.id], asked.at - look)
    return worn(found.get(line.id, ()), asked, zone)


def worn(uses: Sequence[datetime], asked: Asked, zone: ZoneInfo) -> Refusal | None:
    """Say which cap or night rule a call would break after those that a line bore already. Pure."""
    local = asked.at.astimezone(zone)
    days = [at.astimezone(zone).date() for at in uses]
    if at_night(asked.at, zone):
        if not asked.night_approved:
            return Refusal("night", "between 00:00 and 06:00 it takes a supervisor's approval")
        nights = [at for at in uses if at_night(at, zone)]
        if any(_month(at.astimezone(zone).date()) == _month(local.date()) for at in nights):
            return Refusal("night", "the line was called at night in this month already")
    today = sum(day == local.date() for day in days)
    if today >= asked.caps.line_day:
        return Refusal("cap", _full(today, "on this day", asked.caps.line_day))
    week = sum(_monday(day) == _monday(local.date()) for day in days)
    if week >= asked.caps.line_week:
        return Refusal("cap", _full(week, "in this week", asked.caps.line_week))
    gap = timedelta(hours=asked.caps.least_gap_h)
    if any(abs(asked.at - at) < gap for at in uses):
        return Refusal(
            "cap",
            f"the line was called less than {asked.caps.least_gap_h:g} hours ago, 核号 calls of plans counted",
        )
    return None


def _full(calls: int, span: str, most: int) -> str:
    """Name a cap that is used up; that 核号 calls of plans count as well is what nobody guesses."""
    return f"{calls} of at most {most} calls were made to the line {span}, 核号 calls of plans counted"


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def strictest(caps: Sequence[Caps]) -> Caps:
    """Return the caps that keep to all of these; the usual ones where there are none."""
    if not caps:
        return Caps()
    return Caps(
        line_day=min(cap.line_day for cap in caps),
        line_week=min(cap.line_week for cap in caps),
        least_gap_h=max(cap.least_gap_h for cap in caps),
    )
