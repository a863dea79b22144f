"""Routes of what mitigates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.principal import current
from app.api.actor import Actor
from app.api.text import Long, Moment
from app.checks import mitigations
from app.checks.gathering import called_back_in_time
from app.checks.models import Attempt, Mitigation
from app.database import Database
from app.evidence.sight import sight_of

router = APIRouter(prefix="/api/v1", tags=["orders"])
OrderKey = Annotated[int, Path(ge=1, lt=2**63)]
Kind = Literal["called_back", "hung_up_to_verify", "refused_numbers", "other"]
"""主动回电, 挂断后核实我方身份, 未向陌生来电提供号码, 其他."""
Number = Annotated[str, Field(max_length=40, pattern=r"^[0-9+*#() \-]*$")]


class MitigationIn(BaseModel):
    """What is to be recorded."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    at: Moment
    number: Number = ""
    """Of the caller, for a call back."""
    note: Long = ""


class RecordedMitigation(BaseModel):
    """What was recorded, and whether it mitigates."""

    id: int
    order_id: int
    kind: str
    at: datetime
    number: str
    note: str
    recorded_at: datetime
    recorded_by: str
    counts: bool


class RecordedMitigations(BaseModel):
    """All that was recorded beside an order, in the order of entry."""

    items: list[RecordedMitigation]


@router.post("/orders/{order_id}/mitigations", status_code=201, operation_id="record_mitigation")
async def record(request: Request, order_id: OrderKey, body: MitigationIn, who: Actor) -> RecordedMitigation:
    """Record what speaks for the unit: it marks the order's cases; whoever confirms weighs it."""
    database: Database = request.app.state.database
    async with database.unit_of_work() as session:
        row, counts = await mitigations.record(
            session, order_id, body.kind, body.at, who, number=body.number, note=body.note
        )
        return _out(row, counts)


@router.get("/orders/{order_id}/mitigations", operation_id="list_mitigations")
async def show(request: Request, order_id: OrderKey) -> RecordedMitigations:
    """What was recorded beside an order."""
    database: Database = request.app.state.database
    async with database.reading() as session:
        rows, attempts = await mitigations.of_order(session, order_id)
    return RecordedMitigations(items=[_out(row, _counts(row, attempts)) for row in rows])


def _counts(row: Mitigation, attempts: Sequence[Attempt]) -> bool:
    return row.kind != "called_back" or called_back_in_time(row.at, attempts)


def _out(row: Mitigation, counts: bool) -> RecordedMitigation:
    return RecordedMitigation(
        id=row.id,
        order_id=row.check_id,
        kind=row.kind,
        at=row.at,
        number=sight_of(current()).number(row.number),
        note=row.note,
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        counts=counts,
    )
