"""Imports as JSON: bring a file, look at what it would do, confirm it. And the directory as a workbook."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, FastAPI, Path, Query, Request
from starlette.responses import Response

from app import clock
from app.accounts import service as audit
from app.api.actor import Actor, Reader
from app.api.paging import After, Limit, Page, pack, unpack
from app.api.text import Code, Day, Short
from app.directory.routing import State
from app.errors import BadInputError, ConflictError, Fault
from app.imports import service, uploads
from app.imports.comparing import compare
from app.imports.files import LARGEST_FILE
from app.imports.grid import FileError
from app.imports.reading import read
from app.imports.records import Preview
from app.imports.schemas import ChangeOut, FindingOut, ImportOut
from app.imports.telling import case_told
from app.imports.writing import write_workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES = (XLSX, "text/csv", "application/octet-stream")
SHOWN = 100
"""Findings and changes that come with an import itself."""
PURGE_EVERY_S = 600.0
Key = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="`id` of the import")]
_ONE_AT_A_TIME = threading.Lock()
"""A large file takes the processor for seconds: a second one waits."""
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES},
    }
}
log = structlog.get_logger(__name__)


@asynccontextmanager
async def _purging(app: FastAPI) -> AsyncIterator[None]:
    """Files that nobody confirmed go after a day, whether or not anybody comes back."""
    task = asyncio.create_task(_purge(app))
    try:
        yield
    finally:
        task.cancel()


async def _purge(app: FastAPI) -> None:
    while True:
        try:
            uploads.purge(app.state.settings)
        except OSError:
            log.warning("old import files cannot be deleted", exc_info=True)
        await asyncio.sleep(PURGE_EVERY_S)


router = APIRouter(prefix="/api/v1", tags=["imports"], lifespan=_purging)


@router.post("/imports", status_code=201, openapi_extra=_BODY)
async def bring(
    request: Request,
    state: State,
    who: Actor,
    name: Annotated[Short, Query(description="Name of the file")] = "",
) -> ImportOut:
    """Bring a workbook (XLSX) or CSV file as the body of the request; the answer names every bad cell.

    Nothing is entered before it is confirmed. The file is kept for 24 hours.
    """
    return await take(state, who, name, await _body(request))


async def take(state: State, who: str, name: str, content: bytes) -> ImportOut:
    """Read a file, compare it with the records, and keep it until it is confirmed; its name goes on record.

    Raises `BadInputError` where the file as a whole cannot be read.
    """
    database, settings = state
    plain = PurePath(name.replace("\\", "/")).name or "名录"
    preview = await asyncio.to_thread(_read, content, plain)
    async with database.reading() as session:
        told = case_told(await compare(session, preview, settings))
    kept = await asyncio.to_thread(uploads.put, settings, content, told, who)
    async with database.unit_of_work() as session:
        await audit.record(session, "upload", f"import:{kept['id']}", f"{plain} sha256={preview.sha256}", who)
    return _out(kept)


@router.get("/imports/{key}")
async def look(key: Key, state: State, who: Reader) -> ImportOut:
    """What a file would do, as it stood when it was brought."""
    return _out(uploads.get(state[1], key))


@router.get("/imports/{key}/findings")
async def list_findings(
    key: Key, state: State, who: Reader, after: After = None, limit: Limit = 50
) -> Page[FindingOut]:
    """Everything that is wrong with the file, errors first."""
    rows, place = _part(uploads.get(state[1], key)["findings"], after, limit)
    return Page(items=[FindingOut.model_validate(row) for row in rows], next=place)


@router.get("/imports/{key}/changes")
async def list_changes(
    key: Key, state: State, who: Reader, after: After = None, limit: Limit = 50
) -> Page[ChangeOut]:
    """Everything that would be added or changed."""
    rows, place = _part(uploads.get(state[1], key)["changes"], after, limit)
    return Page(items=[ChangeOut.model_validate(row) for row in rows], next=place)


@router.post("/imports/{key}/confirm")
async def confirm(key: Key, state: State, who: Actor) -> ImportOut:
    """Enter all of it in one transaction; new and changed numbers get a 核号 call before any check.

    409 where the records have changed since the file was brought, or where a cell is wrong: then nothing is kept.
    """
    database, settings = state
    kept = uploads.get(settings, key)
    if kept["state"] != "open":
        raise ConflictError(f"这个文件已于 {kept['confirmed_at']} 由 {kept['confirmed_by']} 确认导入")
    content = uploads.content_of(settings, key)
    preview = await asyncio.to_thread(_read, content, kept["name"])
    if preview.sha256 != kept["sha256"]:
        raise ConflictError("保存的文件已被改动；请重新上传")
    with service.meanwhile():
        async with database.unit_of_work() as session:
            await service.confirm(session, preview, kept["digest"], settings, who)
    return _out(uploads.confirmed(settings, kept, who))


@router.delete("/imports/{key}", status_code=204)
async def discard(key: Key, state: State, who: Actor) -> None:
    """Delete a file that was brought."""
    database, settings = state
    uploads.get(settings, key)
    async with database.unit_of_work() as session:
        await audit.record(session, "discard", f"import:{key}", "", who)
    uploads.remove(settings, key)


@router.get(
    "/directory.xlsx",
    response_class=Response,
    responses={200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def export(
    state: State,
    who: Actor,
    unit: Annotated[Code | None, Query(description="Code of a unit: it and all below it")] = None,
    since: Annotated[Day | None, Query(description="First day of the rosters; 31 days back")] = None,
) -> Response:
    """Directory, rosters and calendar as a workbook that an import takes back; put on record."""
    database, settings = state
    async with database.reading() as session:
        snapshot = await service.gathered(session, settings, unit_code=unit, since=since)
    # Seconds for thirty thousand turns: neither the service nor whoever wants to write waits for it.
    content = await asyncio.to_thread(write_workbook, snapshot)
    async with database.unit_of_work() as session:
        await service.record_export(session, snapshot, who, unit)
    day = clock.now().astimezone(settings.zone).date()
    headers = {
        "Content-Disposition": f'attachment; filename="dutyring-{day}.xlsx"',
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=XLSX, headers=headers)


async def _body(request: Request) -> bytes:
    """Read the file, and no more of it than any file may have."""
    kind = request.headers.get("content-type", MEDIA_TYPES[-1]).partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        fault = Fault("Content-Type", f"takes {', '.join(MEDIA_TYPES)}")
        raise BadInputError("请求体就是文件本身（.xlsx 或 .csv），不是表单", [fault])
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST_FILE:
            fault = Fault("body", f"<= {LARGEST_FILE} bytes")
            raise BadInputError(f"文件超过 {LARGEST_FILE // 2**20} MB；请拆分后分次导入", [fault])
    return bytes(content)


def _read(content: bytes, name: str) -> Preview:
    try:
        with _ONE_AT_A_TIME:
            return read(content, name)
    except FileError as error:
        raise BadInputError(error.zh, [Fault("body", error.en)]) from error


def _out(kept: dict[str, Any]) -> ImportOut:
    short = {"findings": kept["findings"][:SHOWN], "changes": kept["changes"][:SHOWN]}
    return ImportOut.model_validate(kept | short)


def _part(rows: list[Any], after: str | None, limit: int) -> tuple[list[Any], str | None]:
    """A page of rows, and the place behind it where more follow."""
    first = 0
    if after is not None:
        (place,) = unpack(after, int)
        first = place if isinstance(place, int) else 0
        if first < 0:
            raise BadInputError("`after` is not a place in this list", [Fault("after", "not a place")])
    last = first + limit
    return rows[first:last], pack(last) if last < len(rows) else None
