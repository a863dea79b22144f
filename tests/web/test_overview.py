"""总览: rates with n, the distribution with its limits, whom to look at; charts that are tables too."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from app import clock
from app.accounts import principal
from app.accounts.permissions import Role
from app.accounts.principal import Principal, Scope
from app.checks import figures, service
from app.checks.models import Attempt
from app.database import Database
from app.directory import service as directory
from app.directory.models import Unit
from app.reviews.figures import attention
from app.reviews.models import Case
from app.settings import Settings
from app.web.overview.routes import in_spans, month_span
from tests.web.apps import own_doors
from tests.web.people import signed_in
from tests.web.seed import fill

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
SPAN = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
async def service_app(settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    app = own_doors(settings)
    yield app
    await app.state.database.close()


@pytest.fixture
async def client(service_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened


async def calls(database: Database, code: str, *made: dict[str, object]) -> Unit:
    """A unit whose line was called so, each call of an order of its own."""
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, code, f"云溪县{code}")
        line = await directory.add_line(session, unit, f"1{code}", f"sip:{code}@127.0.0.1")
        for call in made:
            check = await service.order_now(session, line, "", kind=str(call.get("kind", "random")))
            values = {"number": 1, "state": "finished", "claimed_at": NOW, "verdict_code": "within"} | call
            values.pop("kind", None)
            ids = {"check_id": check.id, "line_id": line.id, "unit_id": unit.id}
            session.add(Attempt(**ids, target="x", owner="o", **values))
        return unit


def answered(label: str, seconds: float, **more: object) -> dict[str, object]:
    return {"three_ring": label, "outcome": "answered", "ring_to_answer_ms": seconds * 1000, **more}


async def test_the_rate_is_of_first_calls_that_say_something_of_the_unit(either: Database) -> None:
    none = {"three_ring": "not_applicable"}
    await calls(
        either,
        "a",
        answered("within", 4.0),
        answered("within", 10.99),
        answered("borderline", 11.2),
        answered("exceeded", 33.0),
        {**none, "outcome": "no_answer", "verdict_code": "no_answer"},
        {**none, "outcome": "busy", "verdict_code": "busy"},
        # Left out: repeats, our own faults, other kinds, other months, calls under way.
        answered("within", 4.0, number=2),
        answered("within", 4.0, verdict_code="our_side"),
        answered("within", 4.0, kind="designated"),
        answered("within", 4.0, claimed_at=SPAN[0] - timedelta(seconds=1)),
        answered("within", 4.0, claimed_at=SPAN[1]),
        {**none, "state": "ringing", "verdict_code": None},
    )
    async with either.reading() as session:
        found = await figures.ring_figures(session, SPAN)
        empty = await figures.ring_figures(
            session, (SPAN[1] + timedelta(days=1), SPAN[1] + timedelta(days=2))
        )
    assert (found.within, found.borderline, found.exceeded, found.no_answer, found.unknown) == (2, 1, 1, 1, 1)
    assert (found.n, found.rate, found.strict_rate) == (5, 0.6, 0.4)
    assert found.by_second == {4: 1, 10: 1, 11: 1, 33: 1}
    assert (empty.n, empty.rate) == (0, None)
    assert in_spans(found.by_second, [11.0, 15.0, 20.0]) == [
        ("0–11", 2),
        ("11–15", 1),
        ("15–20", 0),
        (">20", 1),
    ]


def test_months_are_local_and_follow_each_other() -> None:
    assert month_span(date(2026, 1, 15), 0, SHANGHAI) == (
        datetime(2025, 12, 31, 16, tzinfo=UTC),
        datetime(2026, 1, 31, 16, tzinfo=UTC),
    )
    for back in range(14):
        assert (
            month_span(date(2026, 3, 1), back, SHANGHAI)[0]
            == month_span(date(2026, 3, 1), back + 1, SHANGHAI)[1]
        )


async def test_units_to_look_at_are_those_with_cases_that_were_not_cleared(either: Database) -> None:
    first, second = await calls(either, "a", {}), await calls(either, "b", {})
    async with either.unit_of_work() as session:
        for number, (unit, state) in enumerate(
            ((first, "to_review"), (first, "to_review"), (second, "confirmed"), (first, "revoked"))
        ):
            session.add(
                Case(
                    check_id=unit.id, unit_id=unit.id, code=f"c{number}", happened_at=NOW - timedelta(days=number),
                    state=state, proposal={}, opened_at=NOW, changed_at=NOW,
                )
            )  # fmt: skip
    async with either.reading() as session:
        found = await attention(session, NOW - timedelta(days=30), 10)
    assert [(row.name, row.cases, row.confirmed) for row in found] == [("云溪县b", 1, 1), ("云溪县a", 2, 0)]
    assert found[1].last_at == NOW


async def test_a_scope_limits_every_figure(either: Database) -> None:
    here = await calls(either, "a", answered("within", 4.0), {"state": "ringing", "verdict_code": None})
    await calls(either, "b", answered("exceeded", 40.0), {"state": "ringing", "verdict_code": None})
    principal.enter(Principal(1, "a", "a", frozenset(), frozenset(), Scope((here.path,))))
    try:
        async with either.reading() as session:
            assert (await figures.ring_figures(session, SPAN)).n == 1
            assert await figures.live_states(session) == {"ringing": 1}
            assert dict(await figures.verdicts(session, SPAN)) == {"within": 1, None: 1}
    finally:
        principal.enter(None)
    async with either.reading() as session:
        assert await figures.live_states(session) == {"ringing": 2}


async def test_the_page_says_in_tables_what_its_charts_draw(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    await fill(database, settings)
    await calls(database, "z", answered("within", 4.0, claimed_at=clock.now()))
    who = await signed_in(database, settings, Role.DISPATCHER)
    page = (await client.get("/overview", headers=who.headers)).text
    found = re.search(r'data-charts="([^"]+)"', page)
    assert found
    charts = json.loads(html.unescape(found[1]))
    assert sum(charts["seconds"]) == charts["months"][0]["within"] == 1
    assert charts["limits"] == [11.0, 15.0, 20.0]
    for name, count in charts["verdicts"]:
        assert re.search(rf">{name}(</a>)?</th><td class=\"num\">{count}<", page)
    assert "100.0 %" in page
    assert "此刻振铃" in page
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    # What rings now is for those who may see calls under way.
    inspector = await signed_in(database, settings, Role.INSPECTOR)
    assert "此刻振铃" not in (await client.get("/overview", headers=inspector.headers)).text
    auditor = await signed_in(database, settings, Role.AUDITOR)
    assert (await client.get("/overview", headers=auditor.headers)).status_code == 403


async def test_an_empty_office_has_an_overview(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    who = await signed_in(database, settings, Role.SUPERVISOR)
    for language in ("zh-CN", "en"):
        headers = {**who.headers, "Cookie": f"{who.headers['Cookie']}; dutyring_language={language}"}
        assert (await client.get("/overview", headers=headers)).status_code == 200
