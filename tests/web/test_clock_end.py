"""The end of the process cuts a tick of the clock short without a word of failure."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from app.checks.engine import LedgerEngine
from app.checks.timekeeper import Timekeeper
from app.database import Database
from app.phone_process import make_clock
from app.settings import Settings


async def test_a_tick_that_the_end_cuts_short_is_no_error(
    database: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    ticking = asyncio.Event()

    async def slow(_: datetime) -> int:
        ticking.set()
        await asyncio.sleep(60)
        return 0

    clock = make_clock(
        Timekeeper(database, LedgerEngine(database, settings, "clock"), lambda: None, [slow]), settings
    )
    clock.start()
    await asyncio.wait_for(ticking.wait(), 20)
    clock.shutdown(wait=False)
    for _ in range(20):
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
