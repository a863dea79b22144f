"""Cases: what was proposed against a unit, every step of its review, and where it was published."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, BigId, one_of

CASE_STATES = (
    "to_review",
    "proposed",
    "notified",
    "disputed",
    "confirmed",
    "revoked",
    "published",
    "overturned",
)
"""待复核, 拟认定, 已告知, 申辩, 认定, 撤销, 已通报, 通报后撤销."""
CASE_KINDS = ("random", "designated", "demo", "manual")
"""Of the order that it came from, or `manual`. Only `random` ones stand in rates, `demo` ones nowhere."""
COUNTING = ("confirmed", "published")
"""The only states in which a case is a finding: what scores, tables and bulletins may read."""
PUBLICATION_KINDS = ("table", "bulletin")


class Case(Base):
    """One code proposed for one order, or found by hand, on its way to a finding or to nothing."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint(one_of("state", CASE_STATES), name="state"),
        CheckConstraint(one_of("kind", CASE_KINDS), name="kind"),
        CheckConstraint("(check_id IS NULL) <> (manual_id IS NULL)", name="origin"),
        UniqueConstraint("check_id", "code"),
        UniqueConstraint("manual_id", "code"),
        # The queue goes by age, lists by when it happened; each filter of theirs has an index in that order.
        Index("ix_cases_state_opened_at_id", "state", "opened_at", "id"),
        Index("ix_cases_unit_id_state_opened_at_id", "unit_id", "state", "opened_at", "id"),
        Index("ix_cases_happened_at_id", "happened_at", "id"),
        Index("ix_cases_state_happened_at_id", "state", "happened_at", "id"),
        Index("ix_cases_unit_id_happened_at_id", "unit_id", "happened_at", "id"),
        Index("ix_cases_code_happened_at_id", "code", "happened_at", "id"),
        Index("ix_cases_kind_happened_at_id", "kind", "happened_at", "id"),
        Index("ix_cases_mitigated_happened_at_id", "mitigated", "happened_at", "id"),
        # What a person took out of the number of checks, by period.
        Index("ix_cases_end_cause", "end_cause", "happened_at", "kind", "unit_id", "check_id"),
        # Of what cases hold: those that stand, and since when.
        Index("ix_cases_standing", "state", "changed_at", "check_id"),
        # Of summaries and scores: findings of a period without their rows.
        Index(
            "ix_cases_found", "state", "happened_at", "kind", "unit_id", "check_id", "confirmed_code", "code"
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    check_id: Mapped[int | None] = mapped_column(ForeignKey("spot_checks.id", ondelete="RESTRICT"))
    manual_id: Mapped[int | None] = mapped_column(ForeignKey("manual_checks.id", ondelete="RESTRICT"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"))
    code: Mapped[str] = mapped_column(String(40))
    """As proposed; what was confirmed stands in `confirmed_code`."""
    kind: Mapped[str] = mapped_column(String(20), default="random", server_default="random")
    happened_at: Mapped[datetime]
    """When the unit was called, first of all, or checked by hand: the period to which a finding belongs."""
    state: Mapped[str] = mapped_column(String(20), default="to_review")
    proposal: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    """The machine's proposal as it stood when the case was opened."""
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """Steps since it was opened. Each step asks for the one that it was decided on, so none is lost to another."""
    opened_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    confirmed_code: Mapped[str | None] = mapped_column(String(40))
    confirmed_by: Mapped[str | None] = mapped_column(String(80))
    """Who listened and confirmed; a dispute is decided by somebody else."""
    answer_until: Mapped[datetime | None]
    """Until when the unit may answer the notice."""
    mitigated: Mapped[bool] = mapped_column(default=False)
    end_cause: Mapped[str | None] = mapped_column(String(20))
    """Why it was revoked or overturned; `our_fault` takes its order out of the number of checks, too."""

    events: Mapped[list[CaseEvent]] = relationship(lazy="raise", order_by="CaseEvent.id")


class CaseEvent(Base):
    """One step of a case; rows are only ever added."""

    __tablename__ = "case_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id", ondelete="RESTRICT"), index=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    from_state: Mapped[str] = mapped_column(String(20))
    to_state: Mapped[str] = mapped_column(String(20))
    content: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    """Reasons, grounds, the notice as it was sent, ..."""


class Attachment(Base):
    """A file that belongs to a case, e.g. to a dispute."""

    __tablename__ = "attachments"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(String(255))
    """Inside the data folder."""
    added_at: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(80))


class Publication(Base):
    """A table or bulletin in which findings were published."""

    __tablename__ = "publications"
    __table_args__ = (CheckConstraint(one_of("kind", PUBLICATION_KINDS), name="kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(200))
    published_at: Mapped[datetime]
    published_by: Mapped[str] = mapped_column(String(80))
    note: Mapped[str] = mapped_column(Text, default="")


class PublicationEntry(Base):
    """That a case stands in a publication."""

    __tablename__ = "publication_entries"

    publication_id: Mapped[int] = mapped_column(
        ForeignKey("publications.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    case_id: Mapped[int] = mapped_column(
        ForeignKey("cases.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False, index=True
    )
