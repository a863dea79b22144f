"""Duty lines as JSON: entering, changing, sharing, and what they are exempted from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.api.actor import Actor
from app.api.paging import After, Key, Limit, Page, cut, pack
from app.api.text import Day, Short
from app.directory import changes, lines, lists, repository, tree
from app.directory.lines import LineEntry
from app.directory.lists import LineFilter
from app.directory.models import DutyLine, LineExemption
from app.directory.routing import PathKey, State, changed, head_of, key_after, unit_or_404
from app.directory.schemas import (
    LineChange,
    LineExemptionEnd,
    LineExemptionIn,
    LineExemptionOut,
    LineFull,
    LineIn,
    LineKind,
    LineWarningOut,
    SharedIn,
    Verification,
)
from app.errors import NotFoundError

router = APIRouter()


@router.get("/lines")
async def list_lines(
    state: State,
    unit: Annotated[Key | None, Query(description="Of this unit, or shared with it")] = None,
    subtree: Key | None = None,
    kind: LineKind | None = None,
    verification: Verification | None = None,
    active: bool | None = None,
    q: Annotated[Short | None, Query(description="Beginning of the number, as printed or dialled")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[LineFull]:
    """Duty lines, by key."""
    database, _ = state
    async with database.reading() as session:
        head = await head_of(session, subtree)
        wanted = LineFilter(unit, head, kind, verification, active, q)
        found = await lists.lines(session, wanted, key_after(after), limit + 1)
        page, last = cut(found, limit)
        items = await _shown(session, page)
    return Page(items=items, next=pack(last.id) if last else None)


async def _shown(session: AsyncSession, rows: Sequence[DutyLine]) -> list[LineFull]:
    """Lines with the further units that they reach, and what a person should look at."""
    further = await repository.further_units(session, [line.id for line in rows])
    warnings = await lines.warnings_of(session, rows)
    found = []
    for line in rows:
        shown = LineFull.model_validate(line)
        shown.further_units = list(further.get(line.id, ()))
        shown.warnings = [LineWarningOut.model_validate(warning) for warning in warnings[line.id]]
        found.append(shown)
    return found


@router.post("/units/{unit_id}/lines", status_code=201)
async def enter_line(state: State, who: Actor, unit_id: PathKey, given: LineIn) -> LineFull:
    """Enter a line of a unit; its number gets an unscored 核号 call before any check counts."""
    database, settings = state
    values = given.model_dump() | {"pilot_numbers": tuple(given.pilot_numbers)}
    async with database.unit_of_work() as session:
        may = await lines.dialling(session, settings)
        unit = await tree.locked(session, unit_id)
        line = await lines.enter_line(session, unit, LineEntry(**values), may)
        detail = f"{line.kind} {line.number} of unit {unit.id}"
        await audit.record(session, "line.enter", f"line:{line.id}", detail, who)
        return (await _shown(session, [line]))[0]


@router.get("/lines/{line_id}")
async def show_line(state: State, line_id: PathKey) -> LineFull:
    """One line."""
    database, _ = state
    async with database.reading() as session:
        line = await session.get(DutyLine, line_id)
        if line is None:
            raise NotFoundError(f"没有编号为 {line_id} 的线路")
        return (await _shown(session, [line]))[0]


@router.patch("/lines/{line_id}")
async def change_line(state: State, who: Actor, line_id: PathKey, given: LineChange) -> LineFull:
    """Change what is named; another number gets a 核号 call first. A number without `target` is dialled as it says."""
    database, settings = state
    async with database.unit_of_work() as session:
        may = await lines.dialling(session, settings)
        line = await lines.locked(session, line_id, given.revision)
        entry = changed(_entry(line), given)
        if given.number is not None and "target" not in given.model_fields_set:
            entry = replace(entry, target=None)
        await lines.change_line(session, line, entry, may)
        members = "、".join(sorted(given.model_fields_set - {"revision"}))
        await audit.record(session, "line.change", f"line:{line.id}", members, who)
        return (await _shown(session, [line]))[0]


def _entry(line: DutyLine) -> LineEntry:
    return LineEntry(
        number=line.number,
        target=line.target,
        name=line.name,
        kind=line.kind,
        trunk=line.trunk,
        pilot_numbers=tuple(line.pilot_numbers),
        first_day=line.first_day,
        last_day=line.last_day,
        active=line.active,
    )


@router.put("/lines/{line_id}/further-units")
async def share_line(state: State, who: Actor, line_id: PathKey, given: SharedIn) -> LineFull:
    """Say which further units a line reaches (综合值班室); the list replaces the one before."""
    database, _ = state
    async with database.unit_of_work() as session:
        line = await lines.locked(session, line_id, given.revision)
        await lines.share(session, line, given.unit_ids)
        detail = "、".join(str(key) for key in sorted(set(given.unit_ids)))
        await audit.record(session, "line.share", f"line:{line.id}", detail, who)
        return (await _shown(session, [line]))[0]


@router.get("/line-exemptions")
async def list_exemptions(
    state: State,
    line: Key | None = None,
    day: Annotated[Day | None, Query(description="Holding on this day")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[LineExemptionOut]:
    """What lines may do that others may not, newest first."""
    database, _ = state
    async with database.reading() as session:
        found = await lists.line_exemptions(session, line, day, key_after(after), limit + 1)
    page, last = cut(found, limit)
    items = [LineExemptionOut.model_validate(row) for row in page]
    return Page(items=items, next=pack(last.id) if last else None)


@router.post("/lines/{line_id}/exemptions", status_code=201)
async def exempt_line(state: State, who: Actor, line_id: PathKey, given: LineExemptionIn) -> LineExemptionOut:
    """Let a line forward, play a 彩铃 or be a fax, between two days and for a reason."""
    database, _ = state
    async with database.unit_of_work() as session:
        line = await lines.locked(session, line_id)
        row = await changes.exempt_line(
            session, line, given.kind, given.reason, given.first_day, given.last_day
        )
        detail = f"{row.kind} from {row.first_day} to {row.last_day or 'open'}: {row.reason}"
        await audit.record(session, "line.exempt", f"line:{line.id}", detail, who)
        return LineExemptionOut.model_validate(row)


@router.patch("/line-exemptions/{exemption_id}")
async def end_exemption(
    state: State, who: Actor, exemption_id: PathKey, given: LineExemptionEnd
) -> LineExemptionOut:
    """Say on which day an exemption holds for the last time."""
    database, _ = state
    async with database.unit_of_work() as session:
        row = await session.get(LineExemption, exemption_id, with_for_update=True)
        if row is None:
            raise NotFoundError(f"没有编号为 {exemption_id} 的豁免")
        await changes.end_line_exemption(session, row, given.last_day)
        await audit.record(
            session, "line.exempt", f"line:{row.line_id}", f"{row.kind} to {row.last_day}", who
        )
        return LineExemptionOut.model_validate(row)


@router.get("/units/{unit_id}/line-warnings")
async def warnings_below(
    state: State, unit_id: PathKey, after: After = None, limit: Limit = 50
) -> Page[LineFull]:
    """The lines of a unit and of all below it that a person should look at, by key.

    A page shows those of `limit` lines that have a warning; go on as long as there is a `next`.
    """
    database, _ = state
    async with database.reading() as session:
        head = await unit_or_404(session, unit_id)
        found = await lists.lines(session, LineFilter(head=head), key_after(after), limit + 1)
        page, last = cut(found, limit)
        items = [line for line in await _shown(session, page) if line.warnings]
    return Page(items=items, next=pack(last.id) if last else None)
