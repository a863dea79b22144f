"""Alarms of the recordings above the list of checks."""

from __future__ import annotations

from app.checks import alarms
from app.settings import Settings
from tests.web.reviewing import running


async def test_alarms_of_recordings_stand_above_the_list_until_they_are_over(settings: Settings) -> None:
    async with running(settings) as office:
        async with office.database.unit_of_work() as session:
            await alarms.raise_alarm(session, "recordings_unstored", detail="<b>no answer</b>")
            await alarms.raise_alarm(session, "calendar_ending", detail="from 2027-01-01 on")
        shown = (await office.client.get("/checks")).text
        assert "录音未入库" in shown
        assert "&lt;b&gt;no answer&lt;/b&gt;" in shown
        assert "日历将尽" not in shown
        async with office.database.unit_of_work() as session:
            await alarms.clear_alarm(session, "recordings_unstored")
        assert "录音未入库" not in (await office.client.get("/checks")).text
