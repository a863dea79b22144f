"""What a duty officer reads on the pages: Chinese words, true labels, what was not dialled, what is wrong with us."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.checks import service
from app.checks.dispatcher import Dispatcher
from app.database import Database
from app.directory import service as directory
from app.phone_keeper import MOST_FAILURES, PhoneKeeper
from app.settings import Settings
from sip.record import (
    Announcement,
    CallRecord,
    EarlyMedia,
    Evidence,
    Forwarding,
    LevelTrack,
    Rings,
    Segment,
    TimelineEntry,
)
from tests.web.apps import make_app
from tests.web.fake import FakePhone, answered, unanswered


@pytest.fixture
async def service_app(settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    app = make_app(settings)
    yield app
    await app.state.database.close()


@pytest.fixture
async def client(service_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened


@dataclass
class House:
    """Calls units once and keeps what came of it."""

    database: Database
    settings: Settings
    count: int = field(default=0)

    async def call(self, record: CallRecord | Exception) -> int:
        """Call a new unit whose line behaves so; return the check's key."""
        self.count += 1
        target = f"sip:{self.count}@127.0.0.1"
        phone = FakePhone(self.settings.recordings_dir, records={target: record})
        async with self.database.unit_of_work() as session:
            unit = await directory.add_unit(session, f"{self.count:03}", f"云溪县第{self.count}局")
            line = await directory.add_line(session, unit, str(self.count), target)
            check_id = (await service.order_now(session, line, "指定抽查")).id
        dispatcher = Dispatcher(self.database, phone, self.settings)
        await dispatcher.place_due()
        await dispatcher.idle()
        return check_id


@pytest.fixture
def house(database: Database, settings: Settings) -> House:
    return House(database, settings)


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


def plain(page: str) -> str:
    return re.sub(r"<[^>]+>", "", page)


async def test_an_unanswered_call_shows_how_long_it_rang(client: httpx.AsyncClient, house: House) -> None:
    record = unanswered("x", "no_answer", ended_ms=45_200.0, ended_by="us", rings=Rings(9, "cadence", ()))
    check_id = await house.call(record)
    for address in ("/checks", f"/checks/{check_id}"):
        page = plain((await client.get(address)).text)
        assert re.search(r"未接，响铃 45\.0 秒\s*约 9 声", page), address


async def test_ringing_near_a_limit_does_not_read_as_the_limit(
    client: httpx.AsyncClient, house: House
) -> None:
    await house.call(answered("x", 15_040.0))
    await house.call(answered("x", 15_700.0, ring_to_answer_min_ms=11_800.0))
    page = plain((await client.get("/checks")).text)
    assert "15.04 秒" in page
    assert "11.8–15.7 秒" in page


async def test_failures_of_ours_are_an_alarm_under_every_filter(
    client: httpx.AsyncClient, house: House
) -> None:
    assert "我方线路故障" not in (await client.get("/checks")).text
    for _ in range(2):
        await house.call(RuntimeError("no socket"))
    for address in ("/checks", "/checks?review=1", "/checks?verdict=within"):
        page = plain((await client.get(address)).text)
        assert "我方线路故障 2 次（近 24 小时），请检查中继" in page
    assert "查中继" in (await client.get("/checks")).text


async def test_checks_that_were_never_dialled_are_listed(
    client: httpx.AsyncClient, database: Database
) -> None:
    now = datetime.now(UTC)
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县水利局")
        line = await directory.add_line(session, unit, "0000-1", "sip:1@127.0.0.1")
        await service.add_plan(
            session, "夜间", [(line, now - timedelta(hours=2)), (line, now + timedelta(hours=2))]
        )
        await service.release_due(session, now, 300)
        withdrawn = await service.order_now(session, line, "领导交办")
        withdrawn.state = "withdrawn"
    for address in ("/checks", f"/checks?unit={unit.id}"):
        page = (await client.get(address)).text
        assert "未拨出的抽查" in page
        assert page.count("错过：") == page.count("撤销：") == 1
        assert "领导交办" in page
        assert "还没有抽查记录" not in page
    assert "未拨出的抽查" not in (await client.get("/checks?review=1")).text


