"""Whether an order may be called at this moment: asked when it is claimed, and before its repeat is planned."""

from __future__ import annotations

import contextlib
from datetime import date, datetime, time, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import stops
from app.checks.models import SpotCheck
from app.checks.retry import at_night, guarded_until
from app.directory import repository as directory
from app.directory.models import DutyLine, Unit
from app.planning.models import Plan
from app.settings import Settings

Why = Literal["line", "stopped", "emergency", "maintenance", "plan", "never_dialled", "late", "demonstration"]
"""Why an order is not called: its line is not called any more, an emergency stop holds, 应急处置中, maintenance, its
plan is over, its target must not be dialled, its moment has passed, it is of a demonstration."""
WHY_ZH: dict[Why, str] = {
    "line": "线路已停用或不在有效期内",
    "stopped": "紧急停拨期间",
    "emergency": "应急处置中",
    "maintenance": "线路或设备维护中",
    "plan": "计划已结束",
    "never_dialled": "号码不在准拨范围",
    "late": "错过时间",
    "demonstration": "演示单",
}
OVER = ("cancelled", "finished")
SAME_MOMENT = timedelta(seconds=5)
"""Within it an order is called at its own moment."""


async def refused(session: AsyncSession, check: SpotCheck, settings: Settings, now: datetime) -> Why | None:
    """Say why an order may not be called now, None where it may. It comes with its line and plan.

    Maintenance keeps nobody from calling: it only keeps findings from being made.
    """
    if plan_over(check.plan):
        return "plan"
    unit = await session.get(Unit, check.line.unit_id)
    assert unit is not None
    if not in_service(check.line, unit, now.astimezone(settings.zone).date()):
        return "line"
    if await stops.stopped_line(session, check.line_id, check.line.unit_id) is not None:
        return "stopped"
    return "emergency" if "emergency" in await _exempted(session, check, now) else None


async def barred(session: AsyncSession, check: SpotCheck, settings: Settings, now: datetime) -> Why | None:
    """Say why no repeat of an order may be planned, None where it may be."""
    why = await refused(session, check, settings, now)
    if why is None and "maintenance" in await _exempted(session, check, now):
        return "maintenance"
    return why


async def handovers(session: AsyncSession, check: SpotCheck) -> tuple[time, ...]:
    """The times of handover of every unit that is reached by an order's line; what is no time guards nothing."""
    found: set[time] = set()
    for unit_id in await _units(session, check):
        unit = await session.get(Unit, unit_id)
        for text in unit.handover_times if unit is not None else ():
            with contextlib.suppress(ValueError):
                found.add(time.fromisoformat(text))
    return tuple(sorted(found))


async def slid(session: AsyncSession, check: SpotCheck, settings: Settings, now: datetime) -> bool:
    """Whether an order that had to wait has come into the night, or beside a handover, that its moment kept clear of.

    What was ordered for such a time was allowed there by a person.
    """
    zone = settings.zone
    if now - check.due_at < SAME_MOMENT:
        return False
    approved = check.plan is not None and check.plan.night_approved_at is not None
    if at_night(now, zone) and not approved and not at_night(check.due_at, zone):
        return True
    times = await handovers(session, check)
    return guarded_until(now, times, zone) is not None and guarded_until(check.due_at, times, zone) is None


def plan_over(plan: Plan | None) -> bool:
    """Whether a plan has ended; one that is only paused may go on."""
    return plan is not None and plan.state in OVER


def in_service(line: DutyLine, unit: Unit, day: date) -> bool:
    """Whether a line and its unit are there to be called on a day."""
    return line.active and all(
        (row.first_day is None or row.first_day <= day) and (row.last_day is None or row.last_day >= day)
        for row in (line, unit)
    )


async def _exempted(session: AsyncSession, check: SpotCheck, now: datetime) -> set[str]:
    kinds: set[str] = set()
    for unit_id in await _units(session, check):
        kinds |= {
            row.kind for row in await directory.unit_exemptions_at(session, unit_id, check.line_id, now)
        }
    return kinds


async def _units(session: AsyncSession, check: SpotCheck) -> tuple[int, ...]:
    """The units that are reached by an order's line, the one that answers for it first."""
    further = (await directory.further_units(session, [check.line_id])).get(check.line_id, ())
    return (check.line.unit_id, *further)
