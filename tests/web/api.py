"""A client of the JSON over ASGI, and the person who asks.

The migrations run once for each kind of database; every test gets a copy of what they made.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg

from app.database import make_private_folder, upgrade
from app.main import create_app
from app.settings import DATABASE_FILE, Settings

WHO = "李值班"
ACTOR = {"X-DutyRing-Actor": quote(WHO)}


_FOLDER = tempfile.TemporaryDirectory(prefix="dutyring-migrated-")


@lru_cache
def _migrated_file() -> Path:
    settings = Settings(data_dir=Path(_FOLDER.name) / "data")
    upgrade(settings)
    return settings.data_dir / DATABASE_FILE


@lru_cache
def _migrated_name(server: str) -> str:
    name = f"migrated{uuid.uuid4().hex}"
    with psycopg.connect(f"{server.replace('+psycopg', '')}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    upgrade(Settings(data_dir=Path(_FOLDER.name) / name, database_url=f"{server}/{name}"))
    return name


def migrate(settings: Settings) -> None:
    """Make the empty database of these settings a migrated one."""
    if settings.database_url is None:
        make_private_folder(settings.data_dir)
        shutil.copyfile(_migrated_file(), settings.data_dir / DATABASE_FILE)
        return
    server, _, name = settings.database_url.rpartition("/")
    with psycopg.connect(f"{server.replace('+psycopg', '')}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_migrated_name(server)}")


@asynccontextmanager
async def client_of(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client on a migrated database of these settings."""
    if not (settings.data_dir / DATABASE_FILE).exists():
        migrate(settings)
    app = create_app(settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)}))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://testserver/api/v1", headers=ACTOR
    ) as opened:
        opened.app = app  # type: ignore[attr-defined]
        yield opened
    await app.state.database.close()


def new_key() -> dict[str, str]:
    """The header by which a request is done once."""
    return {"Idempotency-Key": str(uuid.uuid4())}


async def ask(client: httpx.AsyncClient, method: str, path: str, status: int = 200, **given: Any) -> Any:
    """Ask, each time with a key of its own, and return the JSON of an answer that has this status."""
    body = {"json": given.pop("json")} if "json" in given else {}
    answer = await client.request(method, path, params=given or None, headers=new_key(), **body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None
