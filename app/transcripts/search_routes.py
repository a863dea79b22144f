"""The search in what was said."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.api.actor import Actor
from app.api.newest import Place
from app.api.paging import After, Key, Limit, pack, unpack
from app.api.text import Moment
from app.directory.routing import State
from app.transcripts import search_service as service
from app.transcripts.search_schemas import SearchPage, page_out
from app.transcripts.search_words import MOST_SIGNS

router = APIRouter(prefix="/api/v1", tags=["transcripts"])


@router.get("/transcripts/search", operation_id="search_transcripts")
async def search(
    state: State,
    who: Actor,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=MOST_SIGNS,
            description='Words, all of which must be said in the call; "…" holds words together',
        ),
    ],
    unit: Annotated[Key | None, Query(description="This unit and all below it")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Calls from here on")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Calls before this")] = None,
    channel: Annotated[Literal["us", "them"] | None, Query(description="Who said it")] = None,
    recording: Annotated[Key | None, Query(description="All moments of this recording")] = None,
    after: After = None,
    limit: Limit = 50,
) -> SearchPage:
    """Calls in which something was said, newest first, with the moments. Each search is put on record."""
    database, settings = state
    place = _place(after) if after else None
    query = service.Query(q, unit, since, until, channel, recording)
    async with database.reading() as session:
        found = await service.search(session, settings, query, place, limit)
    async with database.unit_of_work() as session:
        await service.audited(session, query, found, who)
    return page_out(found, None if found.next is None else pack(found.next.at, found.next.key))


def _place(after: str) -> Place:
    at, key = unpack(after, datetime, int)
    assert isinstance(at, datetime)
    assert isinstance(key, int)
    return Place(at, key)
