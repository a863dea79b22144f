"""Which checks count is written beside them; recordings carry the unit that was called. Indices that go by these.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TELLING = (
    "EXISTS (SELECT 1 FROM attempts WHERE attempts.check_id = spot_checks.id AND attempts.verdict_code IS NOT NULL"
    " AND attempts.verdict_code NOT IN ('our_side', 'cancelled', 'interrupted'))"
)
COUNTED = "kind || state = 'randomdone'"
DUE, GONE = "gone_at IS NULL", "gone_why IS NOT NULL"


def upgrade() -> None:
    op.add_column("spot_checks", sa.Column("counts", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(f"UPDATE spot_checks SET counts = TRUE WHERE {TELLING}")
    _index("ix_spot_checks_counted", "spot_checks", ["line_id", "first_due_at"], f"counts AND {COUNTED}",
           f"counts = 1 AND {COUNTED}")  # fmt: skip
    op.add_column("recordings", sa.Column("unit_id", KEY, nullable=True))
    op.execute(
        "UPDATE recordings SET unit_id = (SELECT unit_id FROM attempts WHERE attempts.id = recordings.attempt_id)"
        " WHERE attempt_id IS NOT NULL"
    )
    for name in ("ix_recordings_due", "ix_recordings_gone"):
        op.drop_index(name, "recordings")
    _index("ix_recordings_due", "recordings", ["keep_until", "gone_why", "created_at", "id", "unit_id"], DUE)
    _index("ix_recordings_gone", "recordings", ["gone_why", "created_at", "id", "unit_id"], GONE)
    op.create_index("ix_recordings_of_unit", "recordings", ["unit_id", "created_at", "id", "gone_why"])
    op.create_index("ix_cases_standing", "cases", ["state", "changed_at", "check_id"])


def downgrade() -> None:
    op.drop_index("ix_cases_standing", "cases")
    for name in ("ix_recordings_of_unit", "ix_recordings_gone", "ix_recordings_due"):
        op.drop_index(name, "recordings")
    op.execute("ALTER TABLE recordings DROP COLUMN unit_id")
    _index("ix_recordings_gone", "recordings", ["created_at", "id"], GONE)
    _index("ix_recordings_due", "recordings", ["keep_until", "gone_why"], DUE)
    op.drop_index("ix_spot_checks_counted", "spot_checks")
    op.execute("ALTER TABLE spot_checks DROP COLUMN counts")


def _index(name: str, table: str, columns: Sequence[str], where: str, sqlite_where: str = "") -> None:
    op.create_index(
        name,
        table,
        columns,
        sqlite_where=sa.text(sqlite_where or where),
        postgresql_where=sa.text(where),
    )
