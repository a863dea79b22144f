"""JSON of checks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.directory.schemas import LineOut, UnitOut


class RecordingOut(BaseModel):
    """A recording; its sound is at `/recordings/{id}`."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    sha256: str
    duration_ms: float
    channels: int
    sample_rate: int
    repaired: bool


class TargetOut(BaseModel):
    """One INVITE of a dial: the trunk it left by (None: a SIP URI was called directly) and what came of it."""

    model_config = ConfigDict(from_attributes=True)

    position: int
    trunk: str | None
    call_id: str | None
    started_at: datetime
    alerted: bool
    ended_at: datetime | None
    outcome: str | None
    sip_status: int | None


class AttemptOut(BaseModel):
    """A dial as lists show it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    check_id: int
    number: int
    state: str
    unit: UnitOut
    line: LineOut
    claimed_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    answered_by: str | None
    ring_to_answer_ms: float | None
    ring_to_answer_min_ms: float | None
    rings: int | None
    three_ring: str | None
    verdict_code: str | None
    needs_review: bool | None


class AttemptPage(BaseModel):
    """A page of the list; `next` is the place after it, for the `after` parameter."""

    items: list[AttemptOut]
    next: str | None


class AttemptDetail(AttemptOut):
    """A dial with all that it left behind."""

    call_id: str | None
    error: str | None
    facts: dict[str, Any] | None
    verdict: dict[str, Any] | None
    recording: RecordingOut | None
    targets: list[TargetOut]


class CheckOut(BaseModel):
    """A spot check with its attempts."""

    id: int
    state: str
    reason: str
    due_at: datetime
    attempts: list[AttemptDetail]
