"""A day in an office, for tests: its people at their browsers, its city as a spreadsheet, its clock at late morning."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import openpyxl
from playwright.async_api import Browser, Dialog, Page
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.permissions import Role
from app.checks.models import Attempt, Recording, SpotCheck, StoredProposal
from app.database import Database
from app.directory.models import DutyLine, Unit
from tests.browser.office import Office, Watch

CITY, TOWN, WATER, FORWARDED, SINGING, SILENT = "云溪市", "城关镇", "水利局", "双桥县", "文旅局", "供销社"
LINES = {TOWN: "61", WATER: "62", FORWARDED: "1811", SINGING: "90", SILENT: "71"}
"""Unit: the simulated line that is its duty line (`sip.simulator`)."""
_CATEGORIES = {"镇": "镇街", "县": "县区"}
UNKNOWN = {
    "抽查方式": "指定抽查", "抽查计划": "—", "拨打次数": 1, "第2次拨打": "—", "接听人姓名": "未核实", "职务": "未核实",
    "是否值班表人员": "未核实", "带班领导": "未核实", "带班领导在岗情况": "未核实", "要求回电时间": "未核实",
    "回电时间": "—", "回电用时（分）": "—", "回电号码": "—", "是否座机回电": "—", "业务问答": "未核实",
    "扣分": "—", "拟认定问题": "无", "已认定问题": "无", "认定状态": "—", "复核人": "—", "复核意见": "—",
}  # fmt: skip
"""What the full table says of a designated check of which nobody has said anything."""
JUDGED: Mapping[str, Mapping[str, Any]] = {
    WATER: {"接听情况": "三声内接听"},
    SILENT: {"接听情况": "我方取消"},
    SINGING: {
        "接听情况": "三声内接听；有彩铃迹象", "拟认定问题": "设置彩铃", "已认定问题": "不予认定",
        "认定状态": "设置彩铃：撤销", "复核人": "吴督查", "复核意见": "撤销：已按规定申请豁免",
    },
    FORWARDED: {
        "接听情况": "三声内接听；有呼叫转移迹象", "拟认定问题": "呼叫转移", "已认定问题": "呼叫转移",
        "认定状态": "呼叫转移：认定", "扣分": "未设扣分", "复核人": "吴督查", "复核意见": "认定",
        "备注（申诉／核实）": "单位无异议；事由：节前抽查",
    },
}  # fmt: skip
"""What is said of each unit's check beyond that, after the supervisor's day."""


def late_morning() -> str:
    """A time zone in which it is now between 11 and 12 o'clock: no night, no handover, no end of the day."""
    ahead = 11 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}"


def printed(unit: str) -> str:
    """The number of a unit as the directory prints it; 0000 is no area code."""
    return f"0000-555{LINES[unit]:0>4}"


def spreadsheet(**wrong: str) -> bytes:
    """The city as a workbook made with another program than ours; `parent` and `dialled` make two cells wrong."""
    book = openpyxl.Workbook()
    units = book.active
    assert units is not None
    units.title = "单位"
    units.append(["单位编码", "单位名称", "上级单位", "类别"])
    units.append(["Y00", CITY, "", "市"])
    for number, name in enumerate(LINES, 1):
        above = wrong.get("parent", CITY) if name == WATER else CITY
        units.append([f"Y{number:02}", name, above, _CATEGORIES.get(name[-1], "市直部门")])
    lines = book.create_sheet("线路")
    lines.append(["单位名称", "值班电话", "拨打号码"])
    for name, extension in LINES.items():
        lines.append(
            [name, printed(name), wrong.get("dialled", extension) if name == FORWARDED else extension]
        )
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


@dataclass
class Desk:
    """Somebody at their browser."""

    page: Page
    watch: Watch
    asked: list[str] = field(default_factory=list)
    """What the pages asked before they did it; it is always affirmed."""

    async def affirm(self, dialog: Dialog) -> None:
        self.asked.append(dialog.message)
        await dialog.accept()

    def outside(self) -> list[str]:
        """Requests to anywhere but the office."""
        own = urlsplit(self.page.url).netloc
        return [url for url in self.watch.requests if urlsplit(url).netloc != own]


