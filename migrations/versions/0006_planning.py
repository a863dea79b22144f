"""The calendar, plans with sealed draws, prompts, checks made by hand.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
OLD_STATES = "'planned', 'due', 'claimed', 'done', 'missed', 'withdrawn'"
STATES = "'planned', 'due', 'claimed', 'retry', 'done', 'missed', 'withdrawn'"
KINDS = "'random', 'designated', 'verification', 'demo'"


def upgrade() -> None:
    _create_calendar_days()
    _create_prompts()
    _change_plans()
    _create_plan_runs()
    _create_draw_epochs()
    _create_draw_skips()
    _create_manual_checks()
    _change_spot_checks()
    # What is there already: plans that were held back, checks of plans, checks of the demonstration.
    op.execute(sa.text("UPDATE plans SET state = 'paused' WHERE running = :no").bindparams(no=False))
    op.execute("UPDATE spot_checks SET kind = 'random' WHERE plan_id IS NOT NULL")
    op.execute("UPDATE spot_checks SET kind = 'demo' WHERE plan_id IS NULL AND reason LIKE '演示%'")
    op.execute("UPDATE spot_checks SET first_due_at = due_at")


def downgrade() -> None:
    # A repeat that is still to come cannot be told there.
    op.execute("UPDATE spot_checks SET state = 'done' WHERE state = 'retry'")
    with op.batch_alter_table("spot_checks") as batch_op:
        batch_op.drop_constraint(op.f("ck_spot_checks_kind"), type_="check")
        batch_op.drop_constraint(op.f("ck_spot_checks_state"), type_="check")
        batch_op.create_check_constraint("ck_spot_checks_state", f"state IN ({OLD_STATES})")
        batch_op.drop_constraint(op.f("fk_spot_checks_run_id"), type_="foreignkey")
        batch_op.drop_constraint(op.f("uq_spot_checks_run_id_epoch_slot"), type_="unique")
        batch_op.drop_index("ix_spot_checks_line_id_due_at")
        batch_op.create_index("ix_spot_checks_line_id", ["line_id"])
        for column in (
            "closed_why",
            "closed_at",
            "first_due_at",
            "ordered_by",
            "slot",
            "epoch",
            "run_id",
            "kind",
        ):
            batch_op.drop_column(column)
    for table in (
        "manual_checks",
        "draw_skips",
        "draw_epochs",
        "plan_runs",
        "prompts",
        "calendar_changes",
        "calendar_days",
    ):
        op.drop_table(table)
    op.execute(
        sa.text(
            "UPDATE plans SET running = :no WHERE state IN ('draft', 'cancelled', 'finished')"
        ).bindparams(no=False)
    )
    with op.batch_alter_table("plans") as batch_op:
        batch_op.drop_constraint(op.f("ck_plans_state"), type_="check")
        for column in ("night_approved_by", "night_approved_at", "created_by", "content", "state"):
            batch_op.drop_column(column)


def _create_calendar_days() -> None:
    op.create_table(
        "calendar_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("sensitive_name", sa.String(length=80), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint(
            "kind IN ('workday', 'weekend', 'holiday', 'makeup_workday', 'lieu_day')",
            name="ck_calendar_days_kind",
        ),
        sa.PrimaryKeyConstraint("day", name="pk_calendar_days"),
    )
    op.create_table(
        "calendar_changes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_changes"),
    )
    op.create_index(
        "ix_calendar_changes_day_changed_at", "calendar_changes", ["day", "changed_at"], unique=False
    )


def _create_prompts() -> None:
    op.create_table(
        "prompts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("duration_ms", sa.Double(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("approved_at", TIME, nullable=True),
        sa.Column("approved_by", sa.String(length=80), nullable=True),
        sa.Column("retired_at", TIME, nullable=True),
        sa.CheckConstraint("kind IN ('opening', 'closing')", name="ck_prompts_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_prompts"),
    )


def _change_plans() -> None:
    with op.batch_alter_table("plans", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("state", sa.String(length=20), server_default="running", nullable=False)
        )
        batch_op.add_column(sa.Column("content", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("created_by", sa.String(length=80), server_default="", nullable=False))
        batch_op.add_column(sa.Column("night_approved_at", TIME, nullable=True))
        batch_op.add_column(sa.Column("night_approved_by", sa.String(length=80), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_plans_state"), "state IN ('draft', 'running', 'paused', 'cancelled', 'finished')"
        )


def _create_plan_runs() -> None:
    op.create_table(
        "plan_runs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("plan_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("started_by", sa.String(length=80), nullable=False),
        sa.Column("sealed_seed", sa.Text(), nullable=False),
        sa.Column("commitment", sa.String(length=64), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_why", sa.String(length=200), nullable=False),
        sa.Column("seed", sa.String(length=64), nullable=True),
        sa.Column("revealed_at", TIME, nullable=True),
        sa.Column("last_link", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_plan_runs_plan_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_plan_runs"),
        sa.UniqueConstraint("plan_id", "number", name="uq_plan_runs_plan_id_number"),
    )


def _create_draw_epochs() -> None:
    op.create_table(
        "draw_epochs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("drawn_at", TIME, nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("inputs_sha256", sa.String(length=64), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["plan_runs.id"], name="fk_draw_epochs_run_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_draw_epochs"),
        sa.UniqueConstraint("run_id", "number", name="uq_draw_epochs_run_id_number"),
    )


def _create_draw_skips() -> None:
    op.create_table(
        "draw_skips",
        sa.Column("id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("line_id", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.Column("noted_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["plan_runs.id"], name="fk_draw_skips_run_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_draw_skips"),
        sa.UniqueConstraint("run_id", "epoch", "slot", name="uq_draw_skips_run_id_epoch_slot"),
    )


def _create_manual_checks() -> None:
    op.create_table(
        "manual_checks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("line_id", KEY, nullable=True),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("document", sa.String(length=200), nullable=False),
        sa.Column("entered_at", TIME, nullable=False),
        sa.Column("entered_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint(
            "source IN ('hand_dialled', 'on_site', 'video', 'superior', 'admission')",
            name="ck_manual_checks_source",
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["duty_lines.id"], name="fk_manual_checks_line_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["units.id"], name="fk_manual_checks_unit_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_manual_checks"),
    )
    op.create_index("ix_manual_checks_at", "manual_checks", ["at"], unique=False)
    op.create_index("ix_manual_checks_unit_id", "manual_checks", ["unit_id"], unique=False)


def _change_spot_checks() -> None:
    with op.batch_alter_table("spot_checks", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("kind", sa.String(length=20), server_default="designated", nullable=False)
        )
        batch_op.add_column(sa.Column("run_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("epoch", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("slot", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("ordered_by", sa.String(length=80), server_default="", nullable=False))
        batch_op.add_column(sa.Column("first_due_at", TIME, nullable=True))
        batch_op.add_column(sa.Column("closed_at", TIME, nullable=True))
        batch_op.add_column(sa.Column("closed_why", sa.String(length=40), server_default="", nullable=False))
        batch_op.drop_index("ix_spot_checks_line_id")
        # Not marked as a whole name: the first migration gave it the table's prefix twice.
        batch_op.drop_constraint("ck_spot_checks_state", type_="check")
        batch_op.create_check_constraint(op.f("ck_spot_checks_state"), f"state IN ({STATES})")
        batch_op.create_check_constraint(op.f("ck_spot_checks_kind"), f"kind IN ({KINDS})")
        batch_op.create_index("ix_spot_checks_line_id_due_at", ["line_id", "due_at"], unique=False)
        batch_op.create_unique_constraint("uq_spot_checks_run_id_epoch_slot", ["run_id", "epoch", "slot"])
        batch_op.create_foreign_key(
            "fk_spot_checks_run_id", "plan_runs", ["run_id"], ["id"], ondelete="RESTRICT"
        )
