"""Gathers what the books let one expect in an answer, as they stood at the call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.answers import repository
from app.answers.expected import BookNumber, BookPerson, Expected
from app.checks.models import Attempt
from app.directory.models import DutyLine, Person
from app.errors import ConflictError
from app.policy import AnswerKeysError
from app.policy import answer_keys as keys_of_file
from app.rosters.service import roster_at
from app.rosters.views import RosterView, ShiftView
from app.settings import Settings


async def answer_keys(session: AsyncSession, settings: Settings) -> frozenset[str]:
    """Numbers of superior duty offices: compared, never shown.

    Raises `ConflictError` where their file cannot be read: nothing can be masked then, so nothing may be shown.
    """
    try:
        of_file = keys_of_file(settings.answer_keys_file)
    except AnswerKeysError as error:
        raise ConflictError("答案号码文件读不出，无法遮盖其中的号码，暂不能显示或核对应答内容") from error
    return of_file | await repository.stored_keys(session)


async def expected_at(session: AsyncSession, attempt: Attempt, settings: Settings) -> Expected:
    """What may be said in the answer to a call, by the rosters that were filed before it. Raises as `answer_keys`."""
    at = attempt.started_at or attempt.claimed_at
    day = at.astimezone(settings.zone).date()
    keys = await repository.unit_ids(session, attempt)
    views = [await roster_at(session, key, at, zone=settings.zone) for key in keys]
    lines = [line for line in await repository.lines(session, keys) if _holds(line, day)]
    people = [person for person in await repository.people(session, keys) if _holds(person, day)]
    return Expected(
        people=tuple(_people(views, people)),
        units=tuple(unit.name for unit in await repository.units(session, keys)),
        numbers=tuple(_numbers(views, lines, people)),
        keys=await answer_keys(session, settings),
    )


def _holds(row: DutyLine | Person, day: date) -> bool:
    return (row.first_day is None or row.first_day <= day) and (row.last_day is None or row.last_day >= day)


def _people(views: Iterable[RosterView], people: Sequence[Person]) -> Iterator[BookPerson]:
    """Who is on duty first; further people of the unit behind them."""
    on_duty: set[int | str] = set()
    for shift in _shifts(views):
        on_duty |= {shift.name} if shift.person_id is None else {shift.name, shift.person_id}
        yield BookPerson(shift.name, shift.title, on_duty=True, book=_roster(shift))
    for person in people:
        if person.id not in on_duty and person.name not in on_duty:
            yield BookPerson(person.name, person.title, book={"kind": "people", "role": person.role})


def _shifts(views: Iterable[RosterView]) -> Iterator[ShiftView]:
    for view in views:
        yield from view.duty
        yield from view.leaders


def _roster(shift: ShiftView) -> dict[str, Any]:
    return {
        "kind": f"{shift.kind} roster",
        "day": shift.day.isoformat(),
        "version": shift.version,
        "filed_at": shift.filed_at.isoformat(),
    }


def _numbers(
    views: Iterable[RosterView], lines: Iterable[DutyLine], people: Iterable[Person]
) -> Iterator[BookNumber]:
    for line in lines:
        yield BookNumber(line.number, line.kind)
    for shift in _shifts(views):
        if shift.phone:
            yield BookNumber(shift.phone, "shift")
    for person in people:
        if person.phone:
            yield BookNumber(person.phone, "person")
