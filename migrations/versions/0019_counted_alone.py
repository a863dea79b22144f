"""What was taken out of the number of checks, by its period, and recordings that are being deleted have an index.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

NAME = "ix_cases_end_cause"
GOING = "gone_at IS NULL AND gone_why IS NOT NULL"


def upgrade() -> None:
    op.drop_index(NAME, "cases")
    op.create_index(NAME, "cases", ["end_cause", "happened_at", "kind", "unit_id", "check_id"])
    op.create_index(
        "ix_recordings_going",
        "recordings",
        ["gone_why"],
        sqlite_where=sa.text(GOING),
        postgresql_where=sa.text(GOING),
    )


def downgrade() -> None:
    op.drop_index("ix_recordings_going", "recordings")
    op.drop_index(NAME, "cases")
    op.create_index(NAME, "cases", ["end_cause"])
