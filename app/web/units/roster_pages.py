"""Rosters as pages: a unit's by date with every version, and who has filed for the days to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.api.paging import cut, pack
from app.api.text import Day
from app.directory import lists
from app.directory.lists import UnitFilter
from app.directory.models import Unit
from app.directory.routing import PathKey, State, code_after, today, unit_or_404
from app.rosters import filing, repository
from app.rosters.filing import Filing
from app.rosters.models import ROSTER_KINDS, Roster
from app.rosters.warning_service import roster_warnings
from app.rosters.warnings import WARNING_CODES, RosterWarning
from app.web.pages import render
from app.web.units import repository as page_queries
from app.web.units import words
from app.web.units.unit_page import head

READ = ["GET", "HEAD"]
UNIT_DAYS = 14
OVERVIEW_DAYS = (7, 14, 31)
PAGE_UNITS = {7: 25, 14: 15, 31: 8}
"""Units of a page by its days: what is wrong with a month of ten units is told in a tenth of a second."""
LOOKED_AT = 200
MOST_ROUNDS = 5
"""How often so many units are looked through for one page of those that owe something."""
router = APIRouter(include_in_schema=False)
Place = Annotated[str, Query(max_length=400)]


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of roster of one day of a unit."""

    kind: str
    state: str
    """`filed`, `late`, `missing`, `awaited`, or `none` where none is owed."""
    versions: Sequence[Roster] = ()
    """Newest first."""
    version: int = 0


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day of a unit."""

    day: date
    cells: Sequence[Cell]
    warnings: Sequence[RosterWarning]


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit of the overview: its cells by day."""

    unit: Unit
    days: Sequence[Sequence[Cell]]
    warnings: Sequence[RosterWarning]


@dataclass(frozen=True, slots=True)
class DaySum:
    """All units of one day, by kind: how many filed, and of those late."""

    day: date
    units: int
    filed: Mapping[str, tuple[int, int]]


def days_of(first: date, count: int) -> list[date]:
    """So many days from one on."""
    return [first + timedelta(days=number) for number in range(count)]


@router.api_route("/units/{unit_id}/rosters", methods=READ)
async def unit_rosters(
    request: Request, state: State, unit_id: PathKey, first: Annotated[Day | None, Query()] = None
) -> Response:
    """A unit's rosters by date, each version with when it was filed, and what is wrong with them."""
    database, settings = state
    begin = first or today(settings) - timedelta(days=1)
    days = days_of(begin, UNIT_DAYS)
    async with database.reading() as session:
        unit = await unit_or_404(session, unit_id)
        values = await head(session, unit, today(settings))
        found = await repository.versions_between(session, [unit.id], days[0], days[-1])
        (told,) = await _filings(session, [unit], days, settings.roster_deadline_days, settings.zone)
        warnings = await roster_warnings(session, [unit], (days[0], days[-1]), settings.zone)
    rows = [
        DayRow(
            day,
            [
                _cell(kind, day, told, found=[row for row in found if (row.day, row.kind) == (day, kind)])
                for kind in ROSTER_KINDS
            ],
            _once(warning for warning in warnings if warning.day == day),
        )
        for day in days
    ]
    return render(
        request,
        "units/rosters.html",
        rows=rows,
        first=begin,
        before=begin - timedelta(days=UNIT_DAYS),
        after=begin + timedelta(days=UNIT_DAYS),
        day=today(settings),
        deadline_days=settings.roster_deadline_days,
        hints=WARNING_CODES,
        zone=settings.zone,
        **values,
    )


