"""电话记录单: begun, written in versions, checked, signed and put right on the pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from app.checks.models import Recording
from app.phone_records.filling import fill_from
from app.settings import Settings
from tests.web.phone_recording import tone
from tests.web.reviewing import LI, WANG, Office, as_person, running
from tests.web.searching import say

AT = "2026-11-22T20:27"
FIELDS = {
    "called_at": AT,
    "source": "incoming",
    "unit": "水利局",
    "person": "赵明",
    "content": "堤防\r\n巡查",
}


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings) as opened:
        yield opened


async def page_of(office: Office, path: str = "/phone-records", status: int = 200) -> str:
    answer = await office.client.get(path, headers=as_person(WANG))
    assert answer.status_code == status, answer.text
    return answer.text


async def send(office: Office, path: str, expect: int = 303, who: str = WANG, **fields: Any) -> str:
    answer = await office.client.post(path, data=fields, headers=as_person(who))
    assert answer.status_code == expect, answer.text
    return answer.text if expect != 303 else answer.headers["location"]


async def test_a_record_is_begun_written_signed_and_put_right(office: Office) -> None:
    assert "还没有电话记录单" in await page_of(office)
    assert "请检查：来电号码" in await send(office, "/phone-records", 422, **(FIELDS | {"number": "<b>"}))
    refused = await send(
        office, "/phone-records", 422, **(FIELDS | {"called_at": "", "content": "已填<内容>"})
    )
    assert "须填写来电时间" in refused
    assert "已填&lt;内容&gt;" in refused
    assert await send(office, "/phone-records", **FIELDS) == "/phone-records/1"
    page = await page_of(office, "/phone-records/1")
    assert "堤防\n巡查" in page.replace("\r", "")
    assert "未签" in page
    edit = await page_of(office, "/phone-records/1/edit")
    assert 'name="version" value="1"' in edit
    kept = FIELDS | {"version": "1"}
    assert "没有任何修改" in await send(
        office, "/phone-records/1", 409, **(kept | {"content": "堤防\r\n巡查"})
    )
    await send(office, "/phone-records/1", **(kept | {"recorder": "李值班"}))
    assert "已有更新的版本 2" in await send(
        office, "/phone-records/1", 409, who=LI, **(kept | {"phone": "12345"})
    )
    page = await page_of(office, "/phone-records/1")
    assert "李值班" in page
    assert page.count("<tr><td>") == 2
    assert "已有更新的版本" in await send(office, "/phone-records/1/sign", 409, version="1")
    await send(office, "/phone-records/1/sign", version="2")
    page = await page_of(office, "/phone-records/1")
    assert "王督查" in page
    assert "/phone-records/1/edit" not in page
    assert "不得修改" in await send(
        office, "/phone-records/1", 409, **(kept | {"version": "2", "person": "x"})
    )
    assert await send(office, "/phone-records/1/correct") == "/phone-records/2/edit"
    assert "已有更正的电话记录单" in await send(office, "/phone-records/1/correct", 409)
    assert (await office.client.get("/phone-records/9/edit")).status_code == 404


async def test_the_list_is_narrowed_and_paged(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.phone_records.routes.PAGE_ROWS", 2)
    for day in range(20, 25):
        made = FIELDS | {
            "called_at": f"2026-11-{day}T08:00",
            "unit_id": str(office.units[0]) if day == 22 else "",
        }
        await send(office, "/phone-records", **made)
    await send(office, "/phone-records/1/sign", version="1")
    seen, path = [], "/phone-records"
    while path:
        page = await page_of(office, path)
        seen += re.findall(r'href="/phone-records/(\d+)">\d{4}-', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert seen == ["5", "4", "3", "2", "1"]
    for query, found in {
        "status=signed": ["1"],
        f"unit={office.units[0]}": ["3"],
        "first=2026-11-24": ["5"],
        "last=2026-11-20": ["1"],
        "source=report": [],
    }.items():
        page = await page_of(office, f"/phone-records?{query}")
        assert re.findall(r'href="/phone-records/(\d+)">\d{4}-', page) == found, query
    assert "没有单位 99" in await page_of(office, "/phone-records?unit=99", 404)
    assert "日期无法识别" in await page_of(office, "/phone-records?last=x", 422)


async def test_a_recording_that_is_brought_fills_the_form_for_a_person_to_check(office: Office) -> None:
    async def upload(content: bytes, **fields: str) -> Any:
        files = {"file": ("来电.wav", content, "audio/wav")}
        data = {"called_at": AT, "source": "incoming", "recorder": "李值班"} | fields
        return await office.client.post(
            "/phone-records/from-sound", files=files, data=data, headers=as_person(WANG)
        )

    refused = await upload(b"no sound at all")
    assert refused.status_code == 422
    assert "录音文件" in refused.text
    assert 'value="李值班"' in refused.text
    assert "来电时间" in (await upload(tone(), called_at="")).text
    assert (await upload(tone())).headers["location"] == "/phone-records/1"
    assert (await upload(tone())).status_code == 409
    async with office.database.unit_of_work() as session:
        recording = (await session.scalars(select(Recording))).one()
        said = await say(session, recording, ("我叫赵明", "河水上涨"))
        await fill_from(session, said, office.settings)
    edit = await page_of(office, "/phone-records/1/edit")
    version = re.search(r'name="version" value="(\d+)"', edit)
    assert version
    assert "（机器填写）" in edit
    assert "栏机器填写、未核对" in await page_of(office)
    assert "未核对的栏目" in await send(office, "/phone-records/1/sign", 409, version=version[1])
    checked = re.findall(r'name="checked" value="(\w+)"', edit)
    await send(office, "/phone-records/1", version=version[1], called_at=AT, checked=checked)
    await send(office, "/phone-records/1/sign", version=str(int(version[1]) + 1))
    assert "已签" in await page_of(office)


async def test_a_moment_of_a_record_is_local(office: Office) -> None:
    await send(office, "/phone-records", **FIELDS)
    record = await office.get("/phone-records/1")
    assert record["called_at"].startswith("2026-11-22T12:27")
