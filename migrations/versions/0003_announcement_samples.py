"""Marked recordings of announcements, and the tunes heard on trunks.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "announcement_samples",
        sa.Column("id", KEY, nullable=False),
        sa.Column("meaning", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("mobile", sa.Boolean(), nullable=False),
        sa.Column("trunk", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prints", sa.LargeBinary(), nullable=False),
        sa.Column("length_ms", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("marked_by", sa.String(length=80), nullable=False),
        sa.Column("marked_at", TIME, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("removed_by", sa.String(length=80), nullable=True),
        sa.Column("removed_at", TIME, nullable=True),
        sa.CheckConstraint("length_ms > 0", name="ck_announcement_samples_length"),
        sa.PrimaryKeyConstraint("id", name="pk_announcement_samples"),
    )
    op.create_table(
        "trunk_tunes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trunk", sa.String(length=64), nullable=False),
        sa.Column("line", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prints", sa.LargeBinary(), nullable=False),
        sa.Column("heard_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trunk_tunes"),
    )
    op.create_index("ix_trunk_tunes_trunk", "trunk_tunes", ["trunk", "heard_at"])


def downgrade() -> None:
    op.drop_table("trunk_tunes")
    op.drop_table("announcement_samples")
