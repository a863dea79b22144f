"""The pages of the calendar: a year, a day, sensitive periods, shipped data, files that are looked at first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date

import httpx
import pytest

from app import clock
from app.accounts.permissions import Role
from app.database import Database
from app.planning import calendar_repository
from app.planning.calendar import load_book
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.pages_read import Page
from tests.web.people import signed_in
from tests.web.planning_office import HandClock, api

FILE = (
    "day,kind,sensitive,name\n2027-01-01,holiday,no,元旦\n2027-01-02,双休日,是,\n2025-12-31,holiday,no,旧\n"
)


@pytest.fixture
def hand() -> Iterator[HandClock]:
    found = HandClock()
    with clock.running(found):
        yield found


@pytest.fixture
async def client(database: Database, settings: Settings, hand: HandClock) -> AsyncIterator[httpx.AsyncClient]:
    async with api(settings, database) as found:
        yield found


async def kinds(database: Database, first: date, last: date) -> list[tuple[str, bool]]:
    async with database.reading() as session:
        return [(row.kind, row.sensitive) for row in await calendar_repository.days(session, first, last)]


async def test_a_year_shows_each_kind_of_day_and_where_data_end(
    either: Database, settings: Settings, hand: HandClock
) -> None:
    async with api(settings, either) as client:
        empty = await client.get("/calendar")
        assert "日历缺 365 天" in empty.text
        assert (await client.post("/calendar/seed", data={"year": "2026"})).status_code == 303
        seeded = await client.get("/calendar?year=2026")
        assert "日历缺" not in seeded.text
        assert 'aria-current="date"' in seeded.text
        for told in ('title="法定节假日 · 国庆节', 'title="调休工作日 · 春节', 'title="双休日"'):
            assert told in seeded.text
        assert seeded.text.count('<a id="d2026-') == 365
        refused = await client.post("/calendar/seed", data={"year": "2190"})
        assert (refused.status_code, "随附数据没有 2190 年" in refused.text) == (422, True)
        for odd in ("0", "99999", "-1"):
            assert "2026 年日历" in (await client.get(f"/calendar?year={odd}")).text
        assert (await client.get("/calendar?year=1970")).status_code == 200
        assert (await client.get("/calendar?year=2200")).status_code == 200


async def test_a_day_of_the_past_takes_a_reason_and_keeps_what_was_typed(
    client: httpx.AsyncClient, database: Database
) -> None:
    typed = {"kind": "holiday", "name": "县庆", "sensitive": "1", "sensitive_name": "庆典", "note": "备注"}
    refused = await client.post("/calendar/2026-03-03", data=typed)
    found = Page(refused.text)
    assert (refused.status_code, found.wrong) == (422, {"reason": "修改过去的日子须写明理由"})
    assert {name: found.fields[name][0] for name in typed} == typed
    assert (await client.post("/calendar/2026-03-03", data=typed | {"reason": "更正"})).status_code == 303
    async with database.reading() as session:
        info = (await load_book(session, date(2026, 3, 3), date(2026, 3, 3))).day(date(2026, 3, 3))
    assert (info.kind, info.sensitive, info.name, info.known) == ("holiday", True, "县庆、庆典", True)
    shown = Page((await client.get("/calendar/2026-03-03")).text)
    assert "clerk 未录入 法定节假日 · 县庆 · 特殊敏感期 · 庆典 · 备注 更正" in shown.text
    silent = await client.post("/calendar/2026-03-03/clear")
    assert (silent.status_code, "须写明理由" in silent.text) == (422, True)
    assert (await client.post("/calendar/2026-03-03/clear", data={"reason": "误录"})).status_code == 303
    assert await kinds(database, date(2026, 3, 3), date(2026, 3, 3)) == []
    formula = await client.post("/calendar/2026-05-01", data={"kind": "holiday", "name": "=1+1"})
    assert Page(formula.text).wrong == {"name": "不能以 = + - @ 开头"}
    odd = await client.post("/calendar/2026-05-01", data={"kind": "feast"})
    assert Page(odd.text).wrong == {"kind": "请从列出的选项中选择"}
    for path in ("/calendar/2026-02-30", "/calendar/x", "/calendar/9999-01-01"):
        assert (await client.get(path)).status_code == 422


async def test_a_sensitive_period_is_marked_and_taken_off(
    client: httpx.AsyncClient, database: Database
) -> None:
    span = {"first_day": "2026-12-01", "last_day": "2026-12-05", "name": "党代会"}
    wrong = await client.post("/calendar/sensitive", data=span | {"last_day": "2026-11-05", "sensitive": "1"})
    assert (wrong.status_code, Page(wrong.text).wrong) == (422, {"last_day": "结束日期早于开始日期"})
    assert Page(wrong.text).fields["name"] == ["党代会"]
    assert (await client.post("/calendar/sensitive", data=span | {"sensitive": "1"})).status_code == 303
    assert [mark for _, mark in await kinds(database, date(2026, 12, 1), date(2026, 12, 31))] == [True] * 5
    assert "特殊敏感期" in (await client.get("/calendar/2026-12-03")).text
    assert (await client.post("/calendar/sensitive", data=span | {"sensitive": ""})).status_code == 303
    assert await kinds(database, date(2026, 12, 1), date(2026, 12, 31)) == []


async def test_a_file_is_looked_at_before_it_is_entered(
    client: httpx.AsyncClient, database: Database
) -> None:
    span = date(2025, 1, 1), date(2027, 12, 31)
    seen = await client.post("/calendar/import/preview", files={"file": ("2027.csv", FILE.encode("gb18030"))})
    found = Page(seen.text)
    assert "新录入 3 天，改动 0 天，相同 0 天。还没有保存。" in found.text
    assert "2027-01-02 未录入 双休日 · 特殊敏感期" in found.text
    assert await kinds(database, *span) == []
    text = found.fields["text"][0]
    silent = await client.post("/calendar/import", data={"text": text})
    assert (silent.status_code, Page(silent.text).wrong) == (422, {"reason": "修改过去的日子须写明理由"})
    assert Page(silent.text).fields["text"][0].split() == text.split()
    assert (await client.post("/calendar/import", data={"text": text, "reason": "补录"})).status_code == 303
    assert await kinds(database, *span) == [("holiday", False), ("holiday", False), ("weekend", True)]
    exported = (await client.get("/api/v1/calendar/export")).content
    same = await client.post("/calendar/import/preview", files={"file": ("again.csv", exported)})
    assert "完全相同" in same.text


async def test_a_file_with_faults_names_each_line(client: httpx.AsyncClient, database: Database) -> None:
    lines = (
        "day,kind,sensitive",
        "2027-13-01,holiday,no",
        "2027-01-03,怪日,maybe",
        *["2027-01-04,workday,no"] * 2,
    )
    bad = "\n".join(lines)
    seen = await client.post("/calendar/import/preview", files={"file": ("bad.csv", bad.encode())})
    assert seen.status_code == 422
    told = Page(seen.text).text
    for where, what in (
        ("第 2 行 day 列", "请填日期"),
        ("第 3 行 kind 列", "类别须为"),
        ("第 3 行 sensitive 列", "请填 是 或 否"),
        ("第 5 行 day 列", "与第 4 行重复"),
    ):
        assert f"{where} " in told
        assert what in told
    for content in (b"", b"\x89PNG\r\n\x1a\n", b"a,b\n1,2\n", b"day,kind\n"):
        answer = await client.post("/calendar/import/preview", files={"file": ("x.csv", content)})
        assert answer.status_code == 422
    assert (await client.post("/calendar/import", data={"text": bad})).status_code == 422
    large = b"day,kind\n" + b"2027-01-01,workday\n" * 60_000
    refused = await client.post("/calendar/import/preview", files={"file": ("large.csv", large)})
    assert (refused.status_code, "文件太大" in refused.text) == (422, True)
    assert await kinds(database, date(1970, 1, 1), date(2200, 12, 31)) == []


async def test_who_keeps_the_calendar(database: Database, settings: Settings) -> None:
    app = own_doors(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        for role, reads, changes in (
            (Role.ADMINISTRATOR, 200, 303),
            (Role.DISPATCHER, 200, 303),
            (Role.INSPECTOR, 200, 403),
            (Role.AUDITOR, 403, 403),
        ):
            who = (await signed_in(database, settings, role)).headers
            answer = await client.get("/calendar/2030-01-01", headers=who)
            assert answer.status_code == reads
            assert bool(Page(answer.text).actions) == (changes == 303)
            sent = await client.post("/calendar/2030-01-01", data={"kind": "holiday"}, headers=who)
            assert sent.status_code == changes
    await app.state.database.close()
