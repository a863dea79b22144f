"""`dutyring db`: the database's migrations."""

from __future__ import annotations

import sys

import typer
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

from app import database
from app.settings import get_settings


def upgrade(revision: str = "head") -> None:
    """Bring the database up to a revision and print where it is."""
    _say(_guarded(lambda settings: database.upgrade(settings, revision)))


def downgrade(revision: str, yes: bool = False) -> int:
    """Take the database down to a revision (`-1` one step, `base` everything) and print where it is.

    Asks before, unless `yes`. Returns the exit status: 1 when the answer was no.
    """
    if revision.startswith("-") and not revision[1:].isdecimal():
        raise typer.BadParameter(f"no such option: {revision}", param_hint="'REVISION'")
    if not (yes or _confirmed(revision)):
        return 1
    _say(_guarded(lambda settings: database.downgrade(settings, revision)))
    return 0


def _confirmed(revision: str) -> bool:
    place = get_settings().data_dir
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            f"going down to {revision} deletes evidence in {place}; without a terminal it takes --yes",
            param_hint="'REVISION'",
        )
    return typer.confirm(f"Going down to {revision} deletes evidence in {place} for good. Go on?")


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
