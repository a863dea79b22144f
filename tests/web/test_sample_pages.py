"""提示音样本: marked below the recording of a check, listed, heard and withdrawn."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import soundfile
from sqlalchemy import select

from app.accounts.models import AuditEvent
from app.archive import open_archive
from app.checks.models import Recording
from app.samples import service
from app.settings import Settings
from sip.simulator.clips import SOUNDS_FOLDER
from tests.web.reviewing import LI, WANG, Office, as_person, running

OFF = SOUNDS_FOLDER / "powered_off.flac"


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    """An office with one call, in which a network said that the phone is off."""
    if not OFF.is_file():
        pytest.skip(f"{OFF} is missing")
    async with running(settings) as opened:
        await opened.order(rings=(None,))
        path = opened.settings.recordings_dir / "heard.flac"
        voice, rate = soundfile.read(OFF, dtype="int16")
        soundfile.write(path, np.stack([np.zeros_like(voice), voice], axis=1), rate)
        async with opened.database.unit_of_work() as session:
            row = (await session.scalars(select(Recording))).one()
            info = open_archive(opened.settings).add(path, "check/1", "check")
            row.path, row.sha256, row.duration_ms = info.path, info.sha256, info.duration_ms
        yield opened


async def send(office: Office, path: str, expect: int = 303, who: str = WANG, **fields: Any) -> str:
    answer = await office.client.post(path, data=fields, headers=as_person(who))
    assert answer.status_code == expect, answer.text
    return answer.text


async def test_an_announcement_is_marked_heard_and_withdrawn(office: Office) -> None:
    page = (await office.client.get("/checks/1")).text
    assert "标为提示音样本" in page
    assert "还没有样本" in (await office.client.get("/samples")).text
    mark = {"start": "0", "end": "60", "meaning": "powered_off", "label": "移动<关机>", "mobile": "1"}
    refused = await send(office, "/recordings/1/samples", 422, **(mark | {"start": "0", "end": "0.5"}))
    assert "这一段不能作样本" in refused
    assert 'value="移动&lt;关机&gt;"' in refused
    assert "起须早于止" in await send(office, "/recordings/1/samples", 422, **(mark | {"start": "70"}))
    assert "须为秒数" in await send(office, "/recordings/1/samples", 422, **(mark | {"start": "x"}))
    assert "含义有误" in await send(office, "/recordings/1/samples", 422, **(mark | {"meaning": "off"}))
    await send(office, "/recordings/1/samples", **mark)
    assert "已是样本" in await send(office, "/recordings/1/samples", 409, **mark)
    page = (await office.client.get("/samples")).text
    assert "移动&lt;关机&gt;" in page
    assert "仅手机网络" in page
    clip = re.search(r'<audio controls preload="none" src="([^"]+)"', page)
    assert clip
    heard = await office.client.get(clip[1].replace("&amp;", "&"), headers=as_person(WANG))
    assert heard.status_code == 200
    assert heard.content[:4] == b"RIFF"
    assert re.search(r'href="/checks/1#attempt-1&amp;t=\d+\.\d\d"', page)
    await send(office, "/samples/1/withdraw", who=LI)
    assert "还没有样本" in (await office.client.get("/samples")).text
    assert "李督查" in (await office.client.get("/samples?removed=1")).text
    assert "已停用" in await send(office, "/samples/1/withdraw", 409)
    assert "没有样本 9" in await send(office, "/samples/9/withdraw", 404)
    async with office.database.reading() as session:
        library = await service.library(session)
        lines = (await session.scalars(select(AuditEvent).where(AuditEvent.subject == "sample:1"))).all()
        played = (await session.scalars(select(AuditEvent).where(AuditEvent.subject == "recording:1"))).all()
    assert len(library) == 0
    assert [(line.action, line.who) for line in lines] == [("add", WANG), ("remove", LI)]
    assert "sample 0-" in played[0].detail


async def test_the_same_through_the_api(office: Office) -> None:
    body = {"start_s": 0.0, "end_s": 5.0, "meaning": "powered_off", "label": "关机"}
    made = await office.post("/recordings/1/samples", expect=201, **body)
    assert made["marked_by"] == WANG
    assert [item["id"] for item in (await office.get("/samples"))["items"]] == [made["id"]]
    answer = await office.client.delete(f"/api/v1/samples/{made['id']}", headers=as_person(LI))
    assert answer.json()["removed_by"] == LI
    assert (await office.get("/samples"))["items"] == []
    assert len((await office.get("/samples?removed=true"))["items"]) == 1
    await office.client.post("/recordings/1/withdraw", data={"reason": "误录"}, headers=as_person(WANG))
    await office.post("/recordings/1/samples", expect=410, **body)
    await office.post("/recordings/7/samples", expect=404, **body)
