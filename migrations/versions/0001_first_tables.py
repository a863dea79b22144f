"""Units, lines, checks, the ledger and what calls leave behind.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
LIVE = sa.text("state IN ('claimed', 'dialling', 'ringing', 'connected')")


def upgrade() -> None:
    _create_units()
    _create_duty_lines()
    _create_line_exemptions()
    _create_plans()
    _create_spot_checks()
    _create_attempts()
    _create_attempt_events()
    _create_call_facts()
    _create_recordings()
    _create_verdicts()
    _create_audit_events()


def downgrade() -> None:
    for table in (
        "audit_events",
        "verdicts",
        "recordings",
        "call_facts",
        "attempt_events",
        "attempts",
        "spot_checks",
        "plans",
        "line_exemptions",
        "duty_lines",
        "units",
    ):
        op.drop_table(table)


def _create_units() -> None:
    op.create_table(
        "units",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_units"),
        sa.UniqueConstraint("code", name="uq_units_code"),
    )


def _create_duty_lines() -> None:
    op.create_table(
        "duty_lines",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_duty_lines_unit_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_duty_lines"),
        sa.UniqueConstraint("target", name="uq_duty_lines_target"),
    )
    op.create_index("ix_duty_lines_unit_id", "duty_lines", ["unit_id"])


def _create_line_exemptions() -> None:
    op.create_table(
        "line_exemptions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("line_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('forwarding', 'crbt', 'fax')", name="ck_line_exemptions_kind"),
        sa.ForeignKeyConstraint(
            ["line_id"], ["duty_lines.id"], name="fk_line_exemptions_line_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_line_exemptions"),
    )
    op.create_index("ix_line_exemptions_line_id", "line_exemptions", ["line_id"])


def _create_plans() -> None:
    op.create_table(
        "plans",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
    )


def _create_spot_checks() -> None:
    op.create_table(
        "spot_checks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("line_id", KEY, nullable=False),
        sa.Column("plan_id", KEY, nullable=True),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint(
            "state IN ('planned', 'due', 'claimed', 'done', 'missed', 'withdrawn')",
            name="ck_spot_checks_state",
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["duty_lines.id"], name="fk_spot_checks_line_id", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plans.id"], name="fk_spot_checks_plan_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_spot_checks"),
    )
    op.create_index("ix_spot_checks_line_id", "spot_checks", ["line_id"])
    op.create_index("ix_spot_checks_plan_id", "spot_checks", ["plan_id"])
    op.create_index("ix_spot_checks_state_due_at", "spot_checks", ["state", "due_at"])


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("check_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("line_id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("call_id", sa.String(length=255), nullable=True),
        sa.Column("snapshot", sa.JSON(), nullable=True),
        sa.Column("released_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("answered_by", sa.String(length=20), nullable=True),
        sa.Column("ring_to_answer_ms", sa.Double(), nullable=True),
        sa.Column("ring_to_answer_min_ms", sa.Double(), nullable=True),
        sa.Column("rings", sa.Integer(), nullable=True),
        sa.Column("three_ring", sa.String(length=20), nullable=True),
        sa.Column("verdict_code", sa.String(length=40), nullable=True),
        sa.Column("needs_review", sa.Boolean(), nullable=True),
        sa.CheckConstraint(
            "state IN ('claimed', 'dialling', 'ringing', 'connected', 'finished', 'interrupted', 'failed')",
            name="ck_attempts_state",
        ),
        sa.ForeignKeyConstraint(
            ["check_id"], ["spot_checks.id"], name="fk_attempts_check_id", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["duty_lines.id"], name="fk_attempts_line_id", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_attempts_unit_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.UniqueConstraint("check_id", "number", name="uq_attempts_check_id_number"),
    )
    op.create_index("ix_attempts_claimed_at_id", "attempts", ["claimed_at", "id"])
    op.create_index("ix_attempts_line_id", "attempts", ["line_id"])
    op.create_index("ix_attempts_unit_id_claimed_at_id", "attempts", ["unit_id", "claimed_at", "id"])
    op.create_index(
        "ix_attempts_verdict_code_claimed_at_id", "attempts", ["verdict_code", "claimed_at", "id"]
    )
    op.create_index(
        "uq_attempts_live_line",
        "attempts",
        ["line_id"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )


def _create_attempt_events() -> None:
    op.create_table(
        "attempt_events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name="fk_attempt_events_attempt_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attempt_events"),
    )
    op.create_index("ix_attempt_events_attempt_id", "attempt_events", ["attempt_id"])


def _create_call_facts() -> None:
    op.create_table(
        "call_facts",
        sa.Column("attempt_id", KEY, autoincrement=False, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name="fk_call_facts_attempt_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("attempt_id", name="pk_call_facts"),
    )


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", KEY, nullable=False),
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("path", sa.String(length=400), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("duration_ms", sa.Double(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("sample_rate", sa.Integer(), nullable=False),
        sa.Column("repaired", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name="fk_recordings_attempt_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_recordings"),
        sa.UniqueConstraint("attempt_id", name="uq_recordings_attempt_id"),
    )


def _create_verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("rule_set", sa.String(length=80), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("lawful", sa.Boolean(), nullable=True),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("judged_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempts.id"], name="fk_verdicts_attempt_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sa.UniqueConstraint("attempt_id", "rule_set", name="uq_verdicts_attempt_id_rule_set"),
    )


def _create_audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at"])
    op.create_index("ix_audit_events_subject", "audit_events", ["subject", "at"])
