"""Gathers what the warnings over rosters need, and tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.directory import tree_queries
from app.directory.models import Person, Unit, UnitRegime
from app.planning.calendar import load_book
from app.rosters import repository
from app.rosters.filing import by_unit
from app.rosters.models import Roster, Shift
from app.rosters.service import LONGEST_SHIFT
from app.rosters.warnings import RosterRules, RosterWarning, Turn, UnitRosters, warnings_of

MOST_DAYS = 93
"""Of the period that is looked at: a quarter."""


async def roster_warnings(
    session: AsyncSession,
    units: Sequence[Unit],
    period: tuple[date, date],
    zone: ZoneInfo,
    rules: RosterRules | None = None,
) -> list[RosterWarning]:
    """What is wrong with the rosters of these units, by the newest versions, between two days, both inclusive."""
    unit_ids = [unit.id for unit in units]
    begin = period[0] - LONGEST_SHIFT
    rosters = by_unit(await repository.versions_between(session, unit_ids, begin, period[1])).values()
    people = await repository.people_of(session, unit_ids)
    regimes = await tree_queries.regimes_of(session, unit_ids)
    names = sorted({shift.name for roster in rosters for shift in roster.shifts})
    namesakes = await repository.shifts_of_names(session, names, begin, period[1], unit_ids)
    known = await _people(session, people, rosters, namesakes)
    turns = [_turn(roster, shift, known) for roster in rosters for shift in roster.shifts]
    elsewhere = [*turns, *(_turn(shift.roster, shift, known) for shift in namesakes)]
    gathered = [_gathered(unit, turns, rosters, people, regimes, period) for unit in units]
    book = await load_book(session, *period)
    return list(warnings_of(gathered, elsewhere, period, book, zone, rules))


async def _people(
    session: AsyncSession, people: Iterable[Person], rosters: Iterable[Roster], others: Iterable[Shift]
) -> Mapping[tuple[int, int | str], Person]:
    """Everybody by key, as (0, key), and by unit and name."""
    found: dict[tuple[int, int | str], Person] = {(0, person.id): person for person in people}
    named = [shift.person_id for roster in rosters for shift in roster.shifts]
    wanted = {key for key in (*named, *(shift.person_id for shift in others)) if key is not None}
    missing = [key for key in wanted if (0, key) not in found]
    found |= {(0, person.id): person for person in await repository.people_by_key(session, missing)}
    for person in people:
        found.setdefault((person.unit_id, person.name), person)
    return found


def _turn(roster: Roster, shift: Shift, known: Mapping[tuple[int, int | str], Person]) -> Turn:
    person = None if shift.person_id is None else known.get((0, shift.person_id))
    person = person or known.get((roster.unit_id, shift.name))
    return Turn(
        unit_id=roster.unit_id,
        kind=roster.kind,
        name=shift.name,
        start_at=shift.start_at,
        end_at=shift.end_at,
        person_id=None if person is None else person.id,
        phone=shift.phone or ("" if person is None else person.phone),
        staffing="unknown" if person is None else person.staffing,
    )


def _gathered(
    unit: Unit,
    turns: Iterable[Turn],
    rosters: Iterable[Roster],
    people: Iterable[Person],
    regimes: Iterable[UnitRegime],
    period: tuple[date, date],
) -> UnitRosters:
    own = [roster for roster in rosters if roster.unit_id == unit.id and roster.shifts]
    return UnitRosters(
        unit_id=unit.id,
        category=unit.category,
        turns=tuple(turn for turn in turns if turn.unit_id == unit.id),
        filed=frozenset((roster.day, roster.kind) for roster in own if period[0] <= roster.day <= period[1]),
        double_days=_double_days([regime for regime in regimes if regime.unit_id == unit.id], period),
        officers=tuple(
            (person.id, person.name, person.first_day, person.last_day)
            for person in people
            if person.unit_id == unit.id and person.role == "duty_officer"
        ),
    )


def _double_days(regimes: Iterable[UnitRegime], period: tuple[date, date]) -> frozenset[date]:
    found: set[date] = set()
    for regime in regimes:
        if regime.leader == "double":
            first, last = max(regime.first_day, period[0]), min(regime.last_day or period[1], period[1])
            found |= {date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)}
    return frozenset(found)
