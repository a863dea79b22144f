"""The recordings' sound, whole or in ranges, as the original or as a copy; peaks and clips."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from app.api.actor import Reader
from app.api.paging import Key
from app.database import Database
from app.errors import BadInputError, Fault, UnavailableError
from app.listening import names
from app.listening.ranges import none_match
from app.listening.reading import Reading
from app.listening.response import SoundResponse
from app.listening.schemas import PeaksOut
from app.listening.service import Listening
from app.settings import Settings
from recordings.clips import Channel
from recordings.copies import CopyMaker
from recordings.peaks import MOST_PER_SECOND, RATES

T = TypeVar("T")
MOST_RANGE = 80
"""Characters kept of a Range header."""
MOST_MS = 24 * 3_600_000.0
_LOOK_S = 0.5
SOUND: dict[str, Any] = {
    "description": "The sound",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in names.MEDIA_TYPES.values()
    },
}
GONE: dict[int | str, dict[str, Any]] = {
    410: {"description": "Its sound was deleted or withdrawn"},
    503: {"description": "It cannot be read, or the copy cannot be made, just now"},
}
router = APIRouter()


def state_of(request: Request) -> tuple[Database, Settings, CopyMaker]:
    """The database, the settings and the maker of copies of this service."""
    state = request.app.state
    return state.database, state.settings, state.copies


State = Annotated[tuple[Database, Settings, CopyMaker], Depends(state_of)]
View = Annotated[str, Query(max_length=40)]
Kept = Literal["flac", "opus", "mp3"]
PerSecond = Annotated[
    int, Query(ge=1, le=MOST_PER_SECOND, description=f"One of {', '.join(map(str, RATES))}")
]
Moment = Annotated[float, Query(ge=0, le=MOST_MS, allow_inf_nan=False)]


@router.get(
    "/recordings/{recording_id}",
    tags=["recordings"],
    operation_id="listen",
    response_class=Response,
    responses={200: SOUND, 206: SOUND | {"description": "The range that was asked for"}, **GONE},
)
@router.head("/recordings/{recording_id}", include_in_schema=False)
async def sound(
    request: Request,
    state: State,
    who: Reader,
    recording_id: int,
    download: bool = False,
    view: View = "",
    kind: Annotated[Kept, Query(alias="format", description="`flac`: as it is kept")] = "flac",
) -> Response:
    """A recording's sound, whole or a range of it, as it is kept or as a listening copy.

    What is heard leaves an audit line before its first byte; the ranges that the player of one page view
    (`view`) asks for are one listening.
    """
    database, settings, maker = state
    there = await Listening.of(database, settings, maker, recording_id)
    if kind == "flac":
        found = await there.sound(download=download)
    elif request.method == "HEAD":
        return _head_of_copy(there, kind, download=download)
    else:
        found = await _while_there(request, there.copy(kind, download=download))
    wanted = request.headers.get("range", "")[:MOST_RANGE]
    reading = Reading(
        f"recording:{recording_id}",
        "download" if download else "play",
        "" if download else view,
        wanted if kind == "flac" else f"format={kind} {wanted}".rstrip(),
        who,
    )
    return SoundResponse(found, lambda: reading.write(database))


def _head_of_copy(there: Listening, kind: str, *, download: bool) -> Response:
    """A copy is not made to tell its length."""
    suffix = names.SUFFIXES[kind]
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": names.of_recording(there.recording, suffix, download=download),
    }
    answer = Response(media_type=names.media_type(suffix), headers=headers)
    del answer.headers["Content-Length"]
    return answer


@router.get(
    "/api/v1/recordings/{recording_id}/peaks",
    tags=["recordings"],
    operation_id="show_peaks",
    response_model=PeaksOut,
    responses={304: {"description": "The caller has them"}, **GONE},
)
async def peaks(request: Request, state: State, recording_id: Key, per_second: PerSecond = 50) -> Response:
    """The least and the greatest sample of each stretch, of 128, for a picture. No listening: nothing is audited."""
    if per_second not in RATES:
        fault = Fault("query.per_second", f"takes one of {', '.join(map(str, RATES))}")
        raise BadInputError(f"per_second {fault.message}", [fault])
    there = await Listening.of(*state, recording_id)
    tag = f'"{there.recording.sha256}-peaks-{per_second}"'
    if not none_match(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers={"ETag": tag})
    found = await there.peaks(per_second)
    return await asyncio.to_thread(lambda: JSONResponse(found.to_json(), headers={"ETag": tag}))


@router.get(
    "/api/v1/recordings/{recording_id}/clip",
    tags=["recordings"],
    operation_id="cut_clip",
    response_class=Response,
    responses={200: SOUND, **GONE},
)
async def clip(
    request: Request,
    state: State,
    who: Reader,
    recording_id: Key,
    from_ms: Annotated[Moment, Query(description="Where it begins, in ms of the recording")],
    to_ms: Annotated[Moment, Query(description="Where it ends; clipped at the recording's end")],
    lead_in_ms: Annotated[
        float,
        Query(ge=0, le=60_000, allow_inf_nan=False, description="How much of what was before comes with it"),
    ] = 2000.0,
    kind: Annotated[Literal["wav", "flac", "opus", "mp3"], Query(alias="format")] = "flac",
    channel: Channel = "both",
) -> Response:
    """A stretch of a recording, exact to the sample, as a file whose name tells its times. Audited as a listening."""
    database, settings, maker = state
    there = await Listening.of(database, settings, maker, recording_id)
    found = await there.clip(from_ms, to_ms, lead_in_ms, channel)
    data = await _while_there(request, there.encoded(found, kind))
    wanted = f"clip {found.start_ms:.3f}-{found.end_ms:.3f} ms format={kind} channel={channel}"
    await Reading(f"recording:{recording_id}", "play", "", wanted, who).write(database)
    suffix = names.SUFFIXES[kind]
    headers = {"Content-Disposition": names.of_clip(there.recording, found, channel, suffix)}
    return Response(data, media_type=names.media_type(suffix), headers=headers)


async def _while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do something as long as the client is there; what nobody waits for any more is given up."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=_LOOK_S)
            if not task.done() and await request.is_disconnected():
                raise UnavailableError("请求方已离开")
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
