"""What is live goes on as long as who looks and listens may, and no longer; with cookies for HTTPS alone, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.accounts import sessions
from app.accounts.gate import SECURE_COOKIE
from app.accounts.permissions import Role
from app.checks.models import Attempt
from app.database import Database
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.people import SignedIn, signed_in
from tests.web.test_live_pages import call


@pytest.fixture
async def service_app(settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    app = own_doors(settings.model_copy(update={"secure_cookies": True, "allowed_hosts": ("testserver",)}))
    yield app
    await app.state.database.close()


async def _asked(app: FastAPI, who: SignedIn, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        return await client.get(path, headers={"Cookie": f"{SECURE_COOKIE}={who.cookie}"})


@pytest.mark.parametrize("what", ["stream", "sound"])
async def test_it_ends_with_the_session_and_not_before(
    service_app: FastAPI, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("app.web.live.stream.ASKED_S", 0.0)
    monkeypatch.setattr("app.listening.live.ASKED_S", 0.0)
    attempt: Attempt = await call(database, "7")
    who = await signed_in(database, settings, Role.DISPATCHER)
    path = "/live/stream" if what == "stream" else f"/live/calls/{attempt.id}/sound"
    asking = asyncio.create_task(_asked(service_app, who, path))
    # Long enough to be asked a few times whether they still may.
    await asyncio.wait({asking}, timeout=3.0)
    assert not asking.done()
    async with database.unit_of_work() as session:
        await sessions.end_all(session, who.account_id, "locked")
    answer = await asyncio.wait_for(asking, 30)
    assert answer.status_code == 200
    if what == "stream":
        assert answer.text.rstrip().endswith("event: over\ndata: {}")
    hub = getattr(service_app.state, "live_hub", None)
    if hub is not None:
        await hub.close()
