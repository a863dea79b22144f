"""The nodes of the tree: what stands beside each unit's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app.api.paging import cut, pack
from app.directory import lines, lists
from app.directory.lists import UnitFilter
from app.directory.models import Unit
from app.web.units import repository
from app.web.units.repository import Counts

PAGE_UNITS = 100
"""Nodes of one branch that are shown at once."""


@dataclass(frozen=True, slots=True)
class Node:
    """One unit in the tree."""

    unit: Unit
    opens: bool
    """Whether there are units below it."""
    counts: Counts
    warnings: int
    """Of its own lines."""
    closed: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """Some units beside each other, and the place behind them where more follow."""

    nodes: Sequence[Node]
    parent_id: int | None
    level: int
    next_place: str = ""


async def branch(session: AsyncSession, parent: Unit | None, after: str | None, day: date) -> Branch:
    """The units directly below one; without one those where the tree begins for who asks."""
    if parent is None:
        found = await repository.roots(session, after, PAGE_UNITS + 1)
    else:
        found = await lists.units(session, UnitFilter(parent_id=parent.id), after, PAGE_UNITS + 1)
    page, last = cut(found, PAGE_UNITS)
    return Branch(
        nodes=await nodes(session, page, day),
        parent_id=None if parent is None else parent.id,
        level=1,
        next_place="" if last is None else pack(last.code),
    )


async def nodes(session: AsyncSession, units: Sequence[Unit], day: date) -> list[Node]:
    """What stands beside some units."""
    if not units:
        return []
    keys = [unit.id for unit in units]
    opening = await repository.with_children(session, keys)
    counts = await repository.counts_below(session, units)
    own = await repository.own_lines(session, keys)
    warned = await lines.warnings_of(session, own)
    by_unit: dict[int, int] = {}
    for line in own:
        by_unit[line.unit_id] = by_unit.get(line.unit_id, 0) + len(warned[line.id])
    return [
        Node(unit, unit.id in opening, counts[unit.id], by_unit.get(unit.id, 0), is_closed(unit, day))
        for unit in units
    ]


def is_closed(unit: Unit, day: date) -> bool:
    """Whether a unit is no more on a day."""
    return unit.last_day is not None and unit.last_day < day
