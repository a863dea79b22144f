"""Import as pages: bring a workbook, look at what it would do, confirm it; the empty workbook and the export."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from app.api.actor import Actor
from app.api.paging import pack, unpack
from app.directory.routing import State
from app.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError
from app.imports import routes, uploads
from app.imports.files import LARGEST_FILE
from app.imports.routes import XLSX, Key
from app.imports.template import template
from app.web import i18n
from app.web.pages import render
from app.web.units.forms import speak

READ = ["GET", "HEAD"]
PAGE_ROWS = 50
SHOWN = ("error", "doubt", "note", "add", "change")
"""What can be looked at of a file: what is wrong by severity, what would be done."""
FIRST_SHOWN = ("error", "doubt", "add", "change", "note")
"""Which of them a person wants to see first."""
router = APIRouter(include_in_schema=False)
Shown = Annotated[str, Query(max_length=10)]
Place = Annotated[str, Query(max_length=400)]


@router.api_route("/units/import", methods=READ)
async def import_page(request: Request) -> Response:
    """The form by which a file is brought."""
    return _form(request)


@router.post("/units/import")
async def bring(request: Request, state: State, who: Actor) -> Response:
    """Bring a file; nothing of it is entered yet."""
    try:
        return await _brought(request, state, who)
    finally:
        await request.close()


async def _brought(request: Request, state: State, who: str) -> Response:
    sent = (await request.form()).get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        return _form(request, "请选择文件")
    # The server has counted what came in, and keeps it on disk: no more of it than any file may have is read.
    if sent.size is None or sent.size > LARGEST_FILE:
        return _form(request, f"文件超过 {LARGEST_FILE // 2**20} MB；请拆分后分次导入")
    try:
        kept = await routes.take(state, who, sent.filename, await sent.read(LARGEST_FILE + 1))
    except (BadInputError, ConflictError, ForbiddenError) as error:
        speak(request)
        # What is wrong with a file as a whole is said in both languages.
        english = i18n.language() == "en" and isinstance(error, BadInputError) and error.faults
        return _form(request, error.faults[0].message if english else error.detail)
    return RedirectResponse(f"/units/import/{kept.id}", status_code=303)


def _form(request: Request, problem: str = "") -> Response:
    speak(request)
    return render(
        request,
        "imports/import.html",
        422 if problem else 200,
        problem=i18n.gettext(problem) if problem else "",
        largest_mb=LARGEST_FILE // 2**20,
    )


@router.api_route("/units/import/template.xlsx", methods=READ)
async def template_file() -> Response:
    """The empty workbook, with headings and remarks."""
    headers = {"Content-Disposition": 'attachment; filename="dutyring-template.xlsx"'}
    return Response(template(), media_type=XLSX, headers=headers)


@router.api_route("/units/directory.xlsx", methods=READ)
async def export_file(state: State, who: Actor, unit: Annotated[str, Query(max_length=40)] = "") -> Response:
    """The directory as the workbook that an import takes back; put on record."""
    return await routes.export(state, who, unit or None, None)


@router.api_route("/units/import/{key}", methods=READ)
async def preview_page(
    request: Request, state: State, key: Key, show: Shown = "", after: Place = ""
) -> Response:
    """What a file would do, and what is wrong with it."""
    try:
        kept = uploads.get(state[1], key)
    except NotFoundError as error:
        return _form(request, error.detail)
    return _preview(request, state, kept, show, after)


@router.post("/units/import/{key}/confirm")
async def confirm(request: Request, state: State, who: Actor, key: Key) -> Response:
    """Enter all of it, or nothing."""
    try:
        await routes.confirm(key, state, who)
    except NotFoundError as error:
        return _form(request, error.detail)
    except (BadInputError, ConflictError, ForbiddenError) as error:
        return _preview(request, state, uploads.get(state[1], key), "", "", error.detail)
    return RedirectResponse(f"/units/import/{key}", status_code=303)


@router.post("/units/import/{key}/discard")
async def discard(state: State, who: Actor, key: Key) -> Response:
    """Delete a file that was brought."""
    await routes.discard(key, state, who)
    return RedirectResponse("/units/import", status_code=303)


def _preview(
    request: Request, state: State, kept: dict[str, Any], show: str, after: str, problem: str = ""
) -> Response:
    speak(request)
    rows_of = {
        "error": [row for row in kept["findings"] if row["severity"] == "error"],
        "doubt": [row for row in kept["findings"] if row["severity"] == "doubt"],
        "note": [row for row in kept["findings"] if row["severity"] == "note"],
        "add": [row for row in kept["changes"] if row["action"] == "add"],
        "change": [row for row in kept["changes"] if row["action"] == "change"],
    }
    shown = show if show in SHOWN else next((name for name in FIRST_SHOWN if rows_of[name]), "add")
    rows, place, first = _part(rows_of[shown], after)
    return render(
        request,
        "imports/preview.html",
        422 if problem else 200,
        kept=kept,
        counts={name: len(found) for name, found in rows_of.items()},
        show=shown,
        rows=rows,
        first=first,
        next_place=place,
        problem=i18n.gettext(problem) if problem else "",
        uploaded_at=_moment(kept["uploaded_at"]),
        expires_at=_moment(kept["expires_at"]),
        confirmed_at=_moment(kept["confirmed_at"]),
        zone=state[1].zone,
        largest_mb=LARGEST_FILE // 2**20,
    )


def _part(rows: Sequence[Any], after: str) -> tuple[Sequence[Any], str, int]:
    """A page of rows of a file that is kept, the place behind it, and how many stand before it."""
    first = 0
    if after:
        (place,) = unpack(after, int)
        first = max(0, int(str(place)))
    last = first + PAGE_ROWS
    return rows[first:last], pack(last) if last < len(rows) else "", first


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
