"""Trunks as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.trunks import repository
from app.trunks.records import read
from app.trunks.schemas import TrunkEventOut, TrunkList, TrunkOut
from app.trunks.view import views

router = APIRouter()


@router.get("/api/v1/trunks", tags=["trunks"], operation_id="list_trunks")
async def list_trunks(request: Request, events: Annotated[int, Query(ge=0, le=200)] = 20) -> TrunkList:
    """Our trunks: how they are, what stands against them, and what happened to them last."""
    async with request.app.state.database.reading() as session:
        stored = await read(session)
        happened = await repository.events(session, limit=events)
    found = views(request.app.state.settings, stored, datetime.now(UTC))
    return TrunkList(
        items=[TrunkOut.model_validate(view) for view in found],
        events=[TrunkEventOut.model_validate(event) for event in happened],
    )
