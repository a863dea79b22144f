"""抽查记录: attempts, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app import clock
from app.checks import cursor, repository, service
from app.checks.models import SpotCheck
from app.checks.repository import Cursor, ListFilter
from app.checks.rules import CODES
from app.database import Database
from app.settings import Settings
from app.trunks.records import read as read_trunks
from app.trunks.view import views as trunk_views
from app.web import alarms as recording_alarms
from app.web import repository as page_queries
from app.web import views
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
    return await _list(request, "checks/list.html", asked)


@router.api_route("/checks/rows", methods=READ)
async def list_rows(request: Request, asked: Annotated[Asked, Depends()]) -> Response:
    """The list's table alone, for pages that keep up with calls under way."""
    return await _list(request, "checks/_rows.html", asked)


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
            "recording_alarms": await recording_alarms.of_recordings(session),
        }
        rang = await page_queries.rang_ms(session, shown)
        unplaced = await _unplaced(session, narrowed, now) if place is None else []
    rules = service.rules_of(settings)
    return render(
        request,
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