async def test_a_phone_that_never_starts_is_a_red_line(
    client: httpx.AsyncClient, service_app: FastAPI, settings: Settings
) -> None:
    words = "拨测程序未能启动"
    service_app.state.keeper = keeper = PhoneKeeper(settings)
    assert words not in (await client.get("/checks")).text
    keeper.starts = keeper.failures = MOST_FAILURES
    keeper.last_status = 1
    page = plain((await client.get("/checks/rows")).text)
    assert f"{words}：已启动 {MOST_FAILURES} 次仍未就绪，上次退出码 1" in page
    keeper.ready.set()
    assert words not in (await client.get("/checks")).text


async def test_limits_are_called_what_they_are(
    client: httpx.AsyncClient, house: House, database: Database
) -> None:
    check_id = await house.call(answered("x", 24_000.0))
    page = (await client.get(f"/checks/{check_id}")).text
    for words in ("三声止 11 秒", "折算限 15 秒", "拟认定线 20 秒", "超过 20 秒才拟认定超时"):
        assert words in page
    limits = '{"within_s": 12, "limit_s": 16, "finding_s": 26}'
    async with database.unit_of_work() as session:
        await session.execute(
            text("UPDATE verdicts SET content = json_set(content, '$.limits', json(:limits))"),
            {"limits": limits},
        )
    page = (await client.get(f"/checks/{check_id}")).text
    for words in ("三声止 12 秒", "折算限 16 秒", "拟认定线 26 秒", "自振铃开始 16 秒内"):
        assert words in page


async def test_an_announcement_that_was_not_understood_is_not_unheard(
    client: httpx.AsyncClient, house: House
) -> None:
    heard = EarlyMedia("announcement", (Segment("announcement", 300.0, 5_000.0, 0.9),))
    ringing = EarlyMedia("ringback", (Segment("ringback", 300.0, 5_000.0, 0.9),))
    cells = []
    transfer = (Announcement("transfer", "sample", 300.0, 5_000.0, 0.9, "sample 1: x"),)
    status = (Announcement("not_reachable", "signalling", 5_000.0, 5_000.0, 0.5, "SIP status 480"),)
    for early, said in ((heard, ()), (ringing, ()), (heard, transfer), (heard, status)):
        record = unanswered("x", "unreachable", ended_ms=6_000.0, early_media=early, announcements=said)
        check_id = await house.call(record)
        page = (await client.get(f"/checks/{check_id}")).text
        cells.append(re.search(r"<th>提示音含义</th><td>(.*?)</td>", page))
    assert [plain(cell[1]) if cell else None for cell in cells] == [
        *("未核实", "未听到提示音", "转接", "未核实"),
    ]


async def test_music_of_our_own_trunk_is_no_exemption_of_the_unit(
    client: httpx.AsyncClient, house: House
) -> None:
    music = EarlyMedia("crbt", (Segment("music", 300.0, 6_000.0, 0.95),))
    check_id = await house.call(answered("x", early_media=music, alarms=("trunk_music",)))
    page = plain((await client.get(f"/checks/{check_id}")).text)
    assert "不计入彩铃：呼叫接通前听到的音乐由我方中继播放" in page
    assert "已适用豁免" not in page


async def test_a_call_without_shape_begins_with_its_evidence(client: httpx.AsyncClient, house: House) -> None:
    refused: dict[str, Any] = {"ring_started_ms": None, "early_media": EarlyMedia(), "ended_ms": 50.0}
    check_id = await house.call(unanswered("x", "busy", sip_status=486, **refused))
    page = (await client.get(f"/checks/{check_id}")).text
    assert "<svg" not in page
    assert "浅蓝" not in page
    assert [title[:2] for title in headings(page)] == ["一、", "二、", "三、", "四、", "五、"]
    failed = (await client.get(f"/checks/{await house.call(RuntimeError('no socket'))}")).text
    assert headings(failed) == ["一、认定依据", "二、录音", "三、拨测台账"]


async def test_a_clock_that_is_not_synchronised_is_told_beside_the_time(
    client: httpx.AsyncClient, house: House
) -> None:
    words = "本机时钟未同步，抽查时间仅供参考"
    wrong = (await client.get(f"/checks/{await house.call(answered('x', clock_synchronised=False))}")).text
    brief = re.search(r"抽查时间</dt><dd>(.*?)</dd>", wrong)
    assert brief
    assert words in brief[1]
    right = (await client.get(f"/checks/{await house.call(answered('x'))}")).text
    assert words not in right


