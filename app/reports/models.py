"""What a person has laid down for the list of records, and exports that are made in the background."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, BigId, one_of

JOB_STATES = ("waiting", "running", "done", "cancelled", "failed", "interrupted", "deleted")
"""等待, 正在生成, 已完成, 已取消, 失败, 中断 (the service stopped meanwhile), 已到期删除."""


class SavedFilter(Base):
    """A named filter of the list of records, of one account. No foreign key: accounts are never deleted."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(BigId)
    name: Mapped[str] = mapped_column(String(40))
    query: Mapped[str] = mapped_column(Text)
    """As it stands in the address, without the place in the list."""
    created_at: Mapped[datetime]


class ListColumns(Base):
    """The columns of the list of records that an account chose."""

    __tablename__ = "list_columns"

    account_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    columns: Mapped[list[str]] = mapped_column(JSON)
    changed_at: Mapped[datetime]


class ExportJob(Base):
    """A table that is too long to be made while a browser waits."""

    __tablename__ = "export_jobs"
    __table_args__ = (
        CheckConstraint(one_of("state", JOB_STATES), name="state"),
        Index("ix_export_jobs_account_id_id", "account_id", "id"),
        Index("ix_export_jobs_state_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(BigId)
    who: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    table: Mapped[str] = mapped_column(String(20))
    """`sign` (the table to be signed) or `full`."""
    form: Mapped[str] = mapped_column(String(8))
    """`xlsx` or `csv`."""
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The filter, and what the head of the table says."""
    told: Mapped[str] = mapped_column(Text)
    """The filter in words, as the table prints it."""
    rights: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the person might see when it was ordered: `{"paths": [...] or null, "numbers": bool}`."""
    total: Mapped[int | None]
    """Rows; None until they were counted."""
    done: Mapped[int] = mapped_column(default=0)
    file: Mapped[str] = mapped_column(String(80), default="")
    """Its name in the folder of exports."""
    size: Mapped[int | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
