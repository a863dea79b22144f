"""The whereabouts (去向表) as JSON. Each request names who asks; what is read leaves a line in the trail first."""

from __future__ import annotations

from fastapi import APIRouter

from app import clock
from app.accounts import service as audit
from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack
from app.directory.routing import PathKey, State, key_after, unit_or_404
from app.rosters import repository, whereabouts
from app.rosters.schemas import WhereaboutsIn, WhereaboutsOut, WhereaboutsRead
from app.rosters.whereabouts import WhereaboutsEntry
from app.sealing import sealer

router = APIRouter()


@router.get("/units/{unit_id}/whereabouts")
async def list_whereabouts(
    state: State, who: Actor, unit_id: PathKey, after: After = None, limit: Limit = 50
) -> Page[WhereaboutsOut]:
    """Who of a unit is away, and when, without the places; newest first. The listing is put on record."""
    database, _ = state
    async with database.unit_of_work() as session:
        unit = await unit_or_404(session, unit_id)
        found = await repository.whereabouts_of(session, unit.id, clock.now(), key_after(after), limit + 1)
        await audit.record(session, "whereabouts.list", f"unit:{unit.id}", "", who)
    page, last = cut(found, limit)
    items = [WhereaboutsOut.model_validate(row) for row in page]
    return Page(items=items, next=pack(last.id) if last else None)


@router.post("/units/{unit_id}/whereabouts", status_code=201)
async def enter_whereabouts(
    state: State, who: Actor, unit_id: PathKey, given: WhereaboutsIn
) -> WhereaboutsOut:
    """Enter where a unit's principal is. The place is sealed, and all of it deleted a day after its time is over."""
    database, settings = state
    entry = WhereaboutsEntry(**given.model_dump())
    async with database.unit_of_work() as session:
        unit = await unit_or_404(session, unit_id)
        row = await whereabouts.enter(session, unit, entry, sealer(settings), who)
        return WhereaboutsOut.model_validate(row)


@router.get("/whereabouts/{row_id}")
async def read_whereabouts(state: State, who: Actor, row_id: PathKey) -> WhereaboutsRead:
    """Read one place. Who read whose is put on record before the answer leaves."""
    database, settings = state
    async with database.unit_of_work() as session:
        row, place = await whereabouts.read(session, row_id, sealer(settings), who)
        shown = WhereaboutsOut.model_validate(row)
    return WhereaboutsRead(**shown.model_dump(), place=place)


@router.delete("/whereabouts/{row_id}", status_code=204)
async def forget_whereabouts(state: State, who: Actor, row_id: PathKey) -> None:
    """Delete one entry before it expires."""
    database, _ = state
    async with database.unit_of_work() as session:
        await whereabouts.forget(session, row_id, who)
