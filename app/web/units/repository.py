"""What the directory's pages read beside the lists of the directory itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import AuditEvent
from app.accounts.principal import limits
from app.directory.models import (
    CALLED_KINDS,
    Confirmation,
    DutyLine,
    LineExemption,
    LineUnit,
    NumberChange,
    Person,
    Unit,
)
from app.directory.repository import below
from app.web.units.words import ACTION


@dataclass(slots=True)
class Counts:
    """What hangs on a unit and all below it."""

    lines: int = 0
    pending: int = 0
    """Lines whose number awaits its 核号 call."""
    failed: int = 0
    """Lines whose 核号 calls nobody answered."""


async def roots(session: AsyncSession, after: str | None, limit: int) -> Sequence[Unit]:
    """Where the tree begins for who asks, by code: its roots, or the heads of their scope."""
    scope = limits()
    query = select(Unit).order_by(Unit.code).limit(limit)
    if scope is None:
        query = query.where(Unit.parent_id.is_(None))
    else:
        heads = [path for path in scope.paths if not _is_below(path, scope.paths)]
        query = query.where(Unit.path.in_(heads))
    if after is not None:
        query = query.where(Unit.code > after)
    return (await session.scalars(query)).all()


def _is_below(path: str, others: Iterable[str]) -> bool:
    return any(path != other and path.startswith(other) for other in others)


async def with_children(session: AsyncSession, unit_ids: Sequence[int]) -> frozenset[int]:
    """Which of these units have others directly below them."""
    query = select(Unit.parent_id).where(Unit.parent_id.in_(unit_ids)).distinct()
    return frozenset(key for key in (await session.scalars(query)).all() if key is not None)


async def counts_below(session: AsyncSession, units: Sequence[Unit]) -> Mapping[int, Counts]:
    """The lines in use of these units and of all below each, summed."""
    found = {unit.id: Counts() for unit in units}
    by_path = {unit.path: found[unit.id] for unit in units}
    called = and_(DutyLine.active, DutyLine.kind.in_(CALLED_KINDS))
    columns = [
        func.count(DutyLine.id),
        func.sum(case((and_(called, DutyLine.verification == "pending"), 1), else_=0)),
        func.sum(case((and_(called, DutyLine.verification == "failed"), 1), else_=0)),
    ]
    query = (
        select(Unit.path, *columns)
        .join(DutyLine, DutyLine.unit_id == Unit.id)
        .where(DutyLine.active)
        .group_by(Unit.path)
    )
    parents = {unit.path.rstrip("/").rpartition("/")[0] for unit in units}
    if len(parents) == 1 and (parent := parents.pop()):
        query = query.where(Unit.path.startswith(f"{parent}/", autoescape=True))
    for path, lines, pending, failed in await session.execute(query):
        for counts in _heads_of(path, by_path):
            counts.lines += lines
            counts.pending += pending
            counts.failed += failed
    return found


def _heads_of(path: str, by_path: Mapping[str, Counts]) -> Iterable[Counts]:
    """The counts of the unit with this path, and of those above it, that are asked for."""
    head = ""
    for part in path.split("/")[:-1]:
        head += f"{part}/"
        if head in by_path:
            yield by_path[head]


async def own_lines(session: AsyncSession, unit_ids: Sequence[int]) -> Sequence[DutyLine]:
    """The lines in use of some units."""
    query = select(DutyLine).where(DutyLine.unit_id.in_(unit_ids), DutyLine.active).order_by(DutyLine.id)
    return (await session.scalars(query)).all()


async def above(session: AsyncSession, unit: Unit) -> Sequence[Unit]:
    """The units above one, from the root; for an account with a scope those within it."""
    keys = [int(part) for part in unit.path.split("/") if part and int(part) != unit.id]
    rows = (await session.scalars(select(Unit).where(Unit.id.in_(keys)))).all() if keys else []
    return sorted(rows, key=lambda row: len(row.path))


async def units_named(session: AsyncSession, unit_ids: Iterable[int]) -> Mapping[int, Unit]:
    """Some units by key."""
    keys = sorted(set(unit_ids))
    rows = (await session.scalars(select(Unit).where(Unit.id.in_(keys)))).all() if keys else []
    return {row.id: row for row in rows}


async def units_by_text(session: AsyncSession, text: str) -> Sequence[Unit]:
    """The units of this code; where there is none, those of this name."""
    by_code = (await session.scalars(select(Unit).where(Unit.code == text))).all()
    return by_code or (await session.scalars(select(Unit).where(Unit.name == text).limit(2))).all()


async def lines_named(session: AsyncSession, line_ids: Iterable[int | None]) -> Mapping[int, DutyLine]:
    """Some lines by key; None stands for none."""
    keys = sorted({key for key in line_ids if key is not None})
    rows = (await session.scalars(select(DutyLine).where(DutyLine.id.in_(keys)))).all() if keys else []
    return {row.id: row for row in rows}


async def line_exemptions(session: AsyncSession, line_ids: Sequence[int]) -> Sequence[LineExemption]:
    """What some lines may do, the latest first."""
    query = (
        select(LineExemption)
        .where(LineExemption.line_id.in_(line_ids))
        .order_by(LineExemption.first_day.desc(), LineExemption.id.desc())
    )
    return (await session.scalars(query)).all()


async def confirmations_of(session: AsyncSession, unit_id: int, limit: int) -> Sequence[Confirmation]:
    """A unit's confirmations, the latest quarter first."""
    query = (
        select(Confirmation)
        .where(Confirmation.unit_id == unit_id)
        .order_by(Confirmation.quarter.desc())
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def quarter_counts(
    session: AsyncSession, quarter: str, days: tuple[date, date], head: Unit | None
) -> tuple[int, int]:
    """How many units are there in a quarter, and how many of them have confirmed."""
    query = (
        select(func.count(Unit.id), func.count(Confirmation.id))
        .select_from(Unit)
        .outerjoin(Confirmation, and_(Confirmation.unit_id == Unit.id, Confirmation.quarter == quarter))
        .where(
            or_(Unit.first_day.is_(None), Unit.first_day <= days[1]),
            or_(Unit.last_day.is_(None), Unit.last_day >= days[0]),
        )
    )
    if head is not None:
        query = query.where(below(head))
    units, confirmed = (await session.execute(query)).one()
    return int(units), int(confirmed)


async def pending_changes(session: AsyncSession) -> int:
    """How many reported changes of number wait."""
    query = select(func.count(NumberChange.id)).where(NumberChange.outcome == "pending")
    return int(await session.scalar(query) or 0)


async def counts_there(session: AsyncSession, days: Sequence[date]) -> Mapping[date, int]:
    """How many units there are on each of some days."""
    query = select(Unit.first_day, Unit.last_day, func.count(Unit.id)).group_by(Unit.first_day, Unit.last_day)
    spans = (await session.execute(query)).all()
    return {
        day: sum(count for first, last, count in spans if (first or day) <= day <= (last or day))
        for day in days
    }


async def history(
    session: AsyncSession, unit: Unit, before: tuple[datetime, int] | None, limit: int
) -> Sequence[AuditEvent]:
    """What was changed of a unit, its lines and people, newest first; readings are no changes."""
    lines = (await session.scalars(select(DutyLine.id).where(DutyLine.unit_id == unit.id))).all()
    people = (await session.scalars(select(Person.id).where(Person.unit_id == unit.id))).all()
    subjects = [
        f"unit:{unit.id}",
        *(f"line:{key}" for key in lines),
        *(f"person:{key}" for key in people),
    ]
    query = (
        select(AuditEvent)
        .where(AuditEvent.subject.in_(subjects), AuditEvent.action.in_(list(ACTION)))
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(limit)
    )
    if before is not None:
        at, key = before
        query = query.where(or_(AuditEvent.at < at, and_(AuditEvent.at == at, AuditEvent.id < key)))
    return (await session.scalars(query)).all()


async def people_named(session: AsyncSession, person_ids: Iterable[int]) -> Mapping[int, Person]:
    """Some people by key."""
    keys = sorted(set(person_ids))
    rows = (await session.scalars(select(Person).where(Person.id.in_(keys)))).all() if keys else []
    return {row.id: row for row in rows}


async def shared_units(session: AsyncSession, line_id: int) -> Sequence[Unit]:
    """The further units that a line reaches, by code."""
    query = (
        select(Unit).join(LineUnit, LineUnit.unit_id == Unit.id).where(LineUnit.line_id == line_id)
    ).order_by(Unit.code)
    return (await session.scalars(query)).all()
