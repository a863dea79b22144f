"""One unit: how it keeps duty, its telephones and people, what is exempted, reported and confirmed, its last checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app import clock
from app.accounts.permissions import Permission
from app.accounts.principal import current
from app.api.paging import cut, pack, unpack
from app.checks import repository as checks
from app.checks.models import LIVE_STATES
from app.checks.repository import ListFilter
from app.checks.rules import CODES
from app.directory import lines, lists, masking, quarters, tree_queries
from app.directory import repository as directory
from app.directory.lines import LineWarning
from app.directory.lists import PersonFilter, UnitFilter
from app.directory.models import DutyLine, LineExemption, Unit
from app.directory.numbers import key_of, read_number
from app.directory.routing import PathKey, State, code_after, key_after, today, unit_or_404
from app.errors import BadInputError
from app.planning import coverage, ledger
from app.rosters.service import roster_at
from app.settings import Settings
from app.web.pages import render
from app.web.units import repository, tree, words
from sip.numbers import split_extension
from sip.targets import is_uri

READ = ["GET", "HEAD"]
MOST_CHILDREN = 50
MOST_LINES = 50
PAGE_PEOPLE = 30
MOST_DATED = 8
"""Exemptions and reported changes on the unit's own page; the rest stands on theirs."""
LAST_CHECKS = 5
MOST_LIVE = 5
"""Calls under way that may stand before them."""
PAGE_HISTORY = 50
router = APIRouter(include_in_schema=False)
Place = Annotated[str, Query(max_length=400)]


@dataclass(frozen=True, slots=True)
class LineView:
    """One line on its unit's page."""

    line: DutyLine
    own: bool
    """False: of another unit, which reaches this one too."""
    unit_name: str
    dialled: str
    extension: str
    """Digits sent after the answer of the switchboard; empty without."""
    says_it_all: bool
    """Whether the printed number alone says what is dialled."""
    warnings: Sequence[LineWarning]
    further: Sequence[str]
    exemptions: Sequence[LineExemption]
    holds: bool
    """Whether it is in use today."""


@router.api_route("/units/{unit_id}", methods=READ)
async def unit_page(request: Request, state: State, unit_id: PathKey) -> Response:
    """A unit with everything that hangs on it."""
    database, settings = state
    async with database.reading() as session:
        unit = await unit_or_404(session, unit_id)
        day = today(settings)
        values = await head(session, unit, day)
        values |= await _directory(session, unit, day)
        values |= await _dated(session, unit, day)
        values |= await _checks(session, unit, settings, day)
        now = clock.now()
        values["on_duty"] = await roster_at(session, unit.id, now, now, settings.zone)
    return render(request, "units/unit.html", zone=settings.zone, day=day, now=now, **values)


@router.api_route("/units/{unit_id}/children", methods=READ)
async def children_part(request: Request, state: State, unit_id: PathKey, after: Place = "") -> Response:
    """More of the units directly below one."""
    database, settings = state
    async with database.reading() as session:
        unit = await unit_or_404(session, unit_id)
        values = await _children(session, unit, after, today(settings))
    return render(request, "units/_children.html", unit=unit, words=words, **values)


@router.api_route("/units/{unit_id}/people", methods=READ)
async def people_part(request: Request, state: State, unit_id: PathKey, after: Place = "") -> Response:
    """More of a unit's people."""
    database, settings = state
    async with database.reading() as session:
        unit = await unit_or_404(session, unit_id)
        values = await _people(session, unit, after)
    return render(
        request,
        "units/_people.html",
        unit=unit,
        words=words,
        phone=masking.phone,
        day=today(settings),
        **values,
    )


@router.api_route("/units/{unit_id}/history", methods=READ)
async def history_page(request: Request, state: State, unit_id: PathKey, after: Place = "") -> Response:
    """What was changed of a unit, by whom, newest first."""
    database, settings = state
    before: tuple[datetime, int] | None = None
    if after:
        at, key = unpack(after, datetime, int)
        assert isinstance(at, datetime)
        assert isinstance(key, int)
        before = (at, key)
    async with database.reading() as session:
        unit = await unit_or_404(session, unit_id)
        values = await head(session, unit, today(settings))
        found = await repository.history(session, unit, before, PAGE_HISTORY + 1)
        page, last = cut(found, PAGE_HISTORY)
        named = await _named(session, [row.subject for row in page])
    rows = [(row, named.get(row.subject, ""), _members(row.action, row.detail)) for row in page]
    place = "" if last is None else pack(last.at, last.id)
    return render(
        request,
        "units/history.html",
        rows=rows,
        next_place=place,
        first=not after,
        zone=settings.zone,
        **values,
    )


async def head(session: AsyncSession, unit: Unit, day: date) -> dict[str, Any]:
    """What stands above every page of a unit."""
    return {
        "unit": unit,
        "above": await repository.above(session, unit),
        "is_closed": tree.is_closed(unit, day),
        "words": words,
        "phone": masking.phone,
    }


