"""提示音样本: marked announcements, heard where their recording is still there, and withdrawn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app.api.actor import Actor
from app.api.paging import cut, pack, unpack
from app.checks import repository as checks
from app.checks.models import Attempt, Recording
from app.directory.routing import PathKey, State
from app.errors import BadInputError, OfficeError
from app.samples import marking, repository
from app.samples.models import AnnouncementSample
from app.samples.service import Description
from app.settings import Settings
from app.web.check.page import check_page
from app.web.pages import render
from app.web.spoken import Trouble, reader_speaks, trouble
from app.web.views import clock_time

READ = ["GET", "HEAD"]
PAGE_ROWS = 50
_SOURCE = re.compile(
    r"attempt (?P<attempt>\d{1,18}): .* (?P<start>\d+\.\d\d)-(?P<end>\d+\.\d\d) s\Z", re.DOTALL
)
router = APIRouter(include_in_schema=False, dependencies=[Depends(reader_speaks)])


@dataclass(frozen=True, slots=True)
class SampleView:
    """One sample of the list."""

    row: AnnouncementSample
    marked_at: str
    removed_at: str
    clip: str
    """What plays it; empty where its recording is none of ours, or gone."""
    check: str
    """The page on which it was marked."""


@router.api_route("/samples", methods=READ)
async def list_page(request: Request, state: State, removed: str = "", after: str = "") -> Response:
    """The samples, newest first; with `removed` those too that are listened for no more."""
    return await _list(request, state, removed, after)


async def _list(
    request: Request, state: State, removed: str = "", after: str = "", wrong: Trouble | None = None
) -> Response:
    database, settings = state
    before = unpack(after, int)[0] if after else None
    async with database.reading() as session:
        rows = await repository.newest(
            session, before if isinstance(before, int) else None, PAGE_ROWS + 1, active_only=not removed
        )
        found, end = cut(rows, PAGE_ROWS)
        heard = await _recordings(session, found)
    return render(
        request,
        "samples/list.html",
        200 if wrong is None else wrong.status,
        samples=[_view(row, heard, settings) for row in found],
        removed=bool(removed),
        after=after,
        next_place="" if end is None else pack(end.id),
        problem="" if wrong is None else wrong.detail,
    )


def _view(
    row: AnnouncementSample, heard: Mapping[int, tuple[Recording, int]], settings: Settings
) -> SampleView:
    source = _SOURCE.match(row.source)
    attempt_id = int(source["attempt"]) if source else 0
    clip = check = ""
    if source and attempt_id in heard:
        recording, check_id = heard[attempt_id]
        check = f"/checks/{check_id}#attempt-{attempt_id}&t={source['start']}"
        if recording.gone_why is None:
            start, end = float(source["start"]) * 1000, float(source["end"]) * 1000
            span = f"from_ms={start:.0f}&to_ms={end:.0f}&lead_in_ms=0"
            clip = f"/api/v1/recordings/{recording.id}/clip?{span}&channel=them&format=wav"
    zone = settings.zone
    removed = "" if row.removed_at is None else clock_time(row.removed_at, zone)
    return SampleView(row, clock_time(row.marked_at, zone), removed, clip, check)


async def _recordings(
    session: AsyncSession, rows: Sequence[AnnouncementSample]
) -> Mapping[int, tuple[Recording, int]]:
    """By attempt, the recordings that samples were cut from, with their checks."""
    keys = [int(match["attempt"]) for row in rows if (match := _SOURCE.match(row.source))]
    query = (
        select(Recording, Attempt.id, Attempt.check_id)
        .join(Attempt, Attempt.id == Recording.attempt_id)
        .where(Attempt.id.in_(keys))
    )
    return {
        attempt_id: (recording, check_id) for recording, attempt_id, check_id in await session.execute(query)
    }


@router.post("/recordings/{recording_id}/samples")
async def mark(request: Request, state: State, recording_id: PathKey, who: Actor) -> Response:
    """Mark a stretch of a recording; the form stands on the page of its check."""
    form = await request.form()
    typed = {name: value for name, value in form.items() if isinstance(value, str) and name != "csrf"}
    async with state[0].reading() as session:
        found = await checks.recording(session, recording_id) if 0 < recording_id < 2**63 else None
        attempt = (
            None
            if found is None or found.attempt_id is None
            else await session.get(Attempt, found.attempt_id)
        )
    if attempt is None:
        raise HTTPException(404, "no such recording")
    try:
        about = Description(
            typed.get("meaning", ""), typed.get("label", "").strip(), bool(typed.get("mobile")), by=who
        )
        start_s, end_s = _seconds(typed.get("start", "")), _seconds(typed.get("end", ""))
        await marking.mark_recording(*state, recording_id, start_s, end_s, about)
    except OfficeError as error:
        return await check_page(
            request, attempt.check_id, trouble=trouble(f"sample-{recording_id}", error, typed)
        )
    return RedirectResponse("/samples", status_code=303)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadInputError("起止时间须为秒数 (start and end are seconds)") from error


@router.post("/samples/{sample_id}/withdraw")
async def withdraw(request: Request, state: State, sample_id: PathKey, who: Actor) -> Response:
    """Listen for it no more."""
    try:
        async with state[0].unit_of_work() as session:
            await marking.withdraw(session, sample_id, who)
    except OfficeError as error:
        return await _list(request, state, wrong=trouble("withdraw", error, {}))
    return RedirectResponse("/samples", status_code=303)
