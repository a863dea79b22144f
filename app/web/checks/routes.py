"""抽查记录: calls, newest first, by any filter; saved filters, chosen columns, and tables of exactly what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts.permissions import Permission
from app.accounts.principal import Principal, current
from app.api.newest import Place
from app.checks import cursor, proposal_codes, repository, service
from app.checks.models import SpotCheck
from app.checks.repository import Cursor
from app.checks.rules import CODES
from app.checks.wording import SIGNS
from app.database import Database
from app.errors import OfficeError
from app.reports import filters, records, tables
from app.reports import repository as reports
from app.reports import service as keeping
from app.reports.filters import RecordFilter
from app.reviews.states import STATE_ZH
from app.settings import Settings
from app.trunks.records import read as read_trunks
from app.trunks.view import views as trunk_views
from app.web import alarms as recording_alarms
from app.web import repository as page_queries
from app.web import views as page_views
from app.web.checks import export, views
from app.web.pages import render

PAGE_ROWS = 50
MOST_UNPLACED = 20
FAILURES_OF = timedelta(hours=24)
"""How far back failures of our own line are counted."""
READ = ["GET", "HEAD"]
router = APIRouter(include_in_schema=False)


def state_of(request: Request) -> tuple[Database, Settings]:
    """The database and the settings of this service."""
    return request.app.state.database, request.app.state.settings


State = Annotated[tuple[Database, Settings], Depends(state_of)]


def me() -> Principal:
    """Who asks; the gate lets nobody unknown through."""
    asking = current()
    if asking is None:
        raise HTTPException(403, "sign in")
    return asking


@router.api_route("/checks", methods=READ)
async def list_page(request: Request) -> Response:
    """抽查记录: calls, newest first."""
    return await _list(request, "checks/list.html", request.query_params)


@router.api_route("/checks/rows", methods=READ)
async def list_rows(request: Request) -> Response:
    """The list's table alone, for pages that keep up with calls under way."""
    return await _list(request, "checks/_rows.html", request.query_params)


@router.post("/checks/filters")
async def save_filter(request: Request, state: State) -> Response:
    """Save what is filtered under a name."""
    form = await _typed(request)
    wanted = RecordFilter.read(form)
    try:
        async with state[0].unit_of_work() as session:
            await keeping.save_filter(session, me().account_id, form.get("name", ""), wanted)
    except OfficeError as error:
        return await _again(request, form, error)
    return _to(wanted)


@router.post("/checks/filters/{filter_id}/delete")
async def delete_filter(filter_id: int, request: Request, state: State) -> Response:
    """Delete a saved filter."""
    async with state[0].unit_of_work() as session:
        if not await reports.drop_filter(session, me().account_id, filter_id):
            raise HTTPException(404, "no such filter")
    return _to(RecordFilter.read(await _typed(request)))


@router.post("/checks/columns")
async def choose_columns(request: Request, state: State) -> Response:
    """Keep the columns that this account wants to see."""
    form = await request.form()
    wanted = [str(name) for name in form.getlist("column") if name in views.COLUMNS]
    async with state[0].unit_of_work() as session:
        await keeping.choose_columns(session, me().account_id, wanted)
    return _to(RecordFilter.read(await _typed(request)))


@router.post("/checks/export")
async def export_table(request: Request, state: State) -> Response:
    """Export exactly what is filtered: at once, or in the background where it is long."""
    form = await _typed(request)
    try:
        return await export.table(request, *state, form)
    except OfficeError as error:
        return await _again(request, form, error)


async def _typed(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _to(wanted: RecordFilter) -> Response:
    query = wanted.query
    return RedirectResponse(f"/checks?{query}" if query else "/checks", status_code=303)


async def _again(request: Request, typed: Mapping[str, str], error: OfficeError) -> Response:
    """The list once more, with what was typed and what is wrong with it."""
    wanted = RecordFilter.read(typed).parameters()
    return await _list(request, "checks/list.html", wanted, typed, error)


async def _list(
    request: Request,
    template: str,
    given: Mapping[str, str],
    typed: Mapping[str, str] | None = None,
    error: OfficeError | None = None,
) -> Response:
    database, settings = state_of(request)
    wanted = RecordFilter.read(given)
    after, before = _place(given, "after"), _place(given, "before")
    now = clock.now()
    rules, numbers = service.rules_of(settings), me().may(Permission.NUMBERS)
    async with database.reading() as session:
        found = await records.page(session, wanted, settings.zone, PAGE_ROWS, after, before)
        values = await _around(session, settings, now)
        kept = await reports.columns(session, me().account_id)
        rang = await page_queries.rang_ms(session, found.rows)
        names = {row.id: row.name for row in values["plans"]}
        first = not found.newer
        unplaced = await _unplaced(session, wanted, now) if first else []
        values["filters"] = await reports.filters(session, me().account_id)
    return render(
        request,
        template,
        200 if error is None else error.status,
        records=[
            views.record(one, settings.zone, rules, rang.get(one.id), names, numbers=numbers)
            for one in found.rows
        ],
        columns=views.chosen(None if kept is None else kept.columns),
        all_columns=views.COLUMNS,
        unplaced=[page_views.unplaced(check, settings.zone) for check in unplaced],
        stopped=page_views.stopped(getattr(request.app.state, "keeper", None)),
        older=cursor.pack(found.rows[-1]) if found.older else "",
        newer=cursor.pack(found.rows[0]) if found.newer and found.rows else "",
        here_place=_address(given),
        first=first,
        wanted=wanted,
        misread=filters.misread(given),
        zone=settings.zone,
        query=wanted.query,
        typed=typed or {},
        problem="" if error is None else error.detail,
        choices=CHOICES,
        **values,
    )


CHOICES: Mapping[str, Mapping[str, str]] = {
    "kind": filters.KINDS_ZH,
    "verdict": {code: info.zh for code, info in CODES.items()},
    "code": {code: info.zh for code, info in proposal_codes.CODES.items()},
    "proof": filters.PROOFS_ZH,
    "sign": SIGNS,
    "state": {state.value: name for state, name in STATE_ZH.items()},
    "table": {table.key: table.title for table in tables.TABLES.values()},
}
"""What each choice of the form offers, in Chinese."""


async def _around(session: AsyncSession, settings: Settings, now: datetime) -> dict[str, Any]:
    """What stands around the rows: how the phone does, and what the form offers."""
    return {
        "live": await repository.live_count(session),
        "waiting": await repository.open_checks(session),
        "units": await page_queries.unit_names(session),
        "plans": await records.plans(session),
        "reviewers": await records.reviewers(session),
        "failures": await page_queries.own_failures(session, now - FAILURES_OF),
        "trunks": trunk_views(settings, await read_trunks(session), now),
        "recording_alarms": await recording_alarms.of_recordings(session),
    }


def _place(given: Mapping[str, str], name: str) -> Place | None:
    text = given.get(name, "")
    try:
        found: Cursor | None = cursor.unpack(text) if text else None
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    return None if found is None else Place(found.claimed_at, found.attempt_id)


def _address(given: Mapping[str, str]) -> str:
    """The place of this page, for its own refreshing."""
    return "".join(f"&{name}={given[name]}" for name in ("after", "before") if given.get(name))


async def _unplaced(session: AsyncSession, wanted: RecordFilter, now: datetime) -> Sequence[SpotCheck]:
    if set(wanted.parameters()) - {"unit"}:
        return []
    return await page_queries.unplaced(session, now, wanted.unit, MOST_UNPLACED)
