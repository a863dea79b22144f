"""Plans over the API: written, previewed, approved, started, paused, over; what is against them is named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app import clock
from app.accounts import service as audit
from app.checks import alarms
from app.database import Database
from app.directory.models import DutyLine
from app.settings import Settings
from tests.web.planning_office import BOSS, WHO, HandClock, api, enter_lines, enter_prompts, spec


@pytest.fixture
def hand() -> Iterator[HandClock]:
    found = HandClock()
    with clock.running(found):
        yield found


@pytest.fixture
async def client(database: Database, settings: Settings, hand: HandClock) -> AsyncIterator[httpx.AsyncClient]:
    await enter_lines(database, 3)
    async with api(settings, database) as found:
        yield found


@pytest.fixture
async def either_client(
    either: Database, either_settings: Settings, hand: HandClock
) -> AsyncIterator[httpx.AsyncClient]:
    await enter_lines(either, 3)
    async with api(either_settings, either) as found:
        yield found


def body(**changes: Any) -> dict[str, Any]:
    return {"name": "三月抽查", "spec": spec(**changes).to_content()}


async def start(client: httpx.AsyncClient, plan_id: int, key: str = "") -> httpx.Response:
    return await client.post(
        f"/api/v1/plans/{plan_id}/start", headers={"Idempotency-Key": key or str(uuid4())}
    )


async def test_the_life_of_a_plan(
    either_client: httpx.AsyncClient, either: Database, either_settings: Settings, hand: HandClock
) -> None:
    made = await either_client.post("/api/v1/plans", json=body(opening_id=None))
    assert made.status_code == 201
    plan_id = made.json()["id"]
    assert (made.json()["state"], made.json()["starts"]) == ("draft", 0)
    refused = await start(either_client, plan_id)
    assert refused.status_code == 409
    assert {"where": "opening_id", "message": "takes an approved opening"} in refused.json()["errors"]
    opening, closing = await enter_prompts(either, either_settings)
    short = body(opening_id=opening, closing_id=closing, max_talk_s=10.0)
    await either_client.put(f"/api/v1/plans/{plan_id}", json=short)
    refused = await start(either_client, plan_id)
    assert [error["where"] for error in refused.json()["errors"]] == ["max_talk_s"]
    changed = body(opening_id=opening, closing_id=closing)
    assert (await either_client.put(f"/api/v1/plans/{plan_id}", json=changed)).json()["spec"][
        "opening_id"
    ] == opening
    seen = (await either_client.get(f"/api/v1/plans/{plan_id}/preview")).json()
    assert (seen["startable"], seen["units"], seen["lines"]) == (True, 3, 3)
    assert 12 <= seen["expected_calls"] <= 12 + 3 * 4 * 0.3 + 0.01
    assert len(seen["loads"]) == 26
    assert seen["unknown_days"] == 28
    key = str(uuid4())
    first = (await start(either_client, plan_id, key)).json()
    assert (first["state"], first["starts"]) == ("running", 1)
    assert len(first["runs"][0]["commitment"]) == 64
    assert first["runs"][0]["seed"] is None
    again = await start(either_client, plan_id, key)
    assert (again.headers["idempotent-replay"], again.json()) == ("true", first)
    assert (await start(either_client, plan_id)).status_code == 409
    assert (await either_client.put(f"/api/v1/plans/{plan_id}", json=changed)).status_code == 409
    why = {"reason": "会议"}
    assert (await either_client.post(f"/api/v1/plans/{plan_id}/resume", json=why)).status_code == 409
    assert (await either_client.post(f"/api/v1/plans/{plan_id}/pause", json=why)).json()["state"] == "paused"
    assert (await either_client.post(f"/api/v1/plans/{plan_id}/pause", json=why)).status_code == 409
    assert (await either_client.post(f"/api/v1/plans/{plan_id}/resume", json=why)).json()[
        "state"
    ] == "running"
    over = (await either_client.post(f"/api/v1/plans/{plan_id}/cancel", json=why)).json()
    assert (over["state"], over["runs"][0]["ended_why"]) == ("cancelled", "cancelled: 会议")
    hand.forward(hours=1)
    second = (await start(either_client, plan_id)).json()
    assert (second["starts"], [run["number"] for run in second["runs"]]) == (2, [1, 2])
    assert second["runs"][0]["commitment"] != second["runs"][1]["commitment"]
    (listed,) = (await either_client.get("/api/v1/plans?status=running")).json()["items"]
    assert listed == second
    async with either.reading() as session:
        trail = await audit.of_subject(session, f"plan:{plan_id}")
    assert [line.action for line in trail] == [
        "plan_create", "plan_edit", "plan_edit", "plan_start", "plan_pause", "plan_resume", "plan_cancel", "plan_start",
    ]  # fmt: skip
    assert first["runs"][0]["commitment"] in trail[3].detail
    assert {line.who for line in trail} == {"clerk"}


async def test_nights_take_a_supervisor_who_did_not_write_the_plan(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    await enter_prompts(database, settings)
    night = body(windows={"workday": [{"start": "22:00", "end": "04:00"}]}, calls_per_unit=1, period="whole")
    plan_id = (await client.post("/api/v1/plans", json=night)).json()["id"]
    refused = (await start(client, plan_id)).json()
    assert any(fault["where"] == "windows" and "approval" in fault["message"] for fault in refused["errors"])
    own = await client.post(f"/api/v1/plans/{plan_id}/approve-night", headers=WHO)
    assert own.status_code == 403
    approved = (await client.post(f"/api/v1/plans/{plan_id}/approve-night", headers=BOSS)).json()
    assert approved["night_approved_by"] == "boss"
    # Who changes the windows afterwards asks for the approval anew.
    await client.put(f"/api/v1/plans/{plan_id}", json=night)
    assert (await start(client, plan_id)).status_code == 409
    # Nor may a supervisor approve what they changed themselves.
    other = {"X-DutyRing-Actor": "other boss"}
    await client.put(f"/api/v1/plans/{plan_id}", json=night, headers=other)
    assert (await client.post(f"/api/v1/plans/{plan_id}/approve-night", headers=other)).status_code == 403
    await client.post(f"/api/v1/plans/{plan_id}/approve-night", headers=BOSS)
    assert (await start(client, plan_id)).status_code == 200
    day = (await client.post("/api/v1/plans", json=body())).json()["id"]
    assert (await client.post(f"/api/v1/plans/{day}/approve-night", headers=BOSS)).status_code == 409


async def test_what_cannot_be_met_is_said_beforehand_with_numbers(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    await enter_prompts(database, settings)
    much = body(calls_per_unit=5, caps={"line_day": 1, "line_week": 3, "least_gap_h": 12})
    plan_id = (await client.post("/api/v1/plans", json=much)).json()["id"]
    seen = (await client.get(f"/api/v1/plans/{plan_id}/preview")).json()
    assert (seen["startable"], seen["contradiction_count"]) == (False, 12)
    first = seen["contradictions"][0]
    assert (first["unit_id"], first["wanted"], first["possible"], first["kind"]) == (1, 5, 3, "caps")
    refused = (await start(client, plan_id)).json()
    assert refused["status"] == 409
    assert refused["errors"][0]["where"] == "unit 1"
    assert "5 calls are guaranteed" in refused["errors"][0]["message"]


async def test_a_plan_whose_beginning_is_over_may_be_started(
    client: httpx.AsyncClient, database: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_prompts(database, settings)
    plan_id = (await client.post("/api/v1/plans", json=body())).json()["id"]
    hand.at += timedelta(days=14)
    seen = (await client.get(f"/api/v1/plans/{plan_id}/preview")).json()
    assert (seen["startable"], seen["over"], seen["contradiction_count"]) == (True, 6, 0)
    assert (await start(client, plan_id)).status_code == 200
    hand.at += timedelta(days=14)
    late = (await client.post("/api/v1/plans", json=body())).json()["id"]
    assert "has passed" in (await start(client, late)).json()["detail"]


async def test_no_plan_starts_by_a_wrong_clock_or_without_lines(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    await enter_prompts(database, settings)
    plan_id = (await client.post("/api/v1/plans", json=body())).json()["id"]
    async with database.unit_of_work() as session:
        await alarms.raise_alarm(session, "clock_off", "", "2.0 s")
    assert "clock" in (await start(client, plan_id)).json()["detail"]
    async with database.unit_of_work() as session:
        await alarms.clear_alarm(session, "clock_off")
        for key in (1, 2, 3):
            line = await session.get(DutyLine, key)
            assert line is not None
            line.verification = "failed" if key == 1 else "pending"
    seen = (await client.get(f"/api/v1/plans/{plan_id}/preview")).json()
    assert (seen["units"], seen["pending_lines"]) == (2, 2)
    assert seen["uncallable"] == [{"unit_id": 1, "code": "U0001", "why": "number"}]
    nobody = body(units={"kinds": ["无此类"]})
    none = (await client.post("/api/v1/plans", json=nobody)).json()["id"]
    assert "no unit" in (await start(client, none)).json()["detail"]


async def test_wrong_plans_are_refused_by_member(client: httpx.AsyncClient) -> None:
    for changed, where in (
        ({"windows": {"workday": [{"start": "08:00", "end": "08:00"}]}}, "windows"),
        ({"last_day": "2025-01-01"}, "spec"),
        ({"max_talk_s": 41}, "max_talk_s"),
        ({"surprise": 1}, "surprise"),
    ):
        answer = await client.post("/api/v1/plans", json={"name": "x", "spec": spec().to_content() | changed})
        assert answer.status_code == 422
        assert any(where in fault["where"] for fault in answer.json()["errors"]), answer.text
    assert (
        await client.post("/api/v1/plans", json=body(), headers={"X-DutyRing-Actor": ""})
    ).status_code == 401
    for path in ("", "/preview", "/draw", "/draw/1/slots", "/draw/1/inputs/0"):
        assert (await client.get(f"/api/v1/plans/77{path}")).status_code == 404
    assert (await client.get(f"/api/v1/plans/{2**63}")).status_code == 422


async def test_plans_are_listed_by_pages(client: httpx.AsyncClient) -> None:
    keys = [(await client.post("/api/v1/plans", json=body())).json()["id"] for _ in range(5)]
    found, after = [], ""
    while after is not None:
        page = (await client.get(f"/api/v1/plans?limit=2{after and f'&after={after}'}")).json()
        found += [plan["id"] for plan in page["items"]]
        after = page["next"]
    assert found == keys[::-1]
    assert (await client.get("/api/v1/plans?after=x")).status_code == 422


def test_a_plan_is_read_back_as_it_was_written() -> None:
    content = spec(weights=[{"unit": 1, "factor": 2}]).to_content()
    assert json.loads(json.dumps(content)) == content
    assert datetime.fromisoformat(content["first_day"]).year == 2026
