"""An index of the recordings that are gone, newest first: they are few among those that are kept.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INDEX = "ix_recordings_gone"
GONE = sa.text("gone_why IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        INDEX, "recordings", ["created_at", "id"], sqlite_where=GONE, postgresql_where=GONE
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index(INDEX, "recordings")
