"""Units, their duty lines, and what a line is exempted from."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, BigId


class Unit(Base):
    """A unit that keeps a duty office (单位)."""

    __tablename__ = "units"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    """Short stable name, e.g. from an import."""
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(40), default="")
    """Group, e.g. 镇街 or 县直部门."""
    created_at: Mapped[datetime]

    lines: Mapped[list[DutyLine]] = relationship(back_populates="unit", lazy="raise")


class DutyLine(Base):
    """A telephone line that must be answered (值班电话)."""

    __tablename__ = "duty_lines"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str] = mapped_column(String(80), default="值班电话")
    number: Mapped[str] = mapped_column(String(40))
    """The number as the directory prints it."""
    target: Mapped[str] = mapped_column(String(255), unique=True)
    """What is dialled: a number for the trunk, or a SIP URI."""
    active: Mapped[bool] = mapped_column(default=True)
    pilot_numbers: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Numbers under which the line may show itself: of the switchboard or group that it belongs to (引示号)."""

    unit: Mapped[Unit] = relationship(back_populates="lines", lazy="raise")
    exemptions: Mapped[list[LineExemption]] = relationship(back_populates="line", lazy="raise")


class LineExemption(Base):
    """What a line may do that others may not, within dates, and by whose word (豁免)."""

    __tablename__ = "line_exemptions"
    __table_args__ = (CheckConstraint("kind IN ('forwarding', 'crbt', 'fax')", name="kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("duty_lines.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    first_day: Mapped[date]
    last_day: Mapped[date | None]
    """Inclusive; without one the exemption goes on."""
    reason: Mapped[str] = mapped_column(Text)

    line: Mapped[DutyLine] = relationship(back_populates="exemptions", lazy="raise")
