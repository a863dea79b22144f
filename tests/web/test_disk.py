"""Room on the disks: who is warned, and that no call is placed that could not be recorded whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.checks import alarms
from app.checks.disk import MARGIN, MB, DiskWatch, bytes_of_call, free_bytes, recording_folders
from app.checks.dispatcher import Dispatcher
from app.checks.models import SpotCheck
from app.database import Database
from app.errors import ConflictError
from app.planning import designated
from app.settings import Settings
from tests.web.dial import Desk
from tests.web.fake import FakePhone
from tests.web.test_ledger import attempts, check_states

RESERVE = 500 * MB


@dataclass
class Disks:
    """Disks whose free space the test says."""

    free: int = 50_000 * MB
    of: dict[str, int | None] = field(default_factory=dict)
    """Of a folder of this name, None: it cannot be read; of the others as above."""

    def __call__(self, folder: Path) -> int:
        found = self.of.get(folder.name, self.free)
        if found is None:
            raise OSError("stale file handle")
        return found


@dataclass
class Watched:
    """An office with a phone, and the watch over its disks."""

    desk: Desk
    disks: Disks
    watch: DiskWatch

    async def alarms(self) -> dict[str, str]:
        async with self.desk.database.reading() as session:
            return {row.kind: row.detail for row in await alarms.standing(session)}


@pytest.fixture
async def office(either: Database, either_settings: Settings) -> AsyncIterator[Watched]:
    settings, disks = either_settings.model_copy(update={"recordings_url": "/srv/elsewhere"}), Disks()
    phone = FakePhone(settings.data_dir / "recordings", hold=asyncio.Event())
    desk = Desk(either, settings, phone)
    watch = DiskWatch(either, settings, disks)
    desk.dispatcher = Dispatcher(either, phone, settings, desk.engine, watch)
    with desk.open():
        yield Watched(desk, disks, watch)


async def test_little_room_is_an_alarm_until_there_is_more(office: Watched) -> None:
    await office.watch.look(0)
    assert await office.alarms() == {}
    office.disks.of["elsewhere"] = 4_999 * MB
    await office.watch.look(0)
    assert await office.alarms() == {"disk_low": "录音目录剩余约 4950 MB"}
    office.disks.of["elsewhere"] = 4_960 * MB
    await office.watch.look(0)
    office.disks.of["elsewhere"] = 5_000 * MB
    await office.watch.look(0)
    assert await office.alarms() == {}


async def test_without_room_nothing_is_dialled_and_what_is_due_stays_due(office: Watched) -> None:
    desk = office.desk
    assert desk.phone.hold is not None
    desk.phone.hold.set()
    _, line = await desk.unit("7001")
    await desk.order(line)
    office.disks.free = RESERVE + bytes_of_call(desk.settings) - 1
    assert await desk.dispatcher.place_due() == 0
    assert (await check_states(desk.database), await attempts(desk.database)) == (["due"], [])
    assert set(await office.alarms()) == {"disk_low", "disk_full"}
    # A little more is not enough yet: the alarm must not come and go.
    office.disks.free = RESERVE + bytes_of_call(desk.settings) + 1
    assert await desk.call() == 0
    # Nor does anybody call who only reads the alarm.
    assert list(await desk.engine.due(5)) == []
    office.disks.free = round(RESERVE * (1 + MARGIN)) + bytes_of_call(desk.settings)
    await office.watch.look(0)
    assert set(await office.alarms()) == {"disk_low"}
    assert await desk.call() == 1
    assert await check_states(desk.database) == ["done"]


async def test_what_waited_too_long_is_missed_as_ours(office: Watched) -> None:
    desk = office.desk
    _, line = await desk.unit("7001")
    await desk.order(line)
    office.disks.free = 0
    await office.watch.look(0)
    assert await desk.call() == 0
    office.disks.free = 50_000 * MB
    await office.watch.look(0)
    desk.now += timedelta(seconds=desk.settings.misfire_grace_s + 1)
    assert await desk.call() == 0
    async with desk.database.reading() as session:
        (check,) = (await session.scalars(select(SpotCheck))).all()
    assert (check.state, check.closed_why, check.code) == ("missed", "late", None)


async def test_room_is_kept_for_the_calls_under_way(office: Watched) -> None:
    desk = office.desk
    for number in range(5):
        _, line = await desk.unit(f"700{number}")
        await desk.order(line)
    office.disks.free = RESERVE + 3 * bytes_of_call(desk.settings)
    assert await desk.dispatcher.place_due() == 3
    assert await desk.dispatcher.place_due() == 0
    assert "disk_full" in await office.alarms()
    assert desk.phone.hold is not None
    desk.phone.hold.set()
    await desk.dispatcher.idle()
    assert sorted(await check_states(desk.database)) == ["done"] * 3 + ["due"] * 2


async def test_a_disk_that_cannot_be_read_has_no_room(office: Watched) -> None:
    office.disks.of["elsewhere"] = None
    assert await office.watch.room(0) == 0
    assert "录音目录无法读取" in (await office.alarms())["disk_full"]
    office.disks.of.clear()
    assert await office.watch.room(0) > 0
    assert await office.alarms() == {}


async def test_a_watch_begins_with_what_an_earlier_process_said(office: Watched) -> None:
    async with office.desk.database.unit_of_work() as session:
        await alarms.raise_alarm(session, "disk_full", "", "数据目录剩余约 0 MB")
    await office.watch.look(0)
    assert await office.alarms() == {}


async def test_nobody_orders_a_call_that_could_not_be_recorded(office: Watched) -> None:
    desk = office.desk
    unit, line = await desk.unit("7001")
    office.disks.free = 0
    await office.watch.look(0)
    async with desk.database.unit_of_work() as session:
        wanted = designated.Designation("群众反映", unit_id=unit.id)
        with pytest.raises(ConflictError, match="磁盘空间不足"):
            await designated.order(session, desk.settings, wanted, "王督查")
        with pytest.raises(ConflictError, match="磁盘空间不足"):
            await designated.verify_number(session, desk.settings, line.id, "核号", "王督查")


def test_the_folders_that_are_watched(tmp_path: Path) -> None:
    def folders(url: str | None) -> list[Path]:
        return list(recording_folders(Settings(data_dir=tmp_path, recordings_url=url)).values())

    assert folders(None) == [tmp_path]
    assert folders("s3://bucket/prefix") == [tmp_path]
    assert folders("/srv/sound") == [tmp_path, Path("/srv/sound")]
    assert free_bytes(tmp_path / "not" / "yet" / "there") > 0


def test_the_room_of_a_call_grows_with_its_longest_time() -> None:
    usual = bytes_of_call(Settings())
    assert bytes_of_call(Settings(max_talk_s=3_600)) > usual > 5 * MB
