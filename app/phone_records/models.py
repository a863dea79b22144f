"""Phone records (电话记录单), in every version, and the sound that they were filled from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, BigId, one_of

PHONE_RECORD_STATES = ("draft", "signed")
PHONE_RECORD_SOURCES = ("incoming", "report")
"""A call that came in, or a report received otherwise; never an ordinary outgoing check."""


class PhoneRecord(Base):
    """One form. What stands in it is its newest version; once signed it is never changed, only followed by another."""

    __tablename__ = "phone_records"
    __table_args__ = (
        CheckConstraint(one_of("state", PHONE_RECORD_STATES), name="state"),
        CheckConstraint(one_of("source", PHONE_RECORD_SOURCES), name="source"),
        CheckConstraint("recording_kind = 'report'", name="recording_kind"),
        ForeignKeyConstraint(
            ["recording_id", "recording_kind"], ["recordings.id", "recordings.kind"], ondelete="RESTRICT"
        ),
        Index("ix_phone_records_called_at_id", "called_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    number: Mapped[str] = mapped_column(String(40), unique=True)
    """编号, given by us: year and count."""
    source: Mapped[str] = mapped_column(String(20))
    recording_id: Mapped[int | None] = mapped_column(BigId, index=True)
    recording_kind: Mapped[str] = mapped_column(String(20), default="report", server_default="report")
    """Of the recording, always: the database itself lets no record be made of a check's."""
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"), index=True)
    """来电单位, where the directory knows it."""
    called_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20), default="draft")
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("phone_records.id", ondelete="RESTRICT"))
    """The signed record that this one puts right."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    signed_at: Mapped[datetime | None]
    signed_by: Mapped[str | None] = mapped_column(String(80))
    signed_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the version that was signed, as canonical JSON."""

    versions: Mapped[list[PhoneRecordVersion]] = relationship(
        lazy="raise", order_by="PhoneRecordVersion.version"
    )


class PhoneRecordVersion(Base):
    """What stood in a form; rows are only ever added."""

    __tablename__ = "phone_record_versions"
    __table_args__ = (UniqueConstraint("record_id", "version"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    record_id: Mapped[int] = mapped_column(ForeignKey("phone_records.id", ondelete="RESTRICT"))
    version: Mapped[int]
    """1: as the machine filled it, or as it was first entered."""
    content: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    """The fields of the form; beside each the moment in the sound that it was filled from, where there is one."""
    written_at: Mapped[datetime]
    written_by: Mapped[str] = mapped_column(String(80))
    """`machine` for what was filled from the recording."""
