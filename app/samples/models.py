"""Marked recordings of announcements, and the music that was heard on each trunk before an answer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, BigId


class AnnouncementSample(Base):
    """A stretch of a recording that somebody marked; rows are switched off, never deleted."""

    __tablename__ = "announcement_samples"
    __table_args__ = (CheckConstraint("length_ms > 0", name="length"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    meaning: Mapped[str] = mapped_column(String(40))
    """A line state, or `transfer`, `mailbox`, `assistant`, `menu`, `other` (`sip.record.AnnouncementMeaning`)."""
    label: Mapped[str] = mapped_column(String(120))
    mobile: Mapped[bool] = mapped_column(default=False)
    """Only a mobile network says this of a line."""
    trunk: Mapped[str | None] = mapped_column(String(64))
    """The only trunk on which it is listened for; None: on every one."""
    version: Mapped[int]
    """Of the prints (`sip.progress.fingerprint.VERSION`): others cannot be compared."""
    prints: Mapped[bytes] = mapped_column(LargeBinary)
    """As `sip.progress.stretches.phases_to_bytes` gives them; no sound can be made of them."""
    length_ms: Mapped[float]
    source: Mapped[str] = mapped_column(Text, default="")
    """Which file or recording it was cut from, and where."""
    marked_by: Mapped[str] = mapped_column(String(80))
    marked_at: Mapped[datetime]
    active: Mapped[bool] = mapped_column(default=True)
    removed_by: Mapped[str | None] = mapped_column(String(80))
    removed_at: Mapped[datetime | None]


class TrunkTune(Base):
    """Music or speech that a trunk gave before an answer; the newest few of each trunk are kept."""

    __tablename__ = "trunk_tunes"
    __table_args__ = (Index("ix_trunk_tunes_trunk", "trunk", "heard_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    trunk: Mapped[str] = mapped_column(String(64))
    line: Mapped[str] = mapped_column(String(255))
    """Whose line it was heard on: the unit's code, or what was dialled."""
    version: Mapped[int]
    prints: Mapped[bytes] = mapped_column(LargeBinary)
    heard_at: Mapped[datetime]
