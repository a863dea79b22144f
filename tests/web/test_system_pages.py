"""系统: what each role sees there, and what an administrator does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from app.accounts import service as audit
from app.accounts.permissions import Role
from app.checks import alarms
from app.database import Database
from app.notices.models import Delivery, Notice
from app.rules import repository as rule_records
from app.settings import Settings, TrunkSettings
from app.trunk_settings import TrunkConfig
from app.trunks import repository as trunk_records
from app.trunks import service as trunks
from app.web.system.settings_zh import SETTING_ZH
from app.web.system.views import MODEL_ZH
from recordings.transcription.models import KNOWN
from tests.web.apps import own_doors
from tests.web.options_server import options_server
from tests.web.people import SignedIn, signed_in

SECRET = "HUNTER2" + "SECRET"
PAGES = (
    "/system", "/system/state", "/system/doctor", "/system/trunks", "/system/notices", "/system/rules",
    "/system/rules/baoji-2022", "/system/storage", "/system/settings",
)  # fmt: skip
ENGLISH = {"Cookie": "dutyring_language=en"}


@dataclass
class Desk:
    client: httpx.AsyncClient
    database: Database
    settings: Settings
    people: dict[Role, SignedIn]

    async def get(self, role: Role, path: str, language: str = "zh-CN") -> httpx.Response:
        headers = dict(self.people[role].headers)
        headers["Cookie"] += f"; dutyring_language={language}"
        return await self.client.get(path, headers=headers)

    async def post(self, role: Role, path: str, **form: str) -> httpx.Response:
        return await self.client.post(path, data=form, headers=self.people[role].headers)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + SECRET)
    return Settings(
        data_dir=tmp_path / "data",
        phone_process=False,
        allowed_hosts=("testserver",),
        transcriber="none",
        recordings_key="0" * 64,  # type: ignore[arg-type]
        notice_webhook_url=f"http://127.0.0.1:9/hook/{SECRET}?key={SECRET}",
        notice_webhook_secret_file=secret,
        trunks={"gateway": TrunkSettings(host="192.0.2.10", user="u", password=SECRET)},  # type: ignore[arg-type]
    )


@pytest.fixture
async def desk(settings: Settings, database: Database) -> AsyncIterator[Desk]:
    app = own_doors(settings)
    people = {role: await signed_in(database, settings, role) for role in Role}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield Desk(client, database, settings, people)
    await app.state.database.close()


async def done(desk: Desk, subject: str) -> list[str]:
    async with desk.database.reading() as session:
        return [line.action for line in await audit.of_subject(session, subject)]


async def test_each_role_sees_its_part(desk: Desk) -> None:
    opens = {}
    for role in Role:
        opens[role] = [path for path in PAGES if (await desk.get(role, path)).status_code == 200]
        index = (await desk.get(role, "/system")).text
        linked = set(re.findall(r'href="(/system/[a-z]+)"', index)) & set(PAGES)
        assert linked == {path for path in opens[role] if path.count("/") == 2}, role
    assert opens[Role.ADMINISTRATOR] == list(PAGES)
    assert opens[Role.AUDITOR] == opens[Role.SECURITY] == ["/system"]
    rules = ["/system/rules", "/system/rules/baoji-2022"]
    assert opens[Role.INSPECTOR] == ["/system", *rules]
    assert opens[Role.DISPATCHER] == ["/system", "/system/trunks", "/system/notices", *rules]
    assert opens[Role.SUPERVISOR] == [*opens[Role.DISPATCHER], "/system/storage"]


async def test_no_secret_is_on_any_page_and_every_word_is_in_both_languages(desk: Desk) -> None:
    async with desk.database.unit_of_work() as session:
        await alarms.raise_alarm(session, "disk_low", "", "<i>50 MB</i>")
    await desk.post(Role.ADMINISTRATOR, "/system/doctor")
    for path in PAGES:
        chinese = (await desk.get(Role.ADMINISTRATOR, path)).text
        english = (await desk.get(Role.ADMINISTRATOR, path, "en")).text
        for page in (chinese, english):
            assert SECRET not in page
            assert "0" * 64 not in page
            assert "<i>" not in page
            assert 'style="' not in page
            assert "<script>" not in page
        main = re.sub(r"<[^>]+>", " ", english.partition('<main id="main">')[2].partition("</main>")[0])
        if "rules" not in path:
            # Words of documents stay as they are.
            assert (
                re.findall(
                    r"[\u4e00-\u9fff]+",
                    main.replace("三员分立", "")
                    .replace("三声内", "")
                    .replace("超时接听", "")
                    .replace("临界", "")
                    .replace("值班表", ""),
                )
                == []
            ), path
    assert "计划按北京时间执行" in (await desk.get(Role.ADMINISTRATOR, "/system/doctor")).text


def test_every_setting_and_every_model_is_told_in_chinese() -> None:
    assert set(SETTING_ZH) == set(Settings.model_fields)
    assert set(MODEL_ZH) == {model.name for model in KNOWN}


async def test_a_trunk_is_asked_and_taken_out_of_use(desk: Desk) -> None:
    async with options_server() as (host, port), desk.database.unit_of_work() as session:
        await trunks.add(session, "县局<b>", TrunkConfig(host=host, port=port))
        await session.commit()
        page = (await desk.get(Role.DISPATCHER, "/system/trunks")).text
        assert "县局&lt;b&gt;" in page
        assert "询问对端</button>" not in page, "asking is for who may change trunks"
        refused = await desk.post(Role.DISPATCHER, "/system/trunks/ask", name="县局<b>")
        assert refused.status_code == 403
        answer = await desk.post(Role.ADMINISTRATOR, "/system/trunks/ask", name="县局<b>")
        assert "对端有应答" in answer.text
        assert "200 OK" in answer.text
    assert await done(desk, "trunk:县局<b>") == ["add", "ask"]
    assert (await desk.post(Role.ADMINISTRATOR, "/system/trunks/ask", name="none")).status_code == 404
    for enabled, shown in (("false", "恢复使用"), ("true", "停用</button>")):
        answer = await desk.post(Role.ADMINISTRATOR, "/system/trunks/use", name="县局<b>", enabled=enabled)
        assert answer.status_code == 303
        assert shown in (await desk.get(Role.ADMINISTRATOR, "/system/trunks")).text
        async with desk.database.reading() as session:
            row = await trunk_records.record(session, "县局<b>")
        assert row is not None
        assert row.enabled is (enabled == "true")
    assert (
        await desk.post(Role.ADMINISTRATOR, "/system/trunks/use", name="gateway", enabled="0")
    ).status_code == 404


async def test_notices_and_their_log(desk: Desk) -> None:
    now = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
    async with desk.database.unit_of_work() as session:
        notice = Notice(kind="disk", count=2, raised_at=now)
        session.add(notice)
        await session.flush()
        given_up = Delivery(
            notice_id=notice.id, channel="webhook", event="raised", message_id="m", count=2, at=now, next_at=now,
            state="given_up", tries=7, error="answered with status 500 <b>", done_at=now,
        )  # fmt: skip
        session.add(given_up)
    page = (await desk.get(Role.ADMINISTRATOR, "/system/notices")).text
    assert "磁盘空间不足（告警 2 项）" in page
    assert "2026-11-26 12:00:00" in page
    assert "已放弃" in page
    assert "status 500 &lt;b&gt;" in page
    assert "再试一次" not in (await desk.get(Role.DISPATCHER, "/system/notices")).text
    path = f"/system/notices/deliveries/{given_up.id}/again"
    assert (await desk.post(Role.DISPATCHER, path)).status_code == 403
    assert (await desk.post(Role.ADMINISTRATOR, path)).status_code == 303
    assert (await desk.post(Role.ADMINISTRATOR, path)).status_code == 409
    assert (await desk.post(Role.ADMINISTRATOR, "/system/notices/test")).status_code == 303
    async with desk.database.reading() as session:
        rows = (await session.scalars(select(Delivery).order_by(Delivery.id))).all()
    assert [(row.state, row.tries) for row in rows] == [("waiting", 0), ("waiting", 0)]
    assert "这是一条测试提醒" in (await desk.get(Role.ADMINISTRATOR, "/system/notices")).text
    assert "This is a test notice" in (await desk.get(Role.ADMINISTRATOR, "/system/notices", "en")).text


async def test_a_rule_set_is_seen_compared_and_put_in_force(desk: Desk) -> None:
    page = (await desk.get(Role.INSPECTOR, "/system/rules/baoji-2022")).text
    assert "启用《" not in page
    path = "/system/rules/baoji-2022"
    told = await desk.post(Role.INSPECTOR, f"{path}/compare", first="2026-11-01", last="2026-11-30")
    assert "比较了 0 件" in told.text
    wrong = await desk.post(Role.INSPECTOR, f"{path}/compare", first="2026-11-30", last="2026-11-01")
    assert wrong.status_code == 422
    assert "结束日期早于开始日期" in wrong.text
    assert 'value="2026-11-30"' in wrong.text, "what was typed stays"
    assert (
        await desk.post(Role.INSPECTOR, f"{path}/activate", document="某办〔2026〕1号")
    ).status_code == 403
    for form, words in (
        ({"document": " "}, "请填写本单位依据文件"),
        ({"document": "某办〔2026〕1号", "from_at": "gestern"}, "生效时间无法识别"),
        ({"document": "某办〔2026〕1号", "within_s": "many"}, "三声内：请填写"),
        ({"document": "某办〔2026〕1号", "finding_s": "15"}, "finding_s is 15"),
        ({"document": "某办〔2026〕1号", "from_at": "2001-01-01T00:00"}, "2001-01-01T00:00"),
    ):
        refused = await desk.post(Role.ADMINISTRATOR, f"{path}/activate", **form)
        assert refused.status_code == 422, form
        assert words in refused.text
    form = {"document": "某办〔2026〕1号", "finding_s": "25", "keep_own": "1"}
    assert (await desk.post(Role.ADMINISTRATOR, f"{path}/activate", **form)).status_code == 303
    page = (await desk.get(Role.ADMINISTRATOR, "/system/rules")).text
    assert "依据文件：某办〔2026〕1号" in page
    assert "超时 25 秒" in page
    async with desk.database.reading() as session:
        (row,) = await rule_records.activations(session)
    assert (row.own["limits"]["finding_s"], row.activated_by) == (25.0, "系统管理员")


async def test_a_rule_set_is_entered(desk: Desk) -> None:
    wrong = await desk.post(Role.ADMINISTRATOR, "/system/rules", toml='schema = "x"\n<script>')
    assert wrong.status_code == 422
    assert "this is no TOML" in wrong.text
    assert "&lt;script&gt;" in wrong.text
    text = 'schema = "dutyring.rules/1"\nkey = "ours"\nversion = "1"\ntitle = "本县规定"\n'
    added = await desk.post(Role.ADMINISTRATOR, "/system/rules", toml=text)
    assert added.status_code == 303
    assert "本县规定" in (await desk.get(Role.ADMINISTRATOR, added.headers["location"])).text
    assert (await desk.post(Role.SUPERVISOR, "/system/rules", toml=text)).status_code == 403


async def test_a_form_of_another_session_changes_nothing(desk: Desk) -> None:
    headers = {"Cookie": desk.people[Role.ADMINISTRATOR].headers["Cookie"]}
    for path in ("/system/notices/test", "/system/doctor", "/system/trunks/ask", "/system/rules"):
        answer = await desk.client.post(path, headers=headers, data={"name": "gateway", "csrf": "x"})
        assert answer.status_code == 403, path
