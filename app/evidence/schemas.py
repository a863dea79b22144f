"""JSON of recordings as evidence: how long they are kept, what holds them, how they went."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.text import Words

GoneWhy = Literal["expired", "removed", "withdrawn"]
Standing = Literal["kept", "going", "gone"]


class GroundOut(BaseModel):
    """One reason why a recording stays."""

    model_config = ConfigDict(from_attributes=True)

    kind: str = Field(description="`hold`, `case`, `finding` or `phone_record`")
    id: int = Field(description="Of the hold, the case or the phone record")
    until: datetime | None = Field(description="When it ceases by itself; null: when somebody acts")
    reason: str


class GoneOut(BaseModel):
    """How a recording went."""

    why: GoneWhy
    why_zh: str
    by: str
    reason: str
    at: datetime | None = Field(
        description="When its sound was deleted; null: not yet, it is tried each hour"
    )


class KeptOut(BaseModel):
    """One recording in a list; its row and hash stay when the sound is gone."""

    id: int
    kind: str = Field(description="`check`: of a call that we placed; `report`: brought as a sound file")
    attempt_id: int | None
    check_id: int | None
    unit_id: int | None
    sha256: str
    duration_ms: float
    repaired: bool
    created_at: datetime
    standing: Standing = Field(description="`going`: it is not heard any more, and not deleted yet")
    keep_until: datetime | None = Field(description="Null: its order is not concluded yet")
    kept_by: str | None = Field(
        description="Code by which its retention goes: of the order, else of the call"
    )
    held_by: list[GroundOut]
    gone: GoneOut | None


class HoldOut(BaseModel):
    """A hold by hand; it holds as long as `lifted_at` is null."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    recording_id: int
    reason: str
    placed_at: datetime
    placed_by: str
    lifted_at: datetime | None
    lifted_by: str | None
    lift_reason: str | None


class RemovalOut(BaseModel):
    """A request to delete a recording before its time."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    recording_id: int
    reason: str
    state: str = Field(description="`requested`, `approved` or `refused`")
    requested_at: datetime
    requested_by: str
    decided_at: datetime | None
    decided_by: str | None
    decision_note: str


class KeptDetail(KeptOut):
    """One recording with everything that was decided about it."""

    channels: int
    sample_rate: int
    gaps: list[Any] = Field(description="Stretches of silence that stand for sound which was lost")
    retention_days: int = Field(description="By the settings and its code, now")
    holds: list[HoldOut]
    removals: list[RemovalOut]


class WithdrawnOut(BaseModel):
    """What a withdrawal took out."""

    recordings: list[KeptOut] = Field(description="The recording, and any other whose sound is the very same")
    despite: list[GroundOut] = Field(description="What would have kept it")
    deleted: bool = Field(
        description="Whether the store has deleted the sound; if not, it is tried each hour"
    )


class ReasonIn(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: Words


class DecisionIn(BaseModel):
    """What is decided about a removal, and why."""

    model_config = ConfigDict(extra="forbid")

    approve: bool
    reason: Words
