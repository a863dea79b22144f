"""The database: engine, unit of work, migrations.

SQLite runs in WAL mode with foreign keys on. A unit of work that writes begins with `BEGIN IMMEDIATE`: a
deferred transaction that reads first and writes later fails at once with "database is locked" when another
process wrote in between, whatever the busy timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
)
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

import migrations
from app.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

Step = Callable[[Settings], str | None]
"""A migration on the database of the settings; returns the revision that it is at."""
BUSY_TIMEOUT_MS = 15_000
BigId = BigInteger().with_variant(Integer, "sqlite")
"""Key type: 64 bits everywhere; SQLite numbers only INTEGER keys by itself."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time of day, kept in UTC. SQLite has no zones: stored naive there, and read back aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; convert to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time of day needs its zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """Read what SQLite keeps as text in one step: pages read moments by the ten thousand."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)
        read = datetime.fromisoformat
        return lambda text: None if text is None else read(text + "+00:00")


class Base(DeclarativeBase):
    """Base of all models; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy's own name and type


def one_of(column: str, values: Iterable[str]) -> str:
    """Return the SQL of a check constraint: the column holds one of these words."""
    return f"{column} IN (" + ", ".join(f"'{value}'" for value in values) + ")"


class Database:
    """One engine and its sessions. `async with` closes it."""

    def __init__(self, url: str) -> None:
        # What errors quote goes into the log: numbers, sealed seeds and a moment's row have no place there.
        sqlite = url.startswith("sqlite")
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_pre_ping=not sqlite,
            hide_parameters=True,
            connect_args={"factory": SqliteConnection} if sqlite else {},
        )
        self._turn: AbstractAsyncContextManager[object] = contextlib.nullcontext()
        if self.engine.dialect.name == "sqlite":
            prepare_sqlite(self.engine.sync_engine)
            # SQLite has one writer. Waiting here costs nothing; SQLite itself would poll with growing pauses.
            self._turn = asyncio.Lock()
        else:
            prepare_postgresql(self.engine.sync_engine)
        writing = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._read = async_sessionmaker(self.engine, expire_on_commit=False)
        self._write = async_sessionmaker(writing, expire_on_commit=False)

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are committed together at the end, or not at all. Never nest two of them."""
        async with self._turn, self._write() as session, session.begin():
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for queries alone; nothing it does is kept."""
        async with self._read() as session:
            yield session

    async def scrub(self) -> None:
        """Empty SQLite's log of changes, in which words that were deleted stand until it is used again.

        Waits for readers as long as for a writer; where one reads on, the log stays until its next turn.
        """
        if self.engine.dialect.name != "sqlite":
            return
        async with self._turn, self.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await (await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class SqliteConnection(sqlite3.Connection):
    """A connection that ends its transaction when it is closed.

    SQLite keeps a closed connection, and the one write lock with it, as long as a cursor of it lives. The error of a
    task that was cancelled in the middle of a query holds one, in a cycle that waits for the garbage collector; the
    phone process collects seldom.
    """

    def close(self) -> None:
        """Roll back what was not committed, then close. Closing twice does nothing."""
        with contextlib.suppress(sqlite3.ProgrammingError):
            if self.in_transaction:
                self.rollback()
        super().close()


def prepare_postgresql(engine: Engine) -> None:
    """Let no connection compile its queries.

    Asked of a million checks, many of ours are taken for long ones and are none: compiled for 4 s, done in 90 ms.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("SET jit = off")
        cursor.close()
        # What is set in a transaction that is rolled back is not set.
        connection.commit()


def prepare_sqlite(engine: Engine) -> None:
    """Set what SQLite needs on each connection, and begin transactions ourselves."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            # What is deleted is overwritten with zeros: a withdrawn transcript must not stay to be read in the file.
            "secure_delete = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(str(connection.get_execution_options().get("sqlite_begin", "BEGIN")))


def upgrade(settings: Settings, revision: str = "head") -> str | None:
    """Bring the database to `revision`, creating the data folder when needed; return its revision."""
    from alembic import command

    return _migrate(settings, lambda config: command.upgrade(config, revision))


def downgrade(settings: Settings, revision: str) -> str | None:
    """Take the database back to `revision` (`base` removes every table); return the revision it is at."""
    from alembic import command

    return _migrate(settings, lambda config: command.downgrade(config, revision))


def current(settings: Settings) -> str | None:
    """Return the revision that the database is at, None when it is empty."""
    return _migrate(settings, lambda _: None)


def _migrate(settings: Settings, step: Callable[[Config], object]) -> str | None:
    # Only who migrates pays for loading it, and no phone does.
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    make_private_folder(settings.data_dir)
    _make_private_file(settings)
    engine = create_engine(_blocking_url(settings.url))
    if engine.dialect.name == "sqlite":
        prepare_sqlite(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    if engine.dialect.name == "sqlite":
        # A table is changed by writing it anew; with the keys enforced, dropping the old one would delete through them.
        event.listen(engine, "connect", _let_keys_be)
    try:
        with file_lock(settings.data_dir / "migrate.lock"), engine.connect() as connection:
            config.attributes["connection"] = connection
            with connection.begin():
                step(config)
                if engine.dialect.name == "sqlite":
                    _check_keys(connection)
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def _let_keys_be(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA foreign_keys = OFF")


def _check_keys(connection: Connection) -> None:
    """Raise IntegrityError for a row that points nowhere; then nothing of the migration is kept."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = sorted({str(row[0]) for row in broken})
        reason = ValueError(f"{len(broken)} rows of {', '.join(tables)} point to rows that are not there")
        raise IntegrityError("PRAGMA foreign_key_check", None, reason)


def _blocking_url(url: str) -> str:
    """Return the same database for a blocking driver; psycopg is both."""
    parsed = make_url(url)
    if parsed.drivername == "sqlite+aiosqlite":
        parsed = parsed.set(drivername="sqlite")
    return parsed.render_as_string(hide_password=False)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, waiting for it; it ends with the process at the latest."""
    with open_private(path) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def make_private_folder(folder: Path) -> None:
    """Make the data folder for its owner alone; one that is there keeps the rights it was given."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def open_private(path: Path) -> TextIO:
    """Open a file for writing that its owner alone may read."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "w")


def _make_private_file(settings: Settings) -> None:
    """Keep others from SQLite's file, which it would make as the umask says; its journals take after it."""
    url = make_url(settings.url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return
    path = Path(str(url.database))
    with contextlib.suppress(OSError):
        # What cannot be made here SQLite will complain of itself.
        path.touch(mode=0o600)
        path.chmod(path.stat().st_mode & 0o660)
