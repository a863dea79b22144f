"""Lists of the directory, in pages: each query goes on behind a key, and asks for one row more than wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app.directory.models import (
    Confirmation,
    DutyLine,
    LineExemption,
    LineUnit,
    NumberChange,
    Person,
    Unit,
    UnitExemption,
)
from app.directory.repository import below, holds_on


@dataclass(frozen=True, slots=True)
class UnitFilter:
    """Which units: every member that is given must hold."""

    head: Unit | None = None
    """This unit and all below it."""
    parent_id: int | None = None
    kind: str | None = None
    category: str | None = None
    words: str | None = None
    """The beginning of the name or the code."""
    day: date | None = None
    """There on this day."""
    span: tuple[date, date] | None = None
    """There on a day between these, both inclusive."""
    anywhere: str | None = None
    """In the name, or the beginning of the code or of a number of one of its lines."""


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines."""

    unit_id: int | None = None
    """Of this unit, or shared with it."""
    head: Unit | None = None
    kind: str | None = None
    verification: str | None = None
    active: bool | None = None
    words: str | None = None
    """The beginning of the number as printed or as dialled."""


@dataclass(frozen=True, slots=True)
class PersonFilter:
    """Which people."""

    unit_id: int | None = None
    head: Unit | None = None
    role: str | None = None
    staffing: str | None = None
    words: str | None = None
    """The beginning of the name."""
    day: date | None = None


async def units(session: AsyncSession, wanted: UnitFilter, after: str | None, limit: int) -> Sequence[Unit]:
    """Units by code, behind the code `after`."""
    query = select(Unit).where(*_unit_conditions(wanted)).order_by(Unit.code).limit(limit)
    if after is not None:
        query = query.where(Unit.code > after)
    return (await session.scalars(query)).all()


