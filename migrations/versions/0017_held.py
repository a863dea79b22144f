"""Indices from a check to its calls and from a call to its recording, as far as there is sound: what cases hold.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KEPT = "gone_why IS NULL"


def upgrade() -> None:
    op.create_index("ix_attempts_of_check", "attempts", ["check_id", "unit_id", "id"])
    op.create_index(
        "ix_recordings_kept",
        "recordings",
        ["attempt_id", "created_at", "id", "unit_id", "gone_why"],
        sqlite_where=sa.text(KEPT),
        postgresql_where=sa.text(KEPT),
    )


def downgrade() -> None:
    op.drop_index("ix_recordings_kept", "recordings")
    op.drop_index("ix_attempts_of_check", "attempts")
