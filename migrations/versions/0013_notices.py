"""Notices and the log of their deliveries.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
KINDS = (
    "'phone_down', 'trunk_down', 'calendar_ending', 'disk', "
    "'coverage_short', 'reviews_waiting', 'other_alarms', 'test'"
)


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("told_at", TIME, nullable=True),
        sa.Column("cleared_at", TIME, nullable=True),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_notices_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    standing = sa.text("cleared_at IS NULL")
    op.create_index(
        "uq_notices_standing_kind",
        "notices",
        ["kind"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    _create_deliveries()


def _create_deliveries() -> None:
    op.create_table(
        "notice_deliveries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("notice_id", KEY, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("event", sa.String(length=10), nullable=False),
        sa.Column("message_id", sa.String(length=40), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("done_at", TIME, nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.CheckConstraint("channel IN ('mail', 'webhook')", name=op.f("ck_notice_deliveries_channel")),
        sa.CheckConstraint("event IN ('raised', 'over')", name=op.f("ck_notice_deliveries_event")),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'given_up', 'withdrawn')", name=op.f("ck_notice_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notices.id"], name="fk_notice_deliveries_notice_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notice_deliveries"),
        sa.UniqueConstraint(
            "notice_id", "channel", "event", name="uq_notice_deliveries_notice_id_channel_event"
        ),
        sa.UniqueConstraint("message_id", name="uq_notice_deliveries_message_id"),
    )
    op.create_index("ix_notice_deliveries_state_next_at", "notice_deliveries", ["state", "next_at"])


def downgrade() -> None:
    op.drop_table("notice_deliveries")
    op.drop_table("notices")
