"""录音: found by what they are and by what is said in them, kept, held and given up by named people."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.accounts.models import AuditEvent
from app.accounts.permissions import Role
from app.checks.models import Recording
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.keeping import HALF_YEAR, recorded
from tests.web.people import signed_in
from tests.web.reviewing import LI, WANG, Office, as_person, running
from tests.web.searching import say


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings, units=2) as opened:
        yield opened


async def page_of(office: Office, path: str = "/recordings", who: str = WANG, status: int = 200) -> str:
    answer = await office.client.get(path, headers=as_person(who))
    assert answer.status_code == status, answer.text
    return answer.text


async def send(office: Office, path: str, who: str = WANG, expect: int = 303, **fields: Any) -> str:
    answer = await office.client.post(path, data=fields, headers=as_person(who))
    assert answer.status_code == expect, answer.text
    return answer.text


def shown(page: str) -> list[int]:
    return [int(key) for key in re.findall(r'<tr id="recording-(\d+)">', page)]


async def test_an_empty_list_says_what_to_do_first(office: Office) -> None:
    page = await page_of(office)
    assert "还没有录音" in page
    assert "抽查计划" in page


async def test_recordings_are_narrowed_by_unit_day_verdict_and_keeping(office: Office) -> None:
    (first,) = await recorded(office)
    office.at += timedelta(days=3)
    (second,) = await recorded(office, 1, rings=(None,))
    assert shown(await page_of(office)) == [second, first]
    unit = office.units[1]
    day = office.at.astimezone(office.settings.zone).date()
    for query, found in {
        f"unit={unit}": [second],
        f"first={day}": [second],
        f"last={day - timedelta(days=1)}": [first],
        "verdict=no_answer": [second],
        f"verdict=within&unit={unit}": [],
        "keeping=held": [],
        "keeping=gone": [],
        "keeping=due": [],
        "unit=x": [second, first],
        f"unit={10**12}": [],
    }.items():
        assert shown(await page_of(office, f"/recordings?{query}")) == found, query
    assert "没有符合条件的录音" in await page_of(office, f"/recordings?verdict=within&unit={unit}")
    await send(office, f"/recordings/{first}/holds", reason="信访在办")
    held = await page_of(office, "/recordings?keeping=held")
    assert shown(held) == [first]
    assert "人工保留" in held
    assert f'href="/checks/1#attempt-{first}"' in held
    assert "起始日期无法识别" in await page_of(office, "/recordings?first=昨天", status=422)
    assert (await office.client.get("/recordings?after=nonsense")).status_code == 422


async def test_pages_follow_each_other_without_gap_or_repetition(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.recordings.listing.PAGE_ROWS", 2)
    keys = []
    for _ in range(5):
        keys += await recorded(office)
        office.at += timedelta(minutes=1)
    for query in ("keeping=", "verdict=within"):
        seen, path = [], f"/recordings?{query}"
        while path:
            page = await page_of(office, path)
            seen += shown(page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            path = following[1].replace("&amp;", "&") if following else ""
        assert seen == keys[::-1], query


async def test_a_search_leads_to_the_moment_and_is_on_record_without_its_words(office: Office) -> None:
    await recorded(office)
    await recorded(office, 1)
    async with office.database.unit_of_work() as session:
        for recording in (await session.scalars(select(Recording).order_by(Recording.id))).all():
            await say(session, recording, ("您好", "我是<b>值班员</b>王强"))
    page = await page_of(office, f"/recordings?q=值班员&unit={office.units[0]}")
    assert shown(page) == [1]
    assert "<mark>值班员</mark>" in page
    assert "&lt;b&gt;" in page
    assert re.search(r'href="/checks/1#attempt-1&amp;t=1\d\.\d\d"', page)
    assert "没有符合条件的录音" in await page_of(office, "/recordings?q=无此词语")
    async with office.database.reading() as session:
        lines = (await session.scalars(select(AuditEvent).where(AuditEvent.action == "search"))).all()
    assert [line.who for line in lines] == [WANG, WANG]
    assert not [line for line in lines if "值班员" in line.detail]
    assert shown(await page_of(office, "/recordings?q=" + "%22" * 3, status=422)) == []


async def test_a_hold_is_placed_and_lifted_with_reasons(office: Office) -> None:
    (key,) = await recorded(office)
    keeping = f"/recordings/{key}/keeping"
    assert "没有；保存期满即删除" in await page_of(office, keeping)
    assert "请检查：理由" in await send(office, f"/recordings/{key}/holds", expect=422, reason=" ")
    await send(office, f"/recordings/{key}/holds", reason="信访在办")
    page = await page_of(office, keeping)
    assert "信访在办" in page
    assert "解除保留 1" in page
    await send(office, f"/recordings/{key}/holds/1/lift", LI, reason="已办结")
    page = await page_of(office, keeping)
    assert "已办结" in page
    assert f"/recordings/{key}/holds/1/lift" not in page
    assert "已由 李督查 解除" in await send(
        office, f"/recordings/{key}/holds/1/lift", expect=409, reason="再"
    )
    assert (await office.client.get("/recordings/99/keeping")).status_code == 404


async def test_two_people_remove_a_recording(office: Office) -> None:
    (key,) = await recorded(office)
    assert "未满 180 天" in await send(office, f"/recordings/{key}/removals", expect=409, reason="误拨")
    office.at += HALF_YEAR
    await send(office, f"/recordings/{key}/removals", reason="误拨")
    decide = f"/recordings/{key}/removals/1/decide"
    assert "您是申请人" in await page_of(office, f"/recordings/{key}/keeping")
    assert "同意删除" in await page_of(office, f"/recordings/{key}/keeping", LI)
    assert "申请人以外" in await send(office, decide, expect=403, approve="yes", reason="同意")
    assert "请选择同意或不同意" in await send(office, decide, LI, 422, reason="同意")
    await send(office, decide, LI, approve="yes", reason="核实为误拨")
    page = await page_of(office, f"/recordings/{key}/keeping")
    assert "提前删除" in page
    assert "核实为误拨" in page
    assert (await office.client.get(f"/recordings/{key}")).status_code == 410
    assert shown(await page_of(office, "/recordings?keeping=gone")) == [key]


async def test_withdrawal_is_asked_for_by_name_and_at_once(office: Office) -> None:
    (key,) = await recorded(office)
    page = await page_of(office, f"/recordings/{key}/keeping")
    assert f'data-confirm="封存录音 {key}？声音和全部转写文字立即删除，不能恢复。"' in page
    assert "请检查：理由" in await send(office, f"/recordings/{key}/withdraw", expect=422)
    await send(office, f"/recordings/{key}/withdraw", reason="误录涉密内容")
    page = await page_of(office, f"/recordings/{key}/keeping")
    assert "封存" in page
    assert "误录涉密内容" in page
    assert f"/recordings/{key}/withdraw" not in page
    assert "录音已封存" in await page_of(office, "/checks/1")


async def test_only_supervisors_come_in(settings: Settings) -> None:
    async with running(settings) as office:
        (key,) = await recorded(office)
        app = own_doors(office.settings)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            for role in Role:
                who = await signed_in(office.database, office.settings, role)
                opened = 200 if role is Role.SUPERVISOR else 403
                for path in ("/recordings", f"/recordings/{key}/keeping", "/samples"):
                    assert (await client.get(path, headers=who.headers)).status_code == opened, (role, path)
        await app.state.database.close()
