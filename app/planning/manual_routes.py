"""Checks that were made by hand, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from app.api.actor import Actor
from app.api.paging import After, Key, Limit, Page, cut, pack, unpack
from app.api.text import Code, Id, Moment, Name, Short, Words
from app.errors import NotFoundError
from app.planning import manual, repository
from app.planning.models import ManualCheck
from app.planning.serving import PathKey, State

router = APIRouter(prefix="/api/v1/manual-checks", tags=["manual checks"])
Source = Literal["hand_dialled", "on_site", "video", "superior", "admission"]


class ManualIn(BaseModel):
    """A check that was made by hand."""

    model_config = ConfigDict(extra="forbid")

    unit_id: Id
    line_id: Id | None = None
    source: Source
    at: Moment
    """When it was made."""
    made_by: Name
    found: Words
    code: Code | None = None
    """What it is to count as, once confirmed; `off_post` (脱岗) never for `hand_dialled`."""
    document: Short = ""


class ManualOut(BaseModel):
    """A check that was made by hand; `entered` marks it as such beside the calls."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    entered: Literal["by hand"] = "by hand"
    unit_id: int
    line_id: int | None
    source: str
    at: datetime
    made_by: str
    found: str
    code: str | None
    document: str
    entered_at: datetime
    entered_by: str


class ManualEntered(ManualOut):
    """A check as it was just entered, and the case that its code opened."""

    case_id: int | None = None


@router.get("")
async def list_manual(
    state: State,
    unit: Key | None = None,
    source: Source | None = None,
    code: Code | None = None,
    first: Moment | None = None,
    last: Moment | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[ManualOut]:
    """Checks made by hand, newest first; `first` and `last` (exclusive) bound when they were made."""
    place = None
    if after:
        at, key = unpack(after, datetime, int)
        assert isinstance(at, datetime)
        assert isinstance(key, int)
        place = (at, key)
    async with state[0].reading() as session:
        found = await repository.manual_checks(
            session,
            unit_id=unit,
            source=source,
            code=code,
            first=first,
            last=last,
            after=place,
            limit=limit + 1,
        )
    rows, end = cut(found, limit)
    return Page(
        items=[ManualOut.model_validate(row) for row in rows],
        next=None if end is None else pack(end.at, end.id),
    )


@router.post("", status_code=201)
async def enter_manual(state: State, who: Actor, body: ManualIn) -> ManualEntered:
    """Enter a check that was made by hand (人工补录); a code opens a case, which a supervisor decides."""
    database, settings = state
    async with database.unit_of_work() as session:
        entry, case_id = await manual.enter(session, settings, ManualCheck(**body.model_dump()), who)
        told = ManualOut.model_validate(entry)
    return ManualEntered(**told.model_dump(), case_id=case_id)


@router.get("/{manual_id}")
async def show_manual(state: State, manual_id: PathKey) -> ManualOut:
    """One check that was made by hand."""
    async with state[0].reading() as session:
        entry = await repository.manual_check(session, manual_id)
    if entry is None:
        raise NotFoundError(f"there is no check by hand {manual_id}")
    return ManualOut.model_validate(entry)
