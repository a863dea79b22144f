"""Rule sets as stored, and since when which one is in force."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, BigId


class StoredRuleSet(Base):
    """One version of a rule set. Never changed: another version is another row."""

    __tablename__ = "rule_sets"
    __table_args__ = (UniqueConstraint("key", "sha256"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(40))
    """E.g. `baoji-2022`."""
    version: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the canonical JSON of `content`."""
    created_at: Mapped[datetime]


class RuleActivation(Base):
    """From when on a rule set is in force here, and by which local document."""

    __tablename__ = "rule_activations"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    rule_set_id: Mapped[int] = mapped_column(ForeignKey("rule_sets.id", ondelete="RESTRICT"))
    document: Mapped[str] = mapped_column(String(200))
    """The local document by which it holds (本单位依据文件)."""
    own: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    """Points, caps, bands and limits: 本单位自定."""
    from_at: Mapped[datetime] = mapped_column(index=True)
    activated_at: Mapped[datetime]
    activated_by: Mapped[str] = mapped_column(String(80))

    rule_set: Mapped[StoredRuleSet] = relationship(lazy="raise")
