"""Tables and reports: what the list of records filters by, saved filters, chosen columns, exports under way.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
COPIES = {
    "plan_id": KEY,
    "case_state": sa.String(length=20),
    "reviewer": sa.String(length=80),
    "grade": sa.String(length=20),
    "sign": sa.String(length=40),
}
INDICES = {
    "ix_attempts_of_plan": ["plan_id", "claimed_at", "id", "shelf", "unit_id"],
    "ix_attempts_reviewer": ["reviewer", "claimed_at", "id", "shelf", "unit_id"],
    "ix_attempts_sign": ["sign", "claimed_at", "id", "shelf", "unit_id"],
}
OF_SHELF = {
    "ix_attempts_shelf": ["shelf", "claimed_at", "id", "unit_id"],
    "ix_attempts_of_unit": ["unit_id", "claimed_at", "id", "shelf"],
}
FORMER_SHELF = (
    "coalesce(kind, '') || '|' || coalesce(verdict_code, '') || '|' || coalesce(proposal_code, '')"
    " || '|' || CASE WHEN needs_review IS NULL THEN '' WHEN needs_review THEN '1' ELSE '0' END"
)
SHELF = f"{FORMER_SHELF} || '|' || coalesce(grade, '') || '|' || coalesce(case_state, '')"
FOUND = ["state", "happened_at", "kind", "unit_id", "check_id", "confirmed_code", "code"]
GRADES = ("none", "weak", "medium", "strong", "near_proof", "definitive")
SPEAKS = ("published", "confirmed", "disputed", "notified", "proposed", "to_review", "overturned", "revoked")
DECISIONS = ("propose", "confirm", "uphold", "revoke", "overturn")
BATCH = 5_000


def upgrade() -> None:
    _create_tables()
    op.create_index("ix_cases_found", "cases", FOUND)
    kept = sa.text("gone_at IS NULL")
    op.create_index(
        "ix_recordings_due",
        "recordings",
        ["keep_until", "gone_why"],
        sqlite_where=kept,
        postgresql_where=kept,
    )
    with op.batch_alter_table("attempts") as batch_op:
        for name in OF_SHELF:
            batch_op.drop_index(name)
        batch_op.drop_column("shelf")
        for name, kind in COPIES.items():
            batch_op.add_column(sa.Column(name, kind, nullable=True))
    op.execute(
        "UPDATE attempts SET plan_id = (SELECT plan_id FROM spot_checks s WHERE s.id = attempts.check_id)"
    )
    _copy("SELECT attempt_id, content FROM verdicts ORDER BY id", "grade", _grade)
    for table in ("call_facts", "call_readings"):
        _copy(f"SELECT attempt_id, content FROM {table} WHERE content IS NOT NULL", "sign", _sign)
    _copy_reviews()
    _add_shelf(SHELF, OF_SHELF | INDICES)


def downgrade() -> None:
    with op.batch_alter_table("attempts") as batch_op:
        for name in (*INDICES, *OF_SHELF):
            batch_op.drop_index(name)
        batch_op.drop_column("shelf")
    with op.batch_alter_table("attempts") as batch_op:
        for name in COPIES:
            batch_op.drop_column(name)
    _add_shelf(FORMER_SHELF, OF_SHELF)
    op.drop_index("ix_recordings_due", "recordings")
    op.drop_index("ix_cases_found", "cases")
    for table in ("export_jobs", "list_columns", "saved_filters"):
        op.drop_table(table)


def _add_shelf(shelf: str, indices: Mapping[str, list[str]]) -> None:
    with op.batch_alter_table("attempts") as batch_op:
        computed = sa.Computed(shelf, persisted=True)
        batch_op.add_column(sa.Column("shelf", sa.String(length=160), computed, nullable=False))
        for name, columns in indices.items():
            batch_op.create_index(name, columns)


def _create_tables() -> None:
    op.create_table(
        "saved_filters",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_filters"),
        sa.UniqueConstraint("account_id", "name", name="uq_saved_filters_account_id_name"),
    )
    op.create_table(
        "list_columns",
        sa.Column("account_id", KEY, nullable=False, autoincrement=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_list_columns"),
    )
    op.create_table(
        "export_jobs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("table", sa.String(length=20), nullable=False),
        sa.Column("form", sa.String(length=8), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(length=80), nullable=False),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'cancelled', 'failed', 'interrupted', 'deleted')",
            name=op.f("ck_export_jobs_state"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_export_jobs"),
    )
    op.create_index("ix_export_jobs_account_id_id", "export_jobs", ["account_id", "id"])
    op.create_index("ix_export_jobs_state_id", "export_jobs", ["state", "id"])


def _copy(statement: str, column: str, read: Any) -> None:
    """Copy to the attempts what a JSON says; of several rows of one attempt the last one counts."""
    connection = op.get_bind()
    change = sa.text(f"UPDATE attempts SET {column} = :value WHERE id = :key")
    rows = connection.execute(sa.text(statement), execution_options={"stream_results": True})
    while part := rows.fetchmany(BATCH):
        found = {key: read(_parsed(content)) for key, content in part}
        changes = [{"key": key, "value": value} for key, value in found.items() if value is not None]
        if changes:
            connection.execute(change, changes)


def _parsed(content: Any) -> Mapping[str, Any]:
    return (json.loads(content) if isinstance(content, str | bytes) else content) or {}


def _grade(content: Mapping[str, Any]) -> str | None:
    findings = content.get("findings") or ()
    named = next((item for item in findings if item.get("code") == content.get("code")), None)
    grade = (named or {}).get("grade")
    return None if grade in (None, "none") else grade


def _sign(content: Mapping[str, Any]) -> str | None:
    signs = (content.get("forwarding") or {}).get("evidence") or ()
    known = [item for item in signs if item.get("grade") in GRADES]
    return max(known, key=lambda item: GRADES.index(item["grade"]))["kind"] if known else None


def _copy_reviews() -> None:
    connection = op.get_bind()
    decided = ", ".join(f"'{action}'" for action in DECISIONS)
    who = dict(
        connection.execute(
            sa.text(
                f"SELECT case_id, who FROM case_events WHERE action IN ({decided}) AND who <> 'system' ORDER BY id"
            )
        ).all()
    )
    found: dict[int, tuple[int, int, str]] = {}
    query = sa.text("SELECT id, check_id, state FROM cases WHERE check_id IS NOT NULL")
    for case_id, check_id, state in connection.execute(query):
        row = (SPEAKS.index(state), case_id, state)
        found[check_id] = min(found.get(check_id, row), row)
    changes = [
        {"key": key, "state": state, "who": who.get(case_id)} for key, (_, case_id, state) in found.items()
    ]
    if changes:
        statement = "UPDATE attempts SET case_state = :state, reviewer = :who WHERE check_id = :key"
        connection.execute(sa.text(statement), changes)
