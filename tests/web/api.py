"""A client of the JSON over ASGI, and the person who asks."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from app.settings import DATABASE_FILE, Settings
from tests.web.apps import make_app
from tests.web.migrated import migrate

WHO = "李值班"
ACTOR = {"X-DutyRing-Actor": quote(WHO)}


@asynccontextmanager
async def client_of(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client on a migrated database of these settings."""
    if not (settings.data_dir / DATABASE_FILE).exists():
        migrate(settings)
    app = make_app(settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)}))
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