async def test_the_form_speaks_chinese(client: httpx.AsyncClient, house: House) -> None:
    signs = (
        Evidence("diversion", "definitive", 100.0, "Diversion: <sip:2@x>"),
        Evidence("crbt", "weak", 200.0, "music or speech instead of ringback (彩铃)"),
    )
    steps = (
        TimelineEntry(0.0, "sent", {"method": "INVITE"}),
        TimelineEntry(90.0, "prompt", {"what": "started"}),
        TimelineEntry(95.0, "received", {"status": 180, "notes": ["a header line without name or colon"]}),
        TimelineEntry(100.0, "answered", {"source": "in_band"}),
        TimelineEntry(200.0, "hang_up", {"why": "not answered"}),
        TimelineEntry(300.0, "hang_up", {"why": "busy tone"}),
        TimelineEntry(310.0, "announcement", {"meaning": "powered_off", "what": "sample 7: 移动关机"}),
        TimelineEntry(320.0, "hang_up", {"why": "announcement: powered_off"}),
        TimelineEntry(330.0, "digits", {"what": "sending"}),
        TimelineEntry(340.0, "way_changed", {}),
        TimelineEntry(350.0, "session_changed", {}),
    )
    record = answered(
        "x",
        forwarding=Forwarding(True, "definitive", evidence=signs),
        timeline=steps,
        errors=("the recording failed: no space",),
    )
    page = (await client.get(f"/checks/{await house.call(record)}")).text
    shown = plain(re.sub(r"<code>.*?</code>", "", page))
    for words in (
        "not answered", "busy tone", "in_band", "diversion", "crbt", "music or speech", "started", "header line",
        "recording failed", "三声标签", "接通（200）", "最少可能响铃", "announcement", "powered_off", "sample",
        "meaning", "digits", "sending", "changed",
    ):  # fmt: skip
        assert words not in shown
    for words in (
        "无人接听，放弃等待", "听到忙音", "线路声音", "录音未能保存", "最少响铃（对单位有利）", "含义 关机",
        "样本 7：移动关机", "听到提示音：关机",
    ):  # fmt: skip
        assert words in shown


async def test_a_recording_is_found_by_the_number_that_marking_takes(
    client: httpx.AsyncClient, house: House, database: Database
) -> None:
    check_id = await house.call(answered("x"))
    async with database.unit_of_work() as session:
        attempt_id = await session.scalar(text("SELECT id FROM attempts"))
    shown = plain((await client.get(f"/checks/{check_id}")).text)
    assert f"拨测编号 {attempt_id}。" in shown


async def test_the_page_of_a_call_under_way_follows_it(
    client: httpx.AsyncClient, house: House, database: Database
) -> None:
    check_id = await house.call(answered("x"))
    over = (await client.get(f"/checks/{check_id}")).text
    assert "keeps-up.js" not in over
    async with database.unit_of_work() as session:
        await session.execute(text("UPDATE attempts SET state = 'ringing', verdict_code = NULL"))
    page = (await client.get(f"/checks/{check_id}")).text
    assert f'data-rows="/checks/{check_id}/body"' in page
    assert "keeps-up.js" in page
    body = (await client.get(f"/checks/{check_id}/body")).text
    assert 'data-live="1"' in body
    assert "<html" not in body
    assert (await client.get("/checks/999/body")).status_code == 404


async def test_the_picture_on_the_page_obeys_the_content_security_policy(
    client: httpx.AsyncClient, house: House
) -> None:
    tone = Segment("ringback", 200.0, 6_200.0, 0.99, "cn.ringback", {"frequency_hz": 450.2})
    record = answered(
        "x",
        early_media=EarlyMedia("ringback", (tone,)),
        level=LevelTrack(0.0, 100.0, (-12,) * 100),
        announcements=(Announcement("powered_off", "words", 300.0, 900.0, 0.9, "</svg><script>1</script>"),),
    )
    answer = await client.get(f"/checks/{await house.call(record)}")
    assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    drawing = re.search(r"<svg.*?</svg>", answer.text, re.DOTALL)
    assert drawing
    root = ElementTree.fromstring(drawing[0])
    assert not [element for element in root.iter() if "style" in element.attrib]
    assert "<style" not in answer.text
    assert "<script>1" not in answer.text
    told = plain("".join(root.itertext()))
    for words in ("电平", "关机（词语）", "接听，响铃 6.0 秒", "结束，对方挂断", "频率 450.2 Hz"):
        assert words in told
    table = re.search(r'<details class="measured">.*?</details>', answer.text, re.DOTALL)
    assert table
    assert "各段声音及测得数值（2 段）" in table[0]
    assert "频率 450.2 Hz" in table[0]
    assert "<code>cn.ringback</code>" in table[0]
