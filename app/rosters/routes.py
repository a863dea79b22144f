"""Rosters as JSON: filing, who should be on duty, who filed late, what is wrong; and the whereabouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.api.actor import Actor
from app.api.paging import After, Key, Limit, Page, cut, pack
from app.api.text import Day, Moment
from app.directory import lists, tree
from app.directory.lists import UnitFilter
from app.directory.models import Unit
from app.directory.routing import PathKey, State, code_after, head_of, key_after, unit_or_404
from app.directory.schemas import Category, UnitOut
from app.errors import BadInputError, Fault
from app.rosters import filing, repository, whereabout_routes
from app.rosters.filing import Filing, ShiftEntry
from app.rosters.repository import RosterFilter
from app.rosters.schemas import (
    FilingOut,
    LateOut,
    OwedOut,
    RosterAtOut,
    RosterIn,
    RosterKind,
    RosterOut,
    RosterWarningOut,
    UnitWarningsOut,
)
from app.rosters.service import roster_at
from app.rosters.warning_service import MOST_DAYS, roster_warnings
from app.rosters.warnings import RosterRules, RosterWarning

MOST_UNITS = 50
MOST_WARNED_UNITS = 20
WARNED_UNITS = 10
"""A month of ten units is looked through in a tenth of a second."""
UnitLimit = Annotated[
    int, Query(ge=1, le=MOST_UNITS, description="Most units that are looked at for the page")
]
WarnedLimit = Annotated[
    int, Query(ge=1, le=MOST_WARNED_UNITS, description="Most units that are looked at for the page")
]
router = APIRouter(prefix="/api/v1", tags=["rosters"])


@router.get("/rosters")
async def list_rosters(
    state: State,
    unit: Key | None = None,
    subtree: Key | None = None,
    kind: RosterKind | None = None,
    first: Annotated[Day | None, Query(description="For this day or later")] = None,
    last: Annotated[Day | None, Query(description="For this day or earlier")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[RosterOut]:
    """Every version that was filed, newest first."""
    database, _ = state
    async with database.reading() as session:
        head = await head_of(session, subtree)
        wanted = RosterFilter(unit, head, kind, first, last)
        found = await repository.page(session, wanted, key_after(after), limit + 1)
    page, last_row = cut(found, limit)
    items = [RosterOut.model_validate(row) for row in page]
    return Page(items=items, next=pack(last_row.id) if last_row else None)


@router.post("/units/{unit_id}/rosters", status_code=201)
async def file_roster(state: State, who: Actor, unit_id: PathKey, given: RosterIn) -> RosterOut:
    """File a roster of one day. A later one (调班) is a new version; none is ever changed."""
    database, settings = state
    shifts = [ShiftEntry(**shift.model_dump()) for shift in given.shifts]
    async with database.unit_of_work() as session:
        unit = await tree.locked(session, unit_id)
        roster = await filing.file_roster(
            session,
            unit,
            given.day,
            given.kind,
            shifts,
            who,
            settings.zone,
            note=given.note,
            seen_version=given.seen_version,
        )
        detail = f"{given.kind} {given.day} version {roster.version}"
        await audit.record(session, "roster.file", f"unit:{unit.id}", detail, who)
        return RosterOut.model_validate(roster)


@router.get("/units/{unit_id}/roster-at")
async def show_roster_at(
    state: State,
    unit_id: PathKey,
    at: Annotated[Moment, Query(description="The moment of the call")],
    as_of: Annotated[
        Moment | None, Query(description="By what was filed until then; `at` unless given")
    ] = None,
) -> RosterAtOut:
    """Who should be on duty (值班) and lead it (带班) at a moment, with later 调班 beside it."""
    database, settings = state
    async with database.reading() as session:
        await unit_or_404(session, unit_id)
        return RosterAtOut.of(await roster_at(session, unit_id, at, as_of, settings.zone))


@router.get("/roster-filings")
async def list_filings(
    state: State,
    first: Day,
    last: Day,
    subtree: Key | None = None,
    kind: RosterKind | None = None,
    days_ahead: Annotated[
        int | None, Query(ge=0, le=60, description="Deadline; the setting unless given")
    ] = None,
    together: Annotated[bool, Query(description="One table for the whole period, e.g. a holiday")] = False,
    after: After = None,
    limit: UnitLimit = MOST_UNITS,
) -> Page[FilingOut]:
    """Which rosters of a period each unit has not filed, or filed after the deadline; by the unit's code."""
    database, settings = state
    period = _period(first, last)
    ahead = settings.roster_deadline_days if days_ahead is None else days_ahead
    kinds = (kind,) if kind else ("duty", "leader")
    async with database.reading() as session:
        page, last_unit = await _units(session, subtree, period, after, limit)
        found = await filing.filings(session, page, period, kinds, ahead, settings.zone, together=together)
    items = [_filing(row) for row in found]
    return Page(items=items, next=pack(last_unit.code) if last_unit else None)


