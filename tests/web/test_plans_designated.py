"""指定抽查 and 核号: ordered by a person, within the rules, once for each key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from app import clock
from app.accounts.permissions import Role
from app.checks import alarms, stops
from app.checks.models import SpotCheck
from app.database import Database
from app.directory.models import DutyLine, Unit, UnitExemption
from app.settings import Settings
from tests.web.people import account
from tests.web.planning_office import (
    HandClock,
    api,
    close_all,
    enter_lines,
    enter_plan,
    enter_prompts,
    orders,
    start_plan,
)


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


async def designate(client: httpx.AsyncClient, key: str = "", **members: object) -> httpx.Response:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return await client.post(
        "/api/v1/designated-checks", json={"reason": "汛期查岗"} | members, headers=headers
    )


async def test_a_designated_check_is_due_at_once_and_once_for_a_key(
    client: httpx.AsyncClient, database: Database, settings: Settings, hand: HandClock
) -> None:
    early = await designate(client, unit_id=1)
    assert (early.status_code, "opening" in early.json()["detail"]) == (409, True)
    await enter_prompts(database, settings)
    key = str(uuid4())
    made = await designate(client, key, unit_id=1)
    assert made.status_code == 201
    twice = await designate(client, key, unit_id=1)
    assert twice.json() == made.json()
    assert (await designate(client, key, unit_id=2)).status_code == 409
    (order,) = await orders(database)
    assert (order.kind, order.state, order.line_id) == ("designated", "due", 1)
    assert (order.plan_id, order.run_id) == (None, None)
    assert order.due_at == order.first_due_at == hand()
    assert (order.ordered_by, order.reason) == ("clerk", "汛期查岗")
    for wrong in ({}, {"unit_id": 1, "line_id": 1}, {"unit_id": 1, "reason": ""}, {"unit_id": 0}):
        assert (await designate(client, **wrong)).status_code == 422
    for unknown in ({"unit_id": 99}, {"line_id": 99}):
        assert (await designate(client, **unknown)).status_code == 404
    plain = await client.post("/api/v1/designated-checks", json={"unit_id": 2, "reason": "x"})
    assert plain.status_code == 422


async def test_it_keeps_to_caps_of_the_plans(
    either_client: httpx.AsyncClient, either: Database, either_settings: Settings, hand: HandClock
) -> None:
    await enter_prompts(either, either_settings)
    plan_id = await enter_plan(
        either, caps={"line_day": 2, "line_week": 3, "least_gap_h": 2}, calls_per_unit=1
    )
    assert (await designate(either_client, line_id=1)).status_code == 201
    assert "under way" in (await designate(either_client, line_id=1)).json()["detail"]
    await close_all(either, hand)
    hand.forward(hours=3)
    # Without a plan the usual cap of one check a day holds, with it that of the plan.
    assert "1 of at most 1 calls" in (await designate(either_client, line_id=1)).json()["detail"]
    await start_plan(either, either_settings, plan_id)
    assert (await designate(either_client, line_id=1)).status_code == 201
    await close_all(either, hand)
    hand.forward(hours=1)
    assert (await designate(either_client, line_id=2)).status_code == 201
    await close_all(either, hand)
    hand.forward(hours=1)
    assert "less than 2 hours" in (await designate(either_client, line_id=2)).json()["detail"]


async def test_stops_emergencies_and_the_clock_forbid_it(
    client: httpx.AsyncClient, database: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_prompts(database, settings)
    async with database.unit_of_work() as session:
        stop = await stops.place_stop(session, 1, "演习", "boss")
        session.add(
            UnitExemption(
                unit_id=2, line_id=None, kind="emergency", first_at=hand(), last_at=hand() + timedelta(hours=5),
                reason="山洪", entered_by="boss", entered_at=hand(),
            )
        )  # fmt: skip
        line = await session.get(DutyLine, 3)
        assert line is not None
        line.active = False
    assert "紧急停拨" in (await designate(client, unit_id=1)).json()["detail"]
    assert "emergency" in (await designate(client, unit_id=2)).json()["detail"]
    assert (await designate(client, unit_id=3)).status_code == 409
    assert (await designate(client, line_id=3)).status_code == 409
    async with database.unit_of_work() as session:
        await stops.lift_stop(session, stop.id, "完毕", "boss")
        await alarms.raise_alarm(session, "clock_off", "", "3 s")
    assert "clock" in (await designate(client, unit_id=1)).json()["detail"]
    assert await orders(database) == []


async def test_near_a_handover_and_at_night_only_when_said_so(
    client: httpx.AsyncClient, database: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_prompts(database, settings)
    async with database.unit_of_work() as session:
        unit = await session.get(Unit, 1)
        assert unit is not None
        unit.handover_times = ["10:05"]
    refused = await designate(client, unit_id=1)
    assert "15 minutes" in refused.json()["detail"]
    assert (await designate(client, unit_id=1, handover_reason="市领导要求")).status_code == 201
    hand.at = datetime(2026, 3, 5, 19, 0, tzinfo=UTC)
    assert "approval" in (await designate(client, unit_id=2)).json()["detail"]
    own = await designate(client, unit_id=2, night_approved_by="clerk")
    assert own.status_code == 403
    nobody = await designate(client, unit_id=2, night_approved_by="boss")
    assert (nobody.status_code, nobody.json()["errors"][0]["where"]) == (422, "night_approved_by")
    await account(database, Role.INSPECTOR, name="who writes tables")
    other = await designate(client, unit_id=2, night_approved_by="who writes tables")
    assert other.status_code == 422
    await account(database, Role.SUPERVISOR, name="boss")
    assert (await designate(client, unit_id=2, night_approved_by="boss")).status_code == 201
    await close_all(database, hand)
    hand.forward(days=1)
    second = await designate(client, unit_id=2, night_approved_by="boss")
    assert "in this month" in second.json()["detail"]


async def test_a_number_is_verified_on_demand(
    client: httpx.AsyncClient, database: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_prompts(database, settings)
    async with database.unit_of_work() as session:
        line = await session.get(DutyLine, 2)
        assert line is not None
        line.verification = "failed"
    refused = await designate(client, line_id=2)
    assert (refused.status_code, "correct its number" in refused.json()["detail"]) == (409, True)

    async def verify() -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid4())}
        return await client.post("/api/v1/verification-calls", json={"line_id": 2}, headers=headers)

    for _ in range(3):
        made = await verify()
        assert (made.status_code, made.json()["kind"]) == (201, "verification")
        assert "under way" in (await verify()).json()["detail"]
        await close_all(database, hand)
        hand.forward(hours=1)
    assert "had 3 such calls" in (await verify()).json()["detail"]
    async with database.reading() as session:
        order = await session.get(SpotCheck, 1)
    assert order is not None
    assert order.run_id is None
    async with database.unit_of_work() as session:
        line = await session.get(DutyLine, 2)
        assert line is not None
        line.verification = "verified"
    # Three calls to verify it, ordered by hand, keep nobody from checking it.
    assert (await designate(client, line_id=2)).status_code == 201
