"""JSON of test calls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.api.text import ONE_LINE
from app.evidence.sight import Sight
from app.trunks import trials
from app.trunks.models import TrunkTest

Typed = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=ONE_LINE)
]
"""The name of a trunk, or a number as somebody types it."""


class TrunkTestIn(BaseModel):
    """A test call of a trunk to a telephone of one's own."""

    model_config = ConfigDict(extra="forbid")

    trunk: Typed
    number: Typed


class TrunkTestResult(BaseModel):
    """How the trunk carried the call; nothing of it is recorded."""

    outcome: str | None = None
    """As in a call record."""
    sip_status: int | None = None
    sip_reason: str | None = None
    post_dial_delay_ms: float | None = None
    """From the INVITE to the ringing."""
    ring_to_answer_ms: float | None = None
    codec: str | None = None
    packets_received: int | None = None
    packets_lost: int | None = None
    packets_sent: int | None = None
    """What we sent; whether it was heard, whoever answered knows: half a second of a tone is played to them."""
    jitter_ms: float | None = None
    incoming_sound: Literal["none", "silence", "sound"] | None = None
    """What came from there: no packet, packets of nothing but silence, sound."""
    our_failure: bool = False
    """Our own side failed."""
    errors: list[str] = Field(default_factory=list)
    alarms: list[str] = Field(default_factory=list)
    """Codes of what was wrong on our own side (docs/reference/alarms.md)."""


class TrunkTestOut(BaseModel):
    """A test call, and what came of it as soon as it is over."""

    id: int
    trunk: str
    number: str
    """Whole for whoever may see numbers, else a mobile number without its middle."""
    asked_by: str
    asked_at: datetime
    state: str
    """`waiting`, `dialling`, `ringing`, `connected`; `finished`, `refused`, `withdrawn`, `interrupted`, `failed`."""
    why: str
    """Why it did not run its course; empty where it did."""
    taken_at: datetime | None
    ended_at: datetime | None
    result: TrunkTestResult | None


def told(row: TrunkTest, sight: Sight) -> TrunkTestOut:
    """A test call as somebody may see it."""
    state, why = trials.state_of(row)
    result = None if row.result is None else TrunkTestResult.model_validate(row.result)
    if result is not None:
        result.sip_reason = None if result.sip_reason is None else sight.number(result.sip_reason)
        result.errors = [sight.number(text) for text in result.errors]
    return TrunkTestOut(
        id=row.id,
        trunk=row.trunk,
        number=sight.number(row.target),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        state=state,
        why=why,
        taken_at=row.taken_at,
        ended_at=row.ended_at,
        result=result,
    )
