"""Recordings as evidence: how long they are kept, holds, removal before their time, withdrawal (封存)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.api.actor import Actor
from app.api.paging import After, Key, Limit, Page, cut, pack, unpack
from app.api.text import Moment
from app.archive import open_archive
from app.directory.models import Unit
from app.errors import NotFoundError
from app.evidence import holds, leaving, removals, repository, views, withdrawal
from app.evidence.repository import RecordingFilter
from app.evidence.schemas import (
    DecisionIn,
    GoneWhy,
    GroundOut,
    HoldOut,
    KeptDetail,
    KeptOut,
    ReasonIn,
    RemovalOut,
    WithdrawnOut,
)
from app.reviews.serving import PathKey, Service, place
from app.settings import Settings

router = APIRouter(prefix="/api/v1", tags=["recordings"])
RemovalState = Literal["requested", "approved", "refused"]


@router.get("/recordings")
async def list_recordings(
    given: Service,
    unit: Annotated[Key | None, Query(description="Of calls to this unit and all below it")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Made from here on")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Made before this")] = None,
    held: Annotated[bool | None, Query(description="Whether something keeps it beside its retention")] = None,
    gone: Annotated[bool | None, Query(description="Whether its sound is gone, or goes")] = None,
    why: Annotated[GoneWhy | None, Query(description="Why its sound is gone, or goes")] = None,
    due: Annotated[bool, Query(description="Only those whose time is over and that are still there")] = False,
    after: After = None,
    limit: Limit = 50,
) -> Page[KeptOut]:
    """Recordings, newest first, with what holds each of them."""
    spot, now = place(after), clock.now()
    async with given[0].reading() as session:
        head = None if unit is None else await session.get(Unit, unit)
        if unit is not None and head is None:
            return Page(items=[], next=None)
        wanted = RecordingFilter(head, since, until, held, gone, why, now if due else None)
        found, end = cut(await repository.page(session, wanted, now, spot, limit + 1), limit)
        items = await views.rows(session, found, now)
    last = None if end is None else pack(end.recording.created_at, end.recording.id)
    return Page(items=items, next=last)


@router.get("/recordings/{recording_id}")
async def show_recording(given: Service, recording_id: PathKey) -> KeptDetail:
    """One recording: its hash, until when it is kept and why, what holds it, what was decided about it."""
    database, settings = given
    async with database.reading() as session:
        return await _detail(session, recording_id, settings)


@router.post("/recordings/{recording_id}/holds", status_code=201)
async def place_hold(given: Service, recording_id: PathKey, body: ReasonIn, who: Actor) -> HoldOut:
    """保留: keep a recording whatever its retention says, until the hold is lifted."""
    async with given[0].unit_of_work() as session:
        return HoldOut.model_validate(await holds.place(session, recording_id, body.reason, who))


@router.post("/recordings/{recording_id}/holds/{hold_id}/lift")
async def lift_hold(
    given: Service, recording_id: PathKey, hold_id: PathKey, body: ReasonIn, who: Actor
) -> HoldOut:
    """解除保留: nothing else ends a hold by hand."""
    async with given[0].unit_of_work() as session:
        return HoldOut.model_validate(await holds.lift(session, recording_id, hold_id, body.reason, who))


@router.post("/recordings/{recording_id}/removals", status_code=201)
async def request_removal(given: Service, recording_id: PathKey, body: ReasonIn, who: Actor) -> RemovalOut:
    """申请提前删除: another person decides. Refused for what is held, or younger than 180 days."""
    async with given[0].unit_of_work() as session:
        return RemovalOut.model_validate(await removals.request(session, recording_id, body.reason, who))


@router.post("/recordings/{recording_id}/removals/{removal_id}/decide")
async def decide_removal(
    given: Service, recording_id: PathKey, removal_id: PathKey, body: DecisionIn, who: Actor
) -> KeptDetail:
    """决定删除申请: by somebody else than the one who asked. What is approved is deleted at once."""
    database, settings = given
    async with database.unit_of_work() as session:
        await removals.decide(session, recording_id, removal_id, body.approve, body.reason, who)
    if body.approve:
        await leaving.erase_now(database, _opener(settings), [recording_id])
    async with database.reading() as session:
        return await _detail(session, recording_id, settings)


@router.get("/recording-removals")
async def list_removals(
    given: Service, state: RemovalState | None = None, after: After = None, limit: Limit = 50
) -> Page[RemovalOut]:
    """Requests for removal, newest first; `state=requested`: those that somebody has to decide."""
    spot = None if after is None else unpack(after, int)[0]
    before = spot if isinstance(spot, int) else None
    async with given[0].reading() as session:
        found, end = cut(await removals.page(session, state, before, limit + 1), limit)
    items = [RemovalOut.model_validate(row) for row in found]
    return Page(items=items, next=None if end is None else pack(end.id))


@router.post(
    "/recordings/{recording_id}/withdraw",
    responses={202: {"model": WithdrawnOut, "description": "Withdrawn; the store has not deleted it yet"}},
)
async def withdraw(
    given: Service, response: Response, recording_id: PathKey, body: ReasonIn, who: Actor
) -> WithdrawnOut:
    """封存: take a recording and all words made of it out at once; hash, name, moment and reason stay.

    Holds do not stand against it: `despite` names them. From the answer on nobody hears it, with 202 too.
    """
    database, settings = given
    found = await withdrawal.withdraw(database, _opener(settings), recording_id, body.reason, who)
    if not found.deleted:
        response.status_code = 202
    async with database.reading() as session:
        shown = await views.by_keys(session, found.recording_ids, clock.now())
    despite = [GroundOut.model_validate(ground) for ground in found.despite]
    return WithdrawnOut(recordings=shown, despite=despite, deleted=found.deleted)


async def _detail(session: AsyncSession, recording_id: int, settings: Settings) -> KeptDetail:
    found = await repository.one(session, recording_id)
    if found is None:
        raise NotFoundError(f"没有录音 {recording_id} (no such recording)")
    return await views.detail(session, found, settings, clock.now())


def _opener(settings: Settings) -> leaving.OpenArchive:
    return lambda: open_archive(settings)
