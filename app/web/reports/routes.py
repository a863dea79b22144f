"""报表通报: summaries of a period, scores, inspection forms, publications, exports in the background."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, RedirectResponse, Response

from app import clock
from app.accounts.permissions import Permission
from app.accounts.principal import Principal, current
from app.api.paging import cut, pack, unpack
from app.database import Database
from app.directory.models import Unit
from app.errors import BadInputError, NotFoundError, OfficeError
from app.reports import papers, periods, repository, service, summary
from app.reports.exporting import Maker
from app.reports.periods import Days
from app.reports.worker import folder_of
from app.reviews import publication_repository, scores
from app.reviews.codes import title_of
from app.reviews.models import Publication
from app.reviews.repository import units_named
from app.reviews.score_repository import Period, Scope
from app.reviews.scoring import LEAST_CHECKS
from app.reviews.states import STATE_ZH
from app.reviews.states import State as CaseState
from app.settings import Settings
from app.tables import delimited, document, workbook
from app.web import repository as page_queries
from app.web.pages import render
from app.web.reports import forms

READ = ["GET", "HEAD"]
PAGE_ROWS = 50
MEDIA_TYPES = {
    "xlsx": workbook.MEDIA_TYPE,
    "csv": delimited.MEDIA_TYPE,
    "docx": document.MEDIA_TYPE,
}
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


@dataclass(frozen=True, slots=True)
class Chosen:
    """A period and a subtree as they stand in the address, and what is wrong with them."""

    days: Days
    unit: int | None
    problem: str = ""

    def values(self, zone: Any) -> dict[str, Any]:
        """What the form of the page shows."""
        today = clock.now().astimezone(zone).date()
        query = {"period": self.days.name} if self.days.name else {}
        if not self.days.name:
            query = {"first": f"{self.days.first}", "last": f"{self.days.last}"}
        if self.unit is not None:
            query["unit"] = str(self.unit)
        return {
            "days": self.days,
            "unit": self.unit,
            "offered": periods.offered(today),
            "problem": self.problem,
            "query": "&".join(f"{name}={value}" for name, value in query.items()),
        }


def chosen(given: Mapping[str, str], settings: Settings) -> Chosen:
    """Read period and unit; a period that is none gives this month, and the problem."""
    today = clock.now().astimezone(settings.zone).date()
    text = given.get("unit", "")
    unit = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None
    try:
        return Chosen(periods.read(given, today), unit)
    except BadInputError as error:
        return Chosen(periods.month(today.year, today.month), unit, error.detail)


@router.api_route("/reports", methods=READ)
async def summary_page(request: Request, state: State) -> Response:
    """期间汇总."""
    database, settings = state
    asked = chosen(request.query_params, settings)
    async with database.reading() as session:
        head = await _head(session, asked.unit)
        units = await page_queries.unit_names(session)
    found = await summary.summarise(database, settings.zone, asked.days.first, asked.days.last, head)
    return render(
        request,
        "reports/summary.html",
        422 if asked.problem else 200,
        found=found,
        units=units,
        **asked.values(settings.zone),
    )


async def _head(session: AsyncSession, unit: int | None) -> Unit | None:
    if unit is None:
        return None
    found = await session.get(Unit, unit)
    if found is None:
        raise NotFoundError(f"没有单位 {unit}")
    return found


@router.api_route("/reports/summary/{form}", methods=["GET"])
async def summary_file(form: str, request: Request, state: State) -> Response:
    """The summary as a file."""
    database, settings = state
    if form not in MEDIA_TYPES:
        raise HTTPException(404, "no such form")
    asked = chosen(request.query_params, settings)
    if asked.problem:
        raise BadInputError(asked.problem)
    async with database.reading() as session:
        head = await _head(session, asked.unit)
    found = await summary.summarise(database, settings.zone, asked.days.first, asked.days.last, head)
    told = f"期间 {asked.days.first} 至 {asked.days.last}；单位 {found.unit or '全部'}"
    maker = Maker(me().name, clock.now(), told, me().may(Permission.NUMBERS))
    path = folder_of(settings) / f"now-{secrets.token_hex(16)}.{form}"
    rows = await asyncio.to_thread(papers.write_summary, path, form, found, maker, settings.zone)
    async with database.unit_of_work() as session:
        await service.note_export(session, "summary", form, rows, told)
    name = f"值班电话抽查期间汇总-{asked.days.first}-{asked.days.last}.{form}"
    done = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type=MEDIA_TYPES[form], filename=name, background=done)


@router.api_route("/reports/ranking", methods=READ)
async def ranking_page(request: Request, state: State) -> Response:
    """评分排名: units in their order, by the office's own points or by the rate of findings."""
    database, settings = state
    asked = chosen(request.query_params, settings)
    text = request.query_params.get("after", "")
    spot = cast(tuple[int, int], unpack(text, int, int)) if text else None
    period = Period(
        summary.start_of(asked.days.first, settings.zone),
        summary.start_of(asked.days.last + timedelta(days=1), settings.zone),
    )
    closing = min(period.until - timedelta(microseconds=1), max(clock.now(), period.first_at))
    async with database.reading() as session:
        scope = Scope(head=await _head(session, asked.unit))
        known = await scores.scales(session, period.until)
        placed, unranked = await scores.ranking(session, scope, period, known, closing, settings.zone)
        rest = [row for row in placed if spot is None or (row.key, row.unit_id) > spot]
        found, end = cut(rest[: PAGE_ROWS + 1], PAGE_ROWS)
        names = await units_named(session, (row.unit_id for row in found))
        own = await scores.by_unit(
            session, period, Scope(unit_ids=list(names)), known, closing, settings.zone
        )
        units = await page_queries.unit_names(session)
    return render(
        request,
        "reports/ranking.html",
        422 if asked.problem else 200,
        rows=[(row.place, names[row.unit_id], own[row.unit_id][0]) for row in found],
        by_points=known.at(closing) is not None,
        document=known.document_at(closing) if known.at(closing) is not None else "",
        ranked=len(placed),
        unranked=unranked,
        least=LEAST_CHECKS,
        next_place="" if end is None else pack(end.key, end.unit_id),
        first_page=spot is None,
        units=units,
        title_of=title_of,
        **asked.values(settings.zone),
    )


