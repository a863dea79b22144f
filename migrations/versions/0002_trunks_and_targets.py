"""Trunks, their state and history, the numbers of the dial policy, and the targets of an attempt.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
OPEN = sa.text("ended_at IS NULL")
EVENT_KINDS = "'up', 'down', 'registered', 'unregistered', 'alarm_raised', 'alarm_cleared', 'stopped'"


def upgrade() -> None:
    _create_trunks()
    _create_trunk_status()
    _create_trunk_events()
    _create_numbers()
    _create_attempt_targets()


def downgrade() -> None:
    for table in ("attempt_targets", "numbers", "trunk_events", "trunk_status", "trunks"):
        op.drop_table(table)


def _create_trunks() -> None:
    op.create_table(
        "trunks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trunks"),
        sa.UniqueConstraint("name", name="uq_trunks_name"),
    )


def _create_trunk_status() -> None:
    op.create_table(
        "trunk_status",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("told_at", TIME, nullable=False),
        sa.Column("registered_until", TIME, nullable=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("alarms", sa.JSON(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_trunk_status"),
    )


def _create_trunk_events() -> None:
    op.create_table(
        "trunk_events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trunk", sa.String(length=64), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("alarm", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(f"kind IN ({EVENT_KINDS})", name="ck_trunk_events_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_trunk_events"),
    )
    op.create_index("ix_trunk_events_trunk_at", "trunk_events", ["trunk", "at"])


def _create_numbers() -> None:
    op.create_table(
        "numbers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("kind IN ('deny', 'allow', 'answer_key')", name="ck_numbers_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_numbers"),
        sa.UniqueConstraint("kind", "number", name="uq_numbers_kind_number"),
    )


def _create_attempt_targets() -> None:
    op.create_table(
        "attempt_targets",
        sa.Column("id", KEY, nullable=False),
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("trunk", sa.String(length=64), nullable=True),
        sa.Column("uri", sa.String(length=400), nullable=False),
        sa.Column("call_id", sa.String(length=255), nullable=True),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("alerted", sa.Boolean(), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("sip_status", sa.Integer(), nullable=True),
        sa.Column("snapshot", sa.JSON(), nullable=True),
        sa.Column("released_at", TIME, nullable=True),
        sa.CheckConstraint("position >= 1", name="ck_attempt_targets_position"),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name="fk_attempt_targets_attempt_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attempt_targets"),
        sa.UniqueConstraint("attempt_id", "position", name="uq_attempt_targets_attempt_id_position"),
    )
    for name, column_is in (("open", OPEN), ("alerted", sa.text("alerted"))):
        op.create_index(
            f"uq_attempt_targets_{name}",
            "attempt_targets",
            ["attempt_id"],
            unique=True,
            sqlite_where=column_is,
            postgresql_where=column_is,
        )
