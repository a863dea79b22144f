"""JSON of orders (抽查单)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.checks.schemas import AttemptDetail
from app.directory.schemas import LineOut, UnitOut


class PlanRef(BaseModel):
    """The plan that an order belongs to."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str


class OrderAttempt(BaseModel):
    """One call of an order, as the list shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    number: int
    state: str
    claimed_at: datetime
    outcome: str | None
    ring_to_answer_ms: float | None
    verdict_code: str | None


class CaseRef(BaseModel):
    """A case that was opened for an order."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    code: str
    state: str
    confirmed_code: str | None
    mitigated: bool


class OrderOut(BaseModel):
    """An order as lists show it. `code`, `adverse` and `needs_review` are the machine's proposal, no finding."""

    id: int
    kind: str
    state: str
    unit: UnitOut
    line: LineOut
    plan: PlanRef | None
    reason: str
    ordered_by: str
    first_due_at: datetime
    due_at: datetime | None
    """Of the call that is due or was the last; null while another is still to come."""
    closed_at: datetime | None
    code: str | None
    adverse: bool | None
    needs_review: bool | None
    attempts: list[OrderAttempt]
    cases: list[CaseRef]


class ProposalOut(BaseModel):
    """What one rule set makes of an order; those not in force only compare."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    rule_set: str
    in_force: bool
    code: str
    judged_at: datetime
    content: dict[str, Any]


class MitigationOut(BaseModel):
    """What speaks for the unit."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    at: datetime
    number: str
    note: str
    recorded_at: datetime
    recorded_by: str


class ManualRef(BaseModel):
    """A check of the same unit on the same day that was made by hand (人工补录)."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    source: str
    at: datetime
    made_by: str
    found: str
    code: str | None


class OrderDetail(BaseModel):
    """An order with its calls and what stands beside them."""

    order: OrderOut
    attempts: list[AttemptDetail]
    proposals: list[ProposalOut]
    mitigations: list[MitigationOut]
    manual: list[ManualRef]
