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

import pytest
from pwdlib import PasswordHash

from app.accounts import passwords
from app.database import Database
from app.logs import configure
from app.settings import Settings
from tests.peers import PEERS, program
from tests.web.migrated import migrate, tell_server
from tests.web.people import CHEAPLY


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log as the service does."""
    configure(Settings())


@pytest.fixture(scope="session", autouse=True)
def products_hasher() -> Iterator[PasswordHash]:
    """Hash cheaply: what a password costs whoever guesses it is the point of one test alone, which takes this one."""
    with pytest.MonkeyPatch.context() as patched:
        product = passwords.HASHER
        patched.setattr(passwords, "HASHER", CHEAPLY)
        yield product


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings on a fresh data folder with SQLite, without a phone process."""
    return Settings(data_dir=tmp_path / "data", phone_process=False, allowed_hosts=("testserver",))


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A migrated database."""
    migrate(settings)
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
    """Settings on a database of each kind that is yet to be made, by `migrate`."""
    data_dir = tmp_path / "data"
    if request.param == "sqlite":
        return Settings(data_dir=data_dir)
    server = request.getfixturevalue("postgres_server")
    return Settings(data_dir=data_dir, database_url=f"{server}/t{uuid.uuid4().hex}")


@pytest.fixture
def empty_settings(either_settings: Settings) -> Settings:
    """Settings on a database of each kind that nobody has migrated."""
    if either_settings.database_url is not None:
        server, _, name = either_settings.database_url.rpartition("/")
        tell_server(server, f"CREATE DATABASE {name}")
    return either_settings


@pytest.fixture
async def either(either_settings: Settings) -> AsyncIterator[Database]:
    """A migrated database of each kind."""
    migrate(either_settings)
    async with Database(either_settings.url) as opened:
        yield opened