@dataclass
class Day:
    """The office and everybody's desk in it."""

    office: Office
    browser: Browser
    database: Database
    stack: AsyncExitStack
    desks: dict[Role, Desk] = field(default_factory=dict)
    others: list[Desk] = field(default_factory=list)

    async def desk(self, role: Role) -> Desk:
        """The desk of the account with this role, where it was left."""
        if role not in self.desks:
            page = await self.stack.enter_async_context(self.office.signed_in(self.browser, role))
            self.desks[role] = seated(page)
        return self.desks[role]

    async def stranger(self) -> Desk:
        """Somebody who is not signed in."""
        context = await self.browser.new_context(locale="zh-CN", base_url=self.office.address)
        self.stack.push_async_callback(context.close)
        self.others.append(seated(await context.new_page()))
        return self.others[-1]

    async def page(self, role: Role, path: str = "") -> Page:
        """What somebody has before them, at an address if one is given."""
        desk = await self.desk(role)
        if path:
            await desk.page.goto(path)
        return desk.page

    async def rows(self, query: Any) -> Sequence[Any]:
        """What the database holds."""
        async with self.database.reading() as session:
            return (await session.execute(query)).all()

    async def unit_id(self, name: str) -> int:
        """The key of a unit."""
        found: int = (await self.rows(select(Unit.id).where(Unit.name == name)))[0][0]
        return found

    async def recording(self, unit: str) -> int:
        """The key of the recording of a unit's call."""
        query = select(Recording.id).join(Attempt, Attempt.id == Recording.attempt_id)
        found: int = (await self.rows(query.where(Attempt.unit_id == await self.unit_id(unit))))[0][0]
        return found

    async def status(self, role: Role, path: str) -> int:
        """What a page answers to somebody."""
        answer = await (await self.page(role)).context.request.get(path, max_redirects=0)
        return answer.status


def seated(page: Page) -> Desk:
    """A desk with this page on it: watched, and every question of a page affirmed."""
    page.set_default_timeout(20_000)
    desk = Desk(page, Watch(page))
    page.on("dialog", desk.affirm)
    return desk


@asynccontextmanager
async def a_day(office: Office, browser: Browser) -> AsyncIterator[Day]:
    """Open an office for a day; who comes to it gets a desk."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(office.settings.url))
        yield Day(office, browser, database, stack)


async def take_as_verified(session: AsyncSession, units: Sequence[str]) -> None:
    """Let lines pass as answered on their 核号 call."""
    of = select(Unit.id).where(Unit.name.in_(units)).scalar_subquery()
    await session.execute(update(DutyLine).where(DutyLine.unit_id.in_(of)).values(verification="verified"))


async def as_recorded(day: Day) -> list[dict[str, Any]]:
    """The rows of the full table of designated checks, made anew from what the database and the day say."""
    query = (
        select(Attempt, SpotCheck, Unit.name, DutyLine.number, Recording.id, StoredProposal.content)
        .join(SpotCheck, SpotCheck.id == Attempt.check_id)
        .join(Unit, Unit.id == Attempt.unit_id)
        .join(DutyLine, DutyLine.id == Attempt.line_id)
        .join(StoredProposal, StoredProposal.check_id == SpotCheck.id)
        .join(Recording, Recording.attempt_id == Attempt.id, isouter=True)
        .where(SpotCheck.kind == "designated")
        .order_by(Attempt.started_at)
    )
    found = []
    for place, (attempt, check, unit, number, recording, proposal) in enumerate(await day.rows(query), 1):
        at = attempt.started_at.astimezone(day.office.settings.zone).replace(microsecond=0, tzinfo=None)
        found.append(
            UNKNOWN
            | {
                "序号": place,
                "单位": unit,
                "值班电话": number,
                "抽查时间": at,
                "第1次拨打": at,
                "响铃时长（秒）": round(proposal["attempts"][0]["ring_s"], 1),
                "约响铃声数": attempt.rings or "未核实",
                "录音编号": f"录音{recording}",
                "抽查人": check.ordered_by,
                "备注（申诉／核实）": f"事由：{check.reason}",
            }
            | JUDGED[unit]
        )
    return found
