"""Databases for the tests: SQLite files, and a PostgreSQL server of their own on a private port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.database import Database, make_private_folder, upgrade
from app.logs import configure
from app.settings import DATABASE_FILE, Settings
from tests.peers import PEERS, program


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log as the service does."""
    configure(Settings())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings on a fresh data folder with SQLite, without a phone process."""
    return Settings(data_dir=tmp_path / "data", phone_process=False, allowed_hosts=("testserver",))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database; tests work on copies of it."""
    made = Settings(data_dir=tmp_path_factory.mktemp("migrated"))
    upgrade(made)
    return made.data_dir / DATABASE_FILE


def _copied(migrated: Path, settings: Settings) -> None:
    make_private_folder(settings.data_dir)
    shutil.copy(migrated, settings.data_dir / DATABASE_FILE)


@pytest.fixture
async def database(settings: Settings, migrated_file: Path) -> AsyncIterator[Database]:
    """A migrated database."""
    _copied(migrated_file, settings)
    async with Database(settings.url) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server in a folder of its own; gives the URL of its maintenance database."""
    if not PEERS["postgresql"].present:
        pytest.skip("postgresql is missing (`make peers` installs it)")
    with tempfile.TemporaryDirectory(prefix="dutyring-pg-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        yield from _serve(Path(folder), port)


def _serve(folder: Path, port: int) -> Iterator[str]:
    data = folder / "data"
    data.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        shutil.chown(data, "postgres")
    initdb = program("initdb", "postgresql")
    run = {"check": True, "capture_output": True}
    subprocess.run([*_as_user(), initdb, "-D", data, "-U", "duty", "-A", "trust", "-E", "UTF8"], **run)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [*_as_user(), initdb.with_name("pg_ctl"), "-D", data, "-w"]
    subprocess.run(
        [*control, "-l", folder / "log", "-o", options, "start"], check=True, stdout=subprocess.DEVNULL
    )
    try:
        yield f"postgresql+psycopg://duty@127.0.0.1:{port}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **run)


def _as_user() -> list[str]:
    """The server refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def either_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings on a fresh database of each kind."""
    data_dir = tmp_path / "data"
    if request.param == "sqlite":
        return Settings(data_dir=data_dir)
    server = request.getfixturevalue("postgres_server")
    name = f"t{uuid.uuid4().hex}"
    _ask(server, f"CREATE DATABASE {name}")
    return Settings(data_dir=data_dir, database_url=f"{server}/{name}")


def _ask(server: str, *statements: Any) -> None:
    with psycopg.connect(server.replace("+psycopg", "") + "/postgres", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture(scope="session")
def migrated_name(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a migrated, empty database on the server; tests work on copies of it."""
    _ask(postgres_server, "CREATE DATABASE migrated")
    folder = tmp_path_factory.mktemp("migrated-postgres")
    upgrade(Settings(data_dir=folder, database_url=f"{postgres_server}/migrated"))
    return "migrated"


@pytest.fixture
async def either(request: pytest.FixtureRequest, either_settings: Settings) -> AsyncIterator[Database]:
    """A migrated database of each kind."""
    if either_settings.database_url is None:
        _copied(request.getfixturevalue("migrated_file"), either_settings)
    else:
        make_private_folder(either_settings.data_dir)
        server, _, name = either_settings.database_url.rpartition("/")
        template = request.getfixturevalue("migrated_name")
        _ask(server, f"DROP DATABASE {name}", f"CREATE DATABASE {name} TEMPLATE {template}")
    async with Database(either_settings.url) as opened:
        yield opened
