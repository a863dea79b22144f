"""Transcriptions of recordings, their pieces for the search, and records read again with what was said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.checks.copies import fill_signs
from app.checks.models import Attempt, Recording
from app.database import Base, BigId, one_of

TRANSCRIPTION_STATES = ("waiting", "running", "done", "failed", "withdrawn")
CHANNELS = ("us", "them")
"""Left and right of a recording."""


class Transcription(Base):
    """One pass of a recogniser over a recording. The newest that is done is the one that counts."""

    __tablename__ = "transcriptions"
    __table_args__ = (
        CheckConstraint(one_of("state", TRANSCRIPTION_STATES), name="state"),
        Index("ix_transcriptions_recording_id_id", "recording_id", "id"),
        Index("ix_transcriptions_state_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="RESTRICT"))
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    """How often a worker has begun it."""
    error: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime]
    owner: Mapped[str | None] = mapped_column(String(80))
    """The process that has it under way."""
    lease_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    engine: Mapped[str | None] = mapped_column(String(120))
    """Name, version and model of what recognised it."""
    took_s: Mapped[float | None]
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """By channel (`us`, `them`): an object of schema dutyring.transcript/1; times are those of the call."""

    recording: Mapped[Recording] = relationship(lazy="raise")


class TranscriptPiece(Base):
    """An utterance, as the search finds it. `sought` is indexed: FTS5 on SQLite, GIN on PostgreSQL."""

    __tablename__ = "transcript_pieces"
    __table_args__ = (
        CheckConstraint(one_of("channel", CHANNELS), name="channel"),
        Index("ix_transcript_pieces_recording_id", "recording_id"),
        # Of results, newest call first; of a unit's, where they are few.
        Index("ix_transcript_pieces_newest", "called_at", "recording_id"),
        Index("ix_transcript_pieces_of_unit", "unit_id", "called_at", "recording_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    transcription_id: Mapped[int] = mapped_column(
        ForeignKey("transcriptions.id", ondelete="CASCADE"), index=True
    )
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="RESTRICT"))
    called_at: Mapped[datetime]
    """When the call was placed or came in; with the unit copied here for the search."""
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"))
    """The unit that was called; of a call that came in: the one that called, where the directory knows it."""
    channel: Mapped[str] = mapped_column(String(4))
    start_ms: Mapped[float]
    end_ms: Mapped[float]
    text: Mapped[str] = mapped_column(Text)
    """As it was recognised, numbers of answer keys masked."""
    sought: Mapped[str] = mapped_column(Text)
    """The text as tokens (`app.transcripts.search_words`), one space before and after each."""


class CallReading(Base):
    """A call's record with what its words add (`sip.reconsider`). The facts stay as they were measured."""

    __tablename__ = "call_readings"

    attempt_id: Mapped[int] = mapped_column(
        ForeignKey("attempts.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    transcription_id: Mapped[int] = mapped_column(
        ForeignKey("transcriptions.id", ondelete="RESTRICT"), index=True
    )
    content: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    made_at: Mapped[datetime]


# Read again, a call may show other signs.
fill_signs(Attempt, CallReading)
