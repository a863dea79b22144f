"""录音: found, heard in a row, and how long each is kept."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.api.actor import Actor
from app.api.newest import Place
from app.checks.rules import CODES
from app.directory.routing import State
from app.errors import OfficeError
from app.transcripts import search_service
from app.web import repository as page_queries
from app.web.pages import render
from app.web.recordings import keeping
from app.web.recordings.listing import KEEPING, PAGE_ROWS, Asked, Listed, listed, place_of, searched
from app.web.spoken import reader_speaks, spoken

READ = ["GET", "HEAD"]
router = APIRouter(include_in_schema=False, dependencies=[Depends(reader_speaks)])
router.include_router(keeping.router)


@router.api_route("/recordings", methods=READ)
async def list_page(
    request: Request, state: State, who: Actor, asked: Annotated[Asked, Depends()]
) -> Response:
    """The recordings, newest first, or those in which something is said. Each search is put on record."""
    database, settings = state
    problem, status, found = "", 200, Listed((), "")
    try:
        found = await (_search(state, asked, who) if asked.q.strip() else _list(state, asked))
    except OfficeError as error:
        problem, status = spoken(error.detail), error.status
    async with database.reading() as session:
        units = await page_queries.unit_names(session)
    return render(
        request,
        "recordings/list.html",
        status,
        listed=found,
        asked=asked,
        units=units,
        codes=CODES,
        keeping=KEEPING,
        problem=problem,
        days=settings.retention_days,
        view=secrets.token_urlsafe(9),
    )


async def _list(state: State, asked: Asked) -> Listed:
    async with state[0].reading() as session:
        return await listed(session, asked, state[1].zone)


async def _search(state: State, asked: Asked, who: str) -> Listed:
    database, settings = state
    since, until = asked.span(settings.zone)
    query = search_service.Query(asked.q.strip(), asked.unit_id, since, until)
    place = place_of(asked.after)
    async with database.reading() as session:
        after = None if place is None else Place(*place)
        found = await search_service.search(session, settings, query, after, PAGE_ROWS)
        told = await searched(session, found, settings.zone)
    async with database.unit_of_work() as session:
        await search_service.audited(session, query, found, who)
    return told
