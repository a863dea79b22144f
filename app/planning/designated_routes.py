"""Calls that a person orders now, as JSON: 指定抽查 and 核号."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.api import idempotency
from app.api.actor import Actor
from app.api.text import Id, Name, Short, Title
from app.checks.models import SpotCheck
from app.planning import designated
from app.planning.designated import Designation
from app.planning.serving import State

router = APIRouter(prefix="/api/v1", tags=["designated checks"])


class DesignationIn(BaseModel):
    """A check that is ordered now (指定抽查): of a unit, by one of its lines, or of a line."""

    model_config = ConfigDict(extra="forbid")

    unit_id: Id | None = None
    line_id: Id | None = None
    reason: Title
    handover_reason: Short = ""
    """Why it is called within 15 minutes of a handover (交接班); without one it is not."""
    night_approved_by: Name | None = None
    """Supervisor, other than the caller, who lets it be called between 00:00 and 06:00."""


class VerificationIn(BaseModel):
    """A call that tells whether a number is right (核号); never scored."""

    model_config = ConfigDict(extra="forbid")

    line_id: Id
    reason: Short = ""


class OrderedOut(BaseModel):
    """An order as it was just entered; `/api/v1/orders/{id}` tells what becomes of it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    line_id: int
    state: str
    due_at: datetime
    reason: str
    ordered_by: str


@router.post("/designated-checks", status_code=201, response_model=OrderedOut)
async def designate(state: State, who: Actor, key: idempotency.Key, body: DesignationIn) -> JSONResponse:
    """Check a unit or a line now (指定抽查), within caps; outside random statistics."""
    database, settings = state

    async def work(session: AsyncSession) -> tuple[int, dict[str, Any]]:
        wanted = Designation(**body.model_dump())
        return 201, _told(await designated.order(session, settings, wanted, who))

    return await idempotency.once(
        database, key, "POST /designated-checks", [body.model_dump(mode="json"), who], work
    )


@router.post("/verification-calls", status_code=201, response_model=OrderedOut)
async def verify_number(state: State, who: Actor, key: idempotency.Key, body: VerificationIn) -> JSONResponse:
    """Call a line to see whether its number is right (核号); never scored."""
    database, settings = state

    async def work(session: AsyncSession) -> tuple[int, dict[str, Any]]:
        check = await designated.verify_number(session, settings, body.line_id, body.reason, who)
        return 201, _told(check)

    return await idempotency.once(
        database, key, "POST /verification-calls", [body.model_dump(mode="json"), who], work
    )


def _told(check: SpotCheck) -> dict[str, Any]:
    return OrderedOut.model_validate(check).model_dump(mode="json")
