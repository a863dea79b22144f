"""What the lists of a million checks need: labels in one column, copies that spare a join, indices that cover.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ORDER_SHELF = (
    "coalesce(kind, '') || '|' || coalesce(state, '') || '|' || coalesce(code, '')"
    " || '|' || CASE WHEN adverse IS NULL THEN '' WHEN adverse THEN '1' ELSE '0' END"
    " || '|' || CASE WHEN needs_review IS NULL THEN '' WHEN needs_review THEN '1' ELSE '0' END"
)
ATTEMPT_SHELF = (
    "coalesce(kind, '') || '|' || coalesce(verdict_code, '') || '|' || coalesce(proposal_code, '')"
    " || '|' || CASE WHEN needs_review IS NULL THEN '' WHEN needs_review THEN '1' ELSE '0' END"
)
ORDER_INDICES = {
    "ix_spot_checks_newest": ["first_due_at", "id"],
    "ix_spot_checks_shelf": ["shelf", "first_due_at", "id", "unit_id", "plan_id"],
    "ix_spot_checks_of_unit": ["unit_id", "first_due_at", "id", "shelf", "plan_id"],
    "ix_spot_checks_of_line": ["line_id", "first_due_at", "id", "shelf"],
    "ix_spot_checks_of_plan": ["plan_id", "first_due_at", "id", "shelf", "unit_id"],
}
ATTEMPT_INDICES = {
    "ix_attempts_shelf": ["shelf", "claimed_at", "id", "unit_id"],
    "ix_attempts_of_unit": ["unit_id", "claimed_at", "id", "shelf"],
}


def upgrade() -> None:
    _copy_to_spot_checks()
    _copy_to_attempts()


def downgrade() -> None:
    with op.batch_alter_table("attempts") as batch_op:
        for name in ATTEMPT_INDICES:
            batch_op.drop_index(name)
        for column in ("shelf", "proposal_code", "kind"):
            batch_op.drop_column(column)
        batch_op.create_index("ix_attempts_unit_id_claimed_at_id", ["unit_id", "claimed_at", "id"])
    with op.batch_alter_table("spot_checks") as batch_op:
        for name in ORDER_INDICES:
            batch_op.drop_index(name)
        batch_op.drop_column("shelf")
    with op.batch_alter_table("spot_checks") as batch_op:
        batch_op.drop_constraint(op.f("fk_spot_checks_unit_id"), type_="foreignkey")
        for column in ("needs_review", "adverse", "code", "unit_id"):
            batch_op.drop_column(column)
        batch_op.alter_column("first_due_at", nullable=True)
        batch_op.create_index("ix_spot_checks_plan_id", ["plan_id"])


def _copy_to_spot_checks() -> None:
    with op.batch_alter_table("spot_checks") as batch_op:
        batch_op.drop_index("ix_spot_checks_plan_id")
        batch_op.add_column(sa.Column("unit_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("code", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("adverse", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("needs_review", sa.Boolean(), nullable=True))
    op.execute(
        "UPDATE spot_checks SET first_due_at = coalesce(first_due_at, due_at),"
        " unit_id = (SELECT l.unit_id FROM duty_lines l WHERE l.id = spot_checks.line_id),"
        " code = (SELECT max(p.code) FROM proposals p WHERE p.check_id = spot_checks.id AND p.in_force)"
    )
    with op.batch_alter_table("spot_checks") as batch_op:
        batch_op.alter_column("unit_id", existing_type=KEY, nullable=False)
        batch_op.alter_column("first_due_at", nullable=False)
        batch_op.create_foreign_key(
            "fk_spot_checks_unit_id", "units", ["unit_id"], ["id"], ondelete="RESTRICT"
        )
        batch_op.add_column(
            sa.Column(
                "shelf", sa.String(length=160), sa.Computed(ORDER_SHELF, persisted=True), nullable=False
            )
        )
        for name, columns in ORDER_INDICES.items():
            batch_op.create_index(name, columns)


def _copy_to_attempts() -> None:
    with op.batch_alter_table("attempts") as batch_op:
        batch_op.drop_index("ix_attempts_unit_id_claimed_at_id")
        batch_op.add_column(
            sa.Column("kind", sa.String(length=20), server_default="designated", nullable=False)
        )
        batch_op.add_column(sa.Column("proposal_code", sa.String(length=40), nullable=True))
    op.execute(
        "UPDATE attempts SET (kind, proposal_code) ="
        " (SELECT s.kind, s.code FROM spot_checks s WHERE s.id = attempts.check_id)"
    )
    with op.batch_alter_table("attempts") as batch_op:
        batch_op.add_column(
            sa.Column(
                "shelf", sa.String(length=160), sa.Computed(ATTEMPT_SHELF, persisted=True), nullable=False
            )
        )
        for name, columns in ATTEMPT_INDICES.items():
            batch_op.create_index(name, columns)
