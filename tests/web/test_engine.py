"""What every `TaskEngine` must do, shown on the one that works on our own tables; another one is one more factory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock
from app.checks import alarms, conclusions, repository, service
from app.checks.engine import LEASE_S, LedgerEngine, TaskEngine
from app.checks.service import LeaseLostError
from app.database import Database
from app.settings import Settings
from tests.web.dial import Desk
from tests.web.fake import FakePhone, answered

Factory = Callable[[Database, Settings, str], TaskEngine]
FACTORIES: dict[str, Factory] = {"ledger": LedgerEngine}
CALLING = {"state": "Calling", "call_id": "x", "dialogs": []}
RINGING = {"state": "Proceeding", "call_id": "x", "dialogs": [{"remote_tag": "y"}]}


@pytest.fixture(params=sorted(FACTORIES))
def make(request: pytest.FixtureRequest) -> Factory:
    factory: Factory = FACTORIES[request.param]
    return factory


@pytest.fixture
async def desk(either: Database, either_settings: Settings, tmp_path: Path) -> AsyncIterator[Desk]:
    with Desk(either, either_settings, FakePhone(tmp_path / "data" / "recordings")).open() as opened:
        yield opened


async def test_an_order_goes_to_one_caller(desk: Desk, make: Factory) -> None:
    _, line = await desk.unit("1")
    order_id = await desk.order(line)
    engines = [make(desk.database, desk.settings, f"caller-{number}") for number in range(6)]
    assert [await engine.due(10) for engine in engines[:2]] == [[order_id]] * 2
    won = await asyncio.gather(*(engine.claim(order_id) for engine in engines))
    (attempt,) = [attempt for attempt in won if attempt is not None]
    assert attempt.owner in {engine.owner for engine in engines}
    assert attempt.lease_until == desk.now + timedelta(seconds=LEASE_S)
    assert await engines[0].due(10) == []


async def test_one_call_at_a_time_goes_to_a_line(desk: Desk, make: Factory) -> None:
    _, line = await desk.unit("1")
    first, second = [await desk.order(line) for _ in range(2)]
    one, two = (make(desk.database, desk.settings, name) for name in ("one", "two"))
    won = await asyncio.gather(one.claim(first), two.claim(second))
    (attempt,) = [attempt for attempt in won if attempt is not None]
    waiting = second if attempt.check_id == first else first
    assert (await desk.check(waiting)).state == "due"
    assert await one.due(10) == []
    await one.done(lambda s: conclusions.finish(s, attempt.id, answered(line.target), desk.settings))
    assert await one.due(10) == [waiting]


async def test_the_earliest_come_first_and_no_more_than_fit(desk: Desk, make: Factory) -> None:
    ids = []
    for number in range(4):
        _, line = await desk.unit(str(number))
        ids.append(await desk.order(line))
        desk.now += timedelta(seconds=1)
    engine = make(desk.database, desk.settings, "one")
    assert await engine.due(3) == ids[:3]


async def test_a_caller_that_gives_no_sign_of_life_is_interrupted_and_dials_no_more(
    desk: Desk, make: Factory
) -> None:
    _, line = await desk.unit("1")
    order_id = await desk.order(line)
    dead, alive = (make(desk.database, desk.settings, name) for name in ("dead", "alive"))
    attempt = await dead.claim(order_id)
    assert attempt is not None
    await dead.journal(attempt.id, CALLING)
    desk.now += timedelta(seconds=LEASE_S - 1)
    assert await alive.sweep() == 0
    assert await dead.renew([attempt.id]) == {attempt.id}
    desk.now += timedelta(seconds=LEASE_S - 1)
    assert await alive.sweep() == 0
    desk.now += timedelta(seconds=2)
    # Its lease has run out: no further INVITE leaves, though nobody has swept yet.
    with pytest.raises(LeaseLostError):
        await dead.journal(attempt.id, CALLING)
    # What is under way already may still be written down: its end must be told.
    await dead.journal(attempt.id, RINGING)
    swept = await asyncio.gather(*(engine.sweep() for engine in (alive, dead)))
    assert sum(swept) == 1
    (row,) = await desk.attempts()
    assert (row.state, row.verdict_code) == ("interrupted", "interrupted")
    check = await desk.check(order_id)
    assert (check.state, check.closed_at) == ("done", desk.now)
    assert await dead.renew([attempt.id]) == frozenset()
    with pytest.raises(LeaseLostError):
        await dead.journal(attempt.id, CALLING)
    # It is not dialled again by itself.
    assert await alive.due(10) == []


async def test_what_was_interrupted_is_not_concluded_a_second_time(desk: Desk, make: Factory) -> None:
    _, line = await desk.unit("1")
    slow, alive = (make(desk.database, desk.settings, name) for name in ("slow", "alive"))
    attempt = await slow.claim(await desk.order(line))
    assert attempt is not None
    desk.now += timedelta(seconds=LEASE_S + 1)
    assert await alive.sweep() == 1
    found = await slow.done(lambda s: conclusions.finish(s, attempt.id, answered(line.target), desk.settings))
    assert found is None
    (row,) = await desk.attempts()
    assert (row.state, row.outcome, row.verdict_code) == ("interrupted", None, "interrupted")


async def test_finishing_and_sweeping_at_once_conclude_once(desk: Desk, make: Factory) -> None:
    engines = [make(desk.database, desk.settings, name) for name in ("one", "two")]
    for number in range(5):
        _, line = await desk.unit(str(number))
        attempt = await engines[0].claim(await desk.order(line))
        assert attempt is not None
        desk.now += timedelta(seconds=LEASE_S + 1)
        target, key = line.target, attempt.id
        await asyncio.gather(
            engines[0].done(
                lambda s, key=key, target=target: conclusions.finish(s, key, answered(target), desk.settings)
            ),
            engines[1].sweep(),
        )
    async with desk.database.reading() as session:
        for row in await desk.attempts():
            check = await repository.check(session, row.check_id)
            assert check is not None
            (found,) = check.attempts
            assert len(found.verdicts) == 1
            assert [event.state for event in found.events].count(found.state) == 1


async def test_while_the_clock_is_off_nothing_is_handed_out(desk: Desk, make: Factory) -> None:
    _, line = await desk.unit("1")
    order_id = await desk.order(line)
    engine = make(desk.database, desk.settings, "one")
    async with desk.database.unit_of_work() as session:
        await alarms.raise_alarm(session, "clock_off", "clock", "本机时钟快 3.0 秒")
    assert list(await engine.due(10)) == []
    async with desk.database.unit_of_work() as session:
        await alarms.clear_alarm(session, "clock_off", "clock")
    assert await engine.due(10) == [order_id]


async def test_what_is_planned_comes_due_with_the_clock(desk: Desk, make: Factory) -> None:
    _, line = await desk.unit("1")
    async with desk.database.unit_of_work() as session:
        await service.add_plan(session, "夜间", [(line, clock.now() + timedelta(seconds=30))])
    engine = make(desk.database, desk.settings, "one")
    assert (await engine.release(desk.now)).due == 0
    desk.now += timedelta(seconds=30)
    assert (await engine.release(desk.now)).due == 1
    assert len(await engine.due(10)) == 1
