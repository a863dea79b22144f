"""All queries of the rosters and of the whereabouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import CursorResult, and_, case, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, contains_eager, selectinload

from app.directory.models import Person, Unit
from app.directory.repository import below
from app.rosters.models import Roster, Shift, Whereabouts


@dataclass(frozen=True, slots=True)
class RosterFilter:
    """Which rosters: every member that is given must hold."""

    unit_id: int | None = None
    head: Unit | None = None
    """Of this unit and all below it."""
    kind: str | None = None
    first: date | None = None
    last: date | None = None


async def versions_between(
    session: AsyncSession, unit_ids: Sequence[int], first: date, last: date
) -> Sequence[Roster]:
    """Every version of the rosters of these units for these days, both inclusive, with its shifts, in order."""
    query = (
        select(Roster)
        .where(Roster.unit_id.in_(unit_ids), Roster.day.between(first, last))
        .options(selectinload(Roster.shifts))
        .order_by(Roster.unit_id, Roster.day, Roster.kind, Roster.version)
    )
    return (await session.scalars(query)).all()


async def page(
    session: AsyncSession, wanted: RosterFilter, after: int | None, limit: int
) -> Sequence[Roster]:
    """Versions with their shifts, newest first."""
    query = select(Roster).options(selectinload(Roster.shifts)).order_by(Roster.id.desc()).limit(limit)
    if wanted.unit_id is not None:
        query = query.where(Roster.unit_id == wanted.unit_id)
    if wanted.head is not None:
        query = query.join(Unit, Unit.id == Roster.unit_id).where(below(wanted.head))
    if wanted.kind is not None:
        query = query.where(Roster.kind == wanted.kind)
    if wanted.first is not None:
        query = query.where(Roster.day >= wanted.first)
    if wanted.last is not None:
        query = query.where(Roster.day <= wanted.last)
    if after is not None:
        query = query.where(Roster.id < after)
    return (await session.scalars(query)).all()


async def newest_version(session: AsyncSession, unit_id: int, day: date, kind: str) -> int:
    """The newest version of a roster; 0 where none was filed."""
    query = select(func.max(Roster.version)).where(
        Roster.unit_id == unit_id, Roster.day == day, Roster.kind == kind
    )
    return await session.scalar(query) or 0


async def first_filings(
    session: AsyncSession, unit_ids: Sequence[int], first: date, last: date
) -> dict[tuple[int, date, str], datetime]:
    """When each roster of these days was filed for the first time, by unit, day and kind."""
    query = select(Roster.unit_id, Roster.day, Roster.kind, Roster.filed_at).where(
        Roster.unit_id.in_(unit_ids), Roster.day.between(first, last), Roster.version == 1
    )
    return {(row.unit_id, row.day, row.kind): row.filed_at for row in await session.execute(query)}


async def newest_versions(
    session: AsyncSession, unit_ids: Sequence[int], first: date, last: date
) -> dict[tuple[int, date, str], int]:
    """The newest version of each roster of these days, by unit, day and kind."""
    query = (
        select(Roster.unit_id, Roster.day, Roster.kind, func.max(Roster.version))
        .where(Roster.unit_id.in_(unit_ids), Roster.day.between(first, last))
        .group_by(Roster.unit_id, Roster.day, Roster.kind)
    )
    return {(row[0], row[1], row[2]): row[3] for row in await session.execute(query)}


async def filed_counts(
    session: AsyncSession, deadlines: Mapping[date, datetime]
) -> dict[tuple[date, str], tuple[int, int]]:
    """How many units filed a roster for each of these days, and how many of them after its deadline."""
    days = sorted(deadlines)
    is_late = or_(*(and_(Roster.day == day, Roster.filed_at >= deadlines[day]) for day in days))
    query = (
        select(Roster.day, Roster.kind, func.count(Roster.id), func.sum(case((is_late, 1), else_=0)))
        .where(Roster.day.between(days[0], days[-1]), Roster.version == 1)
        .group_by(Roster.day, Roster.kind)
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in await session.execute(query)}


async def present_people(session: AsyncSession, person_ids: Iterable[int | None]) -> frozenset[int]:
    """Which of these keys are people."""
    wanted = [key for key in person_ids if key is not None]
    return frozenset((await session.scalars(select(Person.id).where(Person.id.in_(wanted)))).all())


async def people_of(session: AsyncSession, unit_ids: Sequence[int]) -> Sequence[Person]:
    """The people of these units."""
    query = select(Person).where(Person.unit_id.in_(unit_ids)).order_by(Person.id)
    return (await session.scalars(query)).all()


async def people_by_key(session: AsyncSession, person_ids: Iterable[int]) -> Sequence[Person]:
    """These people."""
    return (await session.scalars(select(Person).where(Person.id.in_(list(person_ids))))).all()


async def shifts_of_names(
    session: AsyncSession, names: Sequence[str], first: date, last: date, but: Sequence[int]
) -> Sequence[Shift]:
    """The turns of people with these names in the newest versions for these days, of other units than `but`."""
    newer = aliased(Roster)
    query = (
        select(Shift)
        .join(Shift.roster)
        .where(
            Shift.name.in_(names),
            Roster.day.between(first, last),
            Roster.unit_id.not_in(but),
            ~exists().where(
                newer.unit_id == Roster.unit_id,
                newer.day == Roster.day,
                newer.kind == Roster.kind,
                newer.version > Roster.version,
            ),
        )
        .options(contains_eager(Shift.roster))
        .order_by(Shift.start_at, Shift.id)
    )
    return (await session.scalars(query)).all()


async def whereabouts_of(
    session: AsyncSession, unit_id: int, now: datetime, after: int | None, limit: int
) -> Sequence[Whereabouts]:
    """A unit's entries that have not expired, newest first."""
    query = (
        select(Whereabouts)
        .where(Whereabouts.unit_id == unit_id, Whereabouts.expires_at > now)
        .order_by(Whereabouts.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(Whereabouts.id < after)
    return (await session.scalars(query)).all()


async def whereabouts(session: AsyncSession, row_id: int, now: datetime) -> Whereabouts | None:
    """One entry that has not expired."""
    query = select(Whereabouts).where(Whereabouts.id == row_id, Whereabouts.expires_at > now)
    return await session.scalar(query)


async def forget_expired(session: AsyncSession, now: datetime) -> int:
    """Delete what has expired; return how many."""
    result = await session.execute(delete(Whereabouts).where(Whereabouts.expires_at <= now))
    return cast("CursorResult[Any]", result).rowcount
