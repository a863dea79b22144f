"""Rule sets in force, and cases from proposal to publication.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
STATES = "'to_review', 'proposed', 'notified', 'disputed', 'confirmed', 'revoked', 'published', 'overturned'"

KINDS = "'random', 'designated', 'demo', 'manual'"


def upgrade() -> None:
    _create_rule_sets()
    _create_rule_activations()
    _create_cases()
    _create_case_events()
    _create_attachments()
    _create_publications()
    _create_publication_entries()


def downgrade() -> None:
    for table in (
        "publication_entries",
        "publications",
        "attachments",
        "case_events",
        "cases",
        "rule_activations",
        "rule_sets",
    ):
        op.drop_table(table)


def _create_rule_sets() -> None:
    op.create_table(
        "rule_sets",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rule_sets"),
        sa.UniqueConstraint("key", "sha256", name="uq_rule_sets_key_sha256"),
    )


def _create_rule_activations() -> None:
    op.create_table(
        "rule_activations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("rule_set_id", KEY, nullable=False),
        sa.Column("document", sa.String(length=200), nullable=False),
        sa.Column("own", sa.JSON(), nullable=False),
        sa.Column("from_at", TIME, nullable=False),
        sa.Column("activated_at", TIME, nullable=False),
        sa.Column("activated_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_set_id"], ["rule_sets.id"], name="fk_rule_activations_rule_set_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rule_activations"),
    )
    op.create_index("ix_rule_activations_from_at", "rule_activations", ["from_at"], unique=False)


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", KEY, nullable=False),
        sa.Column("check_id", KEY, nullable=True),
        sa.Column("manual_id", KEY, nullable=True),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False, server_default="random"),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("proposal", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("confirmed_code", sa.String(length=40), nullable=True),
        sa.Column("confirmed_by", sa.String(length=80), nullable=True),
        sa.Column("answer_until", TIME, nullable=True),
        sa.Column("mitigated", sa.Boolean(), nullable=False),
        sa.Column("end_cause", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            f"state IN ({STATES})",
            name="ck_cases_state",
        ),
        sa.CheckConstraint(f"kind IN ({KINDS})", name="ck_cases_kind"),
        sa.CheckConstraint("(check_id IS NULL) <> (manual_id IS NULL)", name="ck_cases_origin"),
        sa.ForeignKeyConstraint(
            ["check_id"], ["spot_checks.id"], name="fk_cases_check_id", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["manual_id"], ["manual_checks.id"], name="fk_cases_manual_id", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_cases_unit_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("check_id", "code", name="uq_cases_check_id_code"),
        sa.UniqueConstraint("manual_id", "code", name="uq_cases_manual_id_code"),
    )
    for columns in (
        ("state", "opened_at", "id"),
        ("unit_id", "state", "opened_at", "id"),
        ("happened_at", "id"),
        ("state", "happened_at", "id"),
        ("unit_id", "happened_at", "id"),
        ("code", "happened_at", "id"),
        ("kind", "happened_at", "id"),
        ("mitigated", "happened_at", "id"),
        ("end_cause",),
    ):
        op.create_index(f"ix_cases_{'_'.join(columns)}", "cases", list(columns), unique=False)


def _create_case_events() -> None:
    op.create_table(
        "case_events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=False),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name="fk_case_events_case_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_case_events"),
    )
    op.create_index("ix_case_events_case_id", "case_events", ["case_id"], unique=False)


def _create_attachments() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        sa.Column("added_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name="fk_attachments_case_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
    )
    op.create_index("ix_attachments_case_id", "attachments", ["case_id"], unique=False)


def _create_publications() -> None:
    op.create_table(
        "publications",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("published_at", TIME, nullable=False),
        sa.Column("published_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('table', 'bulletin')", name="ck_publications_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
    )


def _create_publication_entries() -> None:
    op.create_table(
        "publication_entries",
        sa.Column("publication_id", KEY, autoincrement=False, nullable=False),
        sa.Column("case_id", KEY, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name="fk_publication_entries_case_id", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            ["publications.id"],
            name="fk_publication_entries_publication_id",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("publication_id", "case_id", name="pk_publication_entries"),
    )
    op.create_index("ix_publication_entries_case_id", "publication_entries", ["case_id"], unique=False)
