"""All queries of imports and exports."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from app.directory.models import (
    DutyLine,
    LineExemption,
    LineUnit,
    Person,
    Unit,
    UnitExemption,
    UnitRegime,
)
from app.imports import stored
from app.imports.stored import Snapshot
from app.planning.models import CalendarDay
from app.rosters.models import Roster

Entry = TypeVar("Entry", Unit, DutyLine, Person, UnitRegime, LineExemption, UnitExemption)
_MOST_KEYS = 500
"""Keys of one query: SQLite takes 32,766 parameters, and plans of long lists take long to make."""


async def directory(session: AsyncSession, zone: ZoneInfo) -> Snapshot:
    """The whole directory, without rosters and calendar."""
    rows = (await session.scalars(select(Unit).order_by(Unit.path, Unit.id))).all()
    codes = {row.id: row.code for row in rows}
    shared: dict[int, tuple[int, ...]] = {}
    for link in await session.scalars(select(LineUnit).order_by(LineUnit.unit_id)):
        shared[link.line_id] = (*shared.get(link.line_id, ()), link.unit_id)
    lines = (await session.scalars(select(DutyLine).order_by(DutyLine.unit_id, DutyLine.id))).all()
    return Snapshot(
        zone,
        units=stored.units(rows),
        regimes=stored.regimes(
            await session.scalars(select(UnitRegime).order_by(UnitRegime.unit_id, UnitRegime.first_day))
        ),
        lines=stored.lines(lines, shared, codes),
        people=stored.people(await session.scalars(select(Person).order_by(Person.unit_id, Person.id))),
        line_exemptions=stored.line_exemptions(
            await session.scalars(
                select(LineExemption).order_by(LineExemption.line_id, LineExemption.first_day)
            ),
            {line.id: line.unit_id for line in lines},
        ),
        exemptions=stored.exemptions(
            await session.scalars(
                select(UnitExemption).order_by(UnitExemption.unit_id, UnitExemption.first_at)
            ),
            zone,
        ),
    )


async def newest_rosters(
    session: AsyncSession, first: date, last: date, zone: ZoneInfo, unit_ids: Collection[int] | None = None
) -> list[stored.Stored]:
    """The newest version of every roster between two days, both inclusive."""
    newest = (
        select(Roster.unit_id, Roster.day, Roster.kind, func.max(Roster.version).label("version"))
        .where(Roster.day.between(first, last))
        .group_by(Roster.unit_id, Roster.day, Roster.kind)
        .subquery()
    )
    query = (
        select(Roster)
        .join(
            newest,
            (Roster.unit_id == newest.c.unit_id)
            & (Roster.day == newest.c.day)
            & (Roster.kind == newest.c.kind)
            & (Roster.version == newest.c.version),
        )
        .options(selectinload(Roster.shifts))
        .order_by(Roster.day, Roster.unit_id)
    )
    rows: list[Roster] = []
    if unit_ids is None:
        rows.extend(await session.scalars(query))
    else:
        keys = sorted(unit_ids)
        for start in range(0, len(keys), _MOST_KEYS):
            part = query.where(Roster.unit_id.in_(keys[start : start + _MOST_KEYS]))
            rows.extend(await session.scalars(part))
    return stored.rosters(rows, zone)


async def calendar_days(session: AsyncSession, first: date, last: date) -> list[stored.Stored]:
    """The days that were entered, both ends inclusive."""
    query = select(CalendarDay).where(CalendarDay.day.between(first, last)).order_by(CalendarDay.day)
    return stored.days(await session.scalars(query))


async def units_by_id(session: AsyncSession, keys: Collection[int]) -> dict[int, Unit]:
    """Units by key."""
    return {row.id: row for row in await _by_key(session, Unit, keys)}


async def lines_by_id(session: AsyncSession, keys: Collection[int]) -> dict[int, DutyLine]:
    """Lines by key."""
    return {row.id: row for row in await _by_key(session, DutyLine, keys)}


async def people_by_id(session: AsyncSession, keys: Collection[int]) -> dict[int, Person]:
    """People by key."""
    return {row.id: row for row in await _by_key(session, Person, keys)}


async def regimes_by_id(session: AsyncSession, keys: Collection[int]) -> dict[int, UnitRegime]:
    """Regimes by key."""
    return {row.id: row for row in await _by_key(session, UnitRegime, keys)}


async def line_exemptions_by_id(session: AsyncSession, keys: Collection[int]) -> dict[int, LineExemption]:
    """Exemptions of lines by key."""
    return {row.id: row for row in await _by_key(session, LineExemption, keys)}


async def unit_exemptions_by_id(session: AsyncSession, keys: Collection[int]) -> dict[int, UnitExemption]:
    """Exemptions of units by key."""
    return {row.id: row for row in await _by_key(session, UnitExemption, keys)}


async def _by_key(session: AsyncSession, table: type[Entry], keys: Collection[int]) -> Sequence[Entry]:
    wanted = sorted(keys)
    found: list[Entry] = []
    for start in range(0, len(wanted), _MOST_KEYS):
        found.extend(
            await session.scalars(select(table).where(table.id.in_(wanted[start : start + _MOST_KEYS])))
        )
    return found


async def person_ids(session: AsyncSession, unit_ids: Collection[int]) -> dict[tuple[int, str], int]:
    """People by unit and name; a name that several of a unit have is not there."""
    found: dict[tuple[int, str], int | None] = {}
    keys = sorted(unit_ids)
    for start in range(0, len(keys), _MOST_KEYS):
        query = select(Person.id, Person.unit_id, Person.name).where(
            Person.unit_id.in_(keys[start : start + _MOST_KEYS])
        )
        for key, unit_id, name in await session.execute(query):
            found[unit_id, name] = None if (unit_id, name) in found else key
    return {place: key for place, key in found.items() if key is not None}
