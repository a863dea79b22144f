"""JSON of transcripts and of the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["waiting", "running", "done", "failed", "withdrawn"]


class TranscriptionOut(BaseModel):
    """One pass of a recogniser over a recording, without the words."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    recording_id: int
    state: State
    tries: int
    error: str | None
    requested_at: datetime
    done_at: datetime | None
    engine: str | None
    took_s: float | None


class TranscriptOut(TranscriptionOut):
    """A transcription with what was said, as a machine understood it; nobody has checked it."""

    channels: dict[str, Any] = Field(
        description="By side (`us`, `them`) an object of schema dutyring.transcript/1; times are those of the call. "
        "Numbers of superior duty offices are masked."
    )


class TranscriptionsOut(BaseModel):
    """Every transcription of a recording, newest first."""

    items: list[TranscriptionOut]


class LiveOut(BaseModel):
    """What is said so far in a call under way; gone when it is over."""

    attempt_id: int
    utterances: list[dict[str, Any]]
    partial: str = Field(description="Of the utterance under way; may still change")
    until_ms: float = Field(description="How far the call was read")


class TranscriberOut(BaseModel):
    """What recognises speech, and how its queue stands."""

    state: Literal["off", "no_engine", "ready", "starting", "failing"] = Field(
        description="`off`: by the settings; `no_engine`: nothing is installed, recordings wait"
    )
    reason: str = Field(description="Why nothing is transcribed; empty where something is")
    engine: str | None
    streams: bool = Field(description="Whether calls under way are read along")
    waiting: int
    running: int
    failed: int
    oldest_waiting_at: datetime | None
