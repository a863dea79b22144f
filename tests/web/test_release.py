"""Released checks that must not be dialled: too late, of a paused plan, of a line that is no longer called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.checks import service
from app.checks.dispatcher import Dispatcher
from app.commands.demo import demo_settings
from app.database import Database
from app.demo import fill, place_all
from app.directory.models import DutyLine
from app.planning.models import Plan
from app.settings import Settings
from tests.web.fake import FakePhone
from tests.web.test_ledger import add_lines, attempts, check_states, order


@pytest.fixture
def phone(tmp_path: Path) -> FakePhone:
    return FakePhone(tmp_path / "data" / "recordings")


async def released(database: Database, line: DutyLine, due_at: datetime) -> Plan:
    """A plan whose one check the clock has released in time."""
    async with database.unit_of_work() as session:
        plan = await service.add_plan(session, "国庆夜间", [(line, due_at)])
    async with database.unit_of_work() as session:
        assert await service.release_due(session, due_at + timedelta(seconds=1), grace_s=300) == (1, 0)
    return plan


async def set_running(database: Database, plan: Plan, running: bool) -> None:
    async with database.unit_of_work() as session:
        (await session.merge(plan)).running = running


async def test_a_check_that_was_released_before_the_machine_was_off_is_missed(
    either: Database, either_settings: Settings, phone: FakePhone
) -> None:
    late, fresh = await add_lines(either, 2)
    await released(either, late, datetime.now(UTC) - timedelta(days=2))
    await released(either, fresh, datetime.now(UTC) - timedelta(seconds=5))
    dispatcher = Dispatcher(either, phone, either_settings)
    assert await dispatcher.recover() == 0
    assert await dispatcher.place_due() == 1
    await dispatcher.idle()
    assert await check_states(either) == ["missed", "done"]
    assert phone.dialled == [fresh.target]
    assert len(await attempts(either)) == 1


async def test_a_paused_plan_waits_and_goes_on_or_is_missed(
    either: Database, either_settings: Settings, phone: FakePhone
) -> None:
    (line,) = await add_lines(either, 1)
    plan = await released(either, line, datetime.now(UTC))
    await set_running(either, plan, False)
    dispatcher = Dispatcher(either, phone, either_settings)
    assert await dispatcher.place_due() == 0
    async with either.unit_of_work() as session:
        # Paused between the look and the claim.
        assert await service.claim(session, 1, "a", 300) is None
    assert await check_states(either) == ["due"]
    await set_running(either, plan, True)
    hurried = Dispatcher(either, phone, either_settings.model_copy(update={"misfire_grace_s": 0.0}))
    assert await hurried.place_due() == 0
    assert await check_states(either) == ["missed"]
    assert phone.dialled == []


async def test_a_paused_plan_that_goes_on_in_time_is_dialled(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    one, two = await add_lines(database, 2)
    plan = await released(database, one, datetime.now(UTC))
    await set_running(database, plan, False)
    await order(database, two)
    dispatcher = Dispatcher(database, phone, settings)
    assert await dispatcher.place_due() == 1
    await set_running(database, plan, True)
    assert await dispatcher.place_due() == 1
    await dispatcher.idle()
    assert phone.dialled == [two.target, one.target]


async def test_a_line_that_is_no_longer_called_is_withdrawn(
    either: Database, either_settings: Settings, phone: FakePhone
) -> None:
    one, two = await add_lines(either, 2)
    await order(either, one)
    await released(either, two, datetime.now(UTC))
    async with either.unit_of_work() as session:
        for line in (one, two):
            (await session.merge(line)).active = False
    dispatcher = Dispatcher(either, phone, either_settings)
    assert await dispatcher.place_due() == 0
    assert await check_states(either) == ["withdrawn"] * 2
    assert await attempts(either) == []
    assert phone.dialled == []


async def test_what_an_aborted_demonstration_ordered_is_not_dialled_by_the_service(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    async with database.unit_of_work() as session:
        await fill(session)
    async with database.unit_of_work() as session:
        ordered = len(await place_all(session))
    showing = Dispatcher(database, phone, demo_settings(settings, "127.0.0.1", 5062))
    await showing.recover()
    assert await check_states(database) == ["due"] * ordered
    (line,) = await add_lines(database, 1)
    await order(database, line)
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.recover()
    assert await check_states(database) == ["withdrawn"] * ordered + ["due"]
    assert await dispatcher.place_due() == 1
    await dispatcher.idle()
    assert phone.dialled == [line.target]
