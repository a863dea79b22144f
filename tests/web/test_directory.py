"""The directory over its JSON: the tree, regimes, lines behind switchboards, people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from app.accounts import service as audit
from app.directory import repository, service
from app.directory.models import DutyLine
from app.settings import Settings
from tests.web.api import WHO, ask, client_of

OUT_OF_RANGE = "9" * 30


@pytest.fixture
async def client(either_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(either_settings) as opened:
        yield opened


async def unit(client: httpx.AsyncClient, code: str, parent: Any = None, **more: Any) -> Any:
    body = {"code": code, "name": f"单位{code}", "parent_id": parent and parent["id"], **more}
    return await ask(client, "POST", "/units", 201, json=body)


async def line(client: httpx.AsyncClient, owner: Any, number: str, status: int = 201, **more: Any) -> Any:
    return await ask(client, "POST", f"/units/{owner['id']}/lines", status, json={"number": number, **more})


def codes(page: Any) -> list[str]:
    return [item["code"] for item in page["items"]]


async def test_units_are_a_tree_that_can_be_rehung(client: httpx.AsyncClient) -> None:
    city = await unit(client, "A", category="city")
    county = await unit(client, "A1", city, category="county", kind="县区", handover_times=["18:00", "08:30"])
    town = await unit(client, "A11", county, category="town")
    other = await unit(client, "A2", city)
    assert county["handover_times"] == ["08:30", "18:00"]
    assert town["path"] == f"{city['id']}/{county['id']}/{town['id']}/"
    assert codes(await ask(client, "GET", "/units", subtree=county["id"])) == ["A1", "A11"]

    move = {"revision": 1, "parent_id": other["id"]}
    await ask(client, "POST", f"/units/{county['id']}/move", json=move)
    assert codes(await ask(client, "GET", "/units", subtree=other["id"])) == ["A1", "A11", "A2"]
    moved = await ask(client, "GET", f"/units/{town['id']}")
    assert moved["path"] == f"{city['id']}/{other['id']}/{county['id']}/{town['id']}/"
    again = await ask(client, "POST", f"/units/{county['id']}/move", 409, json=move)
    assert again["errors"][0]["where"] == "revision"
    below_itself = {"revision": 1, "parent_id": town["id"]}
    answer = await ask(client, "POST", f"/units/{other['id']}/move", 409, json=below_itself)
    assert "不能作它的上级" in answer["detail"]
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        assert await repository.subtree_ids(session, other["id"]) == {other["id"], county["id"], town["id"]}
        assert await repository.subtree_ids(session, 10**9) == frozenset()
        trail = await audit.of_subject(session, f"unit:{county['id']}")
    assert [(event.action, event.who) for event in trail] == [("unit.enter", WHO), ("unit.move", WHO)]

    last = {"revision": 1, "last_day": "2026-12-31"}
    refused = await ask(client, "POST", f"/units/{other['id']}/close", 409, json=last)
    assert "单位A1" in refused["detail"]
    early = await ask(client, "PATCH", f"/units/{other['id']}", 409, json=last)
    assert "单位A1" in early["detail"]
    await ask(client, "POST", f"/units/{town['id']}/close", json=last)
    late = {"code": "A111", "name": "更晚", "parent_id": town["id"], "last_day": "2027-01-01"}
    assert "下级不得更晚" in (await ask(client, "POST", "/units", 409, json=late))["detail"]
    assert codes(await ask(client, "GET", "/units", day="2027-01-01")) == ["A", "A1", "A2"]


async def test_a_tree_has_bounds_and_codes_are_unique(client: httpx.AsyncClient) -> None:
    deepest = await unit(client, "L1")
    for level in range(2, 9):
        deepest = await unit(client, f"L{level}", deepest)
    body = {"code": "L9", "name": "九级", "parent_id": deepest["id"]}
    assert "至多 8 级" in (await ask(client, "POST", "/units", 422, json=body))["detail"]
    pair = await unit(client, "P", None)
    await unit(client, "P1", pair)
    move = {"revision": 1, "parent_id": deepest["parent_id"]}
    assert "至多 8 级" in (await ask(client, "POST", f"/units/{pair['id']}/move", 422, json=move))["detail"]
    taken = await ask(client, "POST", "/units", 409, json={"code": "L1", "name": "又一个"})
    assert taken["errors"][0]["where"] == "code"
    both = await asyncio.gather(
        *(client.post("/units", json={"code": "same", "name": "同码"}) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in both) == [201, 409]
    wrong = await ask(
        client, "PATCH", f"/units/{pair['id']}", 422, json={"revision": 1, "handover_times": ["24:00"]}
    )
    assert wrong["errors"]
    named = await ask(client, "PATCH", f"/units/{pair['id']}", json={"revision": 1, "name": "改名局"})
    assert (named["name"], named["code"], named["revision"]) == ("改名局", "P", 2)
    nobody = await client.post("/units", json={"code": "x", "name": "y"}, headers={"X-DutyRing-Actor": ""})
    assert nobody.status_code == 401


async def test_two_moves_at_once_make_no_circle(client: httpx.AsyncClient) -> None:
    one, two = await unit(client, "1"), await unit(client, "2")
    answers = await asyncio.gather(
        client.post(f"/units/{one['id']}/move", json={"revision": 1, "parent_id": two["id"]}),
        client.post(f"/units/{two['id']}/move", json={"revision": 1, "parent_id": one["id"]}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    paths = {item["id"]: item["path"] for item in (await ask(client, "GET", "/units"))["items"]}
    assert sorted(len(path.split("/")) for path in paths.values()) == [2, 3]


async def test_regimes_have_days_that_never_overlap(client: httpx.AsyncClient) -> None:
    owner = await unit(client, "R")
    path = f"/units/{owner['id']}/regimes"
    onsite = {"first_day": "2026-01-01", "duty": "onsite", "leader": "onsite"}
    phone = {"first_day": "2026-07-01", "last_day": "2026-09-30", "duty": "phone", "leader": "phone"}
    first = await ask(client, "POST", path, 201, json=onsite)
    assert "重叠" in (await ask(client, "POST", path, 409, json=phone))["detail"]
    await ask(client, "POST", path, 201, json=phone | {"end_previous": True})
    held = await ask(client, "PATCH", f"/regimes/{first['id']}", 409, json={"last_day": "2026-07-01"})
    assert "重叠" in held["detail"]
    double = phone | {"first_day": "2026-10-01", "last_day": None, "leader": "double"}
    await ask(client, "POST", path, 201, json=double)
    days = ("2025-12-31", "2026-06-30", "2026-07-01", "2026-09-30", "2026-10-01")
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        held_on = [await repository.regime_on(session, owner["id"], date.fromisoformat(day)) for day in days]
    assert [regime and regime.leader for regime in held_on] == [None, "onsite", "phone", "phone", "double"]


async def test_numbers_behind_a_switchboard_are_completed_and_dialled(client: httpx.AsyncClient) -> None:
    bureau, town = await unit(client, "B"), await unit(client, "T")
    alone = await line(client, bureau, "总机转8012", 422)
    assert "没有登记总机号码" in alone["detail"]
    whole = await line(client, bureau, "3212345转8012")
    assert (whole["target"], whole["verification"], whole["number"]) == (
        "3212345转8012",
        "pending",
        "3212345转8012",
    )
    bare = await line(client, bureau, "-806")
    assert (bare["number"], bare["target"]) == ("-806", "3212345转806")
    piloted = await line(client, town, "总机转8012", pilot_numbers=["0917-3262000"])
    assert piloted["target"] == "09173262000转8012"
    await line(client, town, "3268888转1")
    assert "不止一个" in (await line(client, town, "-5", 422))["detail"]

    for number in ("110", "0917-119", "3212345转9110", "12590123", "00852-28101112"):
        assert "禁拨" in (await line(client, town, number, 422))["detail"], number
    for number in ("32l2345", "3212345/3212346", "3212345 3212346"):
        assert (await line(client, town, number, 422))["errors"][0]["where"] == "number", number
    second = await line(client, town, "+86 917 3262000 转 8012", 409)
    assert "单位T" in second["detail"]
    odd = await line(client, town, "62")
    assert [warning["code"] for warning in odd["warnings"]] == ["number_fits_no_plan"]
    mobile = await line(client, town, "13891234567", name="带班", kind="leader")
    assert [warning["code"] for warning in mobile["warnings"]] == ["duty_on_mobile"]
    assert (await line(client, town, "3267777", 422, trunk="nowhere"))["errors"][0]["where"] == "trunk"
    found = await ask(client, "GET", "/lines", q="-8")
    assert [item["id"] for item in found["items"]] == [bare["id"]]


async def test_a_fax_stands_apart_and_a_shared_line_reaches_several_units(client: httpx.AsyncClient) -> None:
    head = await unit(client, "H")
    office, other = await unit(client, "H1", head), await unit(client, "H2", head)
    duty = await line(client, office, "0917-3262000")
    fax = await line(client, office, "09173262000", kind="fax", name="传真")
    assert fax["verification"] == "verified"
    assert [warning["code"] for warning in fax["warnings"]] == ["fax_shares_duty_number"]
    listed = await ask(client, "GET", f"/units/{head['id']}/line-warnings")
    assert [item["id"] for item in listed["items"]] == [duty["id"], fax["id"]]
    called = await ask(client, "PATCH", f"/lines/{fax['id']}", 409, json={"revision": 1, "kind": "duty"})
    assert "已登记" in called["detail"]

    shared = {"revision": 1, "unit_ids": [other["id"], office["id"]]}
    answer = await ask(client, "PUT", f"/lines/{duty['id']}/further-units", json=shared)
    assert (answer["further_units"], answer["revision"]) == ([other["id"]], 2)
    missing = {"revision": 2, "unit_ids": [10**12]}
    await ask(client, "PUT", f"/lines/{duty['id']}/further-units", 422, json=missing)
    of_other = await ask(client, "GET", "/lines", unit=other["id"])
    assert [item["id"] for item in of_other["items"]] == [duty["id"]]
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        lines = await repository.callable_lines(session, date(2026, 11, 26))
        assert [row.id for row in lines] == [duty["id"]]
        assert await repository.further_units(session, [duty["id"]]) == {duty["id"]: (other["id"],)}
    closing = {"revision": 1, "last_day": "2026-11-25"}
    await ask(client, "POST", f"/units/{office['id']}/close", json=closing)
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        assert not await repository.callable_lines(session, date(2026, 11, 26))


async def test_a_number_is_verified_by_its_call_and_anew_after_a_change(client: httpx.AsyncClient) -> None:
    entered = await line(client, await unit(client, "V"), "3262000")
    database = client.app.state.database  # type: ignore[attr-defined]

    async def verification() -> tuple[str, int]:
        shown = await ask(client, "GET", f"/lines/{entered['id']}")
        return shown["verification"], shown["failed_calls"]

    async def tell(answered: bool, shift_s: float = 0.0) -> None:
        async with database.unit_of_work() as session:
            row = await session.get(DutyLine, entered["id"])
            at = row.target_since + timedelta(seconds=shift_s)
            call = service.mark_verified if answered else service.mark_unverified_call
            await call(session, row, at)

    await tell(answered=True, shift_s=-1)
    assert await verification() == ("pending", 0)
    await tell(answered=False)
    await tell(answered=False)
    assert await verification() == ("pending", 2)
    await tell(answered=False)
    assert await verification() == ("failed", 3)
    await tell(answered=True)
    assert await verification() == ("verified", 0)
    same = {"revision": 1, "number": "326 2000", "name": "值班"}
    await ask(client, "PATCH", f"/lines/{entered['id']}", json=same)
    assert await verification() == ("verified", 0)
    other = {"revision": 2, "number": "3262001"}
    await ask(client, "PATCH", f"/lines/{entered['id']}", json=other)
    assert await verification() == ("pending", 0)


async def test_lists_go_on_behind_a_key_and_take_filters(client: httpx.AsyncClient) -> None:
    head = await unit(client, "K")
    for number in range(5):
        child = await unit(client, f"K{number}", head, kind="镇街" if number % 2 else "部门")
        body = {"name": f"王{number}", "staffing": "contract" if number else "established", "role": "leader"}
        await ask(client, "POST", f"/units/{child['id']}/people", 201, json=body)
    seen: list[str] = []
    place = {}
    while True:
        page = await ask(client, "GET", "/units", limit=2, **place)
        seen += codes(page)
        if page["next"] is None:
            break
        place = {"after": page["next"]}
    assert seen == ["K", "K0", "K1", "K2", "K3", "K4"]
    assert codes(await ask(client, "GET", "/units", kind="镇街")) == ["K1", "K3"]
    assert codes(await ask(client, "GET", "/units", q="k4")) == ["K4"]
    assert codes(await ask(client, "GET", "/units", q="单位K4")) == ["K4"]
    assert codes(await ask(client, "GET", "/units", q="%")) == []
    hired = await ask(client, "GET", "/people", subtree=head["id"], staffing="contract", limit=3)
    assert [item["name"] for item in hired["items"]] == ["王1", "王2", "王3"]
    rest = await ask(client, "GET", "/people", staffing="contract", after=hired["next"])
    assert [item["name"] for item in rest["items"]] == ["王4"]
    changed = {"revision": 1, "staffing": "established", "title": "科长"}
    person = await ask(client, "PATCH", f"/people/{rest['items'][0]['id']}", json=changed)
    assert (person["staffing"], person["title"], person["name"]) == ("established", "科长", "王4")
    await ask(client, "PATCH", f"/people/{person['id']}", 409, json=changed)


WRONG: tuple[tuple[str, dict[str, str]], ...] = (
    ("/units", {"after": "xxxx"}),
    ("/units", {"q": "a\0b"}),
    ("/units", {"subtree": OUT_OF_RANGE}),
    ("/units", {"subtree": "77"}),
    ("/units", {"day": "0001-01-01"}),
    ("/lines", {"unit": "0"}),
    ("/people", {"role": "king"}),
    ("/confirmations", {"quarter": "0001Q1"}),
    ("/unit-exemptions", {"at": "9999-12-31T23:59:59+00:00"}),
)


async def test_wrong_parameters_are_named(settings: Settings) -> None:
    async with client_of(settings) as client:
        for path, params in WRONG:
            answer = await client.get(path, params=params)
            assert answer.status_code == 422, (path, params, answer.text)
            assert answer.json()["errors"]
