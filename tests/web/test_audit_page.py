"""审计 as the auditor sees it: lines, filters, the chain, the export; and who else sees none of it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from sqlalchemy import select, text

import app
from app.accounts import audit_chain
from app.accounts import service as audit
from app.accounts.audit_words import ACTION_ZH
from app.accounts.models import AuditEvent
from app.accounts.permissions import Role
from app.database import Database
from app.reviews.states import Step
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.people import signed_in

AT = datetime(2026, 11, 3, 4, 0, tzinfo=UTC)


@pytest.fixture
async def client(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the auditor on a trail of 250 lines, four hours apart."""
    async with database.unit_of_work() as session:
        for number in range(250):
            session.add(
                AuditEvent(
                    at=AT - timedelta(hours=4 * number),
                    who="王督查" if number % 2 else "李值班",
                    action="play" if number % 5 else "export",
                    subject=f"recording:{number}" if number % 5 else "directory",
                    detail=f"第{number}条 <script>alert(1)</script>",
                    done=number % 25 != 3,
                )
            )
    auditor = await signed_in(database, settings, Role.AUDITOR)
    office = own_doors(settings)
    transport = httpx.ASGITransport(office)
    headers = dict(auditor.headers)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://testserver", headers=headers
    ) as opened:
        yield opened
    await office.state.database.close()


async def shown(client: httpx.AsyncClient, **asked: str) -> tuple[int, str]:
    """Number of lines on a page, and the page."""
    answer = await client.get("/system/audit", params=asked)
    assert answer.status_code == 200
    return answer.text.count('<td class="at">'), answer.text


async def test_the_auditor_filters_the_day_of_the_others(client: httpx.AsyncClient) -> None:
    count, page = await shown(client)
    assert count == 100
    assert "<script>alert" not in page
    for asked, expected in (
        ({"who": "王督查", "action": "play"}, 100),
        ({"action": "export"}, 50),
        ({"subject": "recording:7"}, 1),
        ({"subject": "录音 7"}, 1),
        ({"subject": "录音7"}, 1),
        ({"subject": "录音", "action": "play"}, 100),
        ({"subject": "directory"}, 0),
        ({"refused": "1"}, 10),
        ({"since": "2026-11-03T00:00", "until": "2026-11-03T12:00"}, 3),
        ({"who": "' OR 1=1 --"}, 0),
    ):
        count, page = await shown(client, **asked)
        assert count == expected, asked
    assert "没有符合条件的记录" in page
    for wrong in ({"since": "gestern"}, {"until": "9999-12-31T23:59"}, {"after": "x"}):
        answer = await client.get("/system/audit", params=wrong)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text


async def test_the_filter_and_the_lines_speak_the_readers_words(
    client: httpx.AsyncClient, database: Database
) -> None:
    async with database.unit_of_work() as session:
        await audit.record(session, "case_open", "case:3", "no_answer", "吴督查")
        await audit.record(session, "manual_check", "manual:4", "on_site no_answer", "吴督查")
        await audit.record(session, "hold", "recording:5", "no_answer 以外的话", "吴督查")
        await audit.record(session, "case_confirm", "case:3", "notified -> confirmed", "吴督查")
        await audit.record(session, "lift_hold", "recording:5", "hold:1 申辩已决", "吴督查")
    page = (await client.get("/system/audit", params={"action": "case_open"})).text
    assert '<option value="case_open" selected>立案</option>' in page
    assert 'title="case:3">事项 3</td>' in page
    assert ">无人接听</td>" in page
    assert (
        ">实地检查、无人接听</td>"
        in (await client.get("/system/audit", params={"action": "manual_check"})).text
    )
    assert ">no_answer 以外的话</td>" in (await client.get("/system/audit", params={"action": "hold"})).text
    assert (
        ">已告知 → 认定</td>" in (await client.get("/system/audit", params={"action": "case_confirm"})).text
    )
    assert (
        ">保全 1：申辩已决</td>" in (await client.get("/system/audit", params={"action": "lift_hold"})).text
    )
    english = {"Cookie": f"{client.headers['Cookie']}; dutyring_language=en"}
    asked = {"subject": "Recording 5"}
    page = (await client.get("/system/audit", params=asked, headers=english)).text
    assert ">recording 5</td>" in page


