"""A dispatcher on a clock of its own: orders are called, and the time between calls passes at a word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app import clock
from app.checks import service
from app.checks.dispatcher import Dispatcher
from app.checks.engine import LedgerEngine
from app.checks.models import Attempt, SpotCheck
from app.database import Database
from app.directory import service as directory
from app.directory.models import DutyLine, Unit
from app.settings import Settings
from tests.web.fake import FakePhone

NOON = datetime(2026, 11, 3, 4, 0, tzinfo=UTC)
"""A Tuesday, 12:00 in Asia/Shanghai."""


@dataclass
class Desk:
    """A duty office with one phone. Its time stands still but for `pass_by`."""

    database: Database
    settings: Settings
    phone: FakePhone
    now: datetime = NOON
    dispatcher: Dispatcher = field(init=False)
    engine: LedgerEngine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = LedgerEngine(self.database, self.settings, "desk")
        self.dispatcher = Dispatcher(self.database, self.phone, self.settings, self.engine)

    @contextmanager
    def open(self) -> Iterator[Desk]:
        with clock.running(lambda: self.now):
            yield self

    async def unit(self, code: str, **changes: Any) -> tuple[Unit, DutyLine]:
        async with self.database.unit_of_work() as session:
            unit = await directory.add_unit(session, code, f"云溪县{code}")
            for name, value in changes.items():
                setattr(unit, name, value)
            target = f"sip:{code}@127.0.0.1:5062"
            return unit, await directory.add_line(session, unit, f"0000-5550{code}", target, verified=True)

    async def order(self, line: DutyLine, **changes: Any) -> int:
        async with self.database.unit_of_work() as session:
            return (await service.order_now(session, line, "指定抽查", **changes)).id

    async def call(self) -> int:
        """Call what is due now; return how many calls were made."""
        count = await self.dispatcher.place_due()
        await self.dispatcher.idle()
        return count

    async def pass_by(self, minutes: float) -> int:
        """Let time go by, tick, and call what has come due."""
        self.now += timedelta(minutes=minutes)
        await self.engine.release(self.now)
        return await self.call()

    async def check(self, check_id: int) -> SpotCheck:
        async with self.database.reading() as session:
            found = await session.get(SpotCheck, check_id)
        assert found is not None
        return found

    async def attempts(self) -> list[Attempt]:
        async with self.database.reading() as session:
            return list((await session.scalars(select(Attempt).order_by(Attempt.id))).all())
