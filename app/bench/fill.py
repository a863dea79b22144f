"""Fills an empty database in bulk, as fast as its driver goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, Index, Table, create_engine, func, insert, select, text
from sqlalchemy.engine import make_url

from app.bench.beside import COLUMNS as OTHER_COLUMNS
from app.bench.beside import Beside
from app.bench.content import COLUMNS, PLANS, Orders, Row, UnitRow, units
from app.database import Base, _blocking_url

MARK = "bench-"
"""How the code of every unit of such a database begins."""


class NotEmptyError(Exception):
    """The database holds something already."""


def fill(url: str, rows: int, unit_count: int, newest: datetime) -> bool:
    """Fill a migrated database with `rows` orders up to the moment `newest`; False where it was filled before.

    Raises `NotEmptyError` for one that holds anything else.
    """
    engine = create_engine(_blocking_url(url))
    try:
        tree = units(unit_count)
        if _is_filled(engine, rows):
            _enter_beside(engine, tree, newest)
            return False
        indices = _large_indices()
        with engine.begin() as connection:
            for index in indices:
                index.drop(connection)
            _enter_directory(connection, tree, newest)
        _enter_orders(engine, Orders(rows, tree, newest))
        with engine.begin() as connection:
            for index in indices:
                index.create(connection)
        _settle(engine, COLUMNS)
        _enter_beside(engine, tree, newest)
        return True
    finally:
        engine.dispose()


def _is_filled(engine: Engine, rows: int) -> bool:
    tables = Base.metadata.tables
    with engine.connect() as connection:
        code = connection.scalar(select(func.min(tables["units"].c.code)))
        found = connection.scalar(select(func.count()).select_from(tables["spot_checks"])) or 0
    if code is None and not found:
        return False
    if code is None or not code.startswith(MARK) or found != rows:
        raise NotEmptyError(f"it holds {found} checks that are none of {rows} rows of such a run")
    return True


def _large_indices() -> list[Index]:
    """The indices of the tables that are filled; made anew when all rows are there."""
    return [index for name in COLUMNS for index in Base.metadata.tables[name].indexes]


def _enter_directory(connection: Connection, tree: Sequence[UnitRow], at: datetime) -> None:
    tables = Base.metadata.tables
    connection.execute(
        insert(tables["units"]),
        [
            {
                "id": unit.key, "code": f"{MARK}{unit.key:05}", "name": unit.name, "kind": unit.category,
                "category": unit.category, "parent_id": unit.parent, "path": unit.path, "created_at": at,
            }
            for unit in tree
        ],
    )  # fmt: skip
    connection.execute(
        insert(tables["duty_lines"]),
        [
            {
                "id": unit.key,
                "unit_id": unit.key,
                "number": f"0000{unit.key:07}",
                "target": f"0000{unit.key:07}",
            }
            for unit in tree
        ],
    )
    connection.execute(
        insert(tables["plans"]),
        [
            {"id": key, "name": f"第{key}期", "running": False, "state": "finished", "created_at": at}
            for key in range(1, PLANS + 1)
        ],
    )


def _enter_orders(engine: Engine, orders: Orders) -> None:
    raw = engine.raw_connection()
    try:
        driver: Any = raw.driver_connection
        _unguarded(driver)
        for batch in orders.batches():
            for name in COLUMNS:
                _write(driver, name, COLUMNS[name].split(), getattr(batch, name))
            driver.commit()
    finally:
        raw.close()


def _enter_beside(engine: Engine, tree: Sequence[UnitRow], newest: datetime) -> None:
    beside = Beside(engine, tree, newest)
    if beside.is_there:
        return
    indices = beside.indices()
    with engine.begin() as connection:
        for index in indices:
            index.drop(connection, checkfirst=True)
    raw = engine.raw_connection()
    try:
        driver: Any = raw.driver_connection
        _unguarded(driver)

        def write(name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
            _write(driver, name, columns, rows)
            driver.commit()

        beside.enter(write)
    finally:
        raw.close()
    with engine.begin() as connection:
        for index in indices:
            index.create(connection)
    _settle(engine, OTHER_COLUMNS)


def _unguarded(driver: Any) -> None:
    """Let the database take keys on trust, as far as we may ask for that, and SQLite not wait for the disk."""
    if isinstance(driver, sqlite3.Connection):
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute("PRAGMA synchronous = OFF")
        return
    try:
        driver.execute("SET session_replication_role = replica")
        driver.commit()
    except psycopg.Error:
        driver.rollback()


def _write(driver: Any, name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    fixed = _fixed(Base.metadata.tables[name], columns)
    listed = ", ".join([*columns, *fixed])
    last = tuple(fixed.values())
    if isinstance(driver, sqlite3.Connection):
        marks = ", ".join("?" * (len(columns) + len(fixed)))
        plain = [tuple(map(_sqlite_value, (*row, *last))) for row in rows]
        driver.executemany(f"INSERT INTO {name} ({listed}) VALUES ({marks})", plain)
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {name} ({listed}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row((*row, *last))


def _fixed(table: Table, given: Sequence[str]) -> dict[str, Any]:
    """Columns that must not be empty and were not given, with the value that a model would put there."""
    found: dict[str, Any] = {}
    for column in table.columns:
        needed = not column.nullable and column.server_default is None and column.computed is None
        default: Any = column.default
        if needed and column.name not in given and default is not None and default.is_scalar:
            found[column.name] = default.arg
    return found


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    return value


def _settle(engine: Engine, tables: Iterable[str]) -> None:
    """Let PostgreSQL number further rows from here on and know its tables, as its own housekeeping would in time."""
    if engine.dialect.name == "sqlite":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in ("units", "duty_lines", "plans", *tables):
            if "id" in Base.metadata.tables[name].columns:
                connection.execute(
                    text(
                        f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) + 1 FROM {name}))"
                    )
                )
            connection.execute(text(f"VACUUM ANALYZE {name}"))


def database_name(url: str) -> str:
    """The kind of a database, as results name it."""
    return make_url(url).get_backend_name()
