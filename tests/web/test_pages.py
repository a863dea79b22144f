"""The pages, the JSON and the recordings, over ASGI."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, text

from app.accounts.models import AuditEvent
from app.checks import cursor, service
from app.checks.models import Recording
from app.checks.rules import CODES
from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from app.web.security import CONTENT_SECURITY_POLICY
from tests.web.apps import make_app
from tests.web.migrated import migrate
from tests.web.seed import NAMES, fill

NOTICE = "非密系统，严禁录入涉密信息"


@pytest.fixture
async def client(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened
    await app.state.database.close()


@pytest.fixture(scope="module")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose lines were all called once."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("filled") / "data")
    migrate(settings)

    async def run() -> None:
        async with Database(settings.url) as database:
            await fill(database, settings)

    asyncio.run(run())
    return settings.data_dir


@pytest.fixture
def filled(filled_folder: Path, settings: Settings, database: Database) -> None:
    """The data folder of this test holds those calls."""
    shutil.copytree(filled_folder, settings.data_dir, dirs_exist_ok=True)


async def recording_of(database: Database, attempt_id: int = 1) -> Recording:
    async with database.reading() as session:
        found = await session.scalar(select(Recording).where(Recording.attempt_id == attempt_id))
    assert found is not None
    return found


async def audit_lines(database: Database) -> list[tuple[str, str, str, str]]:
    async with database.reading() as session:
        rows = (await session.scalars(select(AuditEvent).order_by(AuditEvent.id))).all()
    return [(row.who, row.action, row.subject, row.detail) for row in rows]


async def test_health(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert answer.json() == {"status": "ok", "database": "ok", "phone": "off"}


async def test_health_of_a_broken_database(client: httpx.AsyncClient, settings: Settings) -> None:
    broken = make_app(settings.model_copy(update={"database_url": "sqlite+aiosqlite:////nowhere/at/all.db"}))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(broken), base_url="http://testserver"
    ) as other:
        answer = await other.get("/healthz")
    await broken.state.database.close()
    assert (answer.status_code, answer.json()["status"]) == (503, "failed")


async def test_an_empty_list_says_what_to_do_first(client: httpx.AsyncClient) -> None:
    page = (await client.get("/checks")).text
    assert "还没有抽查记录" in page
    assert "dutyring demo" in page
    assert (await client.get("/")).headers["location"] == "/today"


async def test_list_shows_what_an_inspector_reads(client: httpx.AsyncClient, filled: None) -> None:
    page = (await client.get("/checks")).text
    for name in NAMES:
        assert f"<td>云溪县{name}</td>" in page
    for words in (
        "三声内接听",
        "临界接听",
        "超时接听",
        "无人接听",
        "呼叫转移",
        "占线",
        "设置彩铃",
        "我方故障",
    ):
        assert words in page
    assert "6.0 秒" in page
    assert "约 2 声" in page
    assert re.search(r">\d{4}-\d\d-\d\d \d\d:\d\d:\d\d</a>", page)
    assert page.count("待人工</span>") == 4


async def test_filters(client: httpx.AsyncClient, filled: None) -> None:
    crbt = (await client.get("/checks", params={"verdict": "crbt"})).text
    assert crbt.count('href="/checks/') == 1
    assert "交通运输局</td>" in crbt
    unit = (await client.get("/checks", params={"unit": "2"})).text
    assert unit.count('id="check-') == 1
    review = (await client.get("/checks", params={"review": "1"})).text
    assert review.count('id="check-') == 4
    nothing = (await client.get("/checks", params={"unit": "2", "verdict": "crbt"})).text
    assert "没有符合条件的记录" in nothing
    unticked = (await client.get("/checks", params={"review": "0"})).text
    assert unticked.count('id="check-') == len(NAMES)
    assert 'name="review" value="1" checked' not in unticked
    for odd in ({"verdict": "nonsense"}, {"unit": "9" * 40}, {"unit": "x"}, {"unit": "²"}):
        assert (await client.get("/checks", params=odd)).status_code == 200


async def test_pages_follow_each_other_without_gap_or_repetition(
    client: httpx.AsyncClient, database: Database
) -> None:
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        line = await directory.add_line(session, unit, "1", "sip:1@127.0.0.1")
        for _ in range(123):
            await service.order_now(session, line, "")
        start = datetime.now(UTC)
        insert = text(
            "INSERT INTO attempts (check_id, number, line_id, unit_id, target, state, owner, claimed_at) "
            "VALUES (:id, 1, 1, 1, 'x', 'finished', 'o', :at)"
        )
        for check_id in range(1, 124):
            # Many share a moment, as in a round of calls.
            at = start.replace(tzinfo=None) + timedelta(seconds=check_id // 10)
            await session.execute(insert, {"id": check_id, "at": str(at)})
    seen: list[str] = []
    address = "/checks"
    for _ in range(10):
        page = (await client.get(address)).text
        seen += re.findall(r'href="/checks/(\d+)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if not following:
            break
        address = following[1].replace("&amp;", "&")
    assert seen == [str(n) for n in range(123, 0, -1)]

    from_api: list[int] = []
    after: str | None = None
    while True:
        answer = (
            await client.get("/api/v1/checks", params={"limit": 40} | ({"after": after} if after else {}))
        ).json()
        from_api += [item["check_id"] for item in answer["items"]]
        after = answer["next"]
        if after is None:
            break
    assert from_api == list(range(123, 0, -1))


async def test_check_page(client: httpx.AsyncClient, filled: None) -> None:
    page = (await client.get("/checks/3")).text
    assert "云溪县城关镇" in page
    assert "超时接听" in page
    assert "拟认定问题，待督查人员确认" in page
    assert "“时刻保持畅通，响铃3声之内接听”" in page
    assert "第十条" in page
    assert page.count('class="ring"') >= 5
    assert 'class="answer"' in page
    assert page.count('class="limit ') == 6
    assert "180 Ringing" in page
    assert '<audio id="audio-3"' in page
    assert "未核实" in page


async def test_what_the_far_end_sends_is_text(client: httpx.AsyncClient, filled: None) -> None:
    page = (await client.get("/checks/5")).text
    assert "&lt;b&gt;13900000000&lt;/b&gt;" in page
    assert "<b>13900000000" not in page
    assert "确证" in page


async def test_check_pages_without_facts(client: httpx.AsyncClient, filled: None, database: Database) -> None:
    failed = (await client.get("/checks/8")).text
    assert "我方故障" in failed
    assert "没有录音" in failed
    async with database.unit_of_work() as session:
        await session.execute(text("UPDATE attempts SET state = 'ringing', verdict_code = NULL WHERE id = 8"))
        await session.execute(text("DELETE FROM verdicts WHERE attempt_id = 8"))
    live = (await client.get("/checks/8")).text
    assert "振铃中" in live
    listed = (await client.get("/checks/rows")).text
    assert 'data-live="1"' in listed
    assert "正在拨测 1 路" in listed
    assert "<html" not in listed


async def test_coming_checks_are_shown_to_nobody(client: httpx.AsyncClient, database: Database) -> None:
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        line = await directory.add_line(session, unit, "1", "sip:1@127.0.0.1")
        await service.add_plan(session, "夜间", [(line, datetime.now(UTC) + timedelta(hours=1))])
    assert "/checks/1" not in (await client.get("/checks")).text
    assert (await client.get("/checks/1")).status_code == 404
    assert (await client.get("/api/v1/checks/1")).status_code == 404


async def test_the_same_as_json(client: httpx.AsyncClient, filled: None) -> None:
    listed = (await client.get("/api/v1/checks", params={"verdict": "forwarded"})).json()
    (item,) = listed["items"]
    assert item["unit"]["name"] == "云溪县教育局"
    assert item["verdict_code"] in CODES
    detail = (await client.get(f"/api/v1/checks/{item['check_id']}")).json()
    (attempt,) = detail["attempts"]
    assert attempt["facts"]["schema"] == "dutyring.call/1"
    assert attempt["facts"]["forwarding"]["grade"] == "definitive"
    assert attempt["verdict"]["findings"][0]["clauses"][0]["article"] == "第十条"
    assert attempt["recording"]["sha256"]


async def test_recording_whole_and_in_ranges(
    client: httpx.AsyncClient, filled: None, database: Database, settings: Settings
) -> None:
    recording = await recording_of(database)
    sound = (settings.recordings_dir / recording.path).read_bytes()
    address = f"/recordings/{recording.id}"
    whole = await client.get(address)
    assert (whole.status_code, whole.content) == (200, sound)
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.headers["etag"] == f'"{recording.sha256}"'
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(sound)
    for asked, first, last in (
        ("0-99", 0, 99),
        (f"{size - 10}-", size - 10, size - 1),
        ("-7", size - 7, size - 1),
    ):
        part = await client.get(address, headers={"Range": f"bytes={asked}"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert part.content == sound[first : last + 1]
    beyond = await client.get(address, headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"
    changed = await client.get(address, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (changed.status_code, len(changed.content)) == (200, size)


async def test_download_has_a_name(client: httpx.AsyncClient, filled: None, database: Database) -> None:
    recording = await recording_of(database)
    answer = await client.get(f"/recordings/{recording.id}", params={"download": "1"})
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="check-recording-1.flac"')
    assert "filename*=UTF-8''" in disposition


async def test_every_read_of_a_recording_is_audited(
    client: httpx.AsyncClient, filled: None, database: Database
) -> None:
    recording = await recording_of(database)
    await client.get(f"/recordings/{recording.id}", headers={"Range": "bytes=0-9"})
    await client.get(f"/recordings/{recording.id}", params={"download": "1"})
    await client.get("/recordings/999")
    subject = f"recording:{recording.id}"
    assert await audit_lines(database) == [
        ("local", "play", subject, "bytes=0-9"),
        ("local", "download", subject, ""),
    ]
    assert "此前已被读取 2 次" in (await client.get("/checks/1")).text


async def test_looking_at_a_page_is_no_listening(
    client: httpx.AsyncClient, filled: None, database: Database
) -> None:
    page = (await client.get("/checks/1")).text
    assert 'preload="none"' in page
    recording = await recording_of(database)
    address = f"/recordings/{recording.id}"
    assert (await client.head(address)).status_code == 200
    assert (await client.get(address, headers={"Range": "bytes=99999999-"})).status_code == 416
    assert (await client.get(address, headers={"Range": "bytes=z"})).status_code == 400
    assert await audit_lines(database) == []


async def test_one_page_view_is_one_listening(
    client: httpx.AsyncClient, filled: None, database: Database
) -> None:
    addresses = []
    for _ in range(2):
        page = (await client.get("/checks/1")).text
        source = re.search(r'src="(/recordings/\d+\?view=[\w-]+)"', page)
        assert source
        addresses.append(source[1])
    for address in addresses:
        for wanted in (
            "bytes=0-",
            "bytes=100-199",
            "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 400, 2)),
        ):
            answer = await client.get(address, headers={"Range": wanted})
            assert answer.status_code in (200, 206)
    first, second = await audit_lines(database)
    assert first[1] == second[1] == "play"
    assert first[3].endswith("bytes=0-")
    assert first[3] != second[3]
    many = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 4000, 2))
    await client.get(addresses[0].split("?")[0], headers={"Range": many})
    assert len((await audit_lines(database))[-1][3]) <= 100


async def test_a_recording_outside_its_folder_is_not_served(
    client: httpx.AsyncClient, filled: None, database: Database, settings: Settings
) -> None:
    recording = await recording_of(database)
    (settings.data_dir / "secret.flac").write_bytes(b"secret")
    for path in ("../secret.flac", "/etc/hostname", "gone.flac"):
        async with database.unit_of_work() as session:
            await session.execute(
                text("UPDATE recordings SET path = :path WHERE attempt_id = 1"), {"path": path}
            )
        answer = await client.get(f"/recordings/{recording.id}")
        assert answer.status_code == 404
    assert await audit_lines(database) == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/nowhere", 404),
        ("/checks/999", 404),
        ("/checks/99999999999999999999", 404),
        ("/checks/-99999999999999999999999", 404),
        ("/checks/0", 404),
        ("/checks/abc", 422),
        ("/checks?after=rubbish", 400),
        ("/recordings/0", 404),
        ("/static/none.css", 404),
    ],
)
async def test_errors_are_chinese_pages_with_a_way_on(
    client: httpx.AsyncClient, address: str, status: int
) -> None:
    answer = await client.get(address)
    assert answer.status_code == status
    assert "回到抽查记录" in answer.text
    assert 'lang="zh-CN"' in answer.text
    assert NOTICE in answer.text


async def test_errors_of_the_api_are_json(client: httpx.AsyncClient) -> None:
    missing = await client.get("/api/v1/checks/7")
    assert missing.headers["content-type"] == "application/problem+json"
    assert missing.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no such check",
    }
    wrong = await client.get("/api/v1/checks?limit=0")
    assert wrong.json()["errors"][0]["where"] == "query.limit"
    assert (await client.get("/api/v1/nothing")).status_code == 404
    assert (await client.get("/api/v1/checks?limit=0")).status_code == 422
    assert (await client.get("/api/v1/checks?after=zzz")).status_code == 400


async def test_a_failure_of_ours_tells_nothing_of_the_inside(
    client: httpx.AsyncClient, filled: None, database: Database
) -> None:
    async with database.unit_of_work() as session:
        await session.execute(
            text('UPDATE verdicts SET content = \'{"code": "within"}\' WHERE attempt_id = 1')
        )
    answer = await client.get("/checks/1")
    assert answer.status_code == 500
    assert "服务内部出错" in answer.text
    assert "KeyError" not in answer.text
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    "address", ["/checks", "/checks/1", "/nowhere", "/static/style.css", "/healthz", "/recordings/1"]
)
async def test_security_headers(client: httpx.AsyncClient, filled: None, address: str) -> None:
    headers = (await client.get(address)).headers
    policy = re.sub(r" 'nonce-[\w-]{24}'", "", headers["content-security-policy"])
    assert policy == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("private, no-store", "no-cache")


async def test_pages_hold_no_inline_script_or_style_and_no_foreign_address(
    client: httpx.AsyncClient, filled: None
) -> None:
    for address in ("/checks", *(f"/checks/{n}" for n in range(1, 9)), "/nowhere"):
        page = (await client.get(address)).text
        assert NOTICE in page
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
        assert not re.search(r"<script(?![^>]*src=\"/static/)", page)
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)


async def test_other_hosts_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/checks", headers={"Host": "evil.example"})).status_code == 400


@pytest.mark.parametrize("address", ["/checks", "/checks/rows", "/checks/1", "/recordings/1"])
async def test_what_can_be_read_can_be_asked_for_its_head(
    client: httpx.AsyncClient, filled: None, address: str
) -> None:
    asked, read = await client.head(address), await client.get(address)
    assert asked.status_code == read.status_code == 200
    assert asked.headers["content-type"] == read.headers["content-type"]


async def test_nothing_can_be_posted(client: httpx.AsyncClient) -> None:
    assert (await client.post("/checks")).status_code == 405


def test_places_in_the_list_are_read_strictly() -> None:
    for rubbish in ("", "x", "MjAyNg", "////", "é", "MjAyNi0xMS0yMn4x"):
        with pytest.raises(ValueError, match="not a place"):
            cursor.unpack(rubbish)
