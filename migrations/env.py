"""Alembic's entry: runs the migrations on the connection that `app.database` hands over."""

from __future__ import annotations

from alembic import context

import app.accounts.models
import app.answers.models
import app.api.models
import app.checks.models
import app.directory.models
import app.evidence.models
import app.notices.models
import app.phone_records.models
import app.planning.models
import app.reports.models
import app.reviews.models
import app.rosters.models
import app.rules.models
import app.samples.models
import app.transcripts.models
import app.trunks.models  # noqa: F401 - the imports fill the metadata
from app.database import Base
from app.settings import get_settings

connection = context.config.attributes.get("connection")
if connection is None:
    # `alembic revision --autogenerate` on a developer's machine has no connection to hand over.
    from sqlalchemy import create_engine

    from app.database import _blocking_url

    connection = create_engine(_blocking_url(get_settings().url)).connect()
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