async def _directory(session: AsyncSession, unit: Unit, day: date) -> dict[str, Any]:
    found = await lists.lines(session, lists.LineFilter(unit_id=unit.id), None, MOST_LINES + 1)
    return {
        "regimes": await tree_queries.regimes(session, unit.id),
        "lines": await line_views(session, unit, found[:MOST_LINES], day),
        "more_lines": len(found) > MOST_LINES,
        **await _children(session, unit, "", day),
        **await _people(session, unit, ""),
    }


async def _children(session: AsyncSession, unit: Unit, after: str, day: date) -> dict[str, Any]:
    found = await lists.units(
        session, UnitFilter(parent_id=unit.id), code_after(after or None), MOST_CHILDREN + 1
    )
    page, last = cut(found, MOST_CHILDREN)
    return {
        "children": await tree.nodes(session, page, day),
        "children_next": "" if last is None else pack(last.code),
    }


async def _people(session: AsyncSession, unit: Unit, after: str) -> dict[str, Any]:
    found = await lists.people(
        session, PersonFilter(unit_id=unit.id), key_after(after or None), PAGE_PEOPLE + 1
    )
    page, last = cut(found, PAGE_PEOPLE)
    return {"people": page, "people_next": "" if last is None else pack(last.id)}


async def line_views(
    session: AsyncSession, unit: Unit, found: Sequence[DutyLine], day: date
) -> Sequence[LineView]:
    """Lines with what a person wants to know of each."""
    keys = [line.id for line in found]
    further = await directory.further_units(session, keys)
    warned = await lines.warnings_of(session, found)
    exemptions = await repository.line_exemptions(session, keys)
    units = {key for keys in further.values() for key in keys} | {line.unit_id for line in found}
    named = await repository.units_named(session, units)
    return [
        LineView(
            line=line,
            own=line.unit_id == unit.id,
            unit_name=named[line.unit_id].name if line.unit_id in named else "",
            dialled=line.target,
            extension=("" if is_uri(line.target) else split_extension(line.target)[1]) or "",
            says_it_all=says_target(line.number, line.target),
            warnings=warned[line.id],
            further=[named[key].name for key in further.get(line.id, ()) if key in named],
            exemptions=[row for row in exemptions if row.line_id == line.id],
            holds=line.active and _holds(line, day),
        )
        for line in found
    ]


def _holds(line: DutyLine, day: date) -> bool:
    return (line.first_day is None or line.first_day <= day) and (
        line.last_day is None or line.last_day >= day
    )


def says_target(number: str, target: str) -> bool:
    """Whether a printed number alone says what is dialled."""
    try:
        return key_of(read_number(number).target) == key_of(target)
    except BadInputError:
        return False


async def _dated(session: AsyncSession, unit: Unit, day: date) -> dict[str, Any]:
    exemptions = await lists.unit_exemptions(session, unit.id, None, None, None, MOST_DATED)
    changed = await lists.number_changes(session, unit.id, None, None, None, MOST_DATED)
    keys = {row.line_id for row in exemptions} | {row.line_id for row in changed}
    quarter = quarters.quarter_of(day)
    confirmations = await repository.confirmations_of(session, unit.id, 5)
    done = any(row.quarter == quarter for row in confirmations)
    return {
        "exemptions": exemptions,
        "changes": changed,
        "line_names": await repository.lines_named(session, keys),
        "quarter": quarter,
        "confirmations": confirmations,
        "confirmation": quarters.state_of(quarter, day, confirmed=done),
    }


async def _checks(session: AsyncSession, unit: Unit, settings: Settings, day: date) -> dict[str, Any]:
    moments = await ledger.counted_moments(session, [unit.id], coverage.bounds(day.year, settings.zone))
    found = await checks.page(session, ListFilter(unit_id=unit.id), None, LAST_CHECKS + MOST_LIVE)
    asking = current()
    if asking is not None and not asking.may(Permission.LIVE):
        # Who rings just now is for the duty office and the supervisors.
        found = [attempt for attempt in found if attempt.state not in LIVE_STATES]
    return {
        "covered": len(moments.get(unit.id, ())),
        "last_checks": found[:LAST_CHECKS],
        "codes": CODES,
        "live_states": LIVE_STATES,
    }


async def _named(session: AsyncSession, subjects: Sequence[str]) -> dict[str, str]:
    keys: dict[str, list[int]] = {"line": [], "person": []}
    for subject in set(subjects):
        kind, _, key = subject.partition(":")
        if kind in keys and key.isdecimal():
            keys[kind].append(int(key))
    found = {
        f"line:{key}": line.number
        for key, line in (await repository.lines_named(session, keys["line"])).items()
    }
    people = await repository.people_named(session, keys["person"])
    return found | {f"person:{key}": person.name for key, person in people.items()}


def _members(action: str, detail: str) -> list[str]:
    """Of a change its members, as words; what else a line of the trail says is for the auditor."""
    if not action.endswith(".change") or action == "regime.change":
        return []
    return [words.MEMBER[part] for part in detail.split("、") if part in words.MEMBER]
