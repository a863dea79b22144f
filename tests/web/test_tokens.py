"""Tokens: made on a page, used on the API, never more than their account."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from app import clock
from app.accounts import people, tokens
from app.accounts.models import ApiToken
from app.accounts.permissions import Permission, Role, carried_by
from app.accounts.principal import Principal
from app.database import Database
from app.errors import BadInputError
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.browsing import Browser
from tests.web.people import SignedIn, account, signed_in


@pytest.fixture
async def office(either: Database, either_settings: Settings) -> AsyncIterator[FastAPI]:
    """A service on a database of each kind."""
    app = own_doors(
        either_settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    )
    yield app
    await app.state.database.close()


def client_of(app: FastAPI, headers: Mapping[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://testserver",
        headers=headers,
    )


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def made(app: FastAPI, who: SignedIn, *permissions: str, days: int = 30, name: str = "每日报表") -> str:
    """The secret of a token of theirs."""
    async with client_of(app, who.headers) as client:
        body = {"name": name, "permissions": permissions, "days": days}
        answer = await client.post("/api/v1/tokens", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["token"]["permissions"] == sorted(permissions)
        secret: str = answer.json()["secret"]
        return secret


async def test_a_token_does_what_it_may_and_no_more(office: FastAPI, either: Database) -> None:
    who = await signed_in(either, office.state.settings, Role.SUPERVISOR)
    secret = await made(office, who, "checks", "rules")
    async with client_of(office, bearer(secret)) as program:
        assert (await program.get("/api/v1/checks")).status_code == 200
        assert (await program.get("/api/v1/units")).status_code == 403
        # The sound of a recording is no page: the door asks, and this one may not hear.
        assert (await program.get("/recordings/1")).status_code == 403
        # A token needs no CSRF token, makes no token, and opens no page.
        body = {"name": "x", "permissions": ["checks"], "days": 1}
        assert (await program.post("/api/v1/tokens", json=body)).status_code == 403
        for path in ("/checks", "/account", "/"):
            assert (await program.get(path)).status_code == 303, path
        listed = (await program.get("/api/v1/tokens")).json()
        assert [(row["name"], row["holds"]) for row in listed] == [("每日报表", True)]
        assert secret not in str(listed)
        assert listed[0]["last_used_at"] is not None
        revoked = await program.post(f"/api/v1/tokens/{listed[0]['id']}/revoke")
        assert revoked.json()["holds"] is False
        gone = await program.get("/api/v1/checks")
        assert (gone.status_code, gone.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_token_ends_with_its_days_its_roles_and_its_account(
    office: FastAPI, either: Database
) -> None:
    settings = office.state.settings
    who = await signed_in(either, settings, Role.SUPERVISOR, name="陈华")
    secret = await made(office, who, "checks", "review", days=2)
    now = datetime.now(UTC)
    async with client_of(office, bearer(secret)) as program:
        with clock.running(lambda: now + timedelta(days=1, hours=23)):
            assert (await program.get("/api/v1/checks")).status_code == 200
        with clock.running(lambda: now + timedelta(days=2, minutes=1)):
            assert (await program.get("/api/v1/checks")).status_code == 401
        await account(either, Role.SECURITY)
        admin = await signed_in(either, settings, Role.ADMINISTRATOR)
        officer = await signed_in(either, settings, Role.SECURITY)
        async with client_of(office, admin.headers) as one, client_of(office, officer.headers) as other:
            path = f"/api/v1/accounts/{who.account_id}"
            asked = await one.post(f"{path}/charge", json={"roles": ["inspector"]})
            assert asked.json() == {"in_force": False}
            assert (await other.post(f"{path}/approve")).json() == {"code": None}
            assert (await program.get("/api/v1/checks")).status_code == 200
            assert (await program.post("/api/v1/cases/1/confirm", json={})).status_code == 403
            assert (await other.post(f"{path}/lock")).status_code == 204
            assert (await program.get("/api/v1/checks")).status_code == 401
            assert (await other.post(f"{path}/unlock")).status_code == 204
            assert (await program.get("/api/v1/checks")).status_code == 200
            assert (await one.post(f"{path}/close")).status_code == 204
            assert (await program.get("/api/v1/checks")).status_code == 401


async def test_last_use_is_written_once_a_minute(office: FastAPI, either: Database) -> None:
    who = await signed_in(either, office.state.settings, Role.INSPECTOR)
    secret = await made(office, who, "checks")
    now = datetime.now(UTC)
    used = []
    async with client_of(office, bearer(secret)) as program:
        for seconds in (1, 50, 62):
            at = now + timedelta(seconds=seconds)
            with clock.running(lambda at=at: at):
                await program.get("/api/v1/checks")
            async with either.reading() as session:
                row = await session.get(ApiToken, 1)
                assert row is not None
                assert row.last_used_at is not None
                used.append(round((row.last_used_at - now).total_seconds()))
    assert used == [1, 1, 62]


async def test_a_token_is_made_on_the_page_and_shown_once(database: Database, settings: Settings) -> None:
    app = own_doors(settings)
    one = Browser(app)
    who = await signed_in(database, settings, Role.INSPECTOR)
    one.client.headers["Cookie"] = who.headers["Cookie"]
    await one.get("/account")
    assert 'value="listen"' not in one.page
    page = await one.post("/account/tokens", 422, name="", days="366", permissions=["listen"])
    for words in ("请写明用途", "不能超出本人的权限", "有效期为 1 至 365 天"):
        assert words in page
    assert "至少选一项权限" in await one.post(
        "/account/tokens", 422, name="报表", days="x", permissions="king"
    )
    page = await one.post("/account/tokens", 201, name="报表", days="7", permissions=["tables", "checks"])
    secret = re.search(r"dutyring_[\w-]{43}", page)
    assert secret
    assert "查看抽查记录、报表" in page
    assert "已有同名的有效令牌" in await one.post(
        "/account/tokens", 409, name="报表", days="7", permissions="checks"
    )
    assert secret.group(0) not in await one.get("/account")
    async with client_of(app, bearer(secret.group(0))) as program:
        assert (await program.get("/api/v1/checks")).status_code == 200
    other = await signed_in(database, settings, Role.SUPERVISOR)
    async with client_of(app, other.headers) as client:
        assert (await client.post("/account/tokens/1/revoke")).status_code == 404
    assert await one.post("/account/tokens/1/revoke") == "/account?done=revoked"
    assert "已撤销" in await one.get("/account")
    await app.state.database.close()


@limits(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    roles=st.frozensets(st.sampled_from(Role), min_size=1),
    wanted=st.frozensets(st.sampled_from(Permission), max_size=6),
)
async def test_no_token_holds_what_its_person_may_not(
    database: Database, roles: frozenset[Role], wanted: frozenset[Permission]
) -> None:
    own = carried_by(roles)
    async with database.unit_of_work() as session:
        who = await people.by_login(session, "one") or await people.create(session, "one", "陈华", roles)
        asking = Principal(who.id, who.login, who.name, roles, own, session_id=1)
        real = wanted - {Permission.SIGNED_IN}
        if real and real <= own:
            row, secret = await tokens.make(session, asking, "报表", wanted, 1)
            assert set(row.permissions) == real
            assert row.digest not in secret
            await tokens.revoke(session, asking, row.id)
        else:
            with pytest.raises(BadInputError):
                await tokens.make(session, asking, "报表", wanted, 1)
