"""The pages of plans: the form, the trial, the start, what is public when, and who may do what."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from app import clock
from app.accounts.permissions import Role
from app.database import Database
from app.directory import tree
from app.planning import repository, service
from app.planning.clockwork import Planner
from app.planning.spec import PlanSpec
from app.settings import Settings
from app.web import i18n
from tests.web.apps import own_doors
from tests.web.pages_read import CHINESE, FIELDS, Page, messages
from tests.web.people import signed_in
from tests.web.planning_office import (
    BOSS,
    MORNING,
    HandClock,
    api,
    enter_lines,
    enter_plan,
    enter_prompts,
    moments,
    spec,
    start_plan,
)

FOLDERS = ("plans", "calendar", "prompts", "designated", "manual")


@pytest.fixture
def hand() -> Iterator[HandClock]:
    found = HandClock()
    with clock.running(found):
        yield found


@pytest.fixture
async def client(database: Database, settings: Settings, hand: HandClock) -> AsyncIterator[httpx.AsyncClient]:
    await enter_lines(database, 3)
    await enter_prompts(database, settings)
    async with api(settings, database) as found:
        yield found


async def page(client: httpx.AsyncClient, path: str, status: int = 200, **asked: Any) -> Page:
    answer = await client.get(path, **asked)
    assert answer.status_code == status, answer.text
    return Page(answer.text)


async def test_a_plan_goes_from_the_form_to_its_end(
    either: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_lines(either, 3)
    await enter_prompts(either, settings)
    async with api(settings, either) as client:
        assert "还没有抽查计划" in (await page(client, "/plans")).text
        trial = await client.post("/plans/preview", data=FIELDS | {"name": ""})
        assert "可以启动" in trial.text
        assert "data-loads='[[" in trial.text
        made = await client.post("/plans", data=FIELDS)
        assert (made.status_code, made.headers["location"]) == (303, "/plans/1")
        draft = await page(client, "/plans/1")
        assert {"/plans/1/start", "/plans/1/cancel"} <= set(draft.actions)
        assert "可以启动" in (await client.get("/plans/1/preview")).text
        assert (await client.post("/plans/1/start")).status_code == 303
        running = await page(client, "/plans/1")
        async with either.reading() as session:
            (run,) = await repository.runs(session, [1])
        assert run.commitment in running.text
        assert "结束后公开" in running.text
        assert "已查到 0 / 3 个单位" in (await client.get("/plans/1/progress")).text
        blank = await client.post("/plans/1/pause", data={"reason": " "})
        assert (blank.status_code, "请写明理由" in blank.text) == (422, True)
        assert (await client.post("/plans/1/pause", data={"reason": "防汛会议"})).status_code == 303
        paused = await page(client, "/plans/1")
        assert {"/plans/1/resume", "/plans/1/cancel"} == set(paused.actions)
        assert "防汛会议" in paused.text
        late = await client.post("/plans/1/pause", data={"reason": "再停"})
        assert (late.status_code, "状态已经变了" in late.text) == (422, True)
        assert (await client.post("/plans/1/resume", data={"reason": "会毕"})).status_code == 303
        assert "种子尚未公开" in (await client.get("/plans/1/verify")).text
        assert (await client.post("/plans/1/cancel", data={"reason": "重排"})).status_code == 303
        await Planner(either, settings).tick(hand.forward(minutes=1))
        async with either.reading() as session:
            (run,) = await repository.runs(session, [1])
        assert run.seed is not None
        assert run.seed in (await page(client, "/plans/1")).text
        assert "全部相符" in (await client.get("/plans/1/verify")).text
        listed = await page(client, "/plans?status=cancelled")
        assert "三月抽查" in listed.text
        assert "三月抽查" not in (await page(client, "/plans?status=draft")).text
        assert "3 个单位中" in (await client.get("/plans/year")).text


async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    client: httpx.AsyncClient, database: Database
) -> None:
    typed = FIELDS | {
        "name": " ",
        "last_day": "2026-03-01",
        "calls_per_unit": "一次",
        "extra_per_unit": "30",
        "least_gap_h": "",
        "start_workday": ["25:00", "21:00", ""],
        "end_workday": ["20:00", "21:00", ""],
        "weight_what": ["没有的单位", "U0002 单位2"],
        "weight_factor": ["2", "x"],
        "max_talk_s": "41",
        "note": "<b>备注</b>",
        "subtrees": ["2"],
    }
    answer = await client.post("/plans", data=typed)
    assert answer.status_code == 422
    found = Page(answer.text)
    assert found.wrong == {
        "name": "请填写",
        "last_day": "结束日期早于开始日期",
        "calls_per_unit": "请填整数",
        "extra_per_unit": "不能大于 20.0",
        "least_gap_h": "请填数字",
        "window-workday-0": "时刻须在 00:00 至 24:00 之间",
        "window-workday-1": "开始与结束相同；全天请填 00:00 至 24:00",
        "weight-0": "没有这样的单位、分组或类别",
        "weight-1": "请填数字",
        "max_talk_s": "不能大于 40.0",
    }
    for name, value in typed.items():
        wanted = [item for item in (value if isinstance(value, list) else [value]) if item.strip()]
        assert [item for item in found.fields.get(name, []) if item] == wanted or set(wanted) == set(
            found.fields[name]
        ), name
    assert "<b>备注" not in answer.text
    assert "9 处还没有填好" in (await client.post("/plans/preview", data=typed)).text
    async with database.reading() as session:
        assert await repository.plans(session, None, None, 10) == []


async def test_a_draft_is_changed_and_copied_by_the_form(
    client: httpx.AsyncClient, database: Database
) -> None:
    members: dict[str, Any] = {
        "weights": [{"unit": 2, "factor": 3}, {"category": "town", "factor": 0.5}],
        "units": {"subtrees": [1, 2], "exclude": [3]},
        "windows": {"workday": [{"start": "22:00", "end": "02:00"}], "makeup_workday": []},
        "most_per_unit": 4,
        "note": "备注",
    }
    key = await enter_plan(database, **members)
    shown = await page(client, f"/plans/{key}/edit")
    sent = shown.fields | {"name": ["改名"]}
    assert (await client.post(f"/plans/{key}", data=sent)).status_code == 303
    copied = await page(client, f"/plans/new?like={key}")
    assert (await client.post("/plans", data=copied.fields)).headers["location"] == f"/plans/{key + 1}"
    async with database.reading() as session:
        first = await service.get(session, key)
        second = await service.get(session, key + 1)
    assert (first.name, second.name) == ("改名", "改名")
    assert (
        PlanSpec.model_validate(first.content) == PlanSpec.model_validate(second.content) == spec(**members)
    )


async def test_the_trial_says_why_a_plan_cannot_be_met(client: httpx.AsyncClient, database: Database) -> None:
    heavy = FIELDS | {"calls_per_unit": "6", "opening_id": "", "start_workday": ["05:00"]}
    found = Page(f"<main>{(await client.post('/plans/preview', data=heavy)).text}</main>")
    assert "尚未选定开场语" in found.text
    assert "须由督查人员批准夜间抽查" in found.text
    assert "单位1 2026-03-09 起的周期 6 0 3 线路的次数上限或最短间隔不容许更多" in found.text
    assert (await client.post("/plans", data=heavy)).status_code == 303
    refused = await client.post("/plans/1/start")
    assert refused.status_code == 422
    assert "尚未选定开场语" in refused.text
    async with database.reading() as session:
        assert await repository.runs(session, [1]) == []


async def test_the_night_takes_another_person(client: httpx.AsyncClient) -> None:
    await client.post("/plans", data=FIELDS | {"start_workday": ["05:00"]})
    assert "/plans/1/approve-night" in (await page(client, "/plans/1")).actions
    assert "待批准夜间" in (await page(client, "/plans")).text
    own = await client.post("/plans/1/approve-night")
    assert (own.status_code, "由clerk编写或改过" in own.text) == (422, True)
    assert (await client.post("/plans/1/approve-night", headers=BOSS)).status_code == 303
    approved = await page(client, "/plans/1")
    assert "/plans/1/approve-night" not in approved.actions
    assert "夜间抽查由 boss 于 2026-03-04 10:00 批准" in approved.text


async def test_no_page_tells_a_coming_moment(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    key = await enter_plan(database)
    run = await start_plan(database, settings, key)
    paths = ("/plans", *(f"/plans/{key}{part}" for part in ("", "/preview", "/progress", "/verify")))
    text = "\n".join([(await client.get(path)).text for path in (*paths, "/designated", "/calendar")])
    coming = await moments(database, settings, run.id)
    assert len(coming) >= 12
    for slot in coming:
        local = slot.at.astimezone(settings.zone)
        for written in (str(int(slot.at.timestamp())), f"{local:%H:%M:%S}", f"{slot.at:%H:%M:%S}"):
            assert written not in text


async def test_unknown_plans_and_states_give_a_page(client: httpx.AsyncClient, database: Database) -> None:
    for path in ("/plans/9", "/plans/9/edit", "/plans/9/preview", "/plans/new?like=9"):
        assert (await client.get(path)).status_code == 404
    assert (await client.post("/plans/9/start")).status_code == 404
    assert (await client.post("/plans/9", data=FIELDS)).status_code == 404
    key = await enter_plan(database)
    assert (await client.post(f"/plans/{key}/start")).status_code == 303
    assert (await client.get(f"/plans/{key}/edit")).status_code == 303
    changed = await client.post(f"/plans/{key}", data=FIELDS)
    assert (changed.status_code, "只有草稿或已取消的计划" in changed.text) == (422, True)


async def test_each_role_sees_the_buttons_that_it_may_press(database: Database, settings: Settings) -> None:
    await enter_lines(database, 2)
    await enter_prompts(database, settings)
    with clock.running(lambda: MORNING):
        key = await enter_plan(database, windows={"workday": [{"start": "05:00", "end": "20:00"}]})
    app = own_doors(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        people = {role: (await signed_in(database, settings, role)).headers for role in Role}
        seen = {role: await client.get(f"/plans/{key}", headers=who) for role, who in people.items()}
        assert {role for role, answer in seen.items() if answer.status_code == 200} == {
            Role.DISPATCHER,
            Role.SUPERVISOR,
        }
        assert set(Page(seen[Role.DISPATCHER].text).actions) == {
            f"/plans/{key}/start",
            f"/plans/{key}/cancel",
        }
        assert Page(seen[Role.SUPERVISOR].text).actions == [f"/plans/{key}/approve-night"]
        assert (await client.post(f"/plans/{key}/start", headers=people[Role.SUPERVISOR])).status_code == 403
        without = {"Cookie": people[Role.DISPATCHER]["Cookie"]}
        assert (await client.post("/plans", data=FIELDS, headers=without)).status_code == 403
    await app.state.database.close()


async def test_who_has_a_part_of_the_tree_plans_for_that_part(database: Database, settings: Settings) -> None:
    async with database.unit_of_work() as session:
        heads = [
            await tree.enter_unit(session, tree.UnitEntry(code=code, name=name), None)
            for code, name in (("A", "甲县"), ("B", "乙县"))
        ]
        below = await tree.enter_unit(session, tree.UnitEntry(code="A1", name="甲县水利局"), heads[0].id)
    key = await enter_plan(database)
    app = own_doors(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        who = await signed_in(database, settings, Role.DISPATCHER, unit_ids=[heads[0].id])
        shown = Page((await client.get("/plans/new", headers=who.headers)).text)
        assert "甲县水利局" in shown.text
        assert "乙县" not in shown.text
        for units in ([], [str(heads[1].id)], [str(below.id), str(heads[1].id)]):
            refused = await client.post("/plans", data=FIELDS | {"subtrees": units}, headers=who.headers)
            assert refused.status_code == 422
            said = Page(refused.text).wrong["subtrees"]
            assert "只管" in said or "没有编号为" in said
        own = await client.post("/plans", data=FIELDS | {"subtrees": [str(below.id)]}, headers=who.headers)
        assert own.status_code == 303
        cancelled = await client.post(f"/plans/{key}/cancel", data={"reason": "x"}, headers=who.headers)
        assert cancelled.status_code == 404
        assert (await client.get(f"/plans/{key}/verify", headers=who.headers)).status_code == 404
    await app.state.database.close()


def test_every_message_is_in_the_catalogue() -> None:
    known = i18n.catalogue("en")
    found = {message for folder in FOLDERS for message in messages(folder)}
    assert len(found) > 400
    assert {message for message in found if message not in known} == set()
    for message in found:
        assert set(re.findall(r"%\((\w+)\)s", message)) == set(re.findall(r"%\((\w+)\)s", known[message])), (
            message
        )


async def test_pages_in_english_have_no_chinese_of_their_own(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    data = {"三月抽查", "单位", "通用开场语", "通用结束语"}
    key = await enter_plan(database, opening_id=1)
    await start_plan(database, settings, key)
    await client.post("/manual", data={"unit": "1", "source": "on_site", "day": "2026-03-03", "time": "09:00",
                                       "made_by": "clerk", "found": "no one there", "code": "off_post"})  # fmt: skip
    await client.post("/calendar/2026-05-01", data={"kind": "holiday", "sensitive": "1"})
    english = {"Cookie": f"{i18n.COOKIE}=en"}
    for path in (
        *("/plans", "/plans/new", f"/plans/{key}", f"/plans/{key}/preview", f"/plans/{key}/progress"),
        *(
            "/plans/year",
            f"/plans/{key}/verify",
            "/designated?unit=1",
            "/manual",
            "/manual/1",
            "/manual/new?unit=1",
        ),
        *("/prompts", "/calendar?year=2026", "/calendar/2026-05-01", "/calendar?year=2190"),
    ):
        answer = await client.get(path, headers=english)
        html = answer.text if "<main" in answer.text else f"<main>{answer.text}</main>"
        # What a prompt says is Chinese in any language.
        html = re.sub(r'<p class="words".*?</p>', "", html, flags=re.S)
        left = {item for item in CHINESE.findall(Page(html).text) if item not in data}
        assert left == set(), path