async def test_every_subject_is_found_by_its_name_on_the_page(
    client: httpx.AsyncClient, database: Database
) -> None:
    keys = {
        "login": "张…", "way": "GET /system/audit", "plan-run": "3:1", "plan": "3", "rules": "three-ring/1",
        "rule_set": "2", "account": "12", "check": "12", "order": "12", "unit": "s",
    }  # fmt: skip
    async with database.unit_of_work() as session:
        for kind, key in keys.items():
            await audit.record(session, "note", f"{kind}:{key}", "", "吴督查")
    for language in ("zh-CN", "en"):
        cookie = f"{client.headers['Cookie']}; dutyring_language={language}"
        whole = (await client.get("/system/audit", params={"who": "吴督查"}, headers={"Cookie": cookie})).text
        rows = re.findall(r'title="([^"]+)">([^<]+)</td>', whole)
        assert {subject for subject, _ in rows} == {f"{kind}:{key}" for kind, key in keys.items()}
        for subject, name in rows:
            alike = {subject, subject.replace("check:", "order:"), subject.replace("order:", "check:")}
            asked = {"subject": name, "who": "吴督查"}
            page = (await client.get("/system/audit", params=asked, headers={"Cookie": cookie})).text
            assert set(re.findall(r'title="([^"]+)">[^<]+</td>', page)) == alike, (language, name)
    found = await client.get(
        "/system/audit", params={"subject": "units", "who": "吴督查"}, headers={"Cookie": cookie}
    )
    assert found.text.count('<td class="at">') == 0, "that is no kind of subject"
    found = await client.get("/system/audit", params={"subject": "order", "who": "吴督查"})
    assert found.text.count('<td class="at">') == 2


async def test_pages_of_the_list_leave_no_line_out(client: httpx.AsyncClient) -> None:
    seen, address = 0, "/system/audit?who=李值班"
    while address:
        page = (await client.get(address)).text
        seen += page.count('<td class="at">')
        _, _, rest = page.partition('<p class="pages"><a href="')
        address = unquote(rest.partition('"')[0].replace("&amp;", "&")) if rest else ""
    assert seen == 125


async def test_a_check_tells_what_does_not_hold(client: httpx.AsyncClient, database: Database) -> None:
    page = (await client.post("/system/audit/verify")).text
    assert "核对无误" in page
    async with database.unit_of_work() as session:
        await session.execute(text("DROP TRIGGER audit_events_no_update"))
        await session.execute(text("UPDATE audit_events SET who = '别人' WHERE subject = 'recording:7'"))
    page = (await client.post("/system/audit/verify")).text
    assert "记录链有 1 处不符" in page
    assert "核对无误" not in page


async def test_an_export_is_a_line_of_the_trail(client: httpx.AsyncClient, database: Database) -> None:
    answer = await client.post("/system/audit/export", data={"since": "2026-11-03T00:00"})
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-')
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[0]["made_by"] == "安全审计员"
    assert lines[-1]["lines"] == len(lines) - 2
    async with database.reading() as session:
        row = (await session.scalars(select(AuditEvent).where(AuditEvent.subject == "audit"))).one()
    assert (row.who, row.action, row.account_id is not None) == ("安全审计员", "export", True)
    for wrong in ({"since": "x"}, {"since": "2026-11-03T00:00", "until": "2026-11-02T00:00"}):
        assert (await client.post("/system/audit/export", data=wrong)).status_code == 422
    answer = await client.post("/system/audit/export", data={"until": "2001-01-01T00:00"})
    assert (answer.status_code, "这段时间没有审计记录" in answer.text) == (422, True)


async def test_nobody_else_reads_the_trail(settings: Settings, database: Database) -> None:
    others = [await signed_in(database, settings, role) for role in Role if role is not Role.AUDITOR]
    office = own_doors(settings)
    transport = httpx.ASGITransport(office)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        for method, path in (("GET", ""), ("POST", "/verify"), ("POST", "/export")):
            for someone in (*others, *others):
                answer = await client.request(method, f"/system/audit{path}", headers=dict(someone.headers))
                assert answer.status_code == 403
                assert "没有权限" in answer.text
    await office.state.database.close()
    async with database.reading() as session:
        query = select(AuditEvent.subject).where(AuditEvent.action == "refused", ~AuditEvent.done)
        found = list(await session.scalars(query.order_by(AuditEvent.id)))
    refused = ["GET /system/audit", "POST /system/audit/verify", "POST /system/audit/export"]
    assert found == [f"way:{way}" for way in refused for _ in others]


async def test_the_page_speaks_english(client: httpx.AsyncClient, database: Database) -> None:
    await audit_chain.seal(database)
    cookie = client.headers["cookie"] + "; dutyring_language=en"
    page = (await client.get("/system/audit", headers={"Cookie": cookie})).text
    assert "The chain" in page
    assert "Played a recording" in page
    rest = page.partition("<main")[2].partition("</main>")[0]
    for name in ("王督查", "李值班", "第"):
        rest = rest.replace(name, "")
    assert {sign for sign in rest if "\u4e00" <= sign <= "\u9fff"} == {"条"}


def _put_on_record() -> set[str]:
    """The actions that the program puts on record, by its source: `record(session, "action", ...)`."""
    found = {f"case_{step}" for step in Step}
    for path in Path(app.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).endswith("record")
                and len(node.args) > 1
            ):
                action = node.args[1]
                if isinstance(action, ast.Constant) and isinstance(action.value, str):
                    found.add(action.value)
    return found


def test_every_action_on_record_has_a_name() -> None:
    recorded = _put_on_record()
    assert len(recorded) > 80
    assert recorded - ACTION_ZH.keys() == set()
