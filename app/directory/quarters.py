"""Quarterly confirmation of the directory (季度核对): 每季度最后一周检查更新. Quarters are written `2026Q4`."""

from __future__ import annotations

import re
from datetime import date, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.directory.models import Confirmation, Unit
from app.errors import BadInputError, ConflictError, Fault

WEEK = timedelta(days=7)
FIRST_YEAR, LAST_YEAR = 1970, 2200
_QUARTER = re.compile(r"(\d{4})Q([1-4])")


def quarter_of(day: date) -> str:
    """The quarter that a day belongs to."""
    return f"{day.year:04}Q{(day.month + 2) // 3}"


def days_of(quarter: str) -> tuple[date, date]:
    """The first and last day of a quarter. Raises `BadInputError`."""
    found = _QUARTER.fullmatch(quarter)
    if found is None or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise BadInputError("季度应写作 2026Q4", [Fault("quarter", f"{FIRST_YEAR}Q1 至 {LAST_YEAR}Q4")])
    year, number = int(found[1]), int(found[2])
    first = date(year, 3 * number - 2, 1)
    following = date(year + 1, 1, 1) if number == 4 else date(year, 3 * number + 1, 1)
    return first, following - timedelta(days=1)


def state_of(quarter: str, today: date, *, confirmed: bool) -> str:
    """`confirmed`; `early` before the quarter's last week; `due` in it; `overdue` once the quarter is over."""
    if confirmed:
        return "confirmed"
    _, last = days_of(quarter)
    if today > last:
        return "overdue"
    return "due" if today > last - WEEK else "early"


async def confirm(
    session: AsyncSession, unit: Unit, quarter: str, today: date, who: str, note: str = ""
) -> Confirmation:
    """Write down a unit's word that its entry is right.

    Raises `BadInputError` for a quarter to come, `ConflictError` where it was given.
    """
    first, _ = days_of(quarter)
    if first > today:
        raise BadInputError(f"{quarter} 还没有开始", [Fault("quarter", "尚未开始")])
    name = unit.name  # not to be read any more once the database has refused
    confirmation = Confirmation(
        unit_id=unit.id, quarter=quarter, confirmed_at=clock.now(), confirmed_by=who, note=note
    )
    session.add(confirmation)
    try:
        await session.flush()
    except IntegrityError as error:
        raise ConflictError(f"“{name}”{quarter} 已核对", [Fault("quarter", "已核对")]) from error
    return confirmation
