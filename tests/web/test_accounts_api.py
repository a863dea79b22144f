"""Accounts over the API: the same verbs as the pages, as problems and as trail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import select

from app.accounts.doors import ways
from app.accounts.models import AuditEvent
from app.accounts.permissions import APART, CARRIED, PERMISSION_ZH, ROLE_ZH, Permission, Role, apart
from app.database import Database
from tests.web.apps import own_doors
from tests.web.browsing import GOOD
from tests.web.people import signed_in


@dataclass(frozen=True, slots=True)
class Office:
    """A service with its two officers."""

    app: FastAPI
    database: Database
    admin: httpx.AsyncClient
    officer: httpx.AsyncClient


@pytest.fixture
async def office(either: Database, either_settings: Any) -> AsyncIterator[Office]:
    settings = either_settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    app = own_doors(settings)
    async with AsyncExitStack() as stack:
        found = []
        for role in (Role.ADMINISTRATOR, Role.SECURITY):
            who = await signed_in(either, settings, role)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = httpx.AsyncClient(
                transport=transport, base_url="http://testserver/api/v1", headers=who.headers
            )
            found.append(await stack.enter_async_context(client))
        yield Office(app, either, *found)
    await app.state.database.close()


async def test_an_account_from_invitation_to_its_end(office: Office) -> None:
    body = {"login": "chenhua", "name": "陈华", "roles": ["supervisor"]}
    made = await office.admin.post("/accounts", json=body)
    assert made.status_code == 201, made.text
    link = made.json()
    assert link["opens"] is False
    path = f"/accounts/{link['account_id']}"
    shown = (await office.officer.get(path)).json()
    assert (shown["state"], shown["granted"], shown["link_waits"]) == ("invited", None, True)
    assert (shown["asked"]["roles"], shown["asked"]["asked_by"]) == (["supervisor"], "系统管理员")
    waiting = (await office.officer.get("/accounts", params={"state": "waiting"})).json()
    assert [row["login"] for row in waiting["items"]] == ["chenhua"]
    assert (await office.admin.post(f"{path}/approve")).status_code == 403
    code = (await office.officer.post(f"{path}/approve")).json()["code"]
    transport = httpx.ASGITransport(office.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as person:
        typed = {"password": GOOD, "again": GOOD, "code": code}
        assert (await person.post(link["link"], data=typed)).status_code == 303
    for what, who, state in (
        ("lock", office.officer, ("active", True)),
        ("unlock", office.officer, ("active", False)),
        ("close", office.admin, ("closed", False)),
    ):
        assert (await who.post(f"{path}/{what}")).status_code == 204
        now = (await office.admin.get(path)).json()
        assert (now["state"], now["locked"]) == state
    again = await office.admin.post(f"{path}/close")
    assert (again.status_code, again.json()["detail"]) == (409, "账号已停用")
    async with office.database.reading() as session:
        lines = await session.scalars(
            select(AuditEvent).where(AuditEvent.subject == f"account:{link['account_id']}")
        )
        done = [(line.who, line.action, line.done) for line in lines]
    assert ("系统管理员", "account.approve", False) in done
    assert ("系统管理员", "account.close", True) in done
    assert ("系统管理员", "account.close", False) in done


async def test_refusals_name_the_member(office: Office) -> None:
    for body, status, where in (
        ({"login": "x y", "name": "陈华", "roles": ["auditor"]}, 422, "login"),
        ({"login": "security", "name": "陈华", "roles": ["auditor"]}, 409, "login"),
        ({"login": "ch", "name": "安全管理员", "roles": ["auditor"]}, 409, "name"),
        ({"login": "ch", "name": "陈华", "roles": []}, 422, "roles"),
        ({"login": "ch", "name": "陈华", "roles": ["auditor", "inspector"]}, 422, "roles"),
        ({"login": "ch", "name": "陈华", "roles": ["king"]}, 422, "body.roles.0"),
        ({"login": "ch", "name": "陈华", "roles": ["inspector"], "unit_ids": [9]}, 422, "unit_ids"),
        ({"login": "ch", "name": "陈华", "roles": ["inspector"], "unit_ids": []}, 422, "units"),
        ({"login": "ch", "name": "陈华", "roles": ["inspector"], "password": "x"}, 422, "body.password"),
    ):
        answer = await office.admin.post("/accounts", json=body)
        assert answer.status_code == status, answer.text
        assert where in [error["where"] for error in answer.json()["errors"]], answer.text
    for path in ("/accounts/77/close", "/accounts/77/link"):
        assert (await office.admin.post(path)).status_code == 404
    assert (await office.officer.post("/accounts/77/approve")).status_code == 404
    assert (await office.officer.post("/accounts", json={})).status_code == 403


async def test_two_administrators_cannot_end_each_other_at_one_moment(office: Office) -> None:
    import asyncio

    other = await signed_in(office.database, office.app.state.settings, Role.ADMINISTRATOR, name="孙丽")
    transport = httpx.ASGITransport(office.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://testserver/api/v1", headers=other.headers
    ) as second:
        first_id = (await second.get("/accounts", params={"q": "系统管理员"})).json()["items"][0]["id"]
        answers = await asyncio.gather(
            office.admin.post(f"/accounts/{other.account_id}/close"),
            second.post(f"/accounts/{first_id}/close"),
        )
    # One of them is closed, and its own request came too late or is refused.
    assert sorted(answer.status_code for answer in answers)[0] == 204
    listed = await office.officer.get("/accounts", params={"state": "active"})
    left = [row for row in listed.json()["items"] if row["granted"]["roles"] == ["administrator"]]
    assert len(left) == 1


def test_every_permission_is_worded_and_carried() -> None:
    assert set(PERMISSION_ZH) == set(CARRIED) == set(Permission)
    assert set(ROLE_ZH) == set(Role)
    assert all(CARRIED.values())


def test_duties_apart() -> None:
    assert apart({Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR})
    for role in APART:
        assert apart({role})
        assert not any(apart({role, other}) for other in Role if other != role)
    # The three share nothing but what everybody may, and the list of accounts, on which two of them work together.
    shared = [p for p, roles in CARRIED.items() if len(roles & APART) > 1]
    assert set(shared) <= {Permission.SIGNED_IN, Permission.STOP, Permission.ACCOUNTS}


async def test_every_way_of_accounts_has_a_door(office: Office) -> None:
    found = set()
    for context in iter_route_contexts(office.app.routes):
        path, methods = getattr(context, "path", None) or "", getattr(context, "methods", None) or ()
        if path.startswith(("/account", "/system/accounts", "/api/v1/accounts", "/api/v1/tokens")):
            found |= {f"{method} {path}" for method in methods if method != "HEAD"}
    assert found
    assert found <= set(ways())


async def test_what_no_database_stores_is_refused(office: Office) -> None:
    transport = httpx.ASGITransport(office.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as anyone:
        answer = await anyone.post("/sign-in", data={"login": "a\0b", "password": "c\0d"})
        assert answer.status_code == 403
        assert (await anyone.post("/enter/a%00b", data={"password": "x"})).status_code == 410
    body = {"csrf": office.admin.headers["X-CSRF-Token"], "login": "a\0", "name": "\0", "roles": "inspector"}
    base = "http://testserver/system/accounts"
    assert (await office.admin.post(base, data=body)).status_code == 422
    assert (await office.admin.post(base, data=body | {"units": "\0"})).status_code == 422
    assert (await office.admin.get(base, params={"q": "\0%_"})).status_code == 200
    token = {"csrf": body["csrf"], "name": "\0", "days": "٣", "permissions": "rules"}
    assert (await office.admin.post("http://testserver/account/tokens", data=token)).status_code == 422
