"""提示语: what is played into calls: entered, heard, approved by somebody else, taken out of use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, StringConstraints, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from app.accounts.principal import current
from app.api.actor import Actor
from app.api.paging import After, cut, pack, unpack
from app.api.text import SEVERAL_LINES, Name
from app.errors import BadInputError, OfficeError
from app.planning import prompts, repository
from app.planning.prompts_routes import Kind
from app.planning.serving import PathKey, State
from app.web.pages import render
from app.web.plans.problems import GENERAL, Problem, Problems, of_error, of_model

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
PAGE_ROWS = 50
KINDS: Mapping[str, str] = {"opening": "开场语", "closing": "结束语"}


class _Given(BaseModel):
    kind: Kind
    name: Name
    words: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=SEVERAL_LINES),
    ]


@router.api_route("/prompts", methods=READ)
async def list_page(request: Request, state: State, after: After = None) -> Response:
    """Prompts, oldest first."""
    return await _page(request, state, after)


async def _page(
    request: Request,
    state: Any,
    after: str | None = None,
    typed: Mapping[str, str] | None = None,
    problems: Problems | None = None,
    refused: tuple[int, Problem] | None = None,
) -> Response:
    database, settings = state
    place = int(unpack(after, int)[0]) if after else 0  # type: ignore[arg-type]
    async with database.reading() as session:
        found = await repository.prompts(session, after=place, limit=PAGE_ROWS + 1)
        rows, last = cut(found, PAGE_ROWS)
        playing = await repository.plans_playing(session, [row.id for row in rows])
        shipped = await repository.words_of(session, prompts.SHIPPED_BY)
    me = current()
    return render(
        request,
        "prompts/list.html",
        200 if problems is None and refused is None else 422,
        rows=rows,
        kinds=KINDS,
        playing=playing,
        unshipped=any(item.words not in shipped for item in prompts.SHIPPED),
        shipped_by=prompts.SHIPPED_BY,
        typed=typed or {"kind": "opening", "name": "", "words": ""},
        problems=problems or {},
        refused=refused,
        my_name=me.name if me is not None else "",
        most_s=prompts.MOST_S,
        next_place="" if last is None else pack(last.id),
        first=not place,
        zone=settings.zone,
    )


@router.post("/prompts")
async def add(request: Request, state: State, who: Actor) -> Response:
    """Enter a prompt; somebody else must approve it."""
    database, settings = state
    async with request.form() as form:
        typed = {key: str(form.get(key, "")).strip() for key in ("kind", "name", "words")}
        file = form.get("file")
        content = await file.read(prompts.MOST_BYTES + 1) if isinstance(file, UploadFile) else b""
    problems: dict[str, Problem] = {}
    try:
        given = _Given.model_validate(typed)
    except ValidationError as error:
        problems |= of_model(error, lambda where: str(where[0]) if where else GENERAL)
    if not content:
        problems["file"] = Problem("请选择 WAV 或 FLAC 文件")
    elif "kind" not in problems:
        try:
            # Decoding takes a while; what cannot be used is refused before the database is written to.
            await asyncio.to_thread(prompts.read_sound, content, typed["kind"])
        except BadInputError as error:
            problems["file"] = of_error(error)
    if problems:
        return await _page(request, state, None, typed, problems)
    async with database.unit_of_work() as session:
        added = await prompts.add(
            session, settings.data_dir, given.kind, given.name, given.words, content, who
        )
        key = added.id
    return RedirectResponse(f"/prompts#prompt-{key}", status_code=303)


@router.post("/prompts/shipped")
async def add_shipped(state: State, who: Actor) -> Response:
    """Enter the prompts that come with the program."""
    database, settings = state
    async with database.unit_of_work() as session:
        await prompts.add_shipped(session, settings.data_dir, who)
    return RedirectResponse("/prompts", status_code=303)


@router.post("/prompts/{prompt_id}/approve")
async def approve(request: Request, state: State, who: Actor, prompt_id: PathKey) -> Response:
    """Let a prompt be played into calls; not by the person who made it."""
    return await _done(request, state, prompt_id, lambda session: prompts.approve(session, prompt_id, who))


@router.post("/prompts/{prompt_id}/retire")
async def retire(request: Request, state: State, who: Actor, prompt_id: PathKey) -> Response:
    """Take a prompt out of use."""
    return await _done(request, state, prompt_id, lambda session: prompts.retire(session, prompt_id, who))


async def _done(
    request: Request, state: Any, prompt_id: int, work: Callable[[AsyncSession], Awaitable[object]]
) -> Response:
    try:
        async with state[0].unit_of_work() as session:
            await work(session)
    except OfficeError as error:
        if error.status == 404:
            raise
        return await _page(request, state, refused=(prompt_id, of_error(error)))
    return RedirectResponse(f"/prompts#prompt-{prompt_id}", status_code=303)
