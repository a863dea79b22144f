"""Looks at all that the service needs and says what to do (体检). It changes nothing, and dials nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.models import Account
from app.database import Database
from app.notices.service import channels
from app.operations import doctor_machine as machine
from app.operations.findings import Finding, fail, ok, warn
from app.operations.readiness import database_revision, head_revision, known_revisions
from app.planning.calendar import load_book
from app.planning.models import Plan, Prompt
from app.policy import Stored, records_are_there
from app.settings import Settings
from app.trunk_settings import trunk_of
from app.trunks import repository as trunks
from app.trunks.merge import OurTrunk, merged, usable
from app.trunks.service import UNKNOWN, known_state
from app.trunks.wording import STATES_ZH
from sip.asking import ask_server

WARNED_DAYS = 60
"""So long before its end the calendar must be gone on with."""


async def examine(settings: Settings, database: Database, *, offline: bool = False) -> Sequence[Finding]:
    """Look at everything. `offline`: no trunk and no time server is asked."""
    return [
        machine.settings_named(os.environ),
        *await asyncio.to_thread(_of_machine, settings),
        await machine.clock(settings, offline=offline),
        await machine.pages_port(settings),
        *await _of_database(settings, database, offline=offline),
        _notices(settings),
    ]


def _of_machine(settings: Settings) -> list[Finding]:
    return [
        machine.data_folder(settings),
        machine.archive(settings),
        *machine.disks(settings),
        machine.key_modes(settings),
        *machine.named_files(settings),
        machine.memory(),
        machine.open_files(settings),
        machine.time_zone(settings),
        machine.https(settings),
        machine.speech(settings),
        machine.phone_port(settings),
    ]


async def _of_database(settings: Settings, database: Database, *, offline: bool) -> list[Finding]:
    try:
        if not records_are_there(settings):
            return [_no_database(), *await _trunks(settings, Stored(), offline=offline)]
        revision = await database_revision(database)
        found = [_revision(revision)]
        if found[0].state != "ok":
            return found
        async with database.reading() as session:
            found += [await _accounts(session), await _prompts(session), await _calendar(session, settings)]
            stored = Stored(
                trunks=tuple(await trunks.records(session)), states=tuple(await trunks.states(session))
            )
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        return [
            fail(
                "database", f"the database cannot be read: {reason}", "数据库无法读取",
                "check DUTYRING_DATABASE_URL, and whether the server runs", "请检查 DUTYRING_DATABASE_URL 和数据库服务",
            )
        ]  # fmt: skip
    return found + await _trunks(settings, stored, offline=offline)


def _no_database() -> Finding:
    return warn(
        "database", "there is no database yet", "还没有数据库",
        "`dutyring serve` makes it at its first start", "首次运行 dutyring serve 时自动建立",
    )  # fmt: skip


def _revision(revision: str | None) -> Finding:
    head = head_revision()
    if revision == head:
        return ok("database", f"the database is at revision {head}", f"数据库版本 {head}")
    if revision in known_revisions():
        return warn(
            "database", f"the database is at revision {revision}; this version works with {head}",
            f"数据库版本为 {revision}，本程序需要 {head}",
            "back up, then `dutyring db upgrade` or start the service",
            "请先备份，再运行 dutyring db upgrade 或启动服务",
        )  # fmt: skip
    return fail(
        "database", f"the database is at revision {revision}, of a newer version than this one",
        f"数据库版本 {revision} 高于本程序", "install the newer version again", "请重新安装较新的版本",
    )  # fmt: skip


async def _accounts(session: AsyncSession) -> Finding:
    query = select(func.count()).select_from(Account).where(Account.state == "active")
    number = await session.scalar(query) or 0
    if not number:
        return warn(
            "accounts", "nobody has an account yet", "还没有任何账号",
            "start the service and open the link that it prints", "请启动服务并打开它给出的链接",
        )  # fmt: skip
    return ok("accounts", f"{number} active accounts", f"{number} 个有效账号")


async def _prompts(session: AsyncSession) -> Finding:
    usable_prompt = (Prompt.kind == "opening", Prompt.approved_at.is_not(None), Prompt.retired_at.is_(None))
    approved = await session.scalar(select(func.count()).select_from(Prompt).where(*usable_prompt)) or 0
    if approved:
        return ok("prompts", f"{approved} approved openings", f"{approved} 条已批准的开场提示音")
    running = await session.scalar(select(func.count()).select_from(Plan).where(Plan.state == "running")) or 0
    told = (
        "prompts", "no opening prompt is approved: no plan can be started", "没有已批准的开场提示音，计划无法启动",
        "add one (`dutyring prompts add`, or on the pages), and let a supervisor approve it",
        "请在页面上传或装入自带提示音，并由督查人员批准",
    )  # fmt: skip
    return fail(*told) if running else warn(*told)


async def _calendar(session: AsyncSession, settings: Settings) -> Finding:
    today: date = clock.now().astimezone(settings.zone).date()
    last = today + timedelta(days=WARNED_DAYS)
    unknown = (await load_book(session, today, last)).unknown(today, last)
    if unknown:
        return warn(
            "calendar", f"from {unknown[0]} on days follow the weekend rule", f"自 {unknown[0]} 起只按双休日规则",
            "import the next year's holidays: `dutyring calendar import`", "请导入下一年度节假日安排",
        )  # fmt: skip
    return ok("calendar", f"the calendar is known until {last} at least", f"日历数据至少到 {last}")


def _notices(settings: Settings) -> Finding:
    ways = channels(settings)
    if not ways:
        return warn(
            "notices", "notices stand on the pages alone", "提醒只显示在页面上",
            "set DUTYRING_SMTP_HOST or DUTYRING_NOTICE_WEBHOOK_URL",
            "可设置 DUTYRING_SMTP_HOST 或 DUTYRING_NOTICE_WEBHOOK_URL",
        )  # fmt: skip
    return ok("notices", f"notices are sent by {', '.join(ways)}", f"提醒通过 {'、'.join(ways)} 发送")


async def _trunks(settings: Settings, stored: Stored, *, offline: bool) -> list[Finding]:
    ours = [trunk for trunk in merged(settings, stored.trunks) if trunk.in_use]
    if not ours:
        return [
            warn(
                "trunk", "there is no trunk: only lines with a SIP URI can be called",
                "没有中继，只能拨打 SIP 地址的线路",
                "set DUTYRING_TRUNKS or `dutyring trunks add`", "请设置 DUTYRING_TRUNKS，或运行 dutyring trunks add",
            )
        ]  # fmt: skip
    wrong = {error.trunk: error for error in usable(settings, ours)[1]}
    found = [
        fail(
            "trunk", f"trunk {name}: {error.member}: {error.reason}", f"中继 {name} 设置有误（{error.member}）",
            "mend the setting or the record", "请更正设置或记录",
        )
        for name, error in wrong.items()
    ]  # fmt: skip
    fit = [trunk for trunk in ours if trunk.name not in wrong]
    return found + list(await asyncio.gather(*(_trunk(settings, stored, one, offline) for one in fit)))


async def _trunk(settings: Settings, stored: Stored, ours: OurTrunk, offline: bool) -> Finding:
    """What the phone that runs says of it; where none runs, its server is asked."""
    name = ours.name
    do = (
        "check network, address, firewall and account: `dutyring trunks show`",
        "请检查网络、地址、防火墙和账号",
    )
    row = next((state for state in stored.states if state.name == name), None)
    state = known_state(row, clock.now())
    if state not in (UNKNOWN, "stopped", "starting"):
        said = (
            f"trunk {name}: the phone says {state}",
            f"中继 {name}：拨测程序报告{STATES_ZH.get(state, state)}",
        )
        if state == "down":
            return fail("trunk", *said, *do)
        alarms = len(row.alarms) if row is not None else 0
        if alarms:
            return warn("trunk", f"{said[0]}, {alarms} alarms", f"{said[1]}，告警 {alarms} 项", *do)
        return ok("trunk", *said)
    if offline:
        return ok("trunk", f"trunk {name}: not asked", f"中继 {name}：未询问")
    answer = await ask_server(trunk_of(name, ours.config, settings.sip_bind, settings.sip_identity))
    if not answer.alive:
        return fail(
            "trunk", f"trunk {name}: {answer.reason}", f"中继 {name} 无正常应答：{answer.reason}", *do
        )  # fmt: skip
    took = "" if answer.round_trip_ms is None else f" in {answer.round_trip_ms:.0f} ms"
    return ok(
        "trunk",
        f"trunk {name}: OPTIONS answered {answer.status}{took}",
        f"中继 {name}：OPTIONS 应答 {answer.status}",
    )
