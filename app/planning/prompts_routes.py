"""Prompts as JSON, and their sound."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.responses import FileResponse

from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack, unpack
from app.api.text import SEVERAL_LINES, Name
from app.errors import BadInputError, Fault, NotFoundError
from app.planning import prompts, repository
from app.planning.serving import PathKey, State

router = APIRouter(prefix="/api/v1/prompts", tags=["prompts"])
Kind = Literal["opening", "closing"]
Spoken = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=SEVERAL_LINES),
    Query(description="What is said in it, word for word"),
]
_SOUND = {"schema": {"type": "string", "format": "binary"}}
_RAW: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"audio/wav": _SOUND, "audio/flac": _SOUND}}
}


class PromptOut(BaseModel):
    """A sentence that is played into calls; usable once it is approved and as long as it is not retired."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    name: str
    words: str
    sha256: str
    duration_ms: float
    created_at: datetime
    created_by: str
    approved_at: datetime | None
    approved_by: str | None
    retired_at: datetime | None


@router.get("")
async def list_prompts(
    state: State, kind: Kind | None = None, usable: bool = False, after: After = None, limit: Limit = 50
) -> Page[PromptOut]:
    """Prompts, oldest first; `usable` leaves those that are approved and not retired."""
    place = unpack(after, int)[0] if after else 0
    assert isinstance(place, int)
    async with state[0].reading() as session:
        found = await repository.prompts(session, kind, usable=usable, after=place, limit=limit + 1)
    rows, last = cut(found, limit)
    return Page(
        items=[PromptOut.model_validate(row) for row in rows], next=None if last is None else pack(last.id)
    )


@router.post("", status_code=201, openapi_extra=_RAW)
async def add_prompt(
    request: Request, state: State, who: Actor, kind: Kind, name: Name, words: Spoken
) -> PromptOut:
    """Enter a prompt: the body is a WAV or FLAC file of at most 20 s. Somebody else must approve it."""
    database, settings = state
    content = await _body(request)
    # Decoding takes a while; what cannot be used is refused before the database is written to.
    await asyncio.to_thread(prompts.read_sound, content, kind)
    async with database.unit_of_work() as session:
        return PromptOut.model_validate(
            await prompts.add(session, settings.data_dir, kind, name, words, content, who)
        )


async def _body(request: Request) -> bytes:
    """Return the body, read no further than a prompt may be long."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > prompts.MOST_BYTES:
            message = f"the file has more than {prompts.MOST_BYTES // 2**20} MiB"
            raise BadInputError(message, [Fault("body", message)])
    return bytes(content)


@router.post("/shipped")
async def add_shipped(state: State, who: Actor) -> list[PromptOut]:
    """Enter the prompts that come with the program and are not there yet; somebody must approve them still."""
    database, settings = state
    async with database.unit_of_work() as session:
        added = await prompts.add_shipped(session, settings.data_dir, who)
        return [PromptOut.model_validate(prompt) for prompt in added]


@router.get("/{prompt_id}")
async def show_prompt(state: State, prompt_id: PathKey) -> PromptOut:
    """One prompt."""
    async with state[0].reading() as session:
        return PromptOut.model_validate(await prompts.get(session, prompt_id))


@router.get("/{prompt_id}/sound", response_class=FileResponse)
async def sound(state: State, prompt_id: PathKey) -> FileResponse:
    """A prompt's sound, FLAC."""
    database, settings = state
    async with database.reading() as session:
        prompt = await prompts.get(session, prompt_id)
    path = settings.data_dir / prompt.path
    if not path.is_file():
        raise NotFoundError(f"the sound of prompt {prompt_id} is missing in the data folder")
    return FileResponse(path, media_type="audio/flac", headers={"ETag": f'"{prompt.sha256}"'})


@router.post("/{prompt_id}/approve")
async def approve(state: State, who: Actor, prompt_id: PathKey) -> PromptOut:
    """Let a prompt be played into calls; not by the person who made it."""
    async with state[0].unit_of_work() as session:
        return PromptOut.model_validate(await prompts.approve(session, prompt_id, who))


@router.post("/{prompt_id}/retire")
async def retire(state: State, who: Actor, prompt_id: PathKey) -> PromptOut:
    """Take a prompt out of use."""
    async with state[0].unit_of_work() as session:
        return PromptOut.model_validate(await prompts.retire(session, prompt_id, who))
