"""Test calls (试呼) of trunks: who may ask for them, what they must not be, and what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app import clock
from app.accounts import service as audit
from app.accounts.permissions import Role
from app.checks import stops
from app.checks.models import Attempt, SpotCheck
from app.database import Database
from app.directory import service as directory
from app.settings import Settings, TrunkSettings
from app.trunks import service as trunks
from app.trunks import trials
from app.trunks.trials_desk import TrialDesk
from app.web.system.trials import OUTCOME_ZH, STATE_ZH, WHY_ZH
from sip.guard import AnswerKeyError
from sip.record import MediaStatistics
from sip.trunks import TrunkError
from tests.web.api import ACTOR, WHO, ask, new_key
from tests.web.apps import make_app, own_doors
from tests.web.fake import FakePhone, answered, unanswered
from tests.web.people import signed_in

OWN = "13909170001"
"""The operator's telephone."""
LINE = "0917-3262000"
"""A line of the directory."""
KEY = "0917-3260001"
"""An answer key."""


def with_trunks(settings: Settings) -> Settings:
    ways = {
        "main": TrunkSettings(host="192.0.2.10", area_code="917", access_code="9"),
        "spare": TrunkSettings(host="192.0.2.11", priority=1, replace={"5": "0917326"}),
        "off": TrunkSettings(host="192.0.2.12", priority=2, enabled=False),
    }
    return settings.model_copy(
        update={
            "trunks": ways,
            "allow_numbers": (OWN, LINE, KEY, "3262000", "93262000", "16812345678", "52000"),
            "phone_process": False,
            "allowed_hosts": ("testserver",),
        }
    )


