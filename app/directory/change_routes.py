"""Reported number changes, times without findings, and quarterly confirmation as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from app import clock
from app.accounts import service as audit
from app.api.actor import Actor
from app.api.paging import After, Key, Limit, Page, cut, pack
from app.api.text import Moment
from app.directory import changes, lines, lists, quarters
from app.directory.models import Confirmation, Unit, UnitExemption
from app.directory.routing import PathKey, State, code_after, head_of, key_after, today, unit_or_404
from app.directory.schemas import (
    ConfirmationIn,
    ConfirmationOut,
    DismissIn,
    NumberChangeEnter,
    NumberChangeIn,
    NumberChangeOut,
    Outcome,
    UnitExemptionEnd,
    UnitExemptionIn,
    UnitExemptionOut,
    UnitOut,
)
from app.errors import NotFoundError

router = APIRouter()
Quarter = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}Q[1-4]$")]


@router.get("/number-changes")
async def list_changes(
    state: State,
    unit: Key | None = None,
    subtree: Key | None = None,
    outcome: Outcome | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[NumberChangeOut]:
    """Changes of number that units reported, newest first."""
    database, _ = state
    async with database.reading() as session:
        head = await head_of(session, subtree)
        found = await lists.number_changes(session, unit, head, outcome, key_after(after), limit + 1)
    page, last = cut(found, limit)
    items = [NumberChangeOut.model_validate(row) for row in page]
    return Page(items=items, next=pack(last.id) if last else None)


@router.post("/number-changes", status_code=201)
async def report_change(state: State, who: Actor, given: NumberChangeIn) -> NumberChangeOut:
    """Write down what a unit reported. Until it is entered, calls of the old number are our fault."""
    database, _ = state
    async with database.unit_of_work() as session:
        unit = await unit_or_404(session, given.unit_id)
        received_at = given.received_at or clock.now()
        row = await changes.report(session, unit, given.number, received_at, who, given.line_id, given.note)
        detail = f"change {row.id}, received {row.received_at.isoformat()}"
        await audit.record(session, "number-change.report", f"unit:{unit.id}", detail, who)
        return NumberChangeOut.model_validate(row)


@router.post("/number-changes/{change_id}/enter")
async def enter_change(
    state: State, who: Actor, change_id: PathKey, given: NumberChangeEnter
) -> NumberChangeOut:
    """Let the directory follow a reported change; the new number gets a 核号 call before any check counts."""
    database, settings = state
    async with database.unit_of_work() as session:
        may = await lines.dialling(session, settings)
        row = await changes.locked(session, change_id)
        line = await changes.enter(session, row, may, who, given.line_id)
        await audit.record(session, "number-change.enter", f"line:{line.id}", f"change {row.id}", who)
        return NumberChangeOut.model_validate(row)


@router.post("/number-changes/{change_id}/dismiss")
async def dismiss_change(state: State, who: Actor, change_id: PathKey, given: DismissIn) -> NumberChangeOut:
    """Say that a reported change was none; calls up to now keep its protection."""
    database, _ = state
    async with database.unit_of_work() as session:
        row = await changes.locked(session, change_id)
        await changes.dismiss(session, row, given.reason, who)
        detail = f"change {row.id}: {given.reason}"
        await audit.record(session, "number-change.dismiss", f"unit:{row.unit_id}", detail, who)
        return NumberChangeOut.model_validate(row)


@router.get("/unit-exemptions")
async def list_exemptions(
    state: State,
    unit: Key | None = None,
    subtree: Key | None = None,
    at: Annotated[Moment | None, Query(description="Holding at this moment")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[UnitExemptionOut]:
    """Times without findings, newest first."""
    database, _ = state
    async with database.reading() as session:
        head = await head_of(session, subtree)
        found = await lists.unit_exemptions(session, unit, head, at, key_after(after), limit + 1)
    page, last = cut(found, limit)
    items = [UnitExemptionOut.model_validate(row) for row in page]
    return Page(items=items, next=pack(last.id) if last else None)


@router.post("/units/{unit_id}/exemptions", status_code=201)
async def exempt_unit(state: State, who: Actor, unit_id: PathKey, given: UnitExemptionIn) -> UnitExemptionOut:
    """Keep findings from a unit, or one line of it, during maintenance or an emergency (应急处置中)."""
    database, _ = state
    async with database.unit_of_work() as session:
        unit = await unit_or_404(session, unit_id)
        row = await changes.exempt_unit(session, unit, UnitExemption(**given.model_dump(), entered_by=who))
        until = "open" if row.last_at is None else row.last_at.isoformat()
        detail = f"exemption {row.id}, {row.kind}, {row.first_at.isoformat()} to {until}: {row.reason}"
        await audit.record(session, "unit.exempt", f"unit:{unit.id}", detail, who)
        return UnitExemptionOut.model_validate(row)


@router.patch("/unit-exemptions/{exemption_id}")
async def end_exemption(
    state: State, who: Actor, exemption_id: PathKey, given: UnitExemptionEnd
) -> UnitExemptionOut:
    """Say when an exemption is over."""
    database, _ = state
    async with database.unit_of_work() as session:
        row = await session.get(UnitExemption, exemption_id, with_for_update=True)
        if row is None:
            raise NotFoundError(f"没有编号为 {exemption_id} 的豁免")
        await changes.end_exemption(session, row, given.last_at)
        detail = f"exemption {row.id} to {given.last_at.isoformat()}"
        await audit.record(session, "unit.exempt", f"unit:{row.unit_id}", detail, who)
        return UnitExemptionOut.model_validate(row)


@router.get("/confirmations")
async def list_confirmations(
    state: State,
    quarter: Annotated[Quarter | None, Query(description="The present one unless given")] = None,
    subtree: Key | None = None,
    confirmed: bool | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[ConfirmationOut]:
    """Where each unit stands with the quarterly confirmation (季度核对), by code: due in the quarter's last week."""
    database, settings = state
    day = today(settings)
    asked = quarter or quarters.quarter_of(day)
    days = quarters.days_of(asked)
    async with database.reading() as session:
        head = await head_of(session, subtree)
        found = await lists.confirmations(session, asked, days, head, confirmed, code_after(after), limit + 1)
    page, last = cut(found, limit)
    items = [
        _confirmation(unit, row, asked, quarters.state_of(asked, day, confirmed=row is not None))
        for unit, row in page
    ]
    return Page(items=items, next=pack(last[0].code) if last else None)


@router.post("/units/{unit_id}/confirmations", status_code=201)
async def confirm(state: State, who: Actor, unit_id: PathKey, given: ConfirmationIn) -> ConfirmationOut:
    """Write down a unit's word that its entry is right; once for each quarter."""
    database, settings = state
    day = today(settings)
    quarter = given.quarter or quarters.quarter_of(day)
    async with database.unit_of_work() as session:
        unit = await unit_or_404(session, unit_id)
        row = await quarters.confirm(session, unit, quarter, day, who, given.note)
        await audit.record(session, "unit.confirm", f"unit:{unit.id}", quarter, who)
        return _confirmation(unit, row, quarter, "confirmed")


def _confirmation(unit: Unit, row: Confirmation | None, quarter: str, state: str) -> ConfirmationOut:
    told: Literal["confirmed", "early", "due", "overdue"] = state  # type: ignore[assignment]
    return ConfirmationOut(
        unit=UnitOut.model_validate(unit),
        quarter=quarter,
        state=told,
        confirmed_at=None if row is None else row.confirmed_at,
        confirmed_by=None if row is None else row.confirmed_by,
        note="" if row is None else row.note,
    )