def _unit_conditions(wanted: UnitFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.head is not None:
        found.append(below(wanted.head))
    if wanted.parent_id is not None:
        found.append(Unit.parent_id == wanted.parent_id)
    if wanted.kind is not None:
        found.append(Unit.kind == wanted.kind)
    if wanted.category is not None:
        found.append(Unit.category == wanted.category)
    if wanted.words:
        found.append(or_(begins(Unit.name, wanted.words), begins(Unit.code, wanted.words)))
    if wanted.anywhere:
        found.append(_found_by(wanted.anywhere))
    if wanted.day is not None:
        found.append(holds_on(Unit, wanted.day))
    if wanted.span is not None:
        found.append(_in_span(wanted.span))
    return found


def _found_by(words: str) -> ColumnElement[bool]:
    named = func.lower(Unit.name).contains(words.lower(), autoescape=True)
    digits = re.sub(r"[\s-]", "", words)
    if not re.fullmatch(r"[0-9]{3,}", digits):
        return or_(named, begins(Unit.code, words))
    numbers = (DutyLine.number, DutyLine.target)
    by_line = select(DutyLine.unit_id).where(
        or_(*(func.replace(number, "-", "").startswith(digits, autoescape=True) for number in numbers))
    )
    return or_(named, begins(Unit.code, words), Unit.id.in_(by_line))


def _in_span(days: tuple[date, date]) -> ColumnElement[bool]:
    return and_(
        or_(Unit.first_day.is_(None), Unit.first_day <= days[1]),
        or_(Unit.last_day.is_(None), Unit.last_day >= days[0]),
    )


async def lines(
    session: AsyncSession, wanted: LineFilter, after: int | None, limit: int
) -> Sequence[DutyLine]:
    """Lines with their units, by key."""
    query = select(DutyLine).join(DutyLine.unit).options(joinedload(DutyLine.unit))
    if wanted.unit_id is not None:
        shared = select(LineUnit.line_id).where(LineUnit.unit_id == wanted.unit_id)
        query = query.where(or_(DutyLine.unit_id == wanted.unit_id, DutyLine.id.in_(shared)))
    if wanted.head is not None:
        query = query.where(below(wanted.head))
    if wanted.kind is not None:
        query = query.where(DutyLine.kind == wanted.kind)
    if wanted.verification is not None:
        query = query.where(DutyLine.verification == wanted.verification)
    if wanted.active is not None:
        query = query.where(DutyLine.active.is_(wanted.active))
    if wanted.words:
        query = query.where(or_(begins(DutyLine.number, wanted.words), begins(DutyLine.target, wanted.words)))
    return (await session.scalars(_by_key(query, DutyLine.id, after, limit))).all()


async def people(
    session: AsyncSession, wanted: PersonFilter, after: int | None, limit: int
) -> Sequence[Person]:
    """People, by key."""
    query = select(Person)
    if wanted.unit_id is not None:
        query = query.where(Person.unit_id == wanted.unit_id)
    if wanted.head is not None:
        query = query.join(Unit, Unit.id == Person.unit_id).where(below(wanted.head))
    if wanted.role is not None:
        query = query.where(Person.role == wanted.role)
    if wanted.staffing is not None:
        query = query.where(Person.staffing == wanted.staffing)
    if wanted.words:
        query = query.where(begins(Person.name, wanted.words))
    if wanted.day is not None:
        query = query.where(holds_on(Person, wanted.day))
    return (await session.scalars(_by_key(query, Person.id, after, limit))).all()


async def unit_exemptions(
    session: AsyncSession,
    unit_id: int | None,
    head: Unit | None,
    at: datetime | None,
    after: int | None,
    limit: int,
) -> Sequence[UnitExemption]:
    """Times without findings, newest first."""
    query = select(UnitExemption)
    if head is not None:
        query = query.join(Unit, Unit.id == UnitExemption.unit_id).where(below(head))
    if unit_id is not None:
        query = query.where(UnitExemption.unit_id == unit_id)
    if at is not None:
        query = query.where(
            UnitExemption.first_at <= at, or_(UnitExemption.last_at.is_(None), UnitExemption.last_at > at)
        )
    return (await session.scalars(_newest(query, UnitExemption.id, after, limit))).all()


async def line_exemptions(
    session: AsyncSession, line_id: int | None, day: date | None, after: int | None, limit: int
) -> Sequence[LineExemption]:
    """What lines may do that others may not, newest first."""
    query = select(LineExemption)
    if line_id is not None:
        query = query.where(LineExemption.line_id == line_id)
    if day is not None:
        query = query.where(holds_on(LineExemption, day))
    return (await session.scalars(_newest(query, LineExemption.id, after, limit))).all()


async def number_changes(
    session: AsyncSession,
    unit_id: int | None,
    head: Unit | None,
    outcome: str | None,
    after: int | None,
    limit: int,
) -> Sequence[NumberChange]:
    """Reported changes, newest first."""
    query = select(NumberChange)
    if head is not None:
        query = query.join(Unit, Unit.id == NumberChange.unit_id).where(below(head))
    if unit_id is not None:
        query = query.where(NumberChange.unit_id == unit_id)
    if outcome is not None:
        query = query.where(NumberChange.outcome == outcome)
    return (await session.scalars(_newest(query, NumberChange.id, after, limit))).all()


async def confirmations(
    session: AsyncSession,
    quarter: str,
    days: tuple[date, date],
    head: Unit | None,
    confirmed: bool | None,
    after: str | None,
    limit: int,
) -> Sequence[tuple[Unit, Confirmation | None]]:
    """The units that are there on a day of the quarter, by code, each with its confirmation if there is one."""
    query = (
        select(Unit, Confirmation)
        .outerjoin(Confirmation, and_(Confirmation.unit_id == Unit.id, Confirmation.quarter == quarter))
        .where(_in_span(days))
        .order_by(Unit.code)
        .limit(limit)
    )
    if head is not None:
        query = query.where(below(head))
    if confirmed is not None:
        query = query.where(Confirmation.id.is_not(None) if confirmed else Confirmation.id.is_(None))
    if after is not None:
        query = query.where(Unit.code > after)
    return [(row[0], row[1]) for row in await session.execute(query)]


def begins(column: InstrumentedAttribute[str], words: str) -> ColumnElement[bool]:
    """The condition that a text begins with these words, in small or capital letters."""
    return func.lower(column).startswith(words.lower(), autoescape=True)


def _by_key(
    query: Select[Any], key: InstrumentedAttribute[int], after: int | None, limit: int
) -> Select[Any]:
    if after is not None:
        query = query.where(key > after)
    return query.order_by(key).limit(limit)


def _newest(
    query: Select[Any], key: InstrumentedAttribute[int], after: int | None, limit: int
) -> Select[Any]:
    if after is not None:
        query = query.where(key < after)
    return query.order_by(key.desc()).limit(limit)
