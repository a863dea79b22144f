"""The state of our lines on the pages and in the API, and what a check's page says of its targets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.accounts import service as audit
from app.checks.dispatcher import Dispatcher
from app.database import Database
from app.settings import Settings, TrunkSettings
from app.trunks import service
from app.trunks.service import Said, Standing
from app.trunks.watcher import TrunkWatcher
from sip.trunks import MEANINGS, PHONE, AlarmBoard, AlarmKind, CallFacts, TrunkStatus
from tests.web.apps import make_app
from tests.web.fake import FakePhone
from tests.web.test_ledger import add_lines, order
from tests.web.test_targets import TwoTrunks

SECRET = "HUNTER2" + "SECRET"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        phone_process=False,
        allowed_hosts=("testserver", "::1"),
        trunks={
            "carrier": TrunkSettings(host="ims.example", transport="tls", registration=True),
            "gateway": TrunkSettings(
                host="192.0.2.10",
                priority=1,
                user="u",
                password=SECRET,  # type: ignore[arg-type]
            ),
        },
    )


@pytest.fixture
async def client(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened
    await app.state.database.close()


async def say(database: Database, name: str, state: str, *kinds: str, until: datetime | None = None) -> None:
    now = datetime.now(UTC)
    standing = tuple(Standing(kind, now, f"about {kind}") for kind in kinds)
    async with database.unit_of_work() as session:
        await service.observe(session, Said(name, state, now, until, 1, standing))


async def test_no_alarm_is_shown_where_nobody_has_spoken(client: httpx.AsyncClient) -> None:
    page = (await client.get("/checks")).text
    assert "中继状态" in page
    assert "ims.example" in page
    assert "告警</strong>" not in page
    items = (await client.get("/api/v1/trunks")).json()["items"]
    assert [(item["name"], item["state"], item["well"]) for item in items] == [
        ("carrier", "unknown", False),
        ("gateway", "unknown", False),
    ]


async def test_states_and_alarms_stand_on_the_page_in_chinese(
    client: httpx.AsyncClient, database: Database
) -> None:
    until = datetime.now(UTC) + timedelta(minutes=9)
    await say(database, "carrier", "up", until=until)
    await say(database, "gateway", "down", "trunk_unreachable", "forbidden")
    await say(database, PHONE, "up", "clock_unsynchronised")
    page = (await client.get("/checks/rows")).text
    for kind in (AlarmKind.TRUNK_UNREACHABLE, AlarmKind.FORBIDDEN, AlarmKind.CLOCK_UNSYNCHRONISED):
        assert MEANINGS[kind].zh in page
        assert MEANINGS[kind].do_zh in page
    assert page.count('role="alert"') == 3
    assert "本机告警" in page
    assert "中继 gateway 告警" in page
    assert "about forbidden" in page, "the sentence sends the reader to the detail"
    assert "有效至" in page
    assert "正常" in page
    assert SECRET not in page


async def test_the_api_tells_state_alarms_and_events(client: httpx.AsyncClient, database: Database) -> None:
    await say(database, "carrier", "up", until=datetime.now(UTC) + timedelta(minutes=9))
    await say(database, "gateway", "down", "trunk_unreachable")
    await say(database, "gateway", "up")
    told = (await client.get("/api/v1/trunks?events=3")).json()
    carrier, gateway = told["items"]
    assert (carrier["state"], carrier["registers"], carrier["well"]) == ("up", True, True)
    assert carrier["registered_until"] is not None
    assert (gateway["state"], gateway["alarms"], gateway["calls"]) == ("up", [], 1)
    assert [(event["trunk"], event["kind"]) for event in told["events"]] == [
        ("gateway", "alarm_cleared"),
        ("gateway", "up"),
        ("gateway", "alarm_raised"),
    ]
    assert SECRET not in str(told)
    assert (await client.get("/api/v1/trunks?events=-1")).status_code == 422


async def test_a_checks_page_names_each_target(
    client: httpx.AsyncClient, database: Database, settings: Settings, tmp_path: Path
) -> None:
    (line,) = await add_lines(database, 1)
    (check_id,) = await order(database, line)
    dispatcher = Dispatcher(database, TwoTrunks(tmp_path, database=database), settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    page = (await client.get(f"/checks/{check_id}")).text
    assert "中继 main，仅有 100 应答，转下一中继" in page
    assert "中继 backup，接通（信令应答 200），网络已接续" in page


async def test_the_messages_of_a_dial_can_be_downloaded(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    (line,) = await add_lines(database, 1)
    (check_id,) = await order(database, line)
    phone = FakePhone(settings.recordings_dir)
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    address = "/api/v1/attempts/1/trace"
    for missing in (address, "/api/v1/attempts/9/trace", f"/api/v1/attempts/{2**63}/trace"):
        assert (await client.get(missing)).status_code == 404
    assert address not in (await client.get(f"/checks/{check_id}")).text
    (recording,) = settings.recordings_dir.rglob("*.flac")
    recording.with_name(recording.stem + ".sip.txt").write_text("INVITE sip:1@127.0.0.1 SIP/2.0")
    assert address in (await client.get(f"/checks/{check_id}")).text
    told = await client.get(address)
    assert told.text.startswith("INVITE")
    async with database.reading() as session:
        assert [line.action for line in await audit.of_subject(session, "trace:1")] == ["download"]
    assert told.headers["content-type"] == "text/plain; charset=utf-8"


async def test_an_ipv6_host_may_ask(client: httpx.AsyncClient) -> None:
    for host, status in (("[::1]:8000", 200), ("[::2]:8000", 400), ("testserver", 200)):
        assert (await client.get("/checks", headers={"Host": host})).status_code == status


async def test_the_watcher_writes_what_the_phone_says(
    database: Database, settings: Settings, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.trunks.watcher.ALIVE_S", 0.05)
    board, now = AlarmBoard(), datetime.now(UTC).timestamp()
    for name in ("carrier", "gateway"):
        board.add_trunk(name, now, registers=name == "carrier")

    def look() -> tuple[TrunkStatus, ...]:
        return board.statuses(now, {"gateway": 2})

    watcher = TrunkWatcher(database, ["carrier", "gateway"])
    await watcher.begin(look)
    board.note_registration("carrier", now, until=now + 600)
    watcher.told(board.status("carrier", now))
    board.note_call("gateway", CallFacts("0917-5550001", status=402, reason="Payment Required"), now)
    watcher.told(board.status("gateway", now))

    async def items() -> list[tuple[str, str, int, list[str]]]:
        told = (await client.get("/api/v1/trunks")).json()["items"]
        return [(i["name"], i["state"], i["calls"], [a["kind"] for a in i["alarms"]]) for i in told]

    wanted = [("carrier", "up", 0, []), ("gateway", "up", 2, ["account_overdue"])]
    async with asyncio.timeout(20):
        while await items() != wanted:
            await asyncio.sleep(0.02)
    await watcher.end()
    assert [state for _, state, _, _ in await items()] == ["stopped", "stopped"]
    kinds = [e["kind"] for e in (await client.get("/api/v1/trunks")).json()["events"]]
    assert {"registered", "up", "alarm_raised", "stopped"} <= set(kinds)
