"""紧急停拨 on every page: the button, the panel, the banner, lifting; what was typed is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.accounts.permissions import Role
from app.checks import stops
from app.checks.models import EmergencyStop
from app.database import Database
from app.directory import service as directory
from app.directory import tree
from app.directory.models import Unit
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.people import SignedIn, signed_in


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


async def county(database: Database) -> tuple[Unit, Unit]:
    async with database.unit_of_work() as session:
        head = await directory.add_unit(session, "a", "云溪县")
        below = await directory.add_unit(session, "b", "<b>青石镇</b>")
        below = await tree.move(session, below.id, head.id, below.revision)
    return head, below


async def placed(database: Database) -> list[EmergencyStop]:
    async with database.reading() as session:
        return list(await stops.standing(session))


async def test_a_stop_stands_on_every_page_until_it_is_lifted(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    head, _ = await county(database)
    who = await signed_in(database, settings, Role.DISPATCHER, name="李值守")
    for address in ("/today", "/checks", "/nowhere", "/help"):
        page = (await client.get(address, headers=who.headers)).text
        assert 'href="/stops"' in page
        assert "紧急停拨中" not in page
    form = {"what": "unit", "unit_id": str(head.id), "reason": "汛情 <i>", "back": "/overview"}
    answer = await client.post("/stops", data=form, headers=who.headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/overview")
    (stop,) = await placed(database)
    assert (stop.unit_id, stop.reason, stop.placed_by) == (head.id, "汛情 <i>", "李值守")
    for address in ("/today", "/checks", "/nowhere", "/stops"):
        page = (await client.get(address, headers=who.headers)).text
        assert "紧急停拨中" in page
        assert "云溪县及其下级" in page
        assert "汛情 &lt;i&gt;" in page
        assert "李值守" in page
    lifted = await client.post(f"/stops/{stop.id}/lift", data={"reason": "汛情解除"}, headers=who.headers)
    assert lifted.status_code == 303
    assert await placed(database) == []
    page = (await client.get("/stops", headers=who.headers)).text
    assert "紧急停拨中" not in page
    assert "汛情解除" in page
    again = await client.post(f"/stops/{stop.id}/lift", data={"reason": "再来"}, headers=who.headers)
    assert again.status_code == 422
    assert "这条停拨已经解除" in again.text


async def test_what_is_wrong_stands_beside_it_and_what_was_typed_stays(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    head, _ = await county(database)
    who = await signed_in(database, settings, Role.INSPECTOR)
    wrong = (
        ({"what": "all", "reason": "  "}, "请写明停拨理由"),
        ({"what": "unit", "reason": "汛情"}, "请选择单位"),
        ({"what": "unit", "unit_id": "99999", "reason": "汛情"}, "没有这个单位"),
        ({"what": "unit", "unit_id": "²", "reason": "汛情"}, "请选择单位"),
        ({"what": "some", "reason": "汛情"}, "请选择停拨范围"),
        ({"what": "all", "reason": "字" * 501}, "理由最多 500 字"),
    )
    for form, problem in wrong:
        answer = await client.post("/stops", data=form, headers=who.headers)
        assert answer.status_code == 422
        assert problem in answer.text
        assert form["reason"].strip() in answer.text
    kept = await client.post(
        "/stops", data={"what": "unit", "unit_id": str(head.id), "reason": ""}, headers=who.headers
    )
    assert f'value="{head.id}" selected' in kept.text
    assert await placed(database) == []


async def test_the_panel_says_how_many_calls_would_end(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    head, below = await county(database)
    who = await signed_in(database, settings, Role.DISPATCHER)
    async with database.unit_of_work() as session:
        line = await directory.add_line(session, below, "1", "sip:1@127.0.0.1")
        await session.execute(
            text(
                "INSERT INTO spot_checks (id, line_id, unit_id, state, due_at, first_due_at, reason, created_at) "
                "VALUES (1, :line, :unit, 'claimed', '2026-01-01', '2026-01-01', '', '2026-01-01')"
            ),
            {"line": line.id, "unit": below.id},
        )
        await session.execute(
            text(
                "INSERT INTO attempts (id, check_id, number, line_id, unit_id, target, state, owner, claimed_at) "
                "VALUES (1, 1, 1, :line, :unit, 'x', 'ringing', 'o', '2026-01-01')"
            ),
            {"line": line.id, "unit": below.id},
        )
    panel = (await client.get("/stops/panel", params={"back": "/today"}, headers=who.headers)).text
    assert "正在拨测 1 路" in panel
    assert "<html" not in panel
    assert 'name="back" value="/today"' in panel
    assert "&lt;b&gt;青石镇" in panel
    for outside in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        panel = (await client.get("/stops/panel", params={"back": outside}, headers=who.headers)).text
        assert 'name="back" value=""' in panel
    ask = {"what": "unit", "unit_id": str(head.id)}
    assert "正在拨测 1 路" in (await client.get("/stops/under-way", params=ask, headers=who.headers)).text
    none = {"what": "unit", "unit_id": ""}
    assert "请先选择单位" in (await client.get("/stops/under-way", params=none, headers=who.headers)).text


@pytest.mark.parametrize("role", list(Role))
async def test_everybody_may_stop_and_few_may_lift(
    client: httpx.AsyncClient, database: Database, settings: Settings, role: Role
) -> None:
    who: SignedIn = await signed_in(database, settings, role)
    answer = await client.post("/stops", data={"what": "all", "reason": "演练"}, headers=who.headers)
    assert answer.status_code == 303
    (stop,) = await placed(database)
    page = (await client.get("/stops", headers=who.headers)).text
    lifted = await client.post(f"/stops/{stop.id}/lift", data={"reason": "完"}, headers=who.headers)
    allowed = role in (Role.DISPATCHER, Role.SUPERVISOR)
    assert (f'action="/stops/{stop.id}/lift"' in page) == allowed
    assert lifted.status_code == (303 if allowed else 403)


async def test_a_part_of_the_office_is_not_told_of_stops_elsewhere(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    _, below = await county(database)
    async with database.unit_of_work() as session:
        other = await directory.add_unit(session, "c", "东湖街道")
        await stops.place_stop(session, other.id, "别处的事", "李")
        await stops.place_stop(session, below.id, "这里的事", "李")
    who = await signed_in(database, settings, Role.DISPATCHER, unit_ids=[below.id])
    page = (await client.get("/stops", headers=who.headers)).text
    assert "这里的事" in page
    assert "别处的事" not in page
    assert "东湖街道" not in page


async def test_a_part_of_the_office_stops_all_of_its_units_and_no_others(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    head, below = await county(database)
    async with database.unit_of_work() as session:
        other = await directory.add_unit(session, "c", "东湖街道")
        await directory.add_unit(session, "d", "西湖街道")
    who = await signed_in(database, settings, Role.DISPATCHER, unit_ids=[below.id, head.id, other.id])
    panel = (await client.get("/stops/panel", headers=who.headers)).text
    assert "我管辖的全部单位" in panel
    answer = await client.post("/stops", data={"what": "all", "reason": "演练"}, headers=who.headers)
    assert answer.status_code == 303
    assert [stop.unit_id for stop in await placed(database)] == [head.id, other.id]
    async with database.unit_of_work() as session:
        everywhere = await stops.place_stop(session, None, "全省演练", "李")
    page = (await client.get("/stops", headers=who.headers)).text
    assert "全省演练" in page
    assert f'action="/stops/{everywhere.id}/lift"' not in page  # it would be refused
    assert page.count("/lift") == 2


async def test_pages_say_so_when_nobody_can_tell_what_is_stopped(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    who = await signed_in(database, settings, Role.DISPATCHER)
    async with database.unit_of_work() as session:
        await session.execute(text("ALTER TABLE emergency_stops RENAME TO away"))
    page = await client.get("/help", headers=who.headers)
    assert page.status_code == 200
    assert "暂时无法得知是否有停拨" in page.text
