"""Yearly coverage (全覆盖): which unit was reached by how many random checks in a calendar year.

A check counts once it is over, if at least one of its calls was not our own fault. Checks of a line shared by several
units (综合值班室) count for each. Designated checks, 核号, checks by hand and the demonstration never count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.planning import ledger

MOST_DAYS = 60
"""Most days that a unit's row lists."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """One unit's year."""

    unit_id: int
    code: str
    name: str
    checks: int
    """Random checks that count."""
    missing: int
    """How many it is short of what was asked for."""
    days: tuple[date, ...]
    """Local days of those checks, the last 60 at most."""


@dataclass(frozen=True, slots=True)
class Year:
    """Sums over all units that were to be covered."""

    year: int
    required: int
    units: int
    covered: int


def bounds(year: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First moment of a local year, and of the next."""
    return (
        datetime(year, 1, 1, tzinfo=zone).astimezone(UTC),
        datetime(year + 1, 1, 1, tzinfo=zone).astimezone(UTC),
    )


async def page(
    session: AsyncSession,
    year: int,
    required: int,
    zone: ZoneInfo,
    *,
    missing: bool | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Sequence[Coverage]:
    """Units by code with what a year brought them; `missing` leaves those that are short of `required`, or not."""
    span = bounds(year, zone)
    units = await ledger.covered_units(session, span, required, missing=missing, after=after, limit=limit)
    moments = await ledger.counted_moments(session, [unit.id for unit in units], span)
    rows = []
    for unit in units:
        days = [at.astimezone(zone).date() for at in moments.get(unit.id, ())]
        short = max(0, required - len(days))
        rows.append(Coverage(unit.id, unit.code, unit.name, len(days), short, tuple(days[-MOST_DAYS:])))
    return rows


async def summary(session: AsyncSession, year: int, required: int, zone: ZoneInfo) -> Year:
    """How many units a year was to cover, and how many it did."""
    units, short = await ledger.count_units(session, bounds(year, zone), required)
    return Year(year, required, units, units - short)


def last_day(year: int) -> date:
    """The last day of a year."""
    return date(year + 1, 1, 1) - timedelta(days=1)
