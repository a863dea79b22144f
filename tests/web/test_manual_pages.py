"""The pages of what people do by hand: checks of their own, and checks that they order now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app import clock
from app.accounts.permissions import Role
from app.checks import stops
from app.database import Database
from app.directory.models import Unit
from app.planning import repository
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.pages_read import Page
from tests.web.people import account, signed_in
from tests.web.planning_office import HandClock, api, close_all, enter_lines, enter_prompts, orders

GIVEN = {
    "unit": "1",
    "line": "1",
    "source": "on_site",
    "day": "2026-03-04",
    "time": "09:30",
    "made_by": "李晓",
    "found": "值班室无人。\n<b>门</b>开着。",
    "code": "off_post",
    "document": "县督〔2026〕1号",
}


@pytest.fixture
def hand() -> Iterator[HandClock]:
    found = HandClock()
    with clock.running(found):
        yield found


@pytest.fixture
async def client(database: Database, settings: Settings, hand: HandClock) -> AsyncIterator[httpx.AsyncClient]:
    await enter_lines(database, 3)
    async with api(settings, database) as found:
        yield found


async def test_a_check_by_hand_is_entered_listed_and_goes_to_review(
    either: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_lines(either, 2)
    async with api(settings, either) as client:
        assert "还没有人工补录" in (await client.get("/manual")).text
        form = Page((await client.get("/manual/new?unit=1")).text)
        assert form.fields["made_by"] == ["clerk"]
        assert form.fields["day"] == ["2026-03-04"]
        made = await client.post("/manual", data=GIVEN)
        assert (made.status_code, made.headers["location"]) == (303, "/manual/1")
        shown = await client.get("/manual/1")
        told = Page(shown.text).text
        assert "2026-03-04 09:30" in told
        assert "脱岗" in told
        assert "待复核 待核事项 1" in told
        assert "<b>门" not in shown.text
        plain = GIVEN | {"unit": "2", "line": "", "code": "", "source": "hand_dialled", "time": "08:00"}
        assert (await client.post("/manual", data=plain)).status_code == 303
        listed = Page((await client.get("/manual")).text).text
        assert listed.index("单位1 实地检查") < listed.index("单位2 人工拨打")
        for query, there, gone in (
            ("unit=1", "单位1 实地检查", "单位2 人工拨打"),
            ("source=hand_dialled", "单位2 人工拨打", "单位1 实地检查"),
            ("first=2026-03-04&last=2026-03-04", "单位1 实地检查", "x"),
        ):
            rows = Page((await client.get(f"/manual?{query}")).text).text
            assert there in rows
            assert gone not in rows
        for query in ("last=2026-03-03", "first=2026-03-05", "unit=9"):
            assert "没有符合条件" in (await client.get(f"/manual?{query}")).text
        async with either.reading() as session:
            entry = await repository.manual_check(session, 1)
        assert entry is not None
        assert entry.at == datetime(2026, 3, 4, 1, 30, tzinfo=UTC)
        assert (entry.made_by, entry.entered_by) == ("李晓", "clerk")


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        (
            {"source": "hand_dialled"},
            {"code": "该项须有实地、视频检查、上级发现或本人承认，电话抽查不能认定"},
        ),
        ({"time": "11:30"}, {"day": "时间须是已经过去的时刻"}),
        ({"time": ""}, {"day": "请填日期和时刻，例如 2026-05-01 08:30"}),
        ({"found": " ", "made_by": ""}, {"found": "请填写", "made_by": "请填写"}),
        ({"line": "2"}, {"line": "所选电话不是该单位的"}),
        ({"code": "nonsense"}, {"code": "请从列出的选项中选择"}),
        ({"source": "rumour"}, {"source": "请从列出的选项中选择"}),
        ({"document": "字" * 201}, {"document": "最多 200 个字"}),
    ],
)
async def test_what_is_wrong_stands_beside_its_field(
    client: httpx.AsyncClient, database: Database, changed: dict[str, str], wrong: dict[str, str]
) -> None:
    given = GIVEN | changed
    answer = await client.post("/manual", data=given)
    found = Page(answer.text)
    assert (answer.status_code, found.wrong) == (422, wrong)
    assert found.fields["document"] == [given["document"]]
    assert found.fields.get("found", [""])[0].split() == given["found"].split()
    async with database.reading() as session:
        assert await repository.manual_check(session, 1) is None


async def test_a_unit_that_is_not_there_is_chosen_anew(client: httpx.AsyncClient) -> None:
    for unit in ("99", "", "x"):
        answer = await client.post("/manual", data=GIVEN | {"unit": unit})
        assert (answer.status_code, "先选单位" in answer.text) == (422, True)
    assert (await client.get("/manual/7")).status_code == 404
    assert "先选单位" in (await client.get("/manual/new?unit=²")).text


async def test_a_list_goes_on_page_by_page(client: httpx.AsyncClient) -> None:
    for minute in range(52):
        await client.post("/manual", data=GIVEN | {"time": f"08:{minute:02}", "code": ""})
    first = await client.get("/manual?source=on_site")
    link = first.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    rest = await client.get(link)
    assert first.text.count("/manual/") - first.text.count("/manual/new") == 50
    assert rest.text.count("/manual/") - rest.text.count("/manual/new") == 2


async def test_a_designated_check_shows_what_it_would_call_first(
    client: httpx.AsyncClient, database: Database, settings: Settings, hand: HandClock
) -> None:
    early = await client.get("/designated?unit=1")
    assert "还没有经审批的开场语" in early.text
    await enter_prompts(database, settings)
    seen = Page((await client.get("/designated?unit=1")).text)
    assert "0917-3000001 值班电话 已核实 每日 1、每周 3、间隔 12 小时 ✓ 可以" in seen.text
    refused = await client.post("/designated", data={"unit": "1", "reason": " "})
    assert (refused.status_code, Page(refused.text).wrong) == (422, {"reason": "请填写"})
    made = await client.post("/designated", data={"unit": "1", "reason": "汛期查岗"})
    assert (made.status_code, made.headers["location"]) == (303, "/designated?unit=1&done=1")
    (order,) = await orders(database)
    assert (order.kind, order.line_id, order.reason, order.ordered_by) == (
        "designated",
        1,
        "汛期查岗",
        "clerk",
    )
    after = Page((await client.get("/designated?unit=1&done=1")).text)
    assert "该电话正在抽查中" in after.text
    assert "指定抽查 单位1 0917-3000001 汛期查岗 clerk 待拨" in after.text
    await close_all(database, hand)
    hand.forward(hours=1)
    again = await client.post("/designated", data={"unit": "1", "line_id": "1", "reason": "再查"})
    assert (again.status_code, "该电话今天已拨 1 次，每日上限 1 次" in again.text) == (422, True)
    assert "再查" in Page(again.text).fields["reason"]
    assert f'href="/checks/{order.id}"' in (await client.get("/designated/recent")).text
    for path in ("/designated?unit=9", "/designated?unit=99999"):
        assert (await client.get(path)).status_code == 404
    assert "单位2" in Page((await client.get("/designated?line=2")).text).text


async def test_handovers_stops_and_nights_are_told_in_chinese(
    client: httpx.AsyncClient, database: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_prompts(database, settings)
    async with database.unit_of_work() as session:
        unit = await session.get(Unit, 1)
        assert unit is not None
        unit.handover_times = ["10:10"]
    near = await client.post("/designated", data={"unit": "1", "reason": "急"})
    assert "距交接班不足 15 分钟" in near.text
    given = {"unit": "1", "reason": "急", "handover_reason": "上级要求"}
    assert (await client.post("/designated", data=given)).status_code == 303
    async with database.unit_of_work() as session:
        await stops.place_stop(session, None, "演练", "boss")
    stopped = await client.post("/designated", data={"unit": "2", "reason": "急"})
    assert (stopped.status_code, "紧急停拨中" in stopped.text) == (422, True)
    async with database.unit_of_work() as session:
        (stop,) = await stops.standing(session)
        await stops.lift_stop(session, stop.id, "演练完", "boss")
    hand.at = datetime(2026, 3, 4, 19, 0, tzinfo=UTC)
    await account(database, Role.SUPERVISOR, name="王督查")
    await account(database, Role.INSPECTOR, name="张检查")
    night = {"unit": "2", "reason": "夜查"}
    assert "00:00 至 06:00 须有督查人员批准" in (await client.post("/designated", data=night)).text
    for nobody in ("张检查", "没有这个人", "clerk"):
        answer = await client.post("/designated", data=night | {"night_approved_by": nobody})
        assert (answer.status_code, Page(answer.text).wrong) == (
            422,
            {"night_approved_by": "请从列出的督查人员中选择"},
        )
    assert (await client.post("/designated", data=night | {"night_approved_by": "王督查"})).status_code == 303


async def test_a_number_is_checked_without_a_score(
    database: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_lines(database, 1, verified=False)
    await enter_prompts(database, settings)
    async with api(settings, database) as client:
        seen = Page((await client.get("/designated?unit=1")).text)
        assert "待核实" in seen.text
        assert "号码尚未核实，请先核号" in seen.text
        sent = {"unit": "1", "line_id": "1", "reason": ""}
        assert (await client.post("/designated/verify", data=sent)).status_code == 303
        (order,) = await orders(database)
        assert (order.kind, order.reason) == ("verification", "核号")
        for _ in range(2):
            await close_all(database, hand, "no_answer")
            hand.forward(minutes=30)
            assert (await client.post("/designated/verify", data=sent)).status_code == 303
        await close_all(database, hand, "no_answer")
        more = await client.post("/designated/verify", data=sent)
        assert (more.status_code, "24 小时内已核号 3 次" in more.text) == (422, True)
        for odd in ("", "x", "99"):
            assert (await client.post("/designated/verify", data=sent | {"line_id": odd})).status_code == 422


async def test_who_may_order_and_enter(database: Database, settings: Settings) -> None:
    found = await enter_lines(database, 2)
    app = own_doors(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        inspector = (await signed_in(database, settings, Role.INSPECTOR)).headers
        assert (await client.get("/designated", headers=inspector)).status_code == 403
        today = (clock.now() - timedelta(days=1)).date().isoformat()
        own = await client.post("/manual", data=GIVEN | {"day": today}, headers=inspector)
        assert own.status_code == 303
        supervisor = (await signed_in(database, settings, Role.SUPERVISOR)).headers
        assert Page((await client.get("/designated?unit=1", headers=supervisor)).text).actions == []
        assert (await client.post("/designated", data={"unit": "1"}, headers=supervisor)).status_code == 403
        scoped = (await signed_in(database, settings, Role.DISPATCHER, unit_ids=[found[1][0].id])).headers
        assert (await client.get("/designated?unit=1", headers=scoped)).status_code == 404
        assert (await client.get("/manual/1", headers=scoped)).status_code == 404
        assert "还没有人工补录" in (await client.get("/manual", headers=scoped)).text
        for data in ({"unit": "1", "reason": "x"}, {"unit": "2", "line_id": "1", "reason": "x"}):
            sent = await client.post("/designated", data=data, headers=scoped)
            assert sent.status_code in (404, 422)
        assert await orders(database) == []
    await app.state.database.close()
