"""The calendar, plans with their sealed draws, prompts, and checks that were made by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, BigId, one_of

DAY_KINDS = ("workday", "weekend", "holiday", "makeup_workday", "lieu_day")
"""工作日, 双休日, 法定节假日, 调休工作日, 调休后的公休日."""
PLAN_STATES = ("draft", "running", "paused", "cancelled", "finished")
PROMPT_KINDS = ("opening", "closing")
MANUAL_SOURCES = ("hand_dialled", "on_site", "video", "superior", "admission")
"""人工拨打, 实地检查, 视频检查, 上级抽查发现, 本人承认."""


class CalendarDay(Base):
    """What kind of day a date is. Days without a row follow the plain weekend rule, with a warning."""

    __tablename__ = "calendar_days"
    __table_args__ = (CheckConstraint(one_of("kind", DAY_KINDS), name="kind"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    known: Mapped[bool] = mapped_column(default=True)
    """Whether the kind was entered; False: only its sensitive period was, and its kind follows the weekend rule."""
    name: Mapped[str] = mapped_column(String(80), default="")
    """Of the holiday."""
    sensitive: Mapped[bool] = mapped_column(default=False)
    """特殊敏感期, whatever else the day is."""
    sensitive_name: Mapped[str] = mapped_column(String(80), default="")
    """Of the sensitive period."""
    note: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str] = mapped_column(String(20))
    """`seed`, `import` or `entered`."""
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(80), default="")


class CalendarChange(Base):
    """One change of a day: calls are judged by the calendar as it stood then. Rows are only ever added."""

    __tablename__ = "calendar_changes"
    __table_args__ = (Index("ix_calendar_changes_day_changed_at", "day", "changed_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    day: Mapped[date]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(200), default="")
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The day before the change; None: nothing was entered."""
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The day after it; None: the entry was taken out."""


class Prompt(Base):
    """A sentence that is played into calls; it may be used once a supervisor has approved it."""

    __tablename__ = "prompts"
    __table_args__ = (CheckConstraint(one_of("kind", PROMPT_KINDS), name="kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(80))
    words: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(String(255))
    """Of its sound, inside the data folder."""
    sha256: Mapped[str] = mapped_column(String(64))
    duration_ms: Mapped[float]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(String(80))
    retired_at: Mapped[datetime | None]


class Plan(Base):
    """A plan of spot checks (抽查计划). Its coming moments are nowhere in the tables: its run holds the sealed seed."""

    __tablename__ = "plans"
    __table_args__ = (CheckConstraint(one_of("state", PLAN_STATES), name="state"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    running: Mapped[bool] = mapped_column(default=True)
    """Whether its due checks may be dialled; False as long as it is paused or over."""
    state: Mapped[str] = mapped_column(String(20), default="running", server_default="running")
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """A `PlanSpec` as JSON; None: a plan whose moments were entered by hand."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(80), default="", server_default="")
    night_approved_at: Mapped[datetime | None]
    """A supervisor lets it call between 00:00 and 06:00."""
    night_approved_by: Mapped[str | None] = mapped_column(String(80))


class PlanRun(Base):
    """One start of a plan: commitment first, seed after its period. A further start is one more row, for all to see."""

    __tablename__ = "plan_runs"
    __table_args__ = (UniqueConstraint("plan_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id", ondelete="RESTRICT"))
    number: Mapped[int]
    started_at: Mapped[datetime]
    started_by: Mapped[str] = mapped_column(String(80))
    sealed_seed: Mapped[str] = mapped_column(Text)
    commitment: Mapped[str] = mapped_column(String(64))
    """SHA-256 over seed and first inputs."""
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str] = mapped_column(String(200), default="")
    seed: Mapped[str | None] = mapped_column(String(64))
    """In hex, once revealed."""
    revealed_at: Mapped[datetime | None]
    last_link: Mapped[str | None] = mapped_column(String(64))
    """Of the chain of its draws, over its end and what passed without a call in the last one; once it is revealed."""


class DrawEpoch(Base):
    """One draw of a run: of everything at its start, later of the remainder only. Rows are only ever added."""

    __tablename__ = "draw_epochs"
    __table_args__ = (UniqueConstraint("run_id", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("plan_runs.id", ondelete="RESTRICT"))
    number: Mapped[int]
    """0 for the draw at the start."""
    drawn_at: Mapped[datetime]
    cause: Mapped[str] = mapped_column(String(200))
    """Why the remainder was drawn anew: `start`, `calendar`, `lines`, `missed`, `resumed`, ..."""
    inputs: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    """All that the draw depends on besides the seed."""
    inputs_sha256: Mapped[str] = mapped_column(String(64))
    chain: Mapped[str] = mapped_column(String(64))
    """SHA-256 over the epoch before, what passed without a call in it, this one's inputs and its cause: no epoch can be
    slipped in, changed or taken out."""


class DrawSkip(Base):
    """A drawn moment that passed without a call, and why. It is drawn anew; rows are only ever added."""

    __tablename__ = "draw_skips"
    __table_args__ = (UniqueConstraint("run_id", "epoch", "slot"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("plan_runs.id", ondelete="RESTRICT"))
    epoch: Mapped[int]
    """Number of the draw that gave the moment."""
    slot: Mapped[int]
    line_id: Mapped[int] = mapped_column(BigId)
    """As drawn; no foreign key, for the line may be gone."""
    at: Mapped[datetime]
    """The moment as drawn: it has passed."""
    why: Mapped[str] = mapped_column(String(20))
    """`missed`, `paused`, `clock`, `calendar`, `stopped`, `cap`, `night`, `handover`, `exempted`, `line`, `number`,
    `cancelled`."""
    noted_at: Mapped[datetime]


class ManualCheck(Base):
    """A check that was made by hand (人工补录): dialled, on site, by video, or a superior's finding."""

    __tablename__ = "manual_checks"
    __table_args__ = (CheckConstraint(one_of("source", MANUAL_SOURCES), name="source"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"), index=True)
    line_id: Mapped[int | None] = mapped_column(ForeignKey("duty_lines.id", ondelete="SET NULL"))
    source: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(index=True)
    """When it was made."""
    made_by: Mapped[str] = mapped_column(String(80))
    found: Mapped[str] = mapped_column(Text)
    """What was found, in words."""
    code: Mapped[str | None] = mapped_column(String(40))
    """Finding code; only here may it be `off_post` (脱岗)."""
    document: Mapped[str] = mapped_column(String(200), default="")
    """Reference of a superior's notice, of a form, ..."""
    entered_at: Mapped[datetime]
    entered_by: Mapped[str] = mapped_column(String(80))
