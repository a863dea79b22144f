"""The page of prompts: entered with their sound, approved by somebody else, retired with a warning."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from app import clock
from app.accounts.permissions import Role
from app.database import Database
from app.planning import repository
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.pages_read import Page
from tests.web.people import signed_in
from tests.web.planning_office import BOSS, MORNING, api, enter_lines, enter_plan, start_plan, tone

GIVEN = {"kind": "opening", "name": "县开场语", "words": "您好，这里是县总值班室。"}


@pytest.fixture
async def client(database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with api(settings, database) as found:
        yield found


def sound(content: bytes) -> dict[str, tuple[str, bytes]]:
    return {"file": ("opening.wav", content)}


async def test_a_prompt_is_entered_heard_and_approved_by_somebody_else(
    either: Database, settings: Settings
) -> None:
    async with api(settings, either) as client:
        assert "任何计划都不能启动" in (await client.get("/prompts")).text
        made = await client.post("/prompts", data=GIVEN, files=sound(tone()))
        assert (made.status_code, made.headers["location"]) == (303, "/prompts#prompt-1")
        mine = await client.get("/prompts")
        assert "由您录入，须由另一人审批" in mine.text
        assert "/prompts/1/approve" not in Page(mine.text).actions
        heard = await client.get("/api/v1/prompts/1/sound")
        assert heard.content[:4] == b"fLaC"
        assert 'src="/api/v1/prompts/1/sound"' in mine.text
        own = await client.post("/prompts/1/approve")
        assert (own.status_code, "不能审批自己录入的提示语" in own.text) == (422, True)
        assert "/prompts/1/approve" in Page((await client.get("/prompts", headers=BOSS)).text).actions
        assert (await client.post("/prompts/1/approve", headers=BOSS)).status_code == 303
        assert "由boss审批" in (await client.get("/prompts")).text
        async with either.reading() as session:
            assert [row.id for row in await repository.prompts(session, usable=True)] == [1]


@pytest.mark.parametrize(
    ("changed", "content", "wrong"),
    [
        ({}, b"", {"file": "请选择 WAV 或 FLAC 文件"}),
        ({}, b"ID3 no such file", {"file": "不是可读取的 WAV 或 FLAC 文件"}),
        ({}, tone(silent_s=1.5), {"file": "1.5 秒后才有人声；开场语须在 0.5 秒内开口"}),
        ({}, tone(21.0), {"file": "长 21.0 秒，最长 20 秒"}),
        ({"kind": "closing"}, tone(1.0, silent_s=1.0), {"file": "文件里没有声音"}),
        ({"name": " ", "words": "字" * 401}, tone(), {"name": "请填写", "words": "最多 400 个字"}),
        ({"kind": "song"}, tone(), {"kind": "请从列出的选项中选择"}),
        ({}, bytes(9 * 2**20), {"file": "文件超过 8 MiB"}),
    ],
)
async def test_what_cannot_be_used_is_named_and_the_words_are_kept(
    client: httpx.AsyncClient,
    database: Database,
    changed: dict[str, str],
    content: bytes,
    wrong: dict[str, str],
) -> None:
    given = GIVEN | changed
    answer = await client.post("/prompts", data=given, files=sound(content))
    found = Page(answer.text)
    assert (answer.status_code, found.wrong) == (422, wrong)
    assert (found.fields["name"][0], found.fields["words"][0]) == (given["name"].strip(), given["words"])
    async with database.reading() as session:
        assert await repository.prompts(session) == []


async def test_retiring_a_prompt_in_use_warns_of_its_plans(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    await enter_lines(database, 1)
    assert "/prompts/shipped" in Page((await client.get("/prompts")).text).actions
    assert (await client.post("/prompts/shipped")).status_code == 303
    assert "/prompts/shipped" not in Page((await client.get("/prompts")).text).actions
    for key in (1, 2):
        assert (await client.post(f"/prompts/{key}/approve", headers=BOSS)).status_code == 303
    with clock.running(lambda: MORNING):
        plan = await enter_plan(database)
        await start_plan(database, settings, plan)
    shown = (await client.get("/prompts")).text
    assert "停用“通用开场语”：有 1 个正在进行的计划使用它，停用后这些计划不再拨打任何电话" in shown
    assert "停用“通用结束语”：以后不能再用" in shown
    assert (await client.post("/prompts/1/retire")).status_code == 303
    late = await client.post("/prompts/1/approve", headers=BOSS)
    assert (late.status_code, "已停用，请重新录入" in late.text) == (422, True)
    assert "不可用" in (await client.get(f"/plans/{plan}")).text
    assert (await client.post("/prompts/99/approve")).status_code == 404


async def test_who_enters_and_who_approves(database: Database, settings: Settings) -> None:
    app = own_doors(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        dispatcher = (await signed_in(database, settings, Role.DISPATCHER)).headers
        supervisor = (await signed_in(database, settings, Role.SUPERVISOR)).headers
        inspector = (await signed_in(database, settings, Role.INSPECTOR)).headers
        token = {"Cookie": dispatcher["Cookie"]}
        unsigned = await client.post("/prompts", data=GIVEN, headers=token)
        assert unsigned.status_code == 403
        assert (await client.get("/prompts", headers=inspector)).status_code == 403
        sent = await client.post("/prompts", data=GIVEN, files=sound(tone()), headers=supervisor)
        assert sent.status_code == 403
        sent = await client.post("/prompts", data=GIVEN, files=sound(tone()), headers=dispatcher)
        assert sent.status_code == 303
        assert Page((await client.get("/prompts", headers=dispatcher)).text).actions == [
            "/prompts/shipped",
            "/prompts",
        ]
        assert Page((await client.get("/prompts", headers=supervisor)).text).actions == [
            "/prompts/1/approve",
            "/prompts/1/retire",
        ]
        assert (await client.post("/prompts/1/approve", headers=dispatcher)).status_code == 403
        assert (await client.post("/prompts/1/approve", headers=supervisor)).status_code == 303
    await app.state.database.close()
