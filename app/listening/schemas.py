"""What the routes of listening give."""

from __future__ import annotations

from pydantic import BaseModel, Field


class PeaksOut(BaseModel):
    """Peaks of a recording."""

    duration_ms: float
    per_second: int
    channels: dict[str, list[int]] = Field(
        description="By channel, `us` and `them`: least, greatest, least, greatest, ... of each stretch, -128 to 127"
    )
