"""One process at a time keeps the time: the lease, who may take it, and what the clock does with it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from sqlalchemy.exc import InvalidRequestError

from app import clock
from app.checks import leases, service
from app.checks.engine import LedgerEngine
from app.checks.timekeeper import Timekeeper
from app.database import Database
from app.settings import Settings
from tests.web.dial import NOON
from tests.web.test_ledger import add_lines, check_states


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def go(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


async def hold(database: Database, holder: str) -> bool:
    async with database.unit_of_work() as session:
        return await leases.hold(session, "clock", holder)


async def test_one_holder_at_a_time_and_another_after_its_end(either: Database) -> None:
    time = Time()
    with clock.running(time):
        won = await asyncio.gather(*(hold(either, f"process-{number}") for number in range(6)))
        assert sum(won) == 1
        holder = f"process-{won.index(True)}"
        time.go(leases.LEASE_S - 1)
        assert not await hold(either, "late")
        assert await hold(either, holder)
        time.go(leases.LEASE_S - 1)
        assert not await hold(either, "late")
        time.go(2)
        again = await asyncio.gather(*(hold(either, f"late-{number}") for number in range(6)))
        assert sum(again) == 1
        assert not await hold(either, holder)


async def test_who_ends_in_good_order_keeps_nobody_waiting(either: Database) -> None:
    with clock.running(Time()):
        assert await hold(either, "first")
        async with either.unit_of_work() as session:
            await leases.give_back(session, "clock", "second")
        assert not await hold(either, "second")
        async with either.unit_of_work() as session:
            await leases.give_back(session, "clock", "first")
        assert await hold(either, "second")
        async with either.unit_of_work() as session:
            await leases.seize(session, "clock", "third")
        assert not await hold(either, "second")


async def test_only_the_holder_ticks(database: Database, settings: Settings) -> None:
    """Two processes tick; what is due is released once, and by a successor once the first one is dead."""
    time = Time()
    ticked: list[str] = []

    def keeper(name: str) -> Timekeeper:
        async def tick(_: datetime) -> int:
            ticked.append(name)
            return 0

        return Timekeeper(database, LedgerEngine(database, settings, name), lambda: None, [tick])

    with clock.running(time):
        lines = await add_lines(database, 1)
        async with database.unit_of_work() as session:
            await service.add_plan(session, "即时", [(lines[0], NOON)])
        one, two = keeper("one"), keeper("two")
        await one.tick()
        await two.tick()
        assert (ticked, await check_states(database)) == (["one"], ["due"])
        for _ in range(4):
            time.go(leases.RENEW_S + 1)
            await one.tick()
            await two.tick()
        assert set(ticked) == {"one"}
        # The first one dies; the second takes over once its lease is out.
        time.go(leases.LEASE_S + 1)
        await two.tick()
        await one.tick()
        assert ticked[-1] == "two"


async def test_the_hour_brings_a_purge(database: Database, settings: Settings) -> None:
    time = Time()
    purged: list[datetime] = []

    async def purge(_: object, now: datetime) -> None:
        purged.append(now)

    async def broken(_: datetime) -> int:
        raise ValueError("a plan that cannot be drawn stops nothing else")

    with clock.running(time):
        keeper = Timekeeper(
            database, LedgerEngine(database, settings, "one"), lambda: None, [broken], [purge]
        )
        for _ in range(5):
            await keeper.tick()
            time.go(1_200)
    assert purged == [NOON, NOON + timedelta(hours=1)]


async def test_hourly_jobs_work_beside_the_ticks_and_one_at_a_time(
    database: Database, settings: Settings
) -> None:
    time = Time()
    begun: list[datetime] = []
    ended: list[datetime] = []
    may_end = asyncio.Event()

    async def slow(now: datetime) -> None:
        async with database.unit_of_work() as session:
            # Outside of the tick's own unit of work, or this would wait for itself.
            await leases.hold(session, "job", "one")
        begun.append(now)
        await may_end.wait()
        ended.append(now)

    async def broken(_: datetime) -> None:
        raise ValueError("it stops nothing else, and comes again")

    async def until(rows: list[datetime], count: int) -> None:
        async with asyncio.timeout(60):
            while len(rows) < count:
                await asyncio.sleep(0.01)

    with clock.running(time):
        engine = LedgerEngine(database, settings, "one")
        keeper = Timekeeper(database, engine, lambda: None, jobs=[broken, slow])
        for _ in range(5):
            await keeper.tick()
            await until(begun, 1)
            time.go(1_200)
        # Two hours have come while it was at work: it was not begun again.
        assert (begun, ended) == ([NOON], [])
        may_end.set()
        await until(ended, 1)
        await asyncio.sleep(0)
        time.go(3_600)
        await keeper.tick()
        await until(ended, 2)
        assert begun == ended == [NOON, time.at]
        may_end.clear()
        time.go(3_600)
        await keeper.tick()
        await until(begun, 3)
        await keeper.end()
        assert len(ended) == 2


async def test_a_plan_that_fails_keeps_nothing_else_from_coming_due(
    database: Database, settings: Settings
) -> None:
    async def tick(_: datetime) -> int:
        raise InvalidRequestError("the plan cannot be followed")

    with clock.running(Time()):
        lines = await add_lines(database, 1)
        async with database.unit_of_work() as session:
            await service.add_plan(session, "即时", [(lines[0], NOON)])
        await Timekeeper(database, LedgerEngine(database, settings, "one"), lambda: None, [tick]).tick()
        assert await check_states(database) == ["due"]
