"""紧急停拨 as JSON: place a stop, look at those that hold, lift one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict

from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack, unpack
from app.api.text import Id, Words
from app.checks import stops
from app.checks.models import EmergencyStop
from app.database import Database

router = APIRouter(prefix="/api/v1", tags=["emergency stop"])


def database_of(request: Request) -> Database:
    """The database of this service."""
    database: Database = request.app.state.database
    return database


Data = Annotated[Database, Depends(database_of)]
StopKey = Annotated[int, Path(ge=1, lt=2**63)]


class StopIn(BaseModel):
    """A stop of all calls to a unit and those below it; without a unit, of all calls."""

    model_config = ConfigDict(extra="forbid")

    unit_id: Id | None = None
    reason: Words


class LiftIn(BaseModel):
    """Why a stop is lifted."""

    model_config = ConfigDict(extra="forbid")

    reason: Words


class StopOut(BaseModel):
    """A stop; it holds as long as `lifted_at` is null."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    unit_id: int | None
    reason: str
    placed_at: datetime
    placed_by: str
    lifted_at: datetime | None
    lifted_by: str | None
    lift_reason: str | None


@router.post("/stops", status_code=201)
async def place_stop(database: Data, who: Actor, body: StopIn) -> StopOut:
    """Stop all calls to a unit and those below it, or every call: within a second nothing more is dialled."""
    async with database.unit_of_work() as session:
        return StopOut.model_validate(await stops.place_stop(session, body.unit_id, body.reason, who))


@router.get("/stops")
async def list_stops(
    database: Data, standing: bool | None = None, after: After = None, limit: Limit = 50
) -> Page[StopOut]:
    """Stops, newest first; `standing` leaves those that hold, or those that were lifted."""
    place = None if after is None else unpack(after, int)[0]
    async with database.reading() as session:
        rows = await stops.page(session, standing, place if isinstance(place, int) else None, limit + 1)
    shown, last = cut(rows, limit)
    items = [StopOut.model_validate(row) for row in shown]
    return Page(items=items, next=None if last is None else pack(last.id))


@router.post("/stops/{stop_id}/lift")
async def lift_stop(database: Data, who: Actor, stop_id: StopKey, body: LiftIn) -> StopOut:
    """Lift a stop by hand; what came due meanwhile is not made up for in a burst."""
    async with database.unit_of_work() as session:
        stop: EmergencyStop = await stops.lift_stop(session, stop_id, body.reason, who)
        return StopOut.model_validate(stop)
