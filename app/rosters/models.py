"""Duty rosters (值班表, 带班表) by day and version, and the principals' whereabouts (去向表)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, BigId, one_of

ROSTER_KINDS = ("duty", "leader")
"""值班表, 带班表."""


class Roster(Base):
    """What a unit filed for one day. A later 调班 is a new version beside it; none is ever changed."""

    __tablename__ = "rosters"
    __table_args__ = (
        CheckConstraint(one_of("kind", ROSTER_KINDS), name="kind"),
        UniqueConstraint("unit_id", "day", "kind", "version"),
        Index("ix_rosters_day_kind", "day", "kind"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"))
    day: Mapped[date]
    kind: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    """1 for the first that was filed."""
    filed_at: Mapped[datetime]
    filed_by: Mapped[str] = mapped_column(String(80), default="")
    source: Mapped[str] = mapped_column(String(20), default="entered")
    """`entered` or `import`."""
    note: Mapped[str] = mapped_column(Text, default="")

    shifts: Mapped[list[Shift]] = relationship(
        back_populates="roster", lazy="raise", order_by="Shift.start_at", cascade="all, delete-orphan"
    )


class Shift(Base):
    """One person's turn."""

    __tablename__ = "shifts"
    __table_args__ = (Index("ix_shifts_name", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    roster_id: Mapped[int] = mapped_column(ForeignKey("rosters.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(80))
    """As the roster writes it."""
    title: Mapped[str] = mapped_column(String(80), default="")
    phone: Mapped[str] = mapped_column(String(40), default="")
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]

    roster: Mapped[Roster] = relationship(back_populates="shifts", lazy="raise")


class Whereabouts(Base):
    """Where a unit's principal is. Location data: the place is sealed, each read audited, and it expires."""

    __tablename__ = "whereabouts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(80))
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    sealed_place: Mapped[str] = mapped_column(Text)
    entered_at: Mapped[datetime]
    entered_by: Mapped[str] = mapped_column(String(80))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """After this the row is deleted."""
