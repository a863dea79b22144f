"""今日待办: what waits for whom, each a count and a link; an empty system says what to do first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from app import clock
from app.accounts.models import AccountGrant, AuditEvent
from app.accounts.permissions import Permission, Role
from app.accounts.principal import Principal
from app.checks import alarms, service
from app.database import Database
from app.directory import changes
from app.directory import service as directory
from app.directory.models import DutyLine, Unit
from app.reviews.models import Case
from app.settings import Settings
from app.web.today.tasks import Task, waiting
from tests.web.apps import own_doors
from tests.web.people import account, signed_in
from tests.web.seed import fill

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
"""12:00 in Asia/Shanghai, in the middle of a quarter."""


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


async def line_of(database: Database, code: str = "a") -> tuple[Unit, DutyLine]:
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, code, f"云溪县{code}")
        return unit, await directory.add_line(session, unit, f"1{code}", f"sip:{code}@127.0.0.1")


async def entered_at(database: Database, unit: Unit, at: datetime) -> None:
    async with database.unit_of_work() as session:
        (await session.get_one(Unit, unit.id)).created_at = at


async def tasks_of(database: Database, *permissions: Permission, now: datetime = NOW) -> dict[str, Task]:
    who = Principal(1, "a", "a", frozenset(), frozenset(permissions))
    async with database.reading() as session:
        return {task.title: task for task in await waiting(session, who, now, ZoneInfo("Asia/Shanghai"))}


async def test_an_empty_system_says_what_to_do_first(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    who = await signed_in(database, settings, Role.DISPATCHER)
    page = (await client.get("/today", headers=who.headers)).text
    for title, link in (("导入单位和值班电话", "/units/import"), ("制定并启动抽查计划", "/plans")):
        assert f'<a href="{link}">{title}</a>' in page
    assert "没有等您处理的事项" in page
    assert "今天还没有通话" in page
    await line_of(database)
    page = (await client.get("/today", headers=who.headers)).text
    assert '<a href="/units/import">' not in page
    assert "导入单位和值班电话（已做）" in page


async def test_an_administrator_is_led_through_the_first_day(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    who = await signed_in(database, settings, Role.ADMINISTRATOR)
    page = (await client.get("/today", headers=who.headers)).text
    for title, link in (("任命安全管理员", "/system/accounts/new"), ("接入中继", "/system/trunks")):
        assert f'<a href="{link}">{title}</a>' in page
    assert "导入单位和值班电话" not in page
    await account(database, Role.SECURITY, name="安")
    page = (await client.get("/today", headers=who.headers)).text
    assert "任命安全管理员（已做）" in page
    assert '<a href="/system/rules">启用规则集</a>' in page


async def test_todays_calls_stand_below_what_waits(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    await fill(database, settings)
    who = await signed_in(database, settings, Role.INSPECTOR)
    page = (await client.get("/today", headers=who.headers)).text
    assert page.count('href="/checks/') == 8
    assert "24.4 秒" in page
    assert "超时接听" in page
    assert "先做这几件事" not in page


async def test_each_role_sees_what_waits_for_it(either: Database) -> None:
    unit, line = await line_of(either)
    async with either.unit_of_work() as session:
        line = await session.merge(line)
        line.verification = "failed"
        await changes.report(session, unit, line_id=line.id, number="2", received_at=NOW, who="李")
        check = await service.order_now(session, line, "指定抽查")
        await alarms.raise_alarm(session, "coverage_short", "plan:1", "x")
        await alarms.raise_alarm(session, "disk_full", "", "x")
        for number, state in enumerate(("to_review", "disputed", "notified", "overturned", "confirmed")):
            session.add(
                Case(
                    check_id=check.id, unit_id=unit.id, code=f"c{number}", happened_at=NOW, state=state, proposal={},
                    opened_at=NOW, changed_at=NOW, answer_until=datetime(2026, 11, 1, tzinfo=UTC),
                )
            )  # fmt: skip
    supervisor = await tasks_of(either, Permission.REVIEW)
    assert {title: task.count for title, task in supervisor.items()} == {
        "待复核": 1,
        "申辩待裁决": 1,
        "已告知，待回复": 1,
        "告知期已满，可认定": 1,
    }
    assert supervisor["申辩待裁决"].urgent
    assert next(iter(supervisor)) == "申辩待裁决"
    assert set(await tasks_of(either, Permission.PUBLISH)) == {"已认定，待通报"}
    dispatcher = await tasks_of(either, Permission.DIRECTORY_CHANGE, Permission.ALARMS)
    assert dispatcher["号码变更待录入"].count == 1
    assert dispatcher["核号不通的电话"].count == 1
    assert dispatcher["计划覆盖不足"].link == "/plans"
    assert dispatcher["告警：磁盘将满"].urgent
    assert await tasks_of(either, Permission.OVERVIEW) == {}


async def test_confirmations_are_asked_for_in_the_last_week_and_owed_after_it(either: Database) -> None:
    unit, _ = await line_of(either)
    await entered_at(either, unit, datetime(2026, 9, 30, 15, 59, tzinfo=UTC))
    last_week = await tasks_of(either, Permission.DIRECTORY_CHANGE, now=datetime(2026, 12, 28, 4, tzinfo=UTC))
    assert last_week["本季度待核对的单位"].count == 1
    before = await tasks_of(either, Permission.DIRECTORY_CHANGE)
    assert "本季度待核对的单位" not in before
    assert before["上季度未核对的单位"].link == "/units/confirmations?quarter=2026Q3"


async def test_a_unit_owes_no_confirmation_for_a_quarter_before_it_was_entered(either: Database) -> None:
    unit, _ = await line_of(either)
    await entered_at(either, unit, datetime(2026, 9, 30, 16, tzinfo=UTC))
    assert "上季度未核对的单位" not in await tasks_of(either, Permission.DIRECTORY_CHANGE)


async def test_lines_of_the_trail_wait_only_when_they_stay_unsealed(either: Database) -> None:
    async with either.unit_of_work() as session:
        event = AuditEvent(at=NOW - timedelta(seconds=5), who="a", action="x", subject="y", detail="")
        session.add(event)
    assert await tasks_of(either, Permission.AUDIT) == {}
    later = await tasks_of(either, Permission.AUDIT, now=NOW + timedelta(minutes=2))
    assert later["审计记录尚未链接"].count == 1


async def test_grants_wait_for_the_security_officer(either: Database) -> None:
    who = await account(either, Role.INSPECTOR, name="新来的")
    async with either.unit_of_work() as session:
        session.add(
            AccountGrant(
                account_id=who.id, roles=["supervisor"], unit_ids=None, asked_at=clock.now(), asked_by="管"
            )
        )
    officer = await tasks_of(either, Permission.ACCOUNTS, Permission.ACCOUNTS_APPROVE)
    assert officer["账号变更待批准"].urgent
    administrator = await tasks_of(either, Permission.ACCOUNTS)
    assert administrator["账号变更等安全管理员批准"].count == 1
