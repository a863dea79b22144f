"""Migrated, empty databases: the migrations run once for each kind, every test gets a copy of what they made."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg

from app.database import make_private_folder, upgrade
from app.settings import DATABASE_FILE, Settings

_FOLDER = tempfile.TemporaryDirectory(prefix="dutyring-migrated-")


def tell_server(server: str, *statements: Any) -> None:
    """Let a PostgreSQL server, given by the URL of SQLAlchemy without a database, do this."""
    url = f"{server.replace('+psycopg', '')}/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@lru_cache
def _file() -> Path:
    settings = Settings(data_dir=Path(_FOLDER.name) / "data")
    upgrade(settings)
    return settings.data_dir / DATABASE_FILE


@lru_cache
def _name(server: str) -> str:
    name = f"migrated{uuid.uuid4().hex}"
    tell_server(server, f"CREATE DATABASE {name}")
    upgrade(Settings(data_dir=Path(_FOLDER.name) / name, database_url=f"{server}/{name}"))
    return name


def migrate(settings: Settings) -> None:
    """Make the database of these settings an empty one that is migrated; one of PostgreSQL that is there goes."""
    make_private_folder(settings.data_dir)
    if settings.database_url is None:
        shutil.copyfile(_file(), settings.data_dir / DATABASE_FILE)
        return
    server, _, name = settings.database_url.rpartition("/")
    template = _name(server)
    tell_server(server, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} TEMPLATE {template}")
