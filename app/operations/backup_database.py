"""The database as one file, as it was at one moment while others go on writing, and back."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from app.operations.backup_format import BackupError, DatabaseKind
from app.settings import Settings

Known = Callable[[Iterable[str]], frozenset[str]]
"""Which of these keys of recordings stand in a copy."""
_KNOWS = "SELECT 1 FROM recordings WHERE path = {} LIMIT 1"
PACKAGE = "postgresql-client (Debian) of the server's version or newer"


def kind_of(settings: Settings) -> DatabaseKind:
    """Which kind of database the settings name."""
    return "sqlite" if make_url(settings.url).get_backend_name() == "sqlite" else "postgresql"


def sqlite_file(settings: Settings) -> Path:
    """The file of an SQLite database."""
    return Path(str(make_url(settings.url).database)).absolute()


@contextlib.contextmanager
def dumped(settings: Settings, place: Path) -> Iterator[Known]:
    """Write the database to a new file; gives what tells which recordings that copy knows. Raises `BackupError`."""
    if kind_of(settings) == "sqlite":
        _copy_sqlite(sqlite_file(settings), place)
        with contextlib.closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as copy:
            yield lambda paths: frozenset(
                path for path in paths if copy.execute(_KNOWS.format("?"), (path,)).fetchone()
            )
        return
    engine = create_engine(make_url(settings.url), hide_parameters=True, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            # The dump and we see one and the same moment.
            snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
            form = ("--format=custom", "--no-owner", "--no-privileges")
            _run("pg_dump", settings, *form, f"--snapshot={snapshot}", f"--file={place}")
            yield lambda paths: frozenset(
                path for path in paths if connection.exec_driver_sql(_KNOWS.format("%s"), (path,)).first()
            )
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise BackupError(f"the database cannot be read: {reason}") from error
    finally:
        engine.dispose()


def check(settings: Settings, place: Path) -> None:
    """See that a dump can be read. Raises `BackupError`."""
    if kind_of(settings) == "sqlite":
        with contextlib.closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as copy:
            told = [row[0] for row in copy.execute("PRAGMA quick_check(1)")]
        if told != ["ok"]:
            raise BackupError(f"the copy of the database is damaged: {told[0]}")
        return
    command = [_program("pg_restore"), "--list", str(place)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise BackupError(f"the dump cannot be read: {_first_line(done.stderr)}")


def load(settings: Settings, place: Path) -> None:
    """Put a dump where the settings say, where nothing is yet. Raises `BackupError`."""
    if kind_of(settings) == "sqlite":
        target = sqlite_file(settings)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(place, target)
        target.chmod(0o600)
    else:
        _run(
            "pg_restore",
            settings,
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--single-transaction",
            place,
        )


def refuse_full(settings: Settings) -> None:
    """Raises `BackupError` where there is a database already."""
    if kind_of(settings) == "sqlite":
        if sqlite_file(settings).exists():
            raise BackupError(f"{sqlite_file(settings)} is there already; restore goes where nothing is")
        return
    engine = create_engine(make_url(settings.url), hide_parameters=True)
    try:
        tables = inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise BackupError(f"DUTYRING_DATABASE_URL: the database cannot be reached: {reason}") from error
    finally:
        engine.dispose()
    if tables:
        raise BackupError(
            f"DUTYRING_DATABASE_URL: the database holds {len(tables)} tables; restore goes into an empty one"
        )


def _copy_sqlite(source: Path, place: Path) -> None:
    if not source.is_file():
        raise BackupError(f"there is no database at {source}")
    try:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=15.0)) as database,
            contextlib.closing(sqlite3.connect(place)) as copy,
        ):
            # In one step: a step that others write between would begin anew, for ever on a busy service.
            database.backup(copy, pages=-1)
            # One file, without a log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"the database cannot be copied: {error}") from error
    place.chmod(0o600)


def _run(name: str, settings: Settings, *arguments: str | Path) -> None:
    url = make_url(settings.url)
    command = [_program(name), *map(str, arguments), f"--dbname={_without_password(url)}"]
    # The password in the environment: everybody may read the arguments of a process.
    secret = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | secret)
    if done.returncode:
        raise BackupError(f"{name}: {_first_line(done.stderr)}")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"{name} is not installed; a PostgreSQL database is backed up with it. Install {PACKAGE}, or back up the "
            "server by its own means"
        )
    return found


def _without_password(url: URL) -> str:
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return plain.render_as_string(hide_password=False)


def _first_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[0] if lines else "it failed without a word"
