"""The pages: 抽查记录 and 一次抽查."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts import service as audit
from app.checks import cursor, repository, service
from app.checks.models import SpotCheck
from app.checks.repository import Cursor, ListFilter
from app.checks.routes import trace_file
from app.checks.rules import CODES
from app.database import Database
from app.settings import Settings
from app.trunks.records import read as read_trunks
from app.trunks.view import views as trunk_views
from app.web import repository as page_queries
from app.web import transcripts, views
from app.web.pages import render

PAGE_ROWS = 50
MOST_UNPLACED = 20
FAILURES_OF = timedelta(hours=24)
"""How far back failures of our own line are counted."""
READ = ["GET", "HEAD"]
TICKED = ("1", "on", "true", "yes")
router = APIRouter(include_in_schema=False)


def state_of(request: Request) -> tuple[Database, Settings]:
    """The database and the settings of this service."""
    return request.app.state.database, request.app.state.settings


State = Annotated[tuple[Database, Settings], Depends(state_of)]


@router.api_route("/", methods=READ)
async def first_page() -> Response:
    """The list is the first page."""
    return RedirectResponse("/checks")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list was asked for, as it stands in the address."""

    unit: str = ""
    verdict: str = ""
    review: str = ""
    after: str = ""


@router.api_route("/checks", methods=READ)
async def list_page(request: Request, asked: Annotated[Asked, Depends()]) -> Response:
    """抽查记录: attempts, newest first."""
    return await _list(request, "checks.html", asked)


@router.api_route("/checks/rows", methods=READ)
async def list_rows(request: Request, asked: Annotated[Asked, Depends()]) -> Response:
    """The list's table alone, for pages that keep up with calls under way."""
    return await _list(request, "_rows.html", asked)


async def _list(request: Request, template: str, asked: Asked) -> Response:
    database, settings = state_of(request)
    narrowed, place = _narrowed(asked)
    now = clock.now()
    async with database.reading() as session:
        found = await repository.page(session, narrowed, place, PAGE_ROWS + 1)
        shown = found[:PAGE_ROWS]
        values: dict[str, Any] = {
            "live": await repository.live_count(session),
            "waiting": await repository.open_checks(session),
            "units": await page_queries.unit_names(session),
            "failures": await page_queries.own_failures(session, now - FAILURES_OF),
            "trunks": trunk_views(settings, await read_trunks(session), now),
        }
        rang = await page_queries.rang_ms(session, shown)
        unplaced = await _unplaced(session, narrowed, now) if place is None else []
    rules = service.rules_of(settings)
    return render(
        template,
        rows=[views.row(attempt, settings.zone, rules, rang.get(attempt.id)) for attempt in shown],
        unplaced=[views.unplaced(check, settings.zone) for check in unplaced],
        stopped=views.stopped(getattr(request.app.state, "keeper", None)),
        next_place=cursor.pack(shown[-1]) if len(found) > PAGE_ROWS else "",
        codes=CODES,
        chosen={
            "unit": narrowed.unit_id,
            "verdict": narrowed.verdict_code,
            "review": bool(narrowed.needs_review),
        },
        first=place is None,
        zone=settings.zone,
        query=_query(narrowed),
        **values,
    )


def _narrowed(asked: Asked) -> tuple[ListFilter, Cursor | None]:
    unit, verdict = asked.unit, asked.verdict
    narrowed = ListFilter(
        unit_id=int(unit) if unit.isascii() and unit.isdecimal() and len(unit) < 18 else None,
        verdict_code=verdict if verdict in CODES else None,
        needs_review=True if asked.review.lower() in TICKED else None,
    )
    try:
        return narrowed, cursor.unpack(asked.after) if asked.after else None
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


async def _unplaced(session: AsyncSession, narrowed: ListFilter, now: datetime) -> Sequence[SpotCheck]:
    if narrowed.verdict_code or narrowed.needs_review:
        return []
    return await page_queries.unplaced(session, now, narrowed.unit_id, MOST_UNPLACED)


def _query(narrowed: ListFilter) -> str:
    parts = {
        "unit": narrowed.unit_id,
        "verdict": narrowed.verdict_code,
        "review": 1 if narrowed.needs_review else None,
    }
    return "&".join(f"{name}={value}" for name, value in parts.items() if value is not None)


@router.api_route("/checks/{check_id}", methods=READ)
async def check_page(request: Request, check_id: int) -> Response:
    """一次抽查: one check with its attempts."""
    return await _check(request, "check.html", check_id)


@router.api_route("/checks/{check_id}/body", methods=READ)
async def check_body(request: Request, check_id: int) -> Response:
    """The attempts alone, for the page of a call under way."""
    return await _check(request, "_check.html", check_id)


async def _check(request: Request, template: str, check_id: int) -> Response:
    database, settings = state_of(request)
    rules = service.rules_of(settings)
    async with database.reading() as session:
        check = await repository.check(session, check_id) if 0 < check_id < 2**63 else None
        if check is None or not check.attempts:
            # A check that is still to come is shown to nobody.
            raise HTTPException(404, "no such check")
        reads = {
            attempt.id: await audit.count_of(session, f"recording:{attempt.recording.id}")
            for attempt in check.attempts
            if attempt.recording is not None
        }
        said = await transcripts.shown(session, check.attempts, settings)
        readings = await page_queries.readings(session, check.attempts)
    attempts = [
        views.attempt_view(
            attempt,
            settings.zone,
            rules,
            reads.get(attempt.id, 0),
            trace_file(settings, attempt) is not None,
            reading=readings.get(attempt.id),
            transcript=said[attempt.id],
        )
        for attempt in check.attempts
    ]
    keeper = getattr(request.app.state, "transcriber", None)
    return render(
        template,
        check=check,
        unit=views.title_of(check),
        attempts=attempts,
        live=any(attempt.row.live for attempt in attempts),
        awaiting=transcripts.awaited(attempts, keeper),
        held_up=transcripts.held_up(keeper),
        view=secrets.token_urlsafe(9),
    )
