"""`dutyring db`: the database's migrations."""

from __future__ import annotations

import typer
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

from app import database
from app.settings import get_settings


def upgrade(revision: str = "head") -> None:
    """Bring the database up to a revision and print where it is."""
    _say(_guarded(lambda settings: database.upgrade(settings, revision)))


def downgrade(revision: str) -> None:
    """Take the database down to a revision (`-1` one step, `base` everything) and print where it is."""
    _say(_guarded(lambda settings: database.downgrade(settings, revision)))


def current() -> None:
    """Print the revision that the database is at."""
    _say(_guarded(database.current))


def _guarded(step: database.Step) -> str | None:
    try:
        return step(get_settings())
    except CommandError as error:
        raise typer.BadParameter(str(error), param_hint="'REVISION'") from error
    except OperationalError as error:
        raise typer.BadParameter(
            f"the database cannot be opened: {error.orig}", param_hint="DUTYRING_DATABASE_URL"
        ) from error


def _say(revision: str | None) -> None:
    print(revision or "empty")  # noqa: T201