@router.get("/roster-warnings")
async def list_warnings(
    state: State,
    first: Day,
    last: Day,
    subtree: Key | None = None,
    least_shift_hours: Annotated[float, Query(ge=0, le=24, allow_inf_nan=False)] = 8.0,
    least_on_sensitive_days: Annotated[int, Query(ge=0, le=20)] = 2,
    category: Annotated[
        list[Category] | None,
        Query(max_length=7, description="Whose sensitive days need so many; 县区 unless given"),
    ] = None,
    least_duties_a_month: Annotated[float, Query(ge=0, le=31, allow_inf_nan=False)] = 2.0,
    after: After = None,
    limit: WarnedLimit = WARNED_UNITS,
) -> Page[UnitWarningsOut]:
    """What is wrong with the rosters of a period, by the units' codes; units in order are left out.

    A page shows what is found in `limit` units; go on as long as there is a `next`.
    """
    database, settings = state
    period = _period(first, last)
    rules = RosterRules(
        least_shift=timedelta(hours=least_shift_hours),
        least_on_sensitive_days=dict.fromkeys(category or ["county"], least_on_sensitive_days),
        least_duties_a_month=least_duties_a_month,
    )
    async with database.reading() as session:
        page, last_unit = await _units(session, subtree, period, after, limit)
        found = await roster_warnings(session, page, period, settings.zone, rules)
    items = [_warned(unit, found) for unit in page]
    return Page(
        items=[item for item in items if item.warnings], next=pack(last_unit.code) if last_unit else None
    )


def _period(first: date, last: date) -> tuple[date, date]:
    """Raise `BadInputError` for days in the wrong order, or too many."""
    if not 0 <= (last - first).days < MOST_DAYS:
        reason = f"起止日期不对：截止不早于起始，至多 {MOST_DAYS} 天"
        raise BadInputError(reason, [Fault("last", reason)])
    return first, last


async def _units(
    session: AsyncSession, subtree: int | None, period: tuple[date, date], after: str | None, limit: int
) -> tuple[Sequence[Unit], Unit | None]:
    """A page of the units that are there on a day of the period, and its last one where more follow."""
    head = await head_of(session, subtree)
    found = await lists.units(session, UnitFilter(head, span=period), code_after(after), limit + 1)
    return cut(found, limit)


def _filing(row: Filing) -> FilingOut:
    return FilingOut(
        unit=UnitOut.model_validate(row.unit),
        missing=[OwedOut(day=day, kind=kind) for day, kind in row.missing],
        awaited=[OwedOut(day=day, kind=kind) for day, kind in row.awaited],
        late=[LateOut.model_validate(late) for late in row.late],
    )


def _warned(unit: Unit, found: Sequence[RosterWarning]) -> UnitWarningsOut:
    own = [RosterWarningOut.model_validate(row) for row in found if row.unit_id == unit.id]
    own.sort(key=lambda row: (row.day, row.code, row.message))
    return UnitWarningsOut(unit=UnitOut.model_validate(unit), warnings=own)


router.include_router(whereabout_routes.router)
