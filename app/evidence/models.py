"""What keeps a recording from being deleted, and who had it deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, BigId, one_of

REMOVAL_STATES = ("requested", "approved", "refused")


class RecordingHold(Base):
    """Somebody's word that a recording must be kept, whatever its retention says; open cases hold by themselves."""

    __tablename__ = "recording_holds"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="RESTRICT"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    placed_at: Mapped[datetime]
    placed_by: Mapped[str] = mapped_column(String(80))
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(String(80))
    lift_reason: Mapped[str | None] = mapped_column(Text)


class RecordingRemoval(Base):
    """A deletion before its time: one person asks for it with a reason, another decides."""

    __tablename__ = "recording_removals"
    __table_args__ = (
        CheckConstraint(one_of("state", REMOVAL_STATES), name="state"),
        Index(
            "uq_recording_removals_requested",
            "recording_id",
            unique=True,
            sqlite_where=text("state = 'requested'"),
            postgresql_where=text("state = 'requested'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="RESTRICT"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), default="requested")
    requested_at: Mapped[datetime]
    requested_by: Mapped[str] = mapped_column(String(80))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(80))
    decision_note: Mapped[str] = mapped_column(Text, default="")
