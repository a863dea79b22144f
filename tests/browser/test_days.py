"""Each user's day from end to end: the real service, simulated lines, a browser for everybody, one office.

The tests go by the clock, each from where the one before left the office.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import docx
import openpyxl
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from sqlalchemy import select

from app.accounts.audit_words import ACTION_ZH
from app.accounts.permissions import Role
from app.checks.models import Attempt
from app.directory.models import DutyLine, Unit
from app.imports.routes import XLSX
from app.reviews.models import Case
from tests.browser.days import (
    FORWARDED,
    LINES,
    SILENT,
    SINGING,
    TOWN,
    WATER,
    Day,
    a_day,
    as_recorded,
    late_morning,
    printed,
    spreadsheet,
    take_as_verified,
)
from tests.browser.office import Office, chromium, office

DISPATCHER, SUPERVISOR, INSPECTOR = "周值班", "吴督查", "郑检查"
TRAIL = {
    (DISPATCHER, "上传表格"), (DISPATCHER, "导入通讯录"), (DISPATCHER, "装入随附提示"), (SUPERVISOR, "批准录音提示"),
    (DISPATCHER, "新建计划"), (DISPATCHER, "启动计划"), ("王管理", "启用规则"), ("王管理", "申请开设账号"),
    ("冯安全", "批准账号"), ("孙立", "启用账号"), ("孙立", "退出登录"), ("孙立", "登录"), (DISPATCHER, "核实号码"),
    (DISPATCHER, "指定抽查"), (DISPATCHER, "旁听通话"), (DISPATCHER, "紧急停拨"), (DISPATCHER, "解除停拨"),
    (SUPERVISOR, "播放录音"), (SUPERVISOR, "提出认定"), (SUPERVISOR, "告知"), (SUPERVISOR, "单位无异议"),
    (SUPERVISOR, "认定"), (SUPERVISOR, "撤销"), (INSPECTOR, "导出"),
}  # fmt: skip
"""Who did what, as the auditor reads it."""
SHUT = {
    Role.DISPATCHER: "/recordings /recordings/1 /system/audit /system/accounts",
    Role.SUPERVISOR: "/plans/new /units/import /system/audit /system/accounts",
    Role.INSPECTOR: "/live /recordings /recordings/1 /plans /designated /system/audit /system/accounts",
    Role.ADMINISTRATOR: "/overview /live /checks /checks/1 /recordings /recordings/1 /units /reports /system/audit",
    Role.SECURITY: "/overview /live /checks /checks/1 /recordings /units /plans /reports /system/audit /system/rules",
    Role.AUDITOR: "/overview /live /checks /checks/1 /recordings /units /plans /reports /system/accounts",
}
PERIODS = ("工作日白天", "双休日", "法定节假日", "调休工作日白天", "调休后的公休日")
PASSWORD = "Lu-Shui 2026 qiu"

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.xdist_group("days"),
    pytest.mark.asyncio(loop_scope="module"),
]

expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("days") / "data", zone=late_morning()) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(running: Office) -> AsyncIterator[Day]:
    async with chromium() as browser, a_day(running, browser) as begun:
        yield begun


async def test_the_dispatcher_brings_a_spreadsheet_and_puts_two_cells_right(day: Day) -> None:
    page = await day.page(Role.DISPATCHER, "/")
    await page.get_by_role("link", name="单位与电话").click()
    await page.get_by_role("link", name="导入导出").click()
    bad = spreadsheet(parent="云溪", dialled="18l1")
    await page.get_by_label("Excel").set_input_files({"name": "名录.xlsx", "mimeType": XLSX, "buffer": bad})
    await page.get_by_role("button", name="上传并预览").click()
    await expect(page.get_by_text("有 2 处错误，不能导入。")).to_be_visible()
    told = await page.locator("table.findings tbody tr").all_inner_texts()
    assert sorted(line.split("\t")[:3] for line in told) == [
        ["单位", "C4", "云溪"],
        ["线路", "C4", "18l1"],
    ]
    assert await page.get_by_role("button", name="确认导入").count() == 0
    assert await day.rows(select(Unit.id)) == []

    await page.get_by_label("Excel").set_input_files(
        {"name": "名录.xlsx", "mimeType": XLSX, "buffer": spreadsheet()}
    )
    await page.get_by_role("button", name="上传并预览").click()
    await expect(page.get_by_text("可以导入：新增 11，变更 0。")).to_be_visible()
    await page.get_by_role("button", name="确认导入").click()
    await expect(page.get_by_text("已全部导入")).to_be_visible()
    found = await day.rows(select(Unit.name, DutyLine.number, DutyLine.verification).join(DutyLine.unit))
    assert sorted(found) == sorted((name, printed(name), "pending") for name in LINES)
    await page.get_by_role("link", name="去看单位").click()
    await expect(page.get_by_role("treeitem", name=TOWN)).to_be_visible()


async def test_an_opening_is_approved_by_somebody_else_and_a_plan_is_started(day: Day) -> None:
    page = await day.page(Role.DISPATCHER, "/plans")
    await page.get_by_role("link", name="提示语").click()
    await page.get_by_role("button", name="录入随附的提示语").click()
    await expect(page.get_by_text("待审批")).to_have_count(2)
    assert await page.get_by_role("button", name="审批通过").count() == 0

    theirs = await day.desk(Role.SUPERVISOR)
    await theirs.page.goto("/prompts")
    for left in (1, 0):
        await theirs.page.get_by_role("button", name="审批通过").first.click()
        await expect(theirs.page.get_by_role("button", name="审批通过")).to_have_count(left)
    assert all(question.startswith("审批通过“") for question in theirs.asked)

    await page.goto("/plans")
    await page.get_by_role("link", name="新建计划").first.click()
    await page.get_by_label("计划名称").fill("冬季抽查")
    first = date.today() + timedelta(days=2)
    await page.get_by_label("开始日期").fill(first.isoformat())
    await page.get_by_label("结束日期").fill((first + timedelta(days=27)).isoformat())
    await page.locator("[name=opening_id]").select_option(index=1)
    await page.get_by_role("button", name="保存为草稿").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("冬季抽查")
    await page.get_by_role("button", name="启动").click()
    await expect(page.locator("h1 .state")).to_have_text("进行中")
    await expect(page.locator("#preview")).to_contain_text("每")


async def test_the_administrator_puts_rules_in_force_and_invites_whom_security_lets_in(day: Day) -> None:
    desk = await day.desk(Role.ADMINISTRATOR)
    page = desk.page
    await page.goto("/today")
    await page.get_by_role("link", name="尚未启用规则集").click()
    await page.get_by_role("link", name="宝鸡市").click()
    await page.get_by_label("本单位依据文件").fill("云政办发〔2026〕1号")
    await page.get_by_role("button", name="启用", exact=True).click()
    await expect(page.locator("main p.status").first).to_contain_text("云政办发〔2026〕1号")

    await page.goto("/system/accounts/new")
    await page.get_by_label("姓名").fill("孙立")
    await page.get_by_label("登录名").fill("sunli")
    await page.get_by_label("检查员").check()
    await page.get_by_role("button", name="提出申请").click()
    link = await page.locator("code.once").inner_text()
    invited = await day.stranger()
    await invited.page.goto(link)
    await expect(invited.page.get_by_role("heading", level=1)).to_have_text("链接打不开")

    officer = await day.page(Role.SECURITY, "/today")
    await officer.get_by_role("link", name="账号变更待批准").click()
    await officer.get_by_role("link", name="孙立").click()
    await officer.get_by_role("button", name="批准", exact=True).click()
    code = await officer.locator("code.once").inner_text()

    page = invited.page
    await page.goto(link)
    await page.get_by_label("核对码").fill(code)
    await page.get_by_label("新口令").fill(PASSWORD)
    await page.get_by_label("再输一次").fill(PASSWORD)
    await page.get_by_role("button", name="设定口令并进入").click()
    await expect(page.locator(".me")).to_have_text("孙立")
    await page.get_by_role("button", name="退出").click()
    await page.get_by_label("登录名").fill("sunli")
    await page.get_by_label("口令").fill(PASSWORD)
    await page.get_by_role("button", name="登录", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("今日待办")
    # A browser tells its console of every answer that is an error: here the link before it was approved.
    (told,) = invited.watch.complaints
    assert "Failed to load resource" in told
    invited.watch.complaints.clear()


async def choose(day: Day, unit: str) -> Page:
    """Choose a unit on the page of designated checks."""
    page = await day.page(Role.DISPATCHER, "/designated")
    await page.locator("select[name=unit]").select_option(str(await day.unit_id(unit)))
    await page.get_by_role("button", name="看会拨打哪些电话").click()
    return page


async def order(day: Day, unit: str, reason: str) -> None:
    """Order a designated check of a unit."""
    page = await choose(day, unit)
    await page.get_by_label("理由（必填）").fill(reason)
    await page.get_by_role("button", name="马上抽查").click()
    await expect(page.get_by_text("已下达，马上拨打。")).to_be_visible()


async def test_calls_are_ordered_watched_heard_and_stopped(day: Day) -> None:
    page = await choose(day, TOWN)
    await expect(page.locator("section", has_text=printed(TOWN)).first).to_contain_text("核号")
    await page.get_by_role("button", name="核号").click()
    await expect(page.get_by_text("已下达，马上拨打。")).to_be_visible()
    async with day.database.unit_of_work() as session:
        await take_as_verified(session, (WATER, FORWARDED, SINGING, SILENT))
    for unit in (SINGING, FORWARDED, WATER):
        await order(day, unit, "节前抽查")

    await page.goto("/live")
    row = page.locator("#live tbody tr", has_text=WATER)
    await expect(row).to_contain_text("振铃中")
    await expect(row.locator("[data-f=rings]")).to_have_text(re.compile("约 [12] 声"))
    await expect(row).to_contain_text("通话中")
    await row.get_by_role("button", name="旁听").click()
    await expect(page.locator("[data-ear=state]")).to_contain_text("滞后")
    loudest = "() => dutyringEar.delays.length > 20 && dutyringEar.context.state === 'running'"
    await page.wait_for_function(loudest)

    other = await day.page(Role.SUPERVISOR, "/live")
    # Talking, or over by now where the machine is slow.
    singing = page.locator("#live tbody tr", has_text=SINGING)
    await expect(singing).to_contain_text(re.compile("通话中|设置彩铃"))
    await order(day, SILENT, "上次无人接听")
    await page.goto("/live")
    await expect(page.locator("#live tbody tr", has_text=SILENT)).to_contain_text(re.compile("约 [1-4] 声"))
    # The others are over, whether they talk, ring or are being hung up now.
    under_way = page.locator("#live tbody tr[data-id]:not(.phase-over)")
    await expect(under_way).to_have_count(1, timeout=30_000)
    await page.keyboard.press("F8")
    await expect(page.locator("#panel")).to_contain_text("正在拨测 1 路，将立即结束")
    await page.locator("#panel").get_by_label("停拨理由").fill("防汛应急响应")
    await page.locator("#panel").get_by_role("button", name="立即停拨").click()
    await expect(page.locator("#stop-banners")).to_contain_text("防汛应急响应")
    await expect(other.locator("#stop-banners")).to_contain_text("防汛应急响应")
    for role, path in (
        (Role.AUDITOR, "/system/audit"),
        (Role.INSPECTOR, "/checks"),
        (Role.ADMINISTRATOR, "/system"),
    ):
        await expect((await day.page(role, path)).locator("#stop-banners")).to_contain_text("紧急停拨中")
    await page.goto("/live")
    await expect(page.get_by_text("此刻没有进行中的通话。")).to_be_visible()
    ends = await day.rows(
        select(Attempt.outcome, Attempt.verdict_code).join(Attempt.unit).where(Unit.name == SILENT)
    )
    assert ends == [("cancelled", "cancelled")]
    await page.goto(f"/designated?unit={await day.unit_id(WATER)}")
    await expect(page.locator("table.list").first).to_contain_text("停拨")

    await page.locator("#stop-banners").get_by_role("link", name="解除停拨").click()
    await page.get_by_label("解除理由").fill("响应解除")
    await page.get_by_role("button", name="解除停拨").click()
    await expect(page.get_by_text("没有停拨，抽查照常进行。")).to_be_visible()
    await expect(other.locator("#stop-banners .stop-banner")).to_have_count(0)
    assert await day.rows(select(DutyLine.verification).join(DutyLine.unit).where(Unit.name == TOWN)) == [
        ("verified",)
    ]


async def test_the_supervisor_finds_hears_confirms_and_overturns(day: Day) -> None:
    desk = await day.desk(Role.SUPERVISOR)
    page = desk.page
    await page.goto("/today")
    await page.get_by_role("link", name="抽查记录").click()
    await page.locator(".filter [name=verdict]").select_option(label="呼叫转移")
    await page.get_by_role("button", name="筛选", exact=True).click()
    row = page.locator("#rows table.list").first.locator("tbody tr")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text(FORWARDED)
    await row.get_by_role("link").first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(FORWARDED)
    await expect(page.locator(".wave-tools").first).to_be_visible()
    await page.locator("table.evidence a[data-seek]").first.click()
    await page.wait_for_function(
        "() => (s => s.readyState > 0 && !s.paused && s.currentTime > 0.5)(document.querySelector('audio'))"
    )
    await expect(page.locator(".on-record")).to_have_text("本次收听已记入审计。")
    await page.get_by_role("button", name="播放 / 暂停").click()
    case = page.locator("article.case").first
    await step(page, "拟认定")
    await step(page, "发核实通知单", answer_to="县政府总值班室 0000-5550000")
    await step(page, "单位无异议", by="李主任")
    await step(page, "作出认定")
    await expect(case.locator(".case-state")).to_have_text("认定")

    await page.goto("/checks?verdict=crbt")
    await page.locator("#rows table.list tbody a").first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(SINGING)
    await step(page, "撤销（不认定、我方原因等）", reason="已按规定申请豁免")
    await expect(page.locator("article.case .case-state").first).to_have_text("撤销")
    assert desk.asked[-1].startswith("撤销事项")
    found = await day.rows(
        select(Unit.name, Case.state, Case.confirmed_by).join(Unit, Unit.id == Case.unit_id)
    )
    assert sorted(found) == sorted([(FORWARDED, "confirmed", "吴督查"), (SINGING, "revoked", None)])


async def step(page: Page, name: str, **fields: str) -> None:
    """Take a step of the first case of a check."""
    box = (
        page.locator("article.case")
        .first.locator("details.step")
        .filter(has=page.get_by_text(name, exact=True))
        .first
    )
    await box.locator("summary").first.click()
    for field, value in fields.items():
        await box.locator(f"[name={field}]").fill(value)
    await box.get_by_role("button", name=name, exact=True).click()
    await page.wait_for_load_state()


async def test_the_inspector_exports_what_the_list_shows(day: Day) -> None:
    page = await day.page(Role.INSPECTOR, "/checks")
    await page.get_by_text("更多条件").click()
    await page.locator(".filter [name=kind]").select_option(label="指定抽查")
    await page.get_by_role("button", name="筛选", exact=True).click()
    await expect(page.locator("#rows tbody a[href^='/checks/']")).to_have_count(4)
    await page.get_by_text("导出", exact=True).click()
    await page.locator("[name=table]").select_option(label="值班电话抽查情况明细表")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="导出当前筛选").click()
    book = openpyxl.load_workbook(io.BytesIO(Path(await (await coming.value).path()).read_bytes()))
    head, *rows = list(book["表"].iter_rows(min_row=3, values_only=True))
    told = [dict(zip(head, row, strict=True)) for row in rows]
    assert told.pop()["序号"] == "导出人：郑检查"
    assert all(row.pop("时段").startswith(PERIODS) for row in told)
    assert told == await as_recorded(day)
    about = dict(book["导出说明"].iter_rows(values_only=True))
    assert (about["导出人"], about["筛选条件"], about["行数"]) == ("郑检查", "方式：指定抽查", "4")

    await page.goto("/reports/forms")
    today = datetime.now(day.office.settings.zone).date().isoformat()
    await page.locator("[name=first]").fill(today)
    await page.locator("[name=last]").fill(today)
    await page.locator("select[name=units]").select_option(label=FORWARDED)
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="生成").click()
    paper = docx.Document(str(await (await coming.value).path()))
    answers = {row.cells[2].text: row.cells[3].text for row in paper.tables[0].rows}
    month, of_month = (int(part) for part in today.split("-")[1:])
    assert answers["是否存在值班电话设置彩铃或呼转手机情况"] == f"已认定：{month}月{of_month}日呼叫转移"
    assert answers["是否按要求报送值班表"].startswith("未核实")


async def test_the_auditor_sees_all_of_it_and_the_chain_holds(day: Day) -> None:
    page = await day.page(Role.AUDITOR, "/today")
    await page.get_by_role("link", name="系统").click()
    await page.locator("main").get_by_role("link", name="审计").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("审计")
    trail = set()
    while True:
        for line in await page.locator("table.audit tbody tr").all_inner_texts():
            trail.add(tuple(line.split("\t")[1:4]))
        older = page.get_by_role("link", name="更早的记录")
        if not await older.count():
            break
        async with page.expect_navigation():
            await older.click()
    assert {action for _, action, _ in trail} <= set(ACTION_ZH.values())
    assert {(who, action) for who, action, _ in trail} >= TRAIL
    heard = {(who, subject) for who, action, subject in trail if action == "播放录音"}
    assert heard == {("吴督查", f"录音 {await day.recording(FORWARDED)}")}

    await page.get_by_role("button", name="核对全部记录").click()
    await expect(page.get_by_text("核对无误")).to_be_visible()
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="导出（JSON，连同记录链）").click()
    lines = Path(await (await coming.value).path()).read_text(encoding="utf-8").splitlines()
    exported = [json.loads(line)["event"] for line in lines[1:] if '"event"' in line]
    assert {(event["who"], ACTION_ZH[event["action"]]) for event in exported} >= TRAIL


async def test_nobody_left_the_office_or_came_through_another_ones_door(day: Day) -> None:
    for role, paths in SHUT.items():
        for path in paths.split():
            assert (role, path, await day.status(role, path)) == (role, path, 403)
    for desk in (*day.desks.values(), *day.others):
        assert desk.watch.complaints == []
        assert desk.outside() == []
