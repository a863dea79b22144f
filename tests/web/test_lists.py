"""Lists of orders and attempts: what any filters leave, in pages, is what reading every row would leave."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app import clock
from app.api import newest
from app.bench.content import UnitRow, units
from app.bench.fill import fill
from app.bench.lists import NEWEST
from app.checks.models import Attempt, Mitigation, SpotCheck, StoredProposal
from app.database import Database
from app.directory.models import DutyLine
from app.planning.models import ManualCheck
from app.settings import Settings
from tests.web.apps import make_app

ROWS, UNITS = 700, 60
TREE = {unit.key: unit for unit in units(UNITS)}


@pytest.fixture
def filled(either_settings: Settings, either: Database) -> Settings:
    """Settings on a database with some hundred orders."""
    assert fill(either_settings.url, ROWS, UNITS, NEWEST)
    return either_settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})


@pytest.fixture
async def client(filled: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(filled)
    transport = httpx.ASGITransport(app=app)
    with clock.running(lambda: NEWEST):
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
            yield opened
    await app.state.database.close()


@contextmanager
def short_of_luck(monkeypatch: pytest.MonkeyPatch, glance: int, count: int) -> Iterator[None]:
    """Let lists find little at a glance, so that they go by their groups, small and large."""
    with monkeypatch.context() as patched:
        patched.setattr(newest, "GLANCE_ROWS", glance)
        patched.setattr(newest, "COUNT_ROWS", count)
        yield


async def pages(client: httpx.AsyncClient, path: str, query: Mapping[str, Any], limit: int) -> list[Any]:
    """All items of a list, page by page."""
    found: list[Any] = []
    place: dict[str, Any] = {}
    while True:
        answer = await client.get(path, params={**query, **place, "limit": limit})
        assert answer.status_code == 200, answer.text
        content = answer.json()
        assert len(content["items"]) <= limit
        found += content["items"]
        if content["next"] is None:
            return found
        assert content["items"]
        place = {"after": content["next"]}


def asked_of(rows: list[Any], draw: random.Random, names: Mapping[str, str], at: str) -> dict[str, Any]:
    """A query with the values of some row, so that often something fits; or a unit of the tree."""
    row = draw.choice(rows)
    query: dict[str, Any] = {}
    for name in draw.sample(sorted(names), draw.randint(0, 3)):
        value = getattr(row, names[name])
        if value is not None and value != "planned":
            query[name] = str(value).lower() if isinstance(value, bool) else value
    if draw.random() < 0.5:
        query["unit"] = draw.choice(sorted(TREE))
        query["alone"] = draw.choice(["true", "false"])
    if draw.random() < 0.3:
        query["from"] = (getattr(row, at) - timedelta(days=draw.choice([0, 3, 200]))).isoformat()
    if draw.random() < 0.3:
        query["to"] = (getattr(row, at) + timedelta(days=draw.choice([0, 3, 200]))).isoformat()
    return query


def fits(row: Any, query: Mapping[str, Any], names: Mapping[str, str], at: str) -> bool:
    """Whether a row is what was asked for, said plainly."""
    for name, value in query.items():
        if name in names:
            given = getattr(row, names[name])
            if value != (str(given).lower() if isinstance(given, bool) else given):
                return False
    if "unit" in query:
        head, unit = TREE[query["unit"]], TREE[row.unit_id]
        if unit is not head and (query["alone"] == "true" or not below(unit, head)):
            return False
    since, until = (datetime.fromisoformat(query[name]) if name in query else None for name in ("from", "to"))
    moment = getattr(row, at)
    return (since is None or moment >= since) and (until is None or moment < until)


def below(unit: UnitRow, head: UnitRow) -> bool:
    while unit.parent is not None:
        unit = TREE[unit.parent]
        if unit is head:
            return True
    return False


ORDER_NAMES = {
    "kind": "kind", "state": "state", "code": "code", "adverse": "adverse", "review": "needs_review",
    "plan": "plan_id", "line": "line_id",
}  # fmt: skip
CHECK_NAMES = {"verdict": "verdict_code", "review": "needs_review", "kind": "kind", "code": "proposal_code"}


@pytest.mark.parametrize(("glance", "count"), [(3_000, 50_000), (4, 50_000), (4, 10)])
async def test_any_filters_leave_what_they_should(
    client: httpx.AsyncClient, either: Database, monkeypatch: pytest.MonkeyPatch, glance: int, count: int
) -> None:
    async with either.reading() as session:
        orders = [
            row
            for row in await session.scalars(select(SpotCheck))
            if row.state != "planned" and row.first_due_at <= NEWEST
        ]
        attempts = list(await session.scalars(select(Attempt)))
    orders.sort(key=lambda row: (row.first_due_at, row.id), reverse=True)
    attempts.sort(key=lambda row: (row.claimed_at, row.id), reverse=True)
    draw = random.Random(f"{glance}/{count}")
    some = 0
    with short_of_luck(monkeypatch, glance, count):
        for _ in range(12):
            query = asked_of(orders, draw, ORDER_NAMES, "first_due_at")
            expected = [row.id for row in orders if fits(row, query, ORDER_NAMES, "first_due_at")]
            limit = 200 if len(expected) > 30 else 7
            found = await pages(client, "/api/v1/orders", query, limit)
            assert [item["id"] for item in found] == expected, query
            query = asked_of(attempts, draw, CHECK_NAMES, "claimed_at")
            expected = [row.id for row in attempts if fits(row, query, CHECK_NAMES, "claimed_at")]
            found = await pages(client, "/api/v1/checks", query, 200 if len(expected) > 30 else 7)
            assert [item["id"] for item in found] == expected, query
            some += 0 < len(expected) < len(attempts)
    assert some > 2


async def test_coming_moments_are_in_no_answer(client: httpx.AsyncClient, either: Database) -> None:
    async with either.unit_of_work() as session:
        line = (await session.scalars(select(DutyLine).limit(1))).one()
        base: dict[str, Any] = {"line_id": line.id, "created_at": NEWEST}
        soon = NEWEST + timedelta(minutes=11)
        session.add_all(
            [
                SpotCheck(**base, kind="random", state="planned", due_at=soon),
                SpotCheck(**base, kind="random", state="withdrawn", due_at=soon),
                SpotCheck(**base, kind="random", state="retry", first_due_at=NEWEST, due_at=soon),
            ]
        )
        await session.flush()
        keys = list(
            await session.scalars(select(SpotCheck.id).where(SpotCheck.due_at == soon).order_by(SpotCheck.id))
        )
    told = (await client.get("/api/v1/orders", params={"line": line.id})).json()["items"]
    assert keys[2] in [order["id"] for order in told]
    assert not {keys[0], keys[1]} & {order["id"] for order in told}
    assert next(order for order in told if order["id"] == keys[2])["due_at"] is None
    statuses = [(await client.get(f"/api/v1/orders/{key}")).status_code for key in keys]
    assert statuses == [404, 404, 200]
    text = "".join([(await client.get(f"/api/v1/orders/{keys[2]}")).text, str(told)])
    assert soon.strftime("%H:%M") not in text


async def test_an_order_shows_what_stands_beside_it(client: httpx.AsyncClient, either: Database) -> None:
    async with either.unit_of_work() as session:
        check = (
            await session.scalars(
                select(SpotCheck).where(SpotCheck.state == "done", SpotCheck.adverse).limit(1)
            )
        ).one()
        noon = check.first_due_at
        session.add(
            Mitigation(check_id=check.id, kind="called_back", at=noon, recorded_at=noon, recorded_by="王小明")
        )
        for at in (noon, noon + timedelta(days=1)):
            session.add(
                ManualCheck(
                    unit_id=check.unit_id,
                    source="on_site",
                    at=at,
                    made_by="李",
                    found="在岗",
                    entered_at=at,
                    entered_by="李",
                )
            )
    told = (await client.get(f"/api/v1/orders/{check.id}")).json()
    assert told["order"]["adverse"] is True
    assert told["order"]["code"] == told["proposals"][0]["code"] == told["order"]["cases"][0]["code"]
    assert told["attempts"][0]["number"] == 1
    assert told["attempts"][0]["facts"]["schema"] == "dutyring.call/1"
    assert [item["kind"] for item in told["mitigations"]] == ["called_back"]
    assert [item["at"] for item in told["manual"]] == [noon.isoformat().replace("+00:00", "Z")]


async def test_a_proposal_in_force_is_what_lists_go_by(either: Database, filled: Settings) -> None:
    async with either.unit_of_work() as session:
        line = (await session.scalars(select(DutyLine).limit(1))).one()
        check = SpotCheck(line_id=line.id, kind="random", state="done", due_at=NEWEST, created_at=NEWEST)
        session.add(check)
        await session.flush()
        attempt = Attempt(
            check_id=check.id, line_id=line.id, unit_id=line.unit_id, target="1", state="finished", owner="x",
            claimed_at=NEWEST,
        )  # fmt: skip
        session.add(attempt)
        await session.flush()
        for rule_set, in_force, code in (("a/1", False, "other"), ("b/1", True, "overtime")):
            content = {"adverse": in_force, "needs_review": True}
            session.add(
                StoredProposal(
                    check_id=check.id,
                    rule_set=rule_set,
                    in_force=in_force,
                    code=code,
                    content=content,
                    judged_at=NEWEST,
                )
            )
            await session.flush()
    async with either.reading() as session:
        stored = await session.get(SpotCheck, check.id)
        called = await session.get(Attempt, attempt.id)
    assert stored is not None
    assert called is not None
    assert (stored.unit_id, stored.first_due_at) == (line.unit_id, NEWEST)
    assert (stored.code, stored.adverse, stored.needs_review) == ("overtime", True, True)
    assert (called.kind, called.proposal_code) == ("random", "overtime")


async def test_a_unit_or_place_that_is_none(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/orders", "/api/v1/checks"):
        assert (await client.get(path, params={"unit": 2**63 - 1})).json() == {"items": [], "next": None}
    assert (await client.get("/api/v1/orders", params={"after": "zzz"})).status_code == 422
    assert (await client.get("/api/v1/checks", params={"after": "zzz"})).status_code == 400
    for name in ("line", "plan"):
        answer = await client.get("/api/v1/orders", params={name: 2**63 - 1})
        assert answer.json()["items"] == []
