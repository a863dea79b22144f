"""What an order of several attempts needs: leases, proposals, mitigations, stops, alarms, idempotency keys.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _change_attempts()
    _create_proposals()
    _create_mitigations()
    _create_emergency_stops()
    _create_leases()
    _create_office_alarms()
    _create_idempotency_keys()


def downgrade() -> None:
    for table in (
        "idempotency_keys",
        "office_alarms",
        "leases",
        "emergency_stops",
        "mitigations",
        "proposals",
    ):
        op.drop_table(table)
    _restore_attempts()


def _change_attempts() -> None:
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lease_until", TIME, nullable=True))
        batch_op.add_column(sa.Column("clock_offset_ms", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("opening_sha256", sa.String(length=64), nullable=True))


def _create_proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("id", KEY, nullable=False),
        sa.Column("check_id", KEY, nullable=False),
        sa.Column("rule_set", sa.String(length=120), nullable=False),
        sa.Column("in_force", sa.Boolean(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("judged_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["check_id"], ["spot_checks.id"], name="fk_proposals_check_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_proposals"),
        sa.UniqueConstraint("check_id", "rule_set", name="uq_proposals_check_id_rule_set"),
    )


def _create_mitigations() -> None:
    op.create_table(
        "mitigations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("check_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("recorded_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint(
            "kind IN ('called_back', 'hung_up_to_verify', 'refused_numbers', 'other')",
            name="ck_mitigations_kind",
        ),
        sa.ForeignKeyConstraint(
            ["check_id"], ["spot_checks.id"], name="fk_mitigations_check_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mitigations"),
    )
    op.create_index("ix_mitigations_check_id", "mitigations", ["check_id"], unique=False)


def _create_emergency_stops() -> None:
    op.create_table(
        "emergency_stops",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_at", TIME, nullable=False),
        sa.Column("placed_by", sa.String(length=80), nullable=False),
        sa.Column("lifted_at", TIME, nullable=True),
        sa.Column("lifted_by", sa.String(length=80), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["units.id"], name="fk_emergency_stops_unit_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_emergency_stops"),
    )


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _create_office_alarms() -> None:
    op.create_table(
        "office_alarms",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("cleared_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_office_alarms"),
    )
    op.create_index(
        "uq_office_alarms_standing",
        "office_alarms",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("cleared_at IS NULL"),
        postgresql_where=sa.text("cleared_at IS NULL"),
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("route", sa.String(length=120), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("asked_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", "route", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_asked_at", "idempotency_keys", ["asked_at"], unique=False)


def _restore_attempts() -> None:
    for column in ("opening_sha256", "clock_offset_ms", "lease_until"):
        op.drop_column("attempts", column)
