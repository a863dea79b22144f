"""Units that call back: recorded beside the order, once, where the number is the unit's and the time is right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.checks import call_backs
from app.checks.models import Mitigation
from app.checks.placer import PhonePlacer
from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from app.trunk_settings import TrunkSettings
from sip.core import Address
from sip.guard import DialPolicy
from sip.phone import Phone, Script, Trunk
from tests.web.dial import Desk
from tests.web.fake import FakePhone, unanswered


async def recorded(database: Database) -> list[tuple[int, str, str]]:
    async with database.reading() as session:
        rows = await session.scalars(select(Mitigation).order_by(Mitigation.id))
        return [(row.check_id, row.kind, row.number) for row in rows]


@pytest.fixture
async def desk(either: Database, either_settings: Settings, tmp_path: Path) -> AsyncIterator[Desk]:
    with Desk(either, either_settings, FakePhone(tmp_path / "data" / "recordings")).open() as opened:
        yield opened


async def called(desk: Desk, number: str, kind: str = "designated") -> int:
    """A line with this number that was called and did not answer; returns the order."""
    async with desk.database.unit_of_work() as session:
        unit = await directory.add_unit(session, number, f"云溪县{number}")
        line = await directory.add_line(session, unit, number, verified=True, pilot_numbers=["0917-3262999"])
    desk.phone.records[line.target] = unanswered(line.target, "no_answer")
    order_id = await desk.order(line, kind=kind)
    await desk.call()
    return order_id


async def call_back(desk: Desk, number: str) -> int:
    async with desk.database.unit_of_work() as session:
        return await call_backs.record(session, number, desk.now)


async def test_a_call_back_is_recorded_once_beside_its_order(desk: Desk) -> None:
    order_id = await called(desk, "0917-3262001")
    await called(desk, "0917-3262002", kind="verification")
    desk.now += timedelta(minutes=5)
    assert await call_back(desk, "02983262001") == 0
    assert await call_back(desk, "+8609173262001") == 1
    assert await call_back(desk, "09173262001") == 0
    assert await call_back(desk, "09173262002") == 0
    assert await recorded(desk.database) == [(order_id, "called_back", "+8609173262001")]


async def test_a_call_back_from_the_switchboard_counts_and_a_late_one_does_not(desk: Desk) -> None:
    order_id = await called(desk, "0917-3262001")
    desk.now += timedelta(minutes=30)
    assert await call_back(desk, "09173262001") == 0
    second = await called(desk, "0917-3262003")
    desk.now += timedelta(minutes=5)
    assert await call_back(desk, "3262999") == 1
    assert [row[0] for row in await recorded(desk.database)] == [second]
    assert order_id != second


@pytest.mark.timeout(60)
async def test_who_calls_through_the_trunks_server_is_refused_and_recorded(
    database: Database, settings: Settings
) -> None:
    """The caller is a phone at the address of our trunk's server; one from elsewhere is not believed."""
    # The records of the fake phone are of this moment: the real clock runs here.
    desk = Desk(database, settings, FakePhone(settings.recordings_dir))
    with desk.open():
        pass
    exchange = Trunk(name="exchange", bind=Address("127.0.0.1", 0), from_uri="sip:09173262001@127.0.0.1")
    async with Phone(exchange, policy=DialPolicy.open()) as caller:
        trunk = TrunkSettings(
            host="127.0.0.1", port=caller.addresses[0].port, bind="127.0.0.1", health_s=None, max_calls=None
        )
        given = settings.model_copy(update={"trunks": {"main": trunk}})
        order_id = await called(desk, "0917-3262001")
        async with PhonePlacer(given, database) as placer:
            ours = placer._phone
            # The trunk learns its server's address with its first call; the names of hosts take their time.
            await ours._lines["main"].server_addresses()
            record = await caller.call(f"sip:62@{ours.addresses[0]}", Script())
            assert record.sip_status == 480
            async with asyncio.timeout(10):
                while not await recorded(database):
                    await asyncio.sleep(0.05)
    assert await recorded(database) == [(order_id, "called_back", "09173262001")]
