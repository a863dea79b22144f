"""Verbs of people (值班员, 带班领导, 负责人). They never commit: the caller's unit of work does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import Person
from app.directory.tree import check_revision
from app.errors import BadInputError, Fault, NotFoundError


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """What is written of a person."""

    name: str
    title: str = ""
    role: str = "duty_officer"
    staffing: str = "unknown"
    phone: str = ""
    first_day: date | None = None
    last_day: date | None = None


async def enter_person(session: AsyncSession, unit_id: int, entry: PersonEntry) -> Person:
    """Enter a person of a unit. Raises `BadInputError` for days in the wrong order."""
    person = Person(unit_id=unit_id)
    _write(person, entry)
    session.add(person)
    await session.flush()
    return person


async def locked(session: AsyncSession, person_id: int, revision: int | None = None) -> Person:
    """Read a person for a change. Raises `NotFoundError`, `ConflictError` as `tree.locked` does."""
    person = await session.get(Person, person_id, with_for_update=True, populate_existing=True)
    if person is None:
        raise NotFoundError(f"没有编号为 {person_id} 的人员")
    if revision is not None:
        check_revision(person.revision, revision)
    return person


async def change_person(session: AsyncSession, person: Person, entry: PersonEntry) -> None:
    """Write a person anew; rosters that were filed keep the name as it stood. Raises as `enter_person` does."""
    _write(person, entry)
    person.revision += 1
    await session.flush()


def _write(person: Person, entry: PersonEntry) -> None:
    if entry.first_day and entry.last_day and entry.last_day < entry.first_day:
        raise BadInputError("截止日期早于起始日期", [Fault("last_day", "不得早于起始日期")])
    person.name, person.title, person.phone = entry.name, entry.title, entry.phone
    person.role, person.staffing = entry.role, entry.staffing
    person.first_day, person.last_day = entry.first_day, entry.last_day
