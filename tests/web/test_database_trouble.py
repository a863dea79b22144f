"""A database that is locked for a while: no call ends by it and no facts are lost."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.checks.dispatcher import Dispatcher
from app.database import Database
from app.settings import DATABASE_FILE, Settings
from tests.web.fake import FakePhone
from tests.web.migrated import migrate
from tests.web.test_ledger import add_lines, attempts, order


@pytest.fixture
async def hasty(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A database that waits for no lock."""
    migrate(settings)
    monkeypatch.setattr("app.database.BUSY_TIMEOUT_MS", 1)
    monkeypatch.setattr("app.insisting.PAUSES_S", (0.05,) * 200)
    async with Database(settings.url) as opened:
        yield opened


@contextlib.contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Hold the write lock, as another program may."""
    with contextlib.closing(sqlite3.connect(settings.data_dir / DATABASE_FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


async def until_dialled(phone: FakePhone, count: int) -> None:
    async with asyncio.timeout(20):
        while len(phone.dialled) < count or phone.at_once != count:
            await asyncio.sleep(0.01)


async def test_a_locked_database_ends_no_call_and_loses_no_facts(
    hasty: Database, settings: Settings, tmp_path: Path
) -> None:
    phone = FakePhone(tmp_path / "data" / "recordings", hold=asyncio.Event())
    one, two = await add_lines(hasty, 2)
    dispatcher = Dispatcher(hasty, phone, settings.model_copy(update={"poll_s": 0.02}))
    running = asyncio.create_task(dispatcher.run())
    await order(hasty, one)
    await until_dialled(phone, 1)
    async with asyncio.timeout(20):
        while [row.state for row in await attempts(hasty)] != ["connected"]:
            await asyncio.sleep(0.01)
    await order(hasty, two)
    assert phone.hold is not None
    with locked(settings):
        await asyncio.sleep(0.3)
        # The second check could not be claimed, the first call goes on.
        assert not running.done()
        phone.hold.set()
        await asyncio.sleep(0.3)
        assert [row.state for row in await attempts(hasty)] == ["connected"]
    async with asyncio.timeout(20):
        while [row.state for row in await attempts(hasty)] != ["finished", "finished"]:
            await asyncio.sleep(0.02)
    first, _ = await attempts(hasty)
    assert (first.verdict_code, first.error) == ("within", None)
    await dispatcher.stop()
    await running


async def test_a_failure_of_ours_keeps_its_own_reason(
    hasty: Database, settings: Settings, tmp_path: Path
) -> None:
    (line,) = await add_lines(hasty, 1)

    class Failing(FakePhone):
        async def place(self, order, journal):
            entered.set()
            await leave.wait()
            raise RuntimeError("no socket")

    entered, leave = asyncio.Event(), asyncio.Event()
    dispatcher = Dispatcher(hasty, Failing(tmp_path), settings)
    await order(hasty, line)
    await dispatcher.place_due()
    await entered.wait()
    with locked(settings):
        leave.set()
        await asyncio.sleep(0.2)
    await dispatcher.idle()
    (attempt,) = await attempts(hasty)
    assert (attempt.state, attempt.error) == ("failed", "RuntimeError: no socket")


async def test_what_could_not_be_written_for_long_stays_for_the_next_start(
    hasty: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.insisting.PAUSES_S", (0.01, 0.01))
    phone = FakePhone(tmp_path / "data" / "recordings", hold=asyncio.Event())
    await order(hasty, *await add_lines(hasty, 1))
    dispatcher = Dispatcher(hasty, phone, settings)
    await dispatcher.place_due()
    async with asyncio.timeout(20):
        while [row.state for row in await attempts(hasty)] != ["connected"]:
            await asyncio.sleep(0.01)
    assert phone.hold is not None
    with locked(settings):
        phone.hold.set()
        await dispatcher.idle()
    assert [(row.state, row.error) for row in await attempts(hasty)] == [("connected", None)]
    assert await Dispatcher(hasty, phone, settings).recover() == 1