@dataclass
class Office:
    """A duty office with two trunks, one line and a client of its API."""

    client: httpx.AsyncClient
    database: Database
    settings: Settings
    phone: FakePhone
    desk: TrialDesk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = TrialDesk(self.database, self.phone, self.settings, "phone-1")

    async def test(self, number: str = OWN, trunk: str = "main", status: int = 201) -> Any:
        body = {"trunk": trunk, "number": number}
        return await ask(self.client, "POST", "/trunk-tests", status, json=body)

    async def read(self, test_id: int) -> Any:
        return await ask(self.client, "GET", f"/trunk-tests/{test_id}")

    async def until(self, test_id: int, *states: str) -> Any:
        async with asyncio.timeout(60):
            while True:
                told = await self.read(test_id)
                if told["state"] in states:
                    return told
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The phone process takes test calls."""
        await self.desk.recover()
        running = asyncio.create_task(self.desk.run())
        try:
            yield
        finally:
            running.cancel()
            await self.desk.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await running


@pytest.fixture
async def office(either_settings: Settings, either: Database, tmp_path: Path) -> AsyncIterator[Office]:
    settings = with_trunks(either_settings)
    async with either.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        await directory.add_line(session, unit, LINE)
        await trunks.add_number(session, "answer_key", KEY)
    app = make_app(settings)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver/api/v1", headers=ACTOR
    ) as client:
        yield Office(client, either, settings, FakePhone(tmp_path / "recordings"))
    await app.state.database.close()


async def test_a_test_call_is_asked_for_placed_and_told(office: Office) -> None:
    media = MediaStatistics("PCMA", 251, 2, 0, 1.26, 250)
    office.phone.records[OWN] = answered(OWN, 3_000.0, media=media)
    asked = await office.test()
    assert (asked["state"], asked["number"], asked["asked_by"], asked["result"]) == (
        "waiting",
        OWN,
        WHO,
        None,
    )
    async with office.working():
        told = await office.until(asked["id"], "finished")
    result = told["result"]
    assert office.phone.tested == [("main", OWN)]
    assert told["why"] == ""
    assert (result["outcome"], result["sip_status"], result["sip_reason"]) == ("answered", 200, "OK")
    assert (result["post_dial_delay_ms"], result["ring_to_answer_ms"]) == (200.0, 3_000.0)
    assert (result["codec"], result["packets_received"], result["packets_lost"]) == ("PCMA", 251, 2)
    assert (result["packets_sent"], result["jitter_ms"], result["incoming_sound"]) == (250, 1.3, "sound")
    listed = await ask(office.client, "GET", "/trunk-tests", trunk="main")
    assert [one["id"] for one in listed["items"]] == [asked["id"]]
    assert (await ask(office.client, "GET", "/trunk-tests", trunk="spare"))["items"] == []
    async with office.database.reading() as session:
        (line,) = await audit.of_subject(session, "trunk:main")
        assert (line.action, line.detail, line.who) == ("ask_test_call", "139****0001", WHO)
        for model in (Attempt, SpotCheck):
            assert await session.scalar(select(func.count()).select_from(model)) == 0, "it is no check"
    assert not list(office.phone.folder.rglob("*")), "nothing is recorded"


async def test_what_may_not_be_dialled_is_not_tested_either(office: Office) -> None:
    for number in ("110", "0917110", "１１９"):
        assert "never dialled" in (await office.test(number, status=422))["detail"], number
    for number in (f"sip:{OWN}@192.0.2.1", "张三", f"{LINE}转8012", "", " "):
        await office.test(number, status=422)
    for number in (LINE, "09173262000", "+869173262000", "3262000", "93262000"):
        assert "指定抽查" in (await office.test(number, status=422))["detail"], number
    assert "指定抽查" in (await office.test("52000", "spare", 422))["detail"], "as it leaves it is a line"
    refusals = [
        (await office.test(number, status=422))["detail"]
        for number in (KEY, "16812345678", "13911112222", "9110")
    ]
    assert len(set(refusals)) == 1, "it must not tell which numbers are answer keys"
    assert "dutyring numbers add allow" in refusals[0]
    await office.test(trunk="none", status=404)
    await office.test(trunk="off", status=409)
    assert (await ask(office.client, "GET", "/trunk-tests"))["items"] == []
    assert (await ask(office.client, "GET", "/trunk-tests/999", 404))["status"] == 404


async def test_a_line_that_is_in_no_use_any_more_is_not_tested(office: Office) -> None:
    async with office.database.unit_of_work() as session:
        unit = await directory.add_unit(session, "002", "云溪县水务局")
        line = await directory.add_line(session, unit, "0917-3268888")
        line.active = False
        await trunks.add_number(session, "allow", "0917-3268888")
    await office.test("0917-3268888", status=422)


async def test_one_at_a_time_on_a_trunk_and_so_many_an_hour(office: Office) -> None:
    body = {"trunk": "main", "number": OWN}
    keys = new_key()
    first, again = [await office.client.post("/trunk-tests", json=body, headers=keys) for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replay"] == "true"
    assert "not over yet" in (await office.test(status=409))["detail"]
    await office.test(trunk="spare")
    async with office.working():
        for _ in range(trials.MOST_AN_HOUR - 2):
            await office.until((await _eventually(office))["id"], "finished")
        assert f"最多试呼 {trials.MOST_AN_HOUR} 次" in (await office.test(status=409))["detail"]
    later = clock.now() + timedelta(minutes=61)
    with clock.running(lambda: later):
        await office.test()


async def _eventually(office: Office) -> Any:
    """Ask for one as soon as the one before is over."""
    async with asyncio.timeout(60):
        while True:
            answer = await office.client.post(
                "/trunk-tests", json={"trunk": "main", "number": OWN}, headers=new_key()
            )
            if answer.status_code == 201:
                return answer.json()
            await asyncio.sleep(0.02)


async def test_what_no_phone_takes_within_a_minute_is_withdrawn(office: Office) -> None:
    asked = await office.test()
    late = clock.now() + timedelta(seconds=61)
    with clock.running(lambda: late):
        told = await office.read(asked["id"])
        assert (told["state"], told["why"]) == ("withdrawn", "phone_not_running")
        async with office.working():
            # The phone comes too late: nobody waits at the telephone any more.
            async with asyncio.timeout(20):
                while (await office.read(asked["id"]))["ended_at"] is None:
                    await asyncio.sleep(0.02)
        assert office.phone.tested == []
        second = await office.test()
    with clock.running(lambda: late + timedelta(seconds=61)):
        third = await office.test()
        assert (await office.read(second["id"]))["why"] == "phone_not_running"
        assert (await office.read(third["id"]))["state"] == "waiting"


async def test_an_emergency_stop_of_the_office_stops_test_calls_too(office: Office) -> None:
    office.phone.hold = asyncio.Event()
    async with office.working():
        asked = await office.test()
        await office.until(asked["id"], "connected")
        async with office.database.unit_of_work() as session:
            stop = await stops.place_stop(session, None, "汛情", WHO)
        told = await office.until(asked["id"], "finished")
        assert (told["result"]["outcome"], told["why"]) == ("cancelled", "stopped")
        assert "stopped" in (await office.test(status=409))["detail"]
        async with office.database.unit_of_work() as session:
            await stops.lift_stop(session, stop.id, "解除", WHO)
    waiting = await office.test(trunk="spare")
    async with office.database.unit_of_work() as session:
        await stops.place_stop(session, None, "汛情", WHO)
    office.desk = TrialDesk(office.database, office.phone, office.settings, "phone-2")
    async with office.working():
        told = await office.until(waiting["id"], "withdrawn")
    assert (told["why"], office.phone.tested) == ("stopped", [("main", OWN)])


async def test_a_stop_of_one_unit_does_not_stop_them(office: Office) -> None:
    async with office.database.unit_of_work() as session:
        await stops.place_stop(session, 1, "搬迁", WHO)
    async with office.working():
        assert (await office.until((await office.test())["id"], "finished"))["why"] == ""


async def test_how_it_ends_is_told(office: Office) -> None:
    async with office.working():
        for found, state, why in (
            (AnswerKeyError(), "refused", "never_dialled"),
            (TrunkError("main", "name", "one that is in use"), "refused", "no_trunk"),
            (RuntimeError("boom"), "failed", "own_error"),
            (unanswered(OWN, "busy", sip_status=486, sip_reason=f"busy {OWN}"), "finished", ""),
        ):
            office.phone.records[OWN] = found
            asked = await office.test()
            told = await office.until(asked["id"], "refused", "failed", "finished")
            assert (told["state"], told["why"]) == (state, why)
    assert (told["result"]["outcome"], told["result"]["sip_status"]) == ("busy", 486)
    assert told["result"]["incoming_sound"] == "none"


async def test_a_number_that_became_a_line_meanwhile_is_not_dialled(office: Office) -> None:
    asked = await office.test()
    async with office.database.unit_of_work() as session:
        unit = await directory.add_unit(session, "002", "云溪县水务局")
        await directory.add_line(session, unit, OWN)
    async with office.working():
        told = await office.until(asked["id"], "refused")
    assert (told["why"], office.phone.tested) == ("directory", [])


async def test_what_a_dead_process_left_is_interrupted_and_its_far_end_told(office: Office) -> None:
    office.phone.hold = asyncio.Event()
    running = asyncio.create_task(office.desk.run())
    asked = await office.test()
    await office.until(asked["id"], "connected")
    second = TrialDesk(office.database, office.phone, office.settings, "phone-2")
    assert await second.recover() == 1
    told = await office.read(asked["id"])
    assert (told["state"], told["why"]) == ("interrupted", "phone_ended")
    assert [bye["call_id"] for bye in office.phone.byes] == [f"id-{OWN}"]
    assert await second.recover() == 0, "it was told"
    running.cancel()
    await office.desk.stop()
    assert (await office.read(asked["id"]))["state"] == "interrupted", "the first that is written holds"


async def test_the_end_of_the_process_hangs_up(office: Office) -> None:
    office.phone.hold = asyncio.Event()
    async with office.working():
        asked = await office.test()
        await office.until(asked["id"], "connected")
    told = await office.read(asked["id"])
    assert (told["state"], told["why"], told["result"]["outcome"]) == ("finished", "phone_ended", "cancelled")
    assert await TrialDesk(office.database, office.phone, office.settings, "phone-2").recover() == 0


async def test_a_draining_process_takes_no_more(office: Office) -> None:
    async with office.working():
        office.desk.drain()
        asked = await office.test()
        await asyncio.sleep(1.0)
        assert (await office.read(asked["id"]))["state"] == "waiting"
        await office.desk.idle()


async def test_old_ones_go_after_180_days(office: Office) -> None:
    await office.test()
    async with office.working():
        await office.until((await ask(office.client, "GET", "/trunk-tests"))["items"][0]["id"], "finished")
    now = clock.now()
    for days, left in ((179, 1), (181, 0)):
        async with office.database.unit_of_work() as session:
            assert await trials.purge_old(session, now + timedelta(days=days)) == 1 - left
        assert len((await ask(office.client, "GET", "/trunk-tests"))["items"]) == left


def test_every_state_and_reason_has_its_words() -> None:
    assert set(trials.WHY) == set(WHY_ZH)
    assert OUTCOME_ZH
    assert STATE_ZH


@pytest.fixture
async def pages(database: Database, settings: Settings, tmp_path: Path) -> AsyncIterator[Any]:
    given = with_trunks(settings)
    app = own_doors(given)
    people = {role: await signed_in(database, given, role) for role in Role}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:

        async def request(
            role: Role, method: str, path: str, language: str = "zh-CN", **form: str
        ) -> httpx.Response:
            headers = dict(people[role].headers)
            headers["Cookie"] += f"; dutyring_language={language}"
            return await client.request(method, path, data=form or None, headers=headers)

        request.desk = TrialDesk(database, FakePhone(tmp_path), given, "phone-1")  # type: ignore[attr-defined]
        yield request
    await app.state.database.close()


async def test_the_page_asks_and_tells(pages: Any) -> None:
    admin, path = Role.ADMINISTRATOR, "/system/trunks"
    page = (await pages(admin, "GET", path)).text
    assert page.count('action="/system/trunks/test"') == 2, "of the trunks that are in use"
    assert page.count("这条中继还没有试呼过") == 2
    answer = await pages(admin, "POST", f"{path}/test", name="main", number="110")
    assert answer.status_code == 422
    assert "紧急电话一律不得拨打</p>" in answer.text
    assert 'value="110"' in answer.text
    english = await pages(admin, "POST", f"{path}/test", "en", name="main", number="110")
    assert "emergency numbers are never dialled" in english.text
    answer = await pages(admin, "POST", f"{path}/test", name="main", number=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/system/trunks#tests")
    part = (await pages(admin, "GET", f"{path}/tests?name=main")).text
    assert "等待拨出" in part
    assert 'hx-trigger="every 1s"' in part
    assert "139****0001" in part
    running = asyncio.create_task(pages.desk.run())
    async with asyncio.timeout(30):
        while "hx-trigger" in part:
            part = (await pages(admin, "GET", f"{path}/tests?name=main")).text
            await asyncio.sleep(0.05)
    running.cancel()
    await pages.desk.stop()
    for words in ("已接通，信令应答 200 OK，0.2 秒后振铃，响铃 6.0 秒后接听", "✓"):
        assert words in part
    english = (await pages(admin, "GET", path, "en")).text
    assert "answered, SIP 200 OK, ringing after 0.2 s, answered after 6.0 s of ringing" in english
    main = re.sub(r"<[^>]+>", " ", english.partition('<main id="main">')[2].partition("</main>")[0])
    assert re.findall(r"[\u4e00-\u9fff]+", main.replace("系统管理员", "")) == []


async def test_who_sees_what(pages: Any) -> None:
    await pages(Role.ADMINISTRATOR, "POST", "/system/trunks/test", name="main", number=OWN)
    for role in Role:
        page = await pages(role, "GET", "/system/trunks")
        part = await pages(role, "GET", "/system/trunks/tests?name=main")
        listed = await pages(role, "GET", "/api/v1/trunk-tests")
        sees = role in (Role.ADMINISTRATOR, Role.DISPATCHER, Role.SUPERVISOR)
        assert {page.status_code, part.status_code, listed.status_code} == {200 if sees else 403}, role
        assert ('action="/system/trunks/test"' in page.text) == (role == Role.ADMINISTRATOR)
        if sees:
            whole = role != Role.ADMINISTRATOR
            assert [(OWN in told.text) for told in (page, part, listed)] == [whole] * 3, role
        if role != Role.ADMINISTRATOR:
            answer = await pages(role, "POST", "/system/trunks/test", name="spare", number=OWN)
            assert answer.status_code == 403
