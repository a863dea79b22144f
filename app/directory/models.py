"""Units as a tree, their duty lines and people, and what is exempted, reported or confirmed."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, BigId, one_of

UNIT_CATEGORIES = (
    "city",
    "county",
    "town",
    "city_department",
    "county_department",
    "institution",
    "other",
)
"""市, 县区 (开发区, 高新区 too), 镇街, 市直部门, 县直部门, 企事业单位 (学校, 人民团体, 驻地单位 too), 其他."""
DUTY_REGIMES = ("onsite", "phone")
"""在岗值班, 电话值班."""
LEADER_REGIMES = ("onsite", "phone", "double", "none")
"""在岗带班, 电话带班, 双带班, 无."""
LINE_KINDS = ("duty", "leader", "fax", "other")
VERIFICATIONS = ("pending", "verified", "failed")
"""Of a number: a 核号 call is still to come, was answered, or has failed so often that a person must look."""
PERSON_ROLES = ("duty_officer", "leader", "principal", "contact")
"""值班员, 带班领导, 主要负责人, 联系人."""
STAFFINGS = ("established", "contract", "rehired", "intern", "worker", "unknown")
"""在编, 临聘, 退休返聘, 实习 (三支一扶, 西部计划 too), 工勤, 未核实."""
CALLED_KINDS = ("duty", "leader")
"""Kinds of line that checks call; a fax never, another only by somebody's order."""
MOST_FAILED_CALLS = 3
"""核号 calls without an answer after which a person must look at the number."""
CHANGE_OUTCOMES = ("pending", "entered", "dismissed")
"""Of a reported change: still to be entered, entered, or found to be none."""
LINE_EXEMPTIONS = ("forwarding", "crbt", "fax")
UNIT_EXEMPTIONS = ("maintenance", "emergency")
"""线路或设备维护, 应急处置中."""


