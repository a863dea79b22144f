"""Rosters as pages: filed by day, in versions; who has filed for the days to come, who is late, what is wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app import clock
from app.accounts.permissions import Role
from app.directory.models import UnitRegime
from app.errors import BadInputError
from app.rosters.repository import versions_between
from app.settings import Settings
from app.web.units.roster_form import TurnRow, Typed, given_of
from tests.web.directory_office import Browser, Office, office_of, plain

NOW = datetime(2026, 9, 25, 4, 0, tzinfo=UTC)
"""Noon of a Friday in the office."""
DAY = "2026-09-29"
TURNS = {
    "name": ["李四", "赵六", ""],
    "title": ["", "科员", ""],
    "phone": ["", "", ""],
    "start": ["08:00", "20:00", ""],
    "end": ["20:00", "8:00", ""],
    "until": ["", "", ""],
}


@pytest.fixture(autouse=True)
def _friday() -> Iterator[None]:
    with clock.running(lambda: NOW):
        yield


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with office_of(settings) as opened:
        yield opened


@pytest.fixture
async def dispatcher(office: Office) -> Browser:
    return await office.person(Role.DISPATCHER)


async def test_a_roster_is_filed_and_a_change_of_turns_becomes_a_version_beside_it(
    either_settings: Settings,
) -> None:
    async with office_of(either_settings) as office:
        duty = await office.person(Role.DISPATCHER)
        at = f"/units/{office.keys['town']}/rosters"
        assert 'option value="李四" data-title="科员"' in await duty.get(f"{at}/{DAY}/duty")
        done = await duty.send(f"{at}/{DAY}/duty", seen_version="0", **TURNS)
        told = plain(await duty.get(done.headers["location"]))
        assert (
            "09-29 周二 ✓ 已报 08:00–20:00 李四 20:00–09-30 08:00 赵六 科员 第 1 版 2026-09-25 12:00 总值班室"
            in told
        )
        assert "值班人员“李四”为临聘" in told

        form = await duty.get(f"{at}/{DAY}/duty")
        assert "现有第 1 版，保存后为第 2 版" in plain(form)
        assert re.findall(r'name="(?:start|end)" value="(\d\d:\d\d)"', form) == [
            "08:00",
            "20:00",
            "20:00",
            "08:00",
        ]
        swapped = TURNS | {"name": ["赵六", "李四", ""], "note": "调班"}
        await duty.send(f"{at}/{DAY}/duty", seen_version="1", **swapped)
        stale = await duty.send(f"{at}/{DAY}/duty", 422, seen_version="1", **swapped)
        assert "已有第 2 版（所据为第 1 版）" in plain(stale.text)
        assert 'value="赵六"' in stale.text
        told = plain(await duty.get(f"{at}?first={DAY}"))
        assert "第 2 版 2026-09-25 12:00 总值班室，调班" in told
        assert "以前各版（1） 第 1 版" in told
        async with office.database.reading() as session:
            day = datetime(2026, 9, 29).date()
            versions = await versions_between(session, [office.keys["town"]], day, day)
        assert [[shift.name for shift in row.shifts] for row in versions] == [
            ["李四", "赵六"],
            ["赵六", "李四"],
        ]
        assert versions[0].shifts[0].person_id == office.keys["officer"]
        assert versions[0].shifts[1].end_at == datetime(2026, 9, 30, 0, tzinfo=UTC)


async def test_what_is_wrong_stands_in_its_row_and_nothing_typed_is_lost(
    office: Office, dispatcher: Browser
) -> None:
    at = f"/units/{office.keys['town']}/rosters/{DAY}/duty"
    wrong = TURNS | {"start": ["8点", "20:00", ""], "name": ["李四", "赵六", "王五"]}
    page = (await dispatcher.send(at, 422, seen_version="0", note="代班", **wrong)).text
    told = plain(page)
    assert "有 2 个班次需要改正" in told
    assert told.count("请填写姓名和起止时间") == 2
    assert 'value="8点"' in page
    assert 'value="代班"' in page
    twice = TURNS | {"name": ["李四", "李四", ""], "start": ["08:00", "19:00", ""]}
    assert "“李四”有两个重叠的班次" in plain((await dispatcher.send(at, 422, seen_version="0", **twice)).text)
    long = TURNS | {"name": ["名" * 100, "赵六", ""]}
    assert "太长" in plain((await dispatcher.send(at, 422, seen_version="0", **long)).text)
    empty = {name: [""] for name in TURNS}
    assert "值班表没有班次" in plain((await dispatcher.send(at, 422, seen_version="0", **empty)).text)
    await dispatcher.send(at, seen_version="0", **TURNS)
    assert "勾选“撤回此前报送”" in plain((await dispatcher.send(at, 422, seen_version="1", **empty)).text)
    await dispatcher.send(at, seen_version="1", take_back="1", **empty)
    assert "已撤回 第 2 版" in plain(
        await dispatcher.get(f"/units/{office.keys['town']}/rosters?first={DAY}")
    )
    await dispatcher.get(f"/units/{office.keys['town']}/rosters/{DAY}/other", 404)
    await dispatcher.get(f"/units/{office.keys['town']}/rosters/2026-02-30/duty", 422)


async def test_a_form_begins_with_another_day(office: Office, dispatcher: Browser) -> None:
    at = f"/units/{office.keys['town']}/rosters"
    await dispatcher.send(f"{at}/{DAY}/leader", seen_version="0", **TURNS)
    page = await dispatcher.get(f"{at}/2026-09-30/leader")
    assert f"?like={DAY}" in page
    copied = await dispatcher.get(f"{at}/2026-09-30/leader?like={DAY}")
    assert re.findall(r'name="name" value="(\S+?)"', copied) == ["李四", "赵六"]
    assert 'name="seen_version" value="0"' in copied


async def test_the_overview_tells_who_filed_late_or_not_at_all(either_settings: Settings) -> None:
    async with office_of(either_settings) as office:
        duty = await office.person(Role.DISPATCHER)
        town, water = office.keys["town"], office.keys["water"]
        for day in ("2026-09-26", DAY):
            await duty.send(f"/units/{town}/rosters/{day}/duty", seen_version="0", **TURNS)
        await duty.send(f"/units/{water}/rosters/{DAY}/duty", seen_version="0", **TURNS)
        told = plain(await duty.get("/units/rosters"))
        assert (
            "全部单位已报 值 0/6 带 0/6 值 1/6 迟 1 带 0/6 值 0/6 带 0/6 值 0/6 带 0/6 值 2/6 带 0/6" in told
        )
        row = told[told.index("城关镇 ") :]
        assert row.startswith(
            "城关镇 值 ▲ 未报 带 ▲ 未报 值 ▲ 迟报 带 ▲ 未报 值 ▲ 未报 带 ▲ 未报 值 待报 带 待报 值 ✓ 已报"
        )
        assert "值 ✓ 已报 带 不需报" in told[told.index("水利局 ") :]
        assert "原农机局" not in told
        assert "为临聘" in told
        later = plain(await duty.get("/units/rosters?first=2026-10-20&days=14&wanting=1"))
        assert "没有未报或迟报的单位" in later
        assert "城关镇" in plain(await duty.get("/units/rosters?wanting=1"))
        scoped = await office.person(Role.INSPECTOR, units=["water"])
        told = plain(await scoped.get("/units/rosters"))
        assert "值 1/1" in told
        assert "城关镇" not in told
        await duty.get("/units/rosters?first=2026-13-01", 422)


async def test_the_unit_says_who_is_on_duty_now_and_what_two_leaders_miss(
    office: Office, dispatcher: Browser
) -> None:
    at = f"/units/{office.keys['town']}"
    async with office.database.unit_of_work() as session:
        regime = await session.get(UnitRegime, 1)
        assert regime is not None
        regime.leader = "double"
    called = TURNS | {"phone": ["", "13900002222", ""]}
    await dispatcher.send(f"{at}/rosters/2026-09-25/duty", seen_version="0", **called)
    await dispatcher.send(f"{at}/rosters/2026-09-25/leader", seen_version="0", **TURNS)
    with clock.running(lambda: NOW + timedelta(hours=9)):
        evening = await office.person(Role.DISPATCHER)
        told = plain(await evening.get(at))
    shown = await evening.get("/api/v1/rosters")
    assert "13900002222" in shown
    inspector = await office.person(Role.INSPECTOR)
    for path in (f"{at}/rosters?first=2026-09-25", "/api/v1/rosters"):
        part = await inspector.get(path)
        assert "139******22" in part
        assert "13900002222" not in part
    assert "现在值班 赵六 科员 现在带班 赵六 科员" in told
    told = plain(await dispatcher.get(f"{at}/rosters?first=2026-09-25"))
    assert "双带班" in told
    assert "同一时间既值班又带班" in told


@given(st.text(), st.text(), st.text(), st.text(max_size=3))
def test_whatever_is_typed_as_a_turn_is_a_turn_or_refused(
    name: str, start: str, end: str, until: str
) -> None:
    typed = Typed([TurnRow(name=name, start=start, end=end, until=until)], 0)
    try:
        found = given_of(typed, NOW.date(), "duty", [], Settings().zone)
    except (BadInputError, ValidationError):
        return
    assert found.shifts[0].start_at <= found.shifts[0].end_at
