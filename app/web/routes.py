"""The pages: 抽查记录 and 一次抽查."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import service as audit
from app.checks import cursor, repository, service
from app.checks.repository import ListFilter
from app.checks.rules import CODES
from app.database import Database
from app.directory import repository as directory
from app.settings import Settings
from app.web import views
from app.web.pages import render

PAGE_ROWS = 50
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


@router.api_route("/checks", methods=READ)
async def list_page(
    state: State,
    unit: str = "",
    verdict: str = "",
    review: str = "",
    after: str = "",
) -> Response:
    """抽查记录: attempts, newest first."""
    return await _list(state, "checks.html", unit, verdict, review, after)


@router.api_route("/checks/rows", methods=READ)
async def list_rows(
    state: State,
    unit: str = "",
    verdict: str = "",
    review: str = "",
    after: str = "",
) -> Response:
    """The list's table alone, for pages that keep up with calls under way."""
    return await _list(state, "_rows.html", unit, verdict, review, after)


async def _list(
    state: tuple[Database, Settings], template: str, unit: str, verdict: str, review: str, after: str
) -> Response:
    database, settings = state
    narrowed = ListFilter(
        unit_id=int(unit) if unit.isascii() and unit.isdecimal() and len(unit) < 18 else None,
        verdict_code=verdict if verdict in CODES else None,
        needs_review=True if review.lower() in TICKED else None,
    )
    try:
        place = cursor.unpack(after) if after else None
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    async with database.reading() as session:
        found = await repository.page(session, narrowed, place, PAGE_ROWS + 1)
        live = await repository.live_count(session)
        waiting = await repository.open_checks(session)
        units = await directory.units(session)
    shown = found[:PAGE_ROWS]
    return render(
        template,
        rows=[views.row(attempt, settings.zone) for attempt in shown],
        next_place=cursor.pack(shown[-1]) if len(found) > PAGE_ROWS else "",
        live=live,
        waiting=waiting,
        units=units,
        codes=CODES,
        chosen={
            "unit": narrowed.unit_id,
            "verdict": narrowed.verdict_code,
            "review": bool(narrowed.needs_review),
        },
        first=not after,
        query=_query(narrowed),
    )


def _query(narrowed: ListFilter) -> str:
    parts = {
        "unit": narrowed.unit_id,
        "verdict": narrowed.verdict_code,
        "review": 1 if narrowed.needs_review else None,
    }
    return "&".join(f"{name}={value}" for name, value in parts.items() if value is not None)


@router.api_route("/checks/{check_id}", methods=READ)
async def check_page(state: State, check_id: int) -> Response:
    """一次抽查: one check with its attempts."""
    database, settings = state
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
    attempts = [
        views.attempt_view(attempt, settings.zone, rules, reads.get(attempt.id, 0))
        for attempt in check.attempts
    ]
    return render(
        "check.html",
        check=check,
        unit=views.title_of(check),
        attempts=attempts,
        rules=rules,
        view=secrets.token_urlsafe(9),
    )
