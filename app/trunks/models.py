"""Trunks as records, what the phone last said of each, what happened to them, and the numbers of the dial policy.

A trunk comes from the settings or from a record here. What the phone says of one is kept by its name, so that
both kinds have a state and a history.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.checks.copies import only
from app.database import Base, BigId

NUMBER_KINDS = ("deny", "allow", "answer_key")
TEST_LIVE = ("dialling", "ringing", "connected")
TEST_STATES = ("waiting", *TEST_LIVE, "finished", "refused", "withdrawn", "interrupted", "failed")
"""Of a test call. `refused`: our own rules forbade it; `withdrawn`: nobody took it; `failed`: our own side failed."""
EVENT_KINDS = ("up", "down", "registered", "unregistered", "alarm_raised", "alarm_cleared", "stopped")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN (" + ", ".join(f"'{value}'" for value in values) + ")"


class TrunkRecord(Base):
    """A trunk that was entered here, not in the settings."""

    __tablename__ = "trunks"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=0)
    """Which is tried first: the lowest; equal ones in the order of their names."""
    config: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    """Members of a trunk as the settings name them, without any secret: only where one is to be found."""
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class TrunkState(Base):
    """What the phone process last said of a trunk."""

    __tablename__ = "trunk_status"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime]
    """Since when it has been in this state."""
    told_at: Mapped[datetime]
    """When the phone last spoke of it."""
    registered_until: Mapped[datetime | None]
    calls: Mapped[int] = mapped_column(default=0)
    """Calls on it when the phone last spoke."""
    alarms: Mapped[list[dict[str, Any]]] = mapped_column(JSON(none_as_null=True))
    """What stands against it: `kind`, `since`, `detail`."""
    detail: Mapped[str] = mapped_column(Text, default="")


class TrunkEvent(Base):
    """Something that happened to a trunk; rows are only ever added."""

    __tablename__ = "trunk_events"
    __table_args__ = (
        CheckConstraint(_one_of("kind", EVENT_KINDS), name="kind"),
        Index("ix_trunk_events_trunk_at", "trunk", "at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    trunk: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(20))
    alarm: Mapped[str | None] = mapped_column(String(40))
    """Which alarm was raised or cleared."""
    detail: Mapped[str] = mapped_column(Text, default="")


class PolicyNumber(Base):
    """A number of the dial policy: never to be dialled, allowed beside the directory, or an answer key."""

    __tablename__ = "numbers"
    __table_args__ = (
        CheckConstraint(_one_of("kind", NUMBER_KINDS), name="kind"),
        UniqueConstraint("kind", "number"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    number: Mapped[str] = mapped_column(String(64))
    """In one way of writing: digits, with a leading + where it was given."""
    label: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime]


class TrunkTest(Base):
    """A test call (试呼) of one trunk to a telephone of the operator's own. It is no check and is counted nowhere."""

    __tablename__ = "trunk_tests"
    __table_args__ = (
        CheckConstraint(_one_of("state", TEST_STATES), name="state"),
        Index("ix_trunk_tests_trunk_id", "trunk", "id"),
        Index("ix_trunk_tests_asked_at", "asked_at"),
        # One at a time on a trunk.
        Index("uq_trunk_tests_open", "trunk", unique=True, **only("ended_at IS NULL")),
        Index("ix_trunk_tests_unreleased", "id", **only("taken_at IS NOT NULL AND released_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    trunk: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(64))
    """The number as it was typed; whoever may not see numbers is shown it masked."""
    asked_by: Mapped[str] = mapped_column(String(80))
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    why: Mapped[str] = mapped_column(String(40), default="")
    """A code of `app.trunks.trials.WHY`: why it did not run its course; empty where it did."""
    owner: Mapped[str] = mapped_column(String(80), default="")
    """The phone process that took it."""
    taken_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    snapshots: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True), default=dict)
    """The dialog of each destination as the phone last wrote it down, by position, for the BYE after a crash."""
    released_at: Mapped[datetime | None]
    """When its far ends had nothing more to be told."""
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What came of it: the members of `app.trunks.trials_schemas.TrunkTestResult`."""
