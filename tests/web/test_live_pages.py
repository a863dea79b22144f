"""实时: rows for who may see them, news as server-sent events, hanging up and notes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app import clock
from app.accounts.permissions import Role
from app.accounts.principal import Principal, Scope
from app.checks import by_hand, live_board, service, stops
from app.checks.live_board import Seen
from app.checks.live_desk import LiveDesk, LivePhone
from app.checks.models import Attempt
from app.checks.service import recording_name
from app.checks.watching import CallWatch
from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from app.transcripts import live as words
from app.web.live.hub import LiveHub
from app.web.live.stream import events, sight
from sip.live import LiveCall
from tests.web.apps import own_doors
from tests.web.people import signed_in


@pytest.fixture
async def service_app(settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    app = own_doors(settings)
    yield app
    await app.state.database.close()


@pytest.fixture
async def client(service_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened


async def call(database: Database, code: str, state: str = "ringing", name: str = "") -> Attempt:
    """A unit with a call of its line in some state."""
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, code, name or f"云溪县{code}")
        line = await directory.add_line(session, unit, f"0000-{code}", f"sip:{code}@127.0.0.1")
        check = await service.order_now(session, line, "指定抽查")
        attempt = Attempt(
            check_id=check.id, line_id=line.id, unit_id=unit.id, target=line.target, state=state, owner="o",
            claimed_at=clock.now() - timedelta(seconds=20),
        )  # fmt: skip
        session.add(attempt)
        await session.flush()
        return attempt


async def move(database: Database, attempt: Attempt, **values: Any) -> None:
    async with database.unit_of_work() as session:
        await session.execute(update(Attempt).where(Attempt.id == attempt.id).values(**values))


class News:
    """Reads a stream of events."""

    def __init__(self, stream: AsyncIterator[str]) -> None:
        self._stream = stream

    async def next(self, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The next `calls` that fits."""
        async with asyncio.timeout(20):
            async for text in self._stream:
                if text.startswith("event: calls"):
                    found: dict[str, Any] = json.loads(text.partition("data: ")[2])
                    if fits(found):
                        return found
        raise AssertionError("the stream ended")


async def always() -> bool:
    return True


async def test_rows_move_as_the_phone_tells_and_end_with_a_verdict(
    database: Database, settings: Settings
) -> None:
    first, coming = await call(database, "7"), await call(database, "8", "claimed")
    name = recording_name(first)
    began = clock.now().timestamp() - 9
    live_board.publish(settings, {name: Seen("ringing", began, began + 1, 2, "ringback")})
    hub = LiveHub(database, settings)
    stream = events(hub, sight(None), lambda: "ready", always)
    news = News(stream)
    told = await news.next()
    (row,) = told["calls"]
    # What is only claimed has not left: a coming call is shown to nobody.
    assert (row["id"], row["phase"], row["rings"], row["early"]) == (first.id, "ringing", 2, "ringback")
    assert coming.id not in {one["id"] for one in told["calls"]}
    assert row["ring_from"] == pytest.approx(began + 1)
    assert (told["all"], told["phone"], told["readable"]) == (True, "ready", True)

    live_board.publish(settings, {name: Seen("answered", began, began + 1, 2, "ringback", began + 8)})
    words.folder_of(settings).mkdir(exist_ok=True)
    said = {"utterances": [{"text": "您好", "start_ms": 0}], "partial": "应急", "until_ms": 10}
    (words.folder_of(settings) / f"{first.id}.json").write_text(json.dumps(said))
    (row,) = (await news.next(lambda one: any(call["words"] for call in one["calls"])))["calls"]
    assert (row["phase"], row["words"], row["answered"]) == ("answered", "您好应急", pytest.approx(began + 8))

    # Two look, one reading: the second is told everything at once.
    other = News(events(hub, sight(None), lambda: "ready", always))
    assert [one["id"] for one in (await other.next())["calls"]] == [first.id]

    live_board.publish(settings, {})
    (row,) = (await news.next(lambda one: bool(one["calls"])))["calls"]
    assert row["phase"] == "ending"
    await move(database, first, state="finished", verdict_code="within", needs_review=False)
    (row,) = (await news.next(lambda one: bool(one["calls"])))["calls"]
    assert (row["phase"], row["code"]) == ("over", "within")
    async with database.unit_of_work() as session:
        stop = await stops.place_stop(session, None, "汛情", "李")
    assert (await news.next(lambda one: bool(one["stops"])))["stops"] == [stop.id]
    await stream.aclose()  # type: ignore[attr-defined]
    await other._stream.aclose()  # type: ignore[attr-defined]
    await hub.close()