@router.api_route("/reports/forms", methods=READ)
async def forms_page(request: Request, state: State) -> Response:
    """值班工作检查记录表: choose units and a period."""
    return await _forms(request, state, chosen(request.query_params, state[1]), ())


@router.post("/reports/forms")
async def forms_file(request: Request, state: State) -> Response:
    """The forms of the chosen units: one document, or all of them in a ZIP file."""
    form = await request.form()
    given = {name: value for name, value in form.items() if isinstance(value, str)}
    picked = forms.keys_of([str(value) for value in form.getlist("units")])
    asked = chosen(given, state[1])
    if asked.problem:
        return await _forms(request, state, asked, picked)
    try:
        return await forms.file(*state, me(), picked, below="below" in given, days=asked.days)
    except OfficeError as error:
        return await _forms(request, state, Chosen(asked.days, None, error.detail), picked)


async def _forms(request: Request, state: State, asked: Chosen, picked: tuple[int, ...]) -> Response:
    async with state[0].reading() as session:
        units = await page_queries.unit_names(session)
    return render(
        request,
        "reports/forms.html",
        422 if asked.problem else 200,
        units=units,
        picked=picked,
        most=forms.MOST_UNITS,
        **asked.values(state[1].zone),
    )


@router.api_route("/reports/publications", methods=READ)
async def publications_page(request: Request, state: State) -> Response:
    """通报: tables and bulletins in which findings were published."""
    text = request.query_params.get("after", "")
    spot = cast(Any, unpack(text, datetime, int)) if text else None
    async with state[0].reading() as session:
        rows = await publication_repository.page(session, spot, None, PAGE_ROWS + 1)
        found, end = cut(rows, PAGE_ROWS)
        counts = await publication_repository.counts(session, [row.id for row in found])
    return render(
        request,
        "reports/publications.html",
        rows=[(row, *counts.get(row.id, (0, 0))) for row in found],
        next_place="" if end is None else pack(end.published_at, end.id),
        first_page=spot is None,
        zone=state[1].zone,
    )


@router.api_route("/reports/publications/{publication_id}", methods=READ)
async def publication_page(publication_id: int, request: Request, state: State) -> Response:
    """One publication with its cases as they stand by now."""
    async with state[0].reading() as session:
        row: Publication | None = None
        if 0 < publication_id < 2**63:
            row = await publication_repository.publication(session, publication_id)
        if row is None:
            raise NotFoundError(f"没有通报 {publication_id}")
        cases = await publication_repository.cases_in(session, row.id)
        names = await units_named(session, (case.unit_id for case in cases))
    return render(
        request,
        "reports/publication.html",
        row=row,
        cases=[
            (case, names[case.unit_id], title_of(case.confirmed_code or case.code, case.proposal))
            for case in cases
            if case.unit_id in names
        ],
        states={state.value: name for state, name in STATE_ZH.items()},
        overturned=CaseState.OVERTURNED.value,
        zone=state[1].zone,
    )


@router.api_route("/reports/exports", methods=READ)
async def exports_page(request: Request, state: State) -> Response:
    """导出: one's own exports, with how far they are."""
    async with state[0].reading() as session:
        jobs = await repository.jobs(session, me().account_id)
    return render(request, "reports/exports.html", jobs=jobs, zone=state[1].zone, kept_h=forms.KEPT_H)


@router.api_route("/reports/exports/{job_id}/row", methods=READ)
async def export_row(job_id: int, request: Request, state: State) -> Response:
    """One export as a row, for the page that keeps up with it."""
    async with state[0].reading() as session:
        job = await service.mine(session, job_id, me())
    return render(request, "reports/_export.html", job=job, zone=state[1].zone)


@router.post("/reports/exports/{job_id}/cancel")
async def cancel_export(job_id: int, state: State) -> Response:
    """Stop an export."""
    async with state[0].unit_of_work() as session:
        await service.cancel(session, job_id, me())
    return RedirectResponse("/reports/exports", status_code=303)


@router.api_route("/reports/exports/{job_id}/file", methods=["GET"])
async def export_file(job_id: int, state: State) -> Response:
    """The file of an export."""
    database, settings = state
    async with database.unit_of_work() as session:
        job = await service.fetch(session, job_id, me())
        path = folder_of(settings) / job.file
        if not path.is_file():
            raise NotFoundError("该导出的文件已不在，请重新导出")
    return FileResponse(path, media_type=MEDIA_TYPES[job.form], filename=forms.name_of(job, settings.zone))
