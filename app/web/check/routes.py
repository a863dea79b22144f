"""一次抽查: one check with its attempts."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from app.accounts import service as audit
from app.checks import repository, service
from app.checks.routes import trace_file
from app.directory.routing import state_of
from app.web import repository as page_queries
from app.web import transcripts, views
from app.web.pages import render

READ = ["GET", "HEAD"]
router = APIRouter(include_in_schema=False)


@router.api_route("/checks/{check_id}", methods=READ)
async def check_page(request: Request, check_id: int) -> Response:
    """一次抽查: one check with its attempts."""
    return await _check(request, "check/check.html", check_id)


@router.api_route("/checks/{check_id}/body", methods=READ)
async def check_body(request: Request, check_id: int) -> Response:
    """The attempts alone, for the page of a call under way."""
    return await _check(request, "check/_check.html", check_id)


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
        request,
        template,
        check=check,
        unit=views.title_of(check),
        attempts=attempts,
        live=any(attempt.row.live for attempt in attempts),
        awaiting=transcripts.awaited(attempts, keeper),
        held_up=transcripts.held_up(keeper),
        view=secrets.token_urlsafe(9),
    )
