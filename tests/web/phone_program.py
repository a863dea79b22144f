"""The phone process with the tests' own phone: every INVITE and BYE is a line in a file of the data folder."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.checks.ports import CallOrder, Journal
from app.database import Database
from app.phone_process import main
from app.settings import Settings
from sip.record import CallRecord
from tests.web.fake import FakePhone


class WritingPhone(FakePhone):
    """Stays connected for ever when its hold is set."""

    async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
        self.write("INVITE", order.target)
        return await super().place(order, journal)

    async def call_by(self, trunk: str, number: str, journal: Journal, stop: asyncio.Event) -> CallRecord:
        self.write("TEST", number)
        return await super().call_by(trunk, number, journal, stop)

    async def recover(self, snapshot: dict[str, Any]) -> None:
        self.write("BYE", snapshot["call_id"])

    def write(self, method: str, value: str) -> None:
        with (self.folder.parent / "wire.jsonl").open("a") as file:
            file.write(json.dumps([method, value]) + "\n")


@asynccontextmanager
async def make(settings: Settings, database: Database) -> AsyncIterator[FakePhone]:
    hold = asyncio.Event() if "--hold" in sys.argv else None
    yield WritingPhone(settings.recordings_dir, hold=hold)


if __name__ == "__main__":
    sys.exit(main(make))
