"""The page of one check: what a person decides on it, adds to it, and may see of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.accounts.permissions import Role
from app.answers.models import AnswerItem
from app.checks.models import CallFacts, Recording
from app.evidence.wordless import WITHDRAWN_ZH
from app.settings import Settings
from sip.record import Announcement, Evidence, Forwarding, TimelineEntry
from tests.web.apps import own_doors
from tests.web.fake import answered
from tests.web.people import signed_in
from tests.web.reviewing import LI, WANG, Office, as_person, running
from tests.web.searching import say

CITED = {
    "clause_source": "《某市值班工作规范》",
    "clause_article": "第十条",
    "clause_words": "值班人员坚守岗位",
}


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings) as opened:
        yield opened


async def page_of(office: Office, check_id: int, who: str = WANG) -> str:
    answer = await office.client.get(f"/checks/{check_id}", headers=as_person(who))
    assert answer.status_code == 200
    return answer.text


async def send(office: Office, path: str, who: str = WANG, expect: int = 303, **fields: Any) -> str:
    """Send a form of the page; return the page that answers a refusal, else where it leads."""
    answer = await office.client.post(path, data=fields, headers=as_person(who))
    assert answer.status_code == expect, answer.text
    return answer.text if expect != 303 else answer.headers["location"]


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def state_of(page: str) -> str:
    found = re.search(r'class="case-state [a-z_]+">(.*?)<', page)
    assert found
    return found[1]


async def test_a_case_goes_its_way_on_the_page(office: Office) -> None:
    case = await office.case()
    check = (await office.get(f"/cases/{case}"))["check_id"]
    step = f"/checks/{check}/cases/{case}"
    page = await page_of(office, check)
    assert state_of(page) == "待复核"
    assert "您尚未收听第 1、2 次拨测的录音" in page
    assert "两次拨打均无人接听" in page
    refused = await send(
        office, f"{step}/propose", expect=409, code="overtime", reason="听着像 <超时>", seen="to_review"
    )
    assert "请先收听本次抽查的录音" in refused
    assert "听着像 &lt;超时&gt;" in refused
    assert "(these recordings" not in refused
    await office.hear(case)
    assert "尚未收听" not in await page_of(office, check)
    assert (
        await send(office, f"{step}/propose", code="no_answer", seen="to_review")
        == f"/checks/{check}#case-{case}"
    )
    assert "现为“拟认定”" in await send(
        office, f"{step}/propose", LI, 409, code="no_answer", seen="to_review"
    )
    assert "答复至" in await send(office, f"{step}/notify", expect=422, answer_to="", seen="proposed")
    await send(office, f"{step}/notify", answer_to="县府办值班科", working_days="2", seen="proposed")
    page = await page_of(office, check)
    assert state_of(page) == "已告知"
    assert "答复期限未到" in page
    notice = (await office.client.get(f"{step}/notice")).text
    assert "核实通知单" in notice
    assert "响铃3声之内接听" in notice
    await send(office, f"{step}/dispute", by="张主任", grounds="当时线路故障", seen="notified")
    page = await page_of(office, check)
    assert "有待决的申辩" in page
    assert "申辩须由认定人以外的人员决定" in page
    assert "申辩须由认定人以外的人员决定" not in await page_of(office, check, LI)
    refused = await send(office, f"{step}/uphold", expect=403, reason="不成立", seen="disputed")
    assert "王督查 是本事项的认定人" in refused
    await send(office, f"{step}/uphold", LI, reason="线路记录正常", seen="disputed")
    await send(office, f"{step}/comment", LI, words="已存档")
    page = await page_of(office, check)
    assert state_of(page) == "认定"
    assert "计入问题" in page
    for words in ("当时线路故障", "线路记录正常", "已存档", "李督查", "单位申辩", "批注"):
        assert words in page
    assert (await office.get(f"/cases/{case}"))["confirmed_by"] == WANG


async def test_our_own_fault_ends_a_case_for_good(office: Office) -> None:
    case = await office.case()
    check = (await office.get(f"/cases/{case}"))["check_id"]
    step = f"/checks/{check}/cases/{case}/revoke"
    assert "请检查：理由" in await send(office, step, expect=422, cause="our_fault", reason="")
    assert 'data-confirm="撤销事项' in await page_of(office, check)
    await send(office, step, cause="our_fault", reason="我方中继故障")
    page = await page_of(office, check)
    assert state_of(page) == "撤销"
    assert "我方原因" in page
    assert f"{step}" not in page
    assert (await office.get(f"/cases/{case}"))["state"] == "revoked"
    other = await office.order()
    for path in (f"/checks/{other}/cases/{case}/revoke", f"/checks/{check}/cases/{case}/nonsense"):
        assert (await office.client.post(path, data={})).status_code == 404


async def test_a_person_puts_forward_what_the_machine_did_not(office: Office) -> None:
    check = await office.order()
    assert "提出事项" in await page_of(office, check)
    path = f"/checks/{check}/cases"
    refused = await send(office, path, expect=422, code="silent_answer", reason="接通后无人说话")
    assert "引用条款" in refused
    assert "接通后无人说话" in refused
    await send(office, path, code="silent_answer", reason="接通后无人说话", **CITED)
    assert "已有该事由的事项" in await send(
        office, path, LI, 409, code="silent_answer", reason="同上", **CITED
    )
    page = await page_of(office, check)
    assert state_of(page) == "待复核"
    assert "值班人员坚守岗位" in page
    (case,) = (await office.get(f"/cases?order={check}"))["items"]
    assert case["code"] == "silent_answer"
    assert (await office.get(f"/cases/{case['id']}"))["events"][0]["who"] == WANG
    await office.hear(case["id"])
    done = f"/checks/{check}/cases/{case['id']}/propose"
    await send(office, done, code="silent_answer", seen="to_review", **CITED)
    assert state_of(await page_of(office, check)) == "拟认定"


async def test_what_speaks_for_the_unit_stands_beside_the_check(office: Office) -> None:
    check = await office.order()
    await office.manual("video", found="值班员在岗")
    local = office.at.astimezone(office.settings.zone)
    path = f"/checks/{check}/mitigations"
    office.at += timedelta(minutes=5)
    typed = {"kind": "called_back", "number": "0954-1", "note": "主动回电"}
    assert "请检查：时间" in await send(office, path, expect=422, at="昨天", **typed)
    await send(office, path, at=f"{local + timedelta(minutes=2):%Y-%m-%dT%H:%M:%S}", **typed)
    page = await page_of(office, check)
    for words in ("及时回拨", "主动回电", "视频检查", "值班员在岗", "呼叫时没有在册的值班表"):
        assert words in page


async def test_files_of_a_case(office: Office) -> None:
    case = await office.case()
    check = (await office.get(f"/cases/{case}"))["check_id"]
    path = f"/checks/{check}/cases/{case}/files"

    async def upload(name: str, content: bytes, kind: str) -> httpx.Response:
        files = {"file": (name, content, kind)}
        return await office.client.post(path, files=files, headers=as_person(WANG))

    assert "附件类型须为" in (await upload("x.exe", b"MZ", "application/x-msdownload")).text
    assert "内容与所称类型不符" in (await upload("x.pdf", b"MZ", "application/pdf")).text
    assert (await upload('../值班"记录<b>.pdf', b"%PDF-1.4", "application/pdf")).status_code == 303
    page = await page_of(office, check)
    assert "记录&lt;b&gt;.pdf" in page
    assert "/值班" not in page


FORWARDED = answered(
    "sip:1@127.0.0.1:5062",
    forwarding=Forwarding(
        True, "definitive", "13900001234", "mobile", "always",
        (Evidence("announcement", "definitive", 150.0, "announced by words “转接到我的手机”"),),
    ),
    announcements=(Announcement("transfer", "words", 300.0, 900.0, 0.9, "正在为您转接秘密"),),
    timeline=(
        TimelineEntry(0.0, "sent", {"method": "INVITE"}),
        TimelineEntry(100.0, "received", {"status": 181, "headers": {"Diversion": "<sip:13900001234@x>"}}),
        TimelineEntry(900.0, "announcement", {"meaning": "transfer", "what": "words: 正在为您转接秘密"}),
    ),
)  # fmt: skip


async def test_who_may_not_listen_sees_all_but_sound_words_and_keys(settings: Settings) -> None:
    async with running(settings) as office:
        check = await office.order()
        async with office.database.unit_of_work() as session:
            (facts,) = (await session.scalars(select(CallFacts))).all()
            facts.content = FORWARDED.to_dict()
            recording = (await session.scalars(select(Recording))).one()
            row = await say(session, recording, ("我是值班员王小强",))
            session.add(
                AnswerItem(
                    attempt_id=1, transcription_id=row.id, kind="name", heard="王小强", start_ms=1.0, end_ms=2.0,
                    expected="王晓强",
                )
            )  # fmt: skip
        app = own_doors(office.settings)
        try:
            await _look(app, office, check)
        finally:
            await app.state.database.close()


async def _look(app: Any, office: Office, check: int) -> None:
    secret = ("王小强", "王晓强", "秘密", "转接到我的手机")
    sound = ("<audio", "/peaks", "download=1", "/bundle", "/trace")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        pages = {}
        for role in (Role.SUPERVISOR, Role.DISPATCHER, Role.INSPECTOR):
            who = await signed_in(office.database, office.settings, role)
            pages[role] = (await client.get(f"/checks/{check}", headers=who.headers)).text
            answer = await client.post(
                f"/checks/{check}/answers/1", data={"answer": "yes"}, headers=who.headers
            )
            assert answer.status_code == (303 if role is Role.SUPERVISOR else 403)
            without = {"Cookie": who.headers["Cookie"]}
            form = {"kind": "other", "at": "2026-11-26T10:00"}
            assert (
                await client.post(f"/checks/{check}/mitigations", data=form, headers=without)
            ).status_code == 403
    for words in (*secret, *sound[:3], "13900001234"):
        assert words in pages[Role.SUPERVISOR], words
    for role in (Role.DISPATCHER, Role.INSPECTOR):
        assert [words for words in (*secret, *sound) if words in pages[role]] == []
        assert "转写文字仅供督查人员查看" in pages[role]
        assert "呼叫转移" in pages[role]
        assert "三声判定" in pages[role]
    assert "13900001234" in pages[Role.DISPATCHER]
    assert "13900001234" not in pages[Role.INSPECTOR]
    assert "139****1234" in pages[Role.INSPECTOR]
    assert WITHDRAWN_ZH not in pages[Role.INSPECTOR]


async def test_a_person_says_whether_what_was_heard_matches(office: Office) -> None:
    check = await office.order()
    async with office.database.unit_of_work() as session:
        row = await say(session, (await session.scalars(select(Recording))).one(), ("我是王强",))
        session.add(
            AnswerItem(
                attempt_id=1,
                transcription_id=row.id,
                kind="name",
                heard="王强",
                start_ms=1_000.0,
                end_ms=2_000.0,
            )
        )
    page = await page_of(office, check)
    assert 'value="unverified" aria-pressed="true"' in page
    path = f"/checks/{check}/answers/1"
    assert await send(office, path, answer="no", note="是李强") == f"/checks/{check}#answers-1"
    assert 'value="no" aria-pressed="true"' in await page_of(office, check)
    headers = as_person(LI) | {"HX-Request": "true"}
    row_alone = await office.client.post(path, data={"answer": "yes", "note": ""}, headers=headers)
    assert row_alone.status_code == 200
    assert row_alone.text.strip().startswith('<tr id="answer-1">')
    assert 'value="yes" aria-pressed="true"' in row_alone.text
    assert LI in row_alone.text
    assert "请检查：核实结果" in await send(office, path, expect=422, answer="maybe")


async def test_the_parts_of_a_page_view_are_one_listening(office: Office) -> None:
    check = await office.order()
    page = await page_of(office, check)
    view = re.search(r'data-view="([\w-]{12})"', page)
    assert view
    body = (await office.client.get(f"/checks/{check}/body?view={view[1]}")).text
    assert f"/recordings/1?view={view[1]}" in body
    assert "x'y" not in (await office.client.get(f"/checks/{check}/body?view=x'y")).text
    assert "data-marks" not in body
    assert 'class="mark ring" data-at="0.2"' in body


async def test_the_page_speaks_english(office: Office) -> None:
    case = await office.case()
    check = (await office.get(f"/cases/{case}"))["check_id"]
    office.client.cookies.set("dutyring_language", "en")
    page = await page_of(office, check)
    main = page[page.index("<main") : page.index("</main>")]
    shown = re.sub(r'<(\w+)[^>]* lang="zh-CN"[^>]*>.*?</\1>', "", main, flags=re.DOTALL)
    left = set(re.findall(r"[\u4e00-\u9fff]+", re.sub(r"<[^>]+>", " ", shown)))
    # Names of people and units stay as they are.
    assert left <= {"第", "单位"}, left
    refused = await send(office, f"/checks/{check}/cases/{case}/propose", expect=409, code="no_answer")
    assert "these recordings were neither played nor downloaded" in refused


async def test_keys_that_no_row_can_have_are_refused(office: Office) -> None:
    check = await office.order()
    huge = 10**30
    for path in (
        f"/checks/{huge}/cases", f"/checks/{check}/cases/{huge}/revoke", f"/checks/{huge}/mitigations",
        f"/checks/{check}/answers/{huge}", f"/recordings/{huge}/holds", f"/recordings/{huge}/withdraw",
        f"/recordings/1/removals/{huge}/decide", f"/recordings/{huge}/samples", f"/samples/{huge}/withdraw",
        f"/phone-records/{huge}/sign", f"/phone-records/{huge}",
    ):  # fmt: skip
        answer = await office.client.post(path, data={"reason": "x"}, headers=as_person(WANG))
        assert answer.status_code == 422, path
    for path in (
        f"/recordings/{huge}/keeping",
        f"/phone-records/{huge}/edit",
        f"/checks/{check}/cases/{huge}/notice",
    ):
        assert (await office.client.get(path)).status_code == 404, path
    assert (await office.client.get(f"/recordings?unit={huge}")).status_code == 200
