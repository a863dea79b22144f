"""How far a plan has come: units reached, and what the present period still owes. Counts, never moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.planning import choosing, ledger, repository
from app.planning.lines import lines_between
from app.planning.models import Plan
from app.planning.spec import PlanSpec, period_of


@dataclass(frozen=True, slots=True)
class Progress:
    """A plan's units and its checks that count: our own faults, 核号 and what was passed over do not."""

    units: int
    """That it chooses and may call."""
    reached: int
    """Of them, checked at least once."""
    checks: int
    period: date | None
    """First day of the period that runs today; None before the plan and after it."""
    satisfied: int
    """Units that have what the present period guarantees them."""


async def of(session: AsyncSession, plan: Plan, zone: ZoneInfo, today: date) -> Progress | None:
    """Count a plan's progress; None for one whose moments were entered by hand."""
    spec = choosing.spec_of(plan)
    if spec is None:
        return None
    heads = await repository.paths(session, tuple(choosing.heads_of(spec)))
    lines = await lines_between(session, spec.first_day, spec.last_day)
    units = {
        line.unit_id
        for line in lines
        if line.verification != "failed" and choosing.chosen(spec.units, heads, line)
    }
    made = await ledger.count_by_unit(session, plan.id)
    period = _period(spec, today)
    recent: Mapping[int, int] = {}
    if period is not None:
        since = datetime.combine(period, time(), zone)
        recent = made if period <= spec.first_day else await ledger.count_by_unit(session, plan.id, since)
    return Progress(
        len(units),
        sum(made.get(unit, 0) > 0 for unit in units),
        sum(made.values()),
        period,
        sum(recent.get(unit, 0) >= spec.calls_per_unit for unit in units),
    )


def _period(spec: PlanSpec, today: date) -> date | None:
    if not spec.first_day <= today <= spec.last_day:
        return None
    return max(period_of(spec.period, today, spec.first_day), spec.first_day)
