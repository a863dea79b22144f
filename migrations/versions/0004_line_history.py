"""What is known of a line before its call: post-dial delays by trunk, and pilot numbers.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("post_dial_delay_ms", sa.Double(), nullable=True))
    op.add_column("attempts", sa.Column("trunk", sa.String(length=64), nullable=True))
    # The last calls of one line are read before each call: one look into one index, however many attempts there are.
    op.create_index("ix_attempts_line_id_id", "attempts", ["line_id", "id"])
    op.drop_index("ix_attempts_line_id", table_name="attempts")
    op.add_column("duty_lines", sa.Column("pilot_numbers", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("duty_lines", "pilot_numbers")
    op.create_index("ix_attempts_line_id", "attempts", ["line_id"])
    op.drop_index("ix_attempts_line_id_id", table_name="attempts")
    op.drop_column("attempts", "trunk")
    op.drop_column("attempts", "post_dial_delay_ms")
