"""Samples of announcements (提示音样本) as JSON: marked in a recording, listed, withdrawn."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack, unpack
from app.api.text import Code, Name
from app.directory.routing import PathKey, State
from app.samples import marking, repository
from app.samples.models import AnnouncementSample
from app.samples.schemas import LABEL_LENGTH, TRUNK_LENGTH
from app.samples.service import Description

router = APIRouter(prefix="/api/v1", tags=["samples"])


class SampleIn(BaseModel):
    """A stretch of a recording, and what it says."""

    model_config = ConfigDict(extra="forbid")

    start_s: Annotated[float, Field(ge=0, allow_inf_nan=False, description="Seconds of the recording")]
    end_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    meaning: Code
    label: Annotated[str, Field(min_length=1, max_length=LABEL_LENGTH)]
    mobile: bool = False
    trunk: Annotated[Name | None, Field(max_length=TRUNK_LENGTH)] = None


class SampleOut(BaseModel):
    """A sample; of its sound only prints are kept, of which no sound can be made."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    meaning: str
    label: str
    mobile: bool
    trunk: str | None
    length_ms: float
    source: str
    marked_by: str
    marked_at: datetime
    active: bool
    removed_by: str | None
    removed_at: datetime | None


@router.get("/samples", operation_id="list_samples")
async def list_samples(
    state: State, removed: bool = False, after: After = None, limit: Limit = 50
) -> Page[SampleOut]:
    """Samples, the newest first; with `removed` those too that are listened for no more."""
    spot = None if after is None else unpack(after, int)[0]
    async with state[0].reading() as session:
        rows = await repository.newest(
            session, spot if isinstance(spot, int) else None, limit + 1, active_only=not removed
        )
    found, end = cut(rows, limit)
    return Page(items=[_out(row) for row in found], next=None if end is None else pack(end.id))


@router.post("/recordings/{recording_id}/samples", status_code=201, operation_id="mark_sample")
async def mark(state: State, recording_id: PathKey, body: SampleIn, who: Actor) -> SampleOut:
    """Mark a stretch of the far side as a sample: heard again in a later call, it is known."""
    about = Description(body.meaning, body.label, body.mobile, body.trunk, by=who)
    return _out(await marking.mark_recording(*state, recording_id, body.start_s, body.end_s, about))


@router.delete("/samples/{sample_id}", operation_id="withdraw_sample")
async def withdraw(state: State, sample_id: PathKey, who: Actor) -> SampleOut:
    """Listen for it no more; its row stays."""
    async with state[0].unit_of_work() as session:
        return _out(await marking.withdraw(session, sample_id, who))


def _out(row: AnnouncementSample) -> SampleOut:
    return SampleOut.model_validate(row)