class Unit(Base):
    """A unit that keeps a duty office (单位)."""

    __tablename__ = "units"
    __table_args__ = (
        CheckConstraint(one_of("category", UNIT_CATEGORIES), name="category"),
        Index("ix_units_path", "path"),
        Index("ix_units_parent_id", "parent_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    """Short stable name, e.g. from an import."""
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(40), default="")
    """Group as the customer names it, e.g. 镇街 or 县直部门; plans may choose by it."""
    category: Mapped[str] = mapped_column(String(20), default="other", server_default="other")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"))
    path: Mapped[str] = mapped_column(String(255), default="", server_default="")
    """Keys from the root to this unit, each followed by a slash: `3/17/`. A subtree is a range of it."""
    handover_times: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Times of day of 交接班, `HH:MM`: nobody is called within 15 minutes of one."""
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1, server_default="1")
    """Counts the changes by hand: who changes an entry says which state of it was seen."""

    lines: Mapped[list[DutyLine]] = relationship(back_populates="unit", lazy="raise")


class UnitRegime(Base):
    """How a unit keeps duty between two days, both inclusive."""

    __tablename__ = "unit_regimes"
    __table_args__ = (
        CheckConstraint(one_of("duty", DUTY_REGIMES), name="duty"),
        CheckConstraint(one_of("leader", LEADER_REGIMES), name="leader"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="CASCADE"), index=True)
    first_day: Mapped[date]
    last_day: Mapped[date | None]
    duty: Mapped[str] = mapped_column(String(20))
    leader: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(Text, default="")


class DutyLine(Base):
    """A telephone line that must be answered (值班电话)."""

    __tablename__ = "duty_lines"
    __table_args__ = (
        CheckConstraint(one_of("kind", LINE_KINDS), name="kind"),
        CheckConstraint(one_of("verification", VERIFICATIONS), name="verification"),
        # A fax at the number of a duty line is a fault of the unit that must be told, not one that cannot be entered.
        Index("ix_duty_lines_number_key", "number_key"),
        Index(
            "ix_duty_lines_called_target",
            "target",
            unique=True,
            sqlite_where=text("kind <> 'fax'"),
            postgresql_where=text("kind <> 'fax'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"), index=True)
    """The unit that answers for the line; further ones stand in `line_units` (综合值班室)."""
    name: Mapped[str] = mapped_column(String(80), default="值班电话")
    number: Mapped[str] = mapped_column(String(40))
    """The number as the directory prints it, its extension included."""
    target: Mapped[str] = mapped_column(String(255))
    """What is dialled: a number for the trunk with the extension behind it, or a SIP URI. One line for each, faxes
    apart."""
    number_key: Mapped[str] = mapped_column(String(300), default="", server_default="")
    """The target in the one form in which numbers are compared."""
    kind: Mapped[str] = mapped_column(String(20), default="duty", server_default="duty")
    trunk: Mapped[str | None] = mapped_column(String(64))
    """Name of the trunk that is tried first for this line."""
    active: Mapped[bool] = mapped_column(default=True)
    verification: Mapped[str] = mapped_column(String(20), default="verified", server_default="verified")
    verified_at: Mapped[datetime | None]
    failed_calls: Mapped[int] = mapped_column(default=0, server_default="0")
    """核号 calls of the present target that nobody answered, since the last that was."""
    target_since: Mapped[datetime | None]
    """When the present target was entered."""
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    pilot_numbers: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Numbers under which the line may show itself: of the switchboard or group that it belongs to (引示号)."""
    revision: Mapped[int] = mapped_column(default=1, server_default="1")
    """Counts the changes by hand: who changes an entry says which state of it was seen."""

    unit: Mapped[Unit] = relationship(back_populates="lines", lazy="raise")
    exemptions: Mapped[list[LineExemption]] = relationship(back_populates="line", lazy="raise")


class LineUnit(Base):
    """A further unit that is reached by a line: a shared duty room (综合值班室)."""

    __tablename__ = "line_units"

    line_id: Mapped[int] = mapped_column(
        ForeignKey("duty_lines.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    unit_id: Mapped[int] = mapped_column(
        ForeignKey("units.id", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )


class Person(Base):
    """Somebody who keeps duty, leads it, or is responsible for a unit."""

    __tablename__ = "people"
    __table_args__ = (
        CheckConstraint(one_of("role", PERSON_ROLES), name="role"),
        CheckConstraint(one_of("staffing", STAFFINGS), name="staffing"),
        Index("ix_people_unit_id_name", "unit_id", "name"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(String(80))
    title: Mapped[str] = mapped_column(String(80), default="")
    """职务."""
    role: Mapped[str] = mapped_column(String(20), default="duty_officer")
    staffing: Mapped[str] = mapped_column(String(20), default="unknown")
    phone: Mapped[str] = mapped_column(String(40), default="")
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    revision: Mapped[int] = mapped_column(default=1, server_default="1")
    """Counts the changes by hand: who changes an entry says which state of it was seen."""


class LineExemption(Base):
    """What a line may do that others may not, within dates, and by whose word (豁免)."""

    __tablename__ = "line_exemptions"
    __table_args__ = (CheckConstraint(one_of("kind", LINE_EXEMPTIONS), name="kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("duty_lines.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    first_day: Mapped[date]
    last_day: Mapped[date | None]
    """Inclusive; without one the exemption goes on."""
    reason: Mapped[str] = mapped_column(Text)

    line: Mapped[DutyLine] = relationship(back_populates="exemptions", lazy="raise")


class UnitExemption(Base):
    """A time in which no finding is made against a unit, or one line of it: maintenance, an emergency at hand."""

    __tablename__ = "unit_exemptions"
    __table_args__ = (CheckConstraint(one_of("kind", UNIT_EXEMPTIONS), name="kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="CASCADE"), index=True)
    line_id: Mapped[int | None] = mapped_column(ForeignKey("duty_lines.id", ondelete="CASCADE"))
    """None: every line of the unit."""
    kind: Mapped[str] = mapped_column(String(20))
    first_at: Mapped[datetime]
    last_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text)
    entered_by: Mapped[str] = mapped_column(String(80))
    entered_at: Mapped[datetime]


class Confirmation(Base):
    """A unit's word, given once a quarter, that its entry in the directory is right (季度核对)."""

    __tablename__ = "confirmations"
    __table_args__ = (UniqueConstraint("unit_id", "quarter"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="CASCADE"))
    quarter: Mapped[str] = mapped_column(String(6))
    """`2026Q4`."""
    confirmed_at: Mapped[datetime]
    confirmed_by: Mapped[str] = mapped_column(String(80))
    note: Mapped[str] = mapped_column(Text, default="")


class NumberChange(Base):
    """A change of number that a unit reported. Received but not entered before a call: our fault, not the unit's."""

    __tablename__ = "number_changes"
    __table_args__ = (CheckConstraint(one_of("outcome", CHANGE_OUTCOMES), name="outcome"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="CASCADE"), index=True)
    line_id: Mapped[int | None] = mapped_column(ForeignKey("duty_lines.id", ondelete="SET NULL"))
    """The line that changes; None where the unit did not say which, or for a further line."""
    number: Mapped[str] = mapped_column(String(40))
    """The new number as reported; empty: the line was given up."""
    received_at: Mapped[datetime]
    """When the unit told it: what counts, and said by whoever records it."""
    received_by: Mapped[str] = mapped_column(String(80))
    recorded_at: Mapped[datetime]
    """When it was written down here: a moment received long before is seen by it."""
    entered_at: Mapped[datetime | None]
    """When the directory followed it, or it was dismissed."""
    entered_by: Mapped[str] = mapped_column(String(80), default="")
    outcome: Mapped[str] = mapped_column(String(20), default="pending")
    note: Mapped[str] = mapped_column(Text, default="")
