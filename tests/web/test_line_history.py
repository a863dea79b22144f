"""What the phone is told of a line before its call: its history by trunk, and the numbers of its unit."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from app.checks import repository, service
from app.checks.dispatcher import Dispatcher
from app.checks.known import by_trunk
from app.checks.ports import CallOrder, Journal
from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from sip.numbers import NumberError
from sip.record import CallRecord
from tests.web.fake import FakePhone, answered, diverted, unanswered


@dataclass
class Noting(FakePhone):
    """A fake phone that keeps what it was ordered to do."""

    orders: list[CallOrder] = field(default_factory=list)

    async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
        self.orders.append(order)
        return await super().place(order, journal)


TARGET = "sip:62@127.0.0.1:5062"


async def test_a_line_brings_its_history_and_the_numbers_of_its_unit(
    either: Database, either_settings: Settings
) -> None:
    phone = Noting(either_settings.recordings_dir)
    async with either.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        other = await directory.add_unit(session, "002", "云溪县水利局")
        line = await directory.add_line(
            session, unit, "0917-3262000", TARGET, ["0917 326 6666", "09173266666"]
        )
        second = await directory.add_line(session, unit, "3261111转8012")
        await directory.add_line(session, other, "0917-3269999")
        await directory.set_pilots(session, second, ["0917-3267777"])
    dispatcher = Dispatcher(either, phone, either_settings)

    async def call(record: CallRecord | None) -> CallOrder:
        phone.records = {TARGET: record} if record is not None else {}
        async with either.unit_of_work() as session:
            await service.order_now(session, line, "指定抽查")
        assert await dispatcher.place_due() == 1
        await dispatcher.idle()
        return phone.orders[-1]

    first = await call(answered(TARGET, post_dial_delay_ms=900.0, trunk="ims"))
    assert first.ring_history_ms == {}
    assert set(first.same_unit) == {
        *("0917-3262000", "62", "09173266666", "3261111", "8012", "0917-3267777"),
    }
    await call(answered(TARGET, post_dial_delay_ms=1100.0, trunk="ims"))
    await call(answered(TARGET, post_dial_delay_ms=300.0, trunk="pbx"))
    # What never rang, what never left and what was proven to be forwarded say nothing of how the line rings.
    await call(unanswered(TARGET, "unreachable", post_dial_delay_ms=None, trunk="ims"))
    await call(unanswered(TARGET, "network_failure", post_dial_delay_ms=None, our_failure=True))
    await call(diverted(TARGET))
    last = await call(None)
    assert last.ring_history_ms == {"ims": (1100.0, 900.0), "pbx": (300.0,)}


async def test_history_is_the_newest_calls_only(database: Database, settings: Settings) -> None:
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        line = await directory.add_line(session, unit, "0917-3262000")
        for number in range(25):
            check = await service.order_now(session, line, "指定抽查")
            attempt = await service.claim(session, check.id, "test")
            assert attempt is not None
            record = answered(line.target, post_dial_delay_ms=float(number), trunk="ims")
            await service.finish(session, attempt.id, record, settings)
    async with database.reading() as session:
        delays = await repository.ring_delays(session, line.id)
    assert by_trunk(delays) == {"ims": tuple(float(number) for number in range(24, 4, -1))}


async def test_a_pilot_number_that_is_none_is_refused(database: Database) -> None:
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        with pytest.raises(NumberError, match="总机"):
            await directory.add_line(session, unit, "0917-3262000", pilot_numbers=["总机"])
