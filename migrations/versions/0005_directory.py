"""The directory as a tree, people, rosters, exemptions, confirmations, reported changes.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.directory.numbers import key_of

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
CALLED = sa.text("kind <> 'fax'")


def upgrade() -> None:
    _change_units()
    # Every unit that is there stands at the root.
    op.execute("UPDATE units SET path = id || '/'")
    _change_duty_lines()
    _create_unit_regimes()
    _create_line_units()
    _create_people()
    _create_unit_exemptions()
    _create_confirmations()
    _create_number_changes()
    _create_rosters()
    _create_shifts()
    _create_whereabouts()


def downgrade() -> None:
    for table in (
        "whereabouts",
        "shifts",
        "rosters",
        "number_changes",
        "confirmations",
        "unit_exemptions",
        "people",
        "line_units",
        "unit_regimes",
    ):
        op.drop_table(table)
    _restore_duty_lines()
    _restore_units()


def _change_units() -> None:
    with op.batch_alter_table("units", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("category", sa.String(length=20), server_default="other", nullable=False)
        )
        batch_op.add_column(sa.Column("parent_id", KEY, nullable=True))
        batch_op.add_column(sa.Column("path", sa.String(length=255), server_default="", nullable=False))
        batch_op.add_column(sa.Column("handover_times", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("first_day", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("last_day", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
        batch_op.create_index("ix_units_parent_id", ["parent_id"], unique=False)
        batch_op.create_index("ix_units_path", ["path"], unique=False)
        batch_op.create_foreign_key("fk_units_parent_id", "units", ["parent_id"], ["id"], ondelete="RESTRICT")
        batch_op.create_check_constraint(
            op.f("ck_units_category"),
            "category IN ('city', 'county', 'town', 'city_department', 'county_department', 'institution', 'other')",
        )


def _change_duty_lines() -> None:
    with op.batch_alter_table("duty_lines", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=20), server_default="duty", nullable=False))
        batch_op.add_column(sa.Column("number_key", sa.String(length=300), server_default="", nullable=False))
        batch_op.add_column(sa.Column("trunk", sa.String(length=64), nullable=True))
        batch_op.add_column(
            sa.Column("verification", sa.String(length=20), server_default="verified", nullable=False)
        )
        batch_op.add_column(sa.Column("verified_at", TIME, nullable=True))
        batch_op.add_column(sa.Column("failed_calls", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("target_since", TIME, nullable=True))
        batch_op.add_column(sa.Column("first_day", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("last_day", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
        batch_op.drop_constraint("uq_duty_lines_target", type_="unique")
        batch_op.create_check_constraint(
            op.f("ck_duty_lines_kind"), "kind IN ('duty', 'leader', 'fax', 'other')"
        )
        batch_op.create_check_constraint(
            op.f("ck_duty_lines_verification"), "verification IN ('pending', 'verified', 'failed')"
        )
    op.create_index("ix_duty_lines_number_key", "duty_lines", ["number_key"], unique=False)
    _fill_number_keys()
    op.create_index(
        "ix_duty_lines_called_target",
        "duty_lines",
        ["target"],
        unique=True,
        sqlite_where=CALLED,
        postgresql_where=CALLED,
    )


def _fill_number_keys() -> None:
    lines = sa.table(
        "duty_lines", sa.column("id", KEY), sa.column("target", sa.String), sa.column("number_key", sa.String)
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(lines.c.id, lines.c.target)).all():
        connection.execute(lines.update().where(lines.c.id == row.id).values(number_key=key_of(row.target)))


def _create_unit_regimes() -> None:
    op.create_table(
        "unit_regimes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("duty", sa.String(length=20), nullable=False),
        sa.Column("leader", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("duty IN ('onsite', 'phone')", name="ck_unit_regimes_duty"),
        sa.CheckConstraint("leader IN ('onsite', 'phone', 'double', 'none')", name="ck_unit_regimes_leader"),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["units.id"], name="fk_unit_regimes_unit_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_unit_regimes"),
    )
    op.create_index("ix_unit_regimes_unit_id", "unit_regimes", ["unit_id"], unique=False)


def _create_line_units() -> None:
    op.create_table(
        "line_units",
        sa.Column("line_id", KEY, autoincrement=False, nullable=False),
        sa.Column("unit_id", KEY, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["duty_lines.id"], name="fk_line_units_line_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_line_units_unit_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("line_id", "unit_id", name="pk_line_units"),
    )
    op.create_index("ix_line_units_unit_id", "line_units", ["unit_id"], unique=False)


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("staffing", sa.String(length=20), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "role IN ('duty_officer', 'leader', 'principal', 'contact')", name="ck_people_role"
        ),
        sa.CheckConstraint(
            "staffing IN ('established', 'contract', 'rehired', 'intern', 'worker', 'unknown')",
            name="ck_people_staffing",
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_people_unit_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
    )
    op.create_index("ix_people_unit_id_name", "people", ["unit_id", "name"], unique=False)


def _create_unit_exemptions() -> None:
    op.create_table(
        "unit_exemptions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("line_id", KEY, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.String(length=80), nullable=False),
        sa.Column("entered_at", TIME, nullable=False),
        sa.CheckConstraint("kind IN ('maintenance', 'emergency')", name="ck_unit_exemptions_kind"),
        sa.ForeignKeyConstraint(
            ["line_id"], ["duty_lines.id"], name="fk_unit_exemptions_line_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["units.id"], name="fk_unit_exemptions_unit_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_unit_exemptions"),
    )
    op.create_index("ix_unit_exemptions_unit_id", "unit_exemptions", ["unit_id"], unique=False)


def _create_confirmations() -> None:
    op.create_table(
        "confirmations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("quarter", sa.String(length=6), nullable=False),
        sa.Column("confirmed_at", TIME, nullable=False),
        sa.Column("confirmed_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["units.id"], name="fk_confirmations_unit_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_confirmations"),
        sa.UniqueConstraint("unit_id", "quarter", name="uq_confirmations_unit_id_quarter"),
    )


def _create_number_changes() -> None:
    op.create_table(
        "number_changes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("line_id", KEY, nullable=True),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("received_by", sa.String(length=80), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("entered_at", TIME, nullable=True),
        sa.Column("entered_by", sa.String(length=80), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('pending', 'entered', 'dismissed')", name="ck_number_changes_outcome"
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["duty_lines.id"], name="fk_number_changes_line_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["units.id"], name="fk_number_changes_unit_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_number_changes"),
    )
    op.create_index("ix_number_changes_unit_id", "number_changes", ["unit_id"], unique=False)


def _create_rosters() -> None:
    op.create_table(
        "rosters",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("filed_at", TIME, nullable=False),
        sa.Column("filed_by", sa.String(length=80), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('duty', 'leader')", name="ck_rosters_kind"),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_rosters_unit_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_rosters"),
        sa.UniqueConstraint("unit_id", "day", "kind", "version", name="uq_rosters_unit_id_day_kind_version"),
    )
    op.create_index("ix_rosters_day_kind", "rosters", ["day", "kind"], unique=False)


def _create_shifts() -> None:
    op.create_table(
        "shifts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("roster_id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("start_at", TIME, nullable=False),
        sa.Column("end_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_shifts_person_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["roster_id"], ["rosters.id"], name="fk_shifts_roster_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shifts"),
    )
    op.create_index("ix_shifts_name", "shifts", ["name"], unique=False)
    op.create_index("ix_shifts_roster_id", "shifts", ["roster_id"], unique=False)


def _create_whereabouts() -> None:
    op.create_table(
        "whereabouts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("sealed_place", sa.Text(), nullable=False),
        sa.Column("entered_at", TIME, nullable=False),
        sa.Column("entered_by", sa.String(length=80), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_whereabouts_person_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name="fk_whereabouts_unit_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_whereabouts"),
    )
    op.create_index("ix_whereabouts_expires_at", "whereabouts", ["expires_at"], unique=False)
    op.create_index("ix_whereabouts_unit_id", "whereabouts", ["unit_id"], unique=False)


def _restore_duty_lines() -> None:
    op.drop_index("ix_duty_lines_called_target", table_name="duty_lines")
    op.drop_index("ix_duty_lines_number_key", table_name="duty_lines")
    # The earlier tables hold one line for each target: a fax at a duty line's number gives way.
    op.execute(
        "DELETE FROM duty_lines WHERE kind = 'fax' AND target IN (SELECT target FROM duty_lines WHERE kind <> 'fax')"
    )
    op.execute(
        "DELETE FROM duty_lines WHERE kind = 'fax' AND id NOT IN (SELECT min(id) FROM duty_lines GROUP BY target)"
    )
    with op.batch_alter_table("duty_lines") as batch_op:
        batch_op.create_unique_constraint("uq_duty_lines_target", ["target"])
        batch_op.drop_constraint(op.f("ck_duty_lines_kind"), type_="check")
        batch_op.drop_constraint(op.f("ck_duty_lines_verification"), type_="check")
        for column in (
            "revision",
            "last_day",
            "first_day",
            "target_since",
            "failed_calls",
            "number_key",
            "verified_at",
            "verification",
            "trunk",
            "kind",
        ):
            batch_op.drop_column(column)


def _restore_units() -> None:
    with op.batch_alter_table("units") as batch_op:
        batch_op.drop_constraint(op.f("ck_units_category"), type_="check")
        batch_op.drop_constraint(op.f("fk_units_parent_id"), type_="foreignkey")
        batch_op.drop_index("ix_units_path")
        batch_op.drop_index("ix_units_parent_id")
        for column in (
            "revision",
            "last_day",
            "first_day",
            "handover_times",
            "path",
            "parent_id",
            "category",
        ):
            batch_op.drop_column(column)
