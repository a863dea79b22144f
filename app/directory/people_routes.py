"""People as JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.accounts import service as audit
from app.api.actor import Actor
from app.api.paging import After, Key, Limit, Page, cut, pack
from app.api.text import Day, Short
from app.directory import lists, people
from app.directory.lists import PersonFilter
from app.directory.models import Person
from app.directory.people import PersonEntry
from app.directory.routing import PathKey, State, changed, head_of, key_after, unit_or_404
from app.directory.schemas import PersonChange, PersonIn, PersonOut, Role, Staffing
from app.errors import NotFoundError

router = APIRouter()


@router.get("/people")
async def list_people(
    state: State,
    unit: Key | None = None,
    subtree: Key | None = None,
    role: Role | None = None,
    staffing: Staffing | None = None,
    q: Annotated[Short | None, Query(description="Beginning of the name")] = None,
    day: Annotated[Day | None, Query(description="There on this day")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[PersonOut]:
    """People, by key."""
    database, _ = state
    async with database.reading() as session:
        head = await head_of(session, subtree)
        wanted = PersonFilter(unit, head, role, staffing, q, day)
        found = await lists.people(session, wanted, key_after(after), limit + 1)
    page, last = cut(found, limit)
    return Page(items=[PersonOut.model_validate(row) for row in page], next=pack(last.id) if last else None)


@router.post("/units/{unit_id}/people", status_code=201)
async def enter_person(state: State, who: Actor, unit_id: PathKey, given: PersonIn) -> PersonOut:
    """Enter a person of a unit."""
    database, _ = state
    async with database.unit_of_work() as session:
        unit = await unit_or_404(session, unit_id)
        person = await people.enter_person(session, unit.id, PersonEntry(**given.model_dump()))
        await audit.record(
            session, "person.enter", f"person:{person.id}", f"{person.name} of unit {unit.id}", who
        )
        return PersonOut.model_validate(person)


@router.get("/people/{person_id}")
async def show_person(state: State, person_id: PathKey) -> PersonOut:
    """One person."""
    database, _ = state
    async with database.reading() as session:
        person = await session.get(Person, person_id)
        if person is None:
            raise NotFoundError(f"没有编号为 {person_id} 的人员")
        return PersonOut.model_validate(person)


@router.patch("/people/{person_id}")
async def change_person(state: State, who: Actor, person_id: PathKey, given: PersonChange) -> PersonOut:
    """Change what is named; rosters that were filed keep the name as it stood."""
    database, _ = state
    async with database.unit_of_work() as session:
        person = await people.locked(session, person_id, given.revision)
        entry = PersonEntry(
            person.name,
            person.title,
            person.role,
            person.staffing,
            person.phone,
            person.first_day,
            person.last_day,
        )
        await people.change_person(session, person, changed(entry, given))
        members = "、".join(sorted(given.model_fields_set - {"revision"}))
        await audit.record(session, "person.change", f"person:{person.id}", members, who)
        return PersonOut.model_validate(person)