@router.api_route("/units/rosters", methods=READ)
async def overview_page(
    request: Request,
    state: State,
    first: Annotated[Day | None, Query()] = None,
    days: Annotated[int, Query()] = OVERVIEW_DAYS[0],
    wanting: Annotated[str, Query(max_length=4)] = "",
    after: Place = "",
) -> Response:
    """Who has filed for the coming days, who is late, and what is wrong."""
    database, settings = state
    begin = first or today(settings)
    period = days_of(begin, days if days in OVERVIEW_DAYS else OVERVIEW_DAYS[0])
    ahead = settings.roster_deadline_days
    most = PAGE_UNITS[len(period)]
    place = code_after(after or None)
    async with database.reading() as session:
        if wanting:
            page, last = await _owing(session, period, ahead, settings.zone, place, most)
        else:
            wanted = UnitFilter(span=(period[0], period[-1]))
            page, last = cut(await lists.units(session, wanted, place, most + 1), most)
        rows = await _rows(session, page, period, ahead, settings.zone)
        sums = await _sums(session, period, ahead, settings.zone)
    return render(
        request,
        "units/roster_overview.html",
        rows=rows,
        sums=sums,
        first=begin,
        count=len(period),
        choices=OVERVIEW_DAYS,
        wanting=bool(wanting),
        next_place="" if last is None else pack(last.code),
        day=today(settings),
        deadline_days=ahead,
        hints=WARNING_CODES,
        words=words,
    )


async def _owing(
    session: AsyncSession, period: Sequence[date], ahead: int, zone: ZoneInfo, place: str | None, most: int
) -> tuple[Sequence[Unit], Unit | None]:
    """A page of the units that have not filed, or late, and the last one that was looked at where more follow."""
    wanted, found = UnitFilter(span=(period[0], period[-1])), list[Unit]()
    for _ in range(MOST_ROUNDS):
        page, last = cut(await lists.units(session, wanted, place, LOOKED_AT + 1), LOOKED_AT)
        told = await _filings(session, page, period, ahead, zone)
        found += [entry.unit for entry in told if entry.missing or entry.late]
        if len(found) > most:
            return found[:most], found[most - 1]
        if last is None:
            return found, None
        place = last.code
    return found, last


async def _rows(
    session: AsyncSession, units: Sequence[Unit], period: Sequence[date], ahead: int, zone: ZoneInfo
) -> list[UnitRow]:
    if not units:
        return []
    keys = [unit.id for unit in units]
    told = await _filings(session, units, period, ahead, zone)
    versions = await repository.newest_versions(session, keys, period[0], period[-1])
    warnings = await roster_warnings(session, units, (period[0], period[-1]), zone)
    return [
        UnitRow(
            entry.unit,
            [
                [
                    _cell(kind, day, entry, version=versions.get((entry.unit.id, day, kind), 0))
                    for kind in ROSTER_KINDS
                ]
                for day in period
            ],
            _once(warning for warning in warnings if warning.unit_id == entry.unit.id),
        )
        for entry in told
    ]


async def _filings(
    session: AsyncSession, units: Sequence[Unit], period: Sequence[date], ahead: int, zone: ZoneInfo
) -> list[Filing]:
    return await filing.filings(
        session, units, (period[0], period[-1]), ROSTER_KINDS, ahead, zone, together=False
    )


def _cell(kind: str, day: date, told: Filing, *, found: Sequence[Roster] = (), version: int = 0) -> Cell:
    newest = max((row.version for row in found), default=version)
    if (day, kind) in told.missing:
        state = "missing"
    elif (day, kind) in told.awaited:
        state = "awaited"
    elif any((late.day, late.kind) == (day, kind) for late in told.late):
        state = "late"
    else:
        state = "filed" if newest else "none"
    return Cell(kind, state, sorted(found, key=lambda row: -row.version), newest)


def _once(warnings: Iterable[RosterWarning]) -> list[RosterWarning]:
    """Warnings in the order of days, each once."""
    return sorted(warnings, key=lambda row: (row.day, row.code, row.message))


async def _sums(session: AsyncSession, period: Sequence[date], ahead: int, zone: ZoneInfo) -> list[DaySum]:
    deadlines: Mapping[date, datetime] = {day: filing.deadline_of(day, ahead, zone) for day in period}
    filed = await repository.filed_counts(session, deadlines)
    there = await page_queries.counts_there(session, period)
    return [
        DaySum(
            day,
            there[day],
            {kind: filed.get((day, kind), (0, 0)) for kind in ROSTER_KINDS},
        )
        for day in period
    ]
