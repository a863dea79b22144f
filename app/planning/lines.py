"""The lines that a plan may call, with their units: rows of what plans go by alone, for there may be thousands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Text, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import CALLED_KINDS, DutyLine, Unit


class PlanUnit(NamedTuple):
    """A unit as plans go by it."""

    id: int
    code: str
    kind: str
    category: str
    path: str
    first_day: date | None
    last_day: date | None
    handover_times: tuple[str, ...]


class PlanLine(NamedTuple):
    """A line as plans go by it."""

    unit: PlanUnit
    id: int
    kind: str
    verification: str
    first_day: date | None
    last_day: date | None

    @property
    def unit_id(self) -> int:
        """Key of the unit that answers for it."""
        return self.unit.id


_UNIT: tuple[Any, ...] = (
    Unit.id,
    Unit.code,
    Unit.kind,
    Unit.category,
    Unit.path,
    Unit.first_day,
    Unit.last_day,
)
_LINE: tuple[Any, ...] = (
    DutyLine.id,
    DutyLine.kind,
    DutyLine.verification,
    DutyLine.first_day,
    DutyLine.last_day,
)


async def lines_between(session: AsyncSession, first: date, last: date) -> Sequence[PlanLine]:
    """The lines that may be called at some day of a span, by key."""
    query = (
        select(*_UNIT, cast(Unit.handover_times, Text), *_LINE)
        .join_from(DutyLine, Unit, Unit.id == DutyLine.unit_id)
        .where(
            DutyLine.active,
            DutyLine.kind.in_(CALLED_KINDS),
            or_(DutyLine.first_day.is_(None), DutyLine.first_day <= last),
            or_(DutyLine.last_day.is_(None), DutyLine.last_day >= first),
            or_(Unit.first_day.is_(None), Unit.first_day <= last),
            or_(Unit.last_day.is_(None), Unit.last_day >= first),
        )
        .order_by(DutyLine.id)
    )
    units: dict[int, PlanUnit] = {}
    found: list[PlanLine] = []
    for key, code, kind, category, path, first_day, last_day, times, *line in await session.execute(query):
        unit = units.get(key)
        if unit is None:
            unit = PlanUnit(key, code, kind, category, path, first_day, last_day, _times(times))
            units[key] = unit
        found.append(PlanLine(unit, *line))
    return found


@lru_cache(maxsize=1024)
def _times(text: str) -> tuple[str, ...]:
    """What the column holds: most units have the same few times, or none."""
    return tuple(json.loads(text))
