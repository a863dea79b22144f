"""Test calls of trunks.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
STATES = (
    "'waiting', 'dialling', 'ringing', 'connected', "
    "'finished', 'refused', 'withdrawn', 'interrupted', 'failed'"
)


def upgrade() -> None:
    op.create_table(
        "trunk_tests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trunk", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.String(length=80), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("taken_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("snapshots", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("released_at", TIME, nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_trunk_tests_state")),
        sa.PrimaryKeyConstraint("id", name="pk_trunk_tests"),
    )
    op.create_index("ix_trunk_tests_trunk_id", "trunk_tests", ["trunk", "id"])
    op.create_index("ix_trunk_tests_asked_at", "trunk_tests", ["asked_at"])
    _index("uq_trunk_tests_open", ["trunk"], "ended_at IS NULL", unique=True)
    _index("ix_trunk_tests_unreleased", ["id"], "taken_at IS NOT NULL AND released_at IS NULL")


def downgrade() -> None:
    op.drop_table("trunk_tests")


def _index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(
        name,
        "trunk_tests",
        columns,
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