async def test_a_stream_tells_only_what_its_reader_sees_and_ends_when_they_may_not(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = await call(database, "7"), await call(database, "8")
    reader = Principal(1, "a", "a", frozenset(), frozenset(), Scope((f"{here.unit_id}/",)))
    hub = LiveHub(database, settings)
    stream = events(hub, sight(reader), lambda: "off", always)
    assert [one["id"] for one in (await News(stream).next())["calls"]] == [here.id]
    await stream.aclose()  # type: ignore[attr-defined]
    await hub.close()

    async def never() -> bool:
        return False

    monkeypatch.setattr("app.web.live.stream.ASKED_S", 0.0)
    ended = [text async for text in events(hub, sight(None), lambda: "off", never)]
    assert ended[-1].startswith("event: over")
    assert str(there.id) in ended[1]
    await hub.close()


async def test_the_page_shows_the_calls_without_script_and_only_to_some(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    first = await call(database, "7", name="<script>alert(1)</script>镇")
    await call(database, "8", "claimed", name="将拨的单位")
    live_board.publish(settings, {recording_name(first): Seen("ringing", 1.0, 2.0, 3, "crbt")})
    who = await signed_in(database, settings, Role.DISPATCHER)
    page = (await client.get("/live", headers=who.headers)).text
    assert f'id="call-{first.id}"' in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;镇" in page
    assert "<script>alert" not in page
    assert "约 3 声" in page
    assert "彩铃" in page
    assert "将拨的单位" not in page
    english = {**who.headers, "Cookie": f"{who.headers['Cookie']}; dutyring_language=en"}
    assert "Ringing" in (await client.get("/live", headers=english)).text
    # Out of scope it is not there.
    other = await signed_in(database, settings, Role.DISPATCHER, unit_ids=[first.unit_id + 1])
    assert f'id="call-{first.id}"' not in (await client.get("/live", headers=other.headers)).text
    for address in (f"/live/calls/{first.id}", f"/live/calls/{first.id}/sound"):
        assert (await client.get(address, headers=other.headers)).status_code == 404
    for role in (Role.INSPECTOR, Role.ADMINISTRATOR, Role.SECURITY, Role.AUDITOR):
        barred = await signed_in(database, settings, role)
        for address in ("/live", "/live/stream", f"/live/calls/{first.id}", f"/live/calls/{first.id}/sound"):
            assert (await client.get(address, headers=barred.headers)).status_code == 403


async def test_one_call_is_hung_up_with_a_reason_and_a_note_stays_beside_it(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    first = await call(database, "7")
    who = await signed_in(database, settings, Role.DISPATCHER, name="李值守")
    address = f"/live/calls/{first.id}"
    empty = await client.post(f"{address}/hang-up", data={"reason": " "}, headers=who.headers)
    assert empty.status_code == 422
    assert "请写明挂断理由" in empty.text
    long = await client.post(f"{address}/notes", data={"text": "字" * 501}, headers=who.headers)
    assert long.status_code == 422
    assert "字" * 501 in long.text
    assert (
        await client.post("/live/calls/999/notes", data={"text": "x"}, headers=who.headers)
    ).status_code == 404
    note = await client.post(f"{address}/notes", data={"text": "是<b>保安</b>"}, headers=who.headers)
    down = await client.post(f"{address}/hang-up", data={"reason": "打错了"}, headers=who.headers)
    assert (note.status_code, down.status_code) == (303, 303)
    panel = (await client.get(f"{address}/panel", headers=who.headers)).text
    assert "备注（李值守）：是&lt;b&gt;保安&lt;/b&gt;" in panel
    assert "人工挂断（李值守）：打错了" in panel
    assert "<html" not in panel
    # The page of the check shows both, too.
    assert "打错了" in (await client.get(f"/checks/{first.check_id}", headers=who.headers)).text
    await move(database, first, state="finished", verdict_code="cancelled")
    late = await client.post(f"{address}/hang-up", data={"reason": "晚了"}, headers=who.headers)
    assert late.status_code == 422
    assert "已经结束" in late.text


class Phone:
    """A phone with one call: whom it was told to hang up, and whose sound to hurry."""

    def __init__(self) -> None:
        self.stopped: list[str] = []
        self.hurried: list[tuple[str, bool]] = []
        self.calls = {"2026/01/01/check-1-attempt-1": LiveCall("ringing", 9000.0, 1000.0, 2, "ringback")}

    def stop_call(self, recording_name: str) -> None:
        self.stopped.append(recording_name)

    def live_calls(self) -> dict[str, LiveCall]:
        return self.calls

    def hasten(self, recording_name: str, hasty: bool) -> None:
        self.hurried.append((recording_name, hasty))


async def test_the_phone_hangs_up_what_somebody_asked_for_and_nothing_else(either: Database) -> None:
    first, second = await call(either, "7"), await call(either, "8")
    async with either.unit_of_work() as session:
        await by_hand.add_note(session, second.id, "只是备注", "李")
        await by_hand.hang_up(session, first.id, "打错了", "李")
    phone = Phone()
    live = {first.id: first, second.id: second}
    watch = CallWatch(either, None, phone, live)  # type: ignore[arg-type]
    await watch.stop_covered(tuple(live))
    assert phone.stopped == [recording_name(first)]


async def test_the_desk_tells_the_board_and_hurries_what_is_heard(settings: Settings) -> None:
    phone = Phone()
    assert isinstance(phone, LivePhone)
    settings.data_dir.mkdir()
    desk = LiveDesk(phone, settings)
    (name,) = phone.calls
    await desk.look()
    seen = live_board.read(settings)[name]
    assert (seen.phase, seen.rings) == ("ringing", 2)
    assert seen.ring_from == pytest.approx(seen.began_at + 1.0)
    live_board.want_to_hear(settings, name)
    await desk.look()
    await desk.look()
    assert phone.hurried == [(name, True)]
    phone.calls = {}
    await desk.look()
    assert live_board.read(settings) == {}
    assert phone.hurried[-1] == (name, False)
