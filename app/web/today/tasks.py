"""今日待办: what waits for somebody, each item a count and a link. Nothing here says what is to come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import AccountGrant, AuditEvent, AuditLink
from app.accounts.permissions import Permission as P
from app.accounts.principal import Principal
from app.checks import alarms
from app.checks.models import OfficeAlarm
from app.directory import quarters
from app.directory.models import CALLED_KINDS, Confirmation, DutyLine, NumberChange, Unit
from app.evidence.models import RecordingRemoval
from app.phone_records.models import PhoneRecord
from app.planning.models import Plan, Prompt
from app.reviews.models import Case
from app.rules.models import RuleActivation

_CASES: tuple[tuple[str, str, str], ...] = (
    ("to_review", "待复核", "机器拟认定或存疑的通话，要人听过再定"),
    ("proposed", "待告知", "已复核为拟认定，尚未告知单位"),
    ("notified", "已告知，待回复", "单位可在期限内申辩；到期未回复的可认定"),
    ("disputed", "申辩待裁决", "单位有异议，由另一名督查人员裁决"),
)
"""State of a case, what it is called here, and what is to be done."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that waits. Words are Chinese and translated where they are shown."""

    title: str
    count: int
    link: str
    hint: str
    urgent: bool = False
    """Whether something stands still until a person sees to it."""
    subject: str = ""
    """Added to the title as it is: the name of a trunk, or of a plan."""


@dataclass(slots=True)
class Reader:
    """Who reads, and when."""

    who: Principal
    now: datetime
    today: date
    zone: ZoneInfo
    found: list[Task] = field(default_factory=list)

    def add(
        self, title: str, count: int, link: str, hint: str, *, urgent: bool = False, subject: str = ""
    ) -> None:
        """Add an item unless nothing waits."""
        if count:
            self.found.append(Task(title, count, link, hint, urgent, subject))


async def waiting(session: AsyncSession, who: Principal, now: datetime, zone: ZoneInfo) -> Sequence[Task]:
    """What waits for somebody, what stands still first."""
    reader = Reader(who, now, now.astimezone(zone).date(), zone)
    for permission, collect in _COLLECTORS:
        if who.may(permission):
            await collect(session, reader)
    return sorted(reader.found, key=lambda task: not task.urgent)


async def _alarms(session: AsyncSession, reader: Reader) -> None:
    query = select(OfficeAlarm.kind, func.count()).where(OfficeAlarm.cleared_at.is_(None))
    link = "/system/notices" if reader.who.may(P.SYSTEM) else "/overview#trunks"
    for kind, count in await session.execute(query.group_by(OfficeAlarm.kind).order_by(OfficeAlarm.kind)):
        known = alarms.KINDS.get(kind)
        if kind == "coverage_short":
            reader.add(
                "计划覆盖不足", count, "/plans", "按现有上限排不满，要放宽时段、上限或减少次数", urgent=True
            )
        elif known is not None:
            where = "/calendar" if kind == "calendar_ending" and reader.who.may(P.CALENDAR) else link
            reader.add(f"告警：{known[0]}", count, where, _HINTS.get(kind, "请联系系统管理员"), urgent=True)


async def _cases(session: AsyncSession, reader: Reader) -> None:
    query = select(Case.state, func.count()).where(Case.state.in_([state for state, _, _ in _CASES]))
    counts: dict[str, int] = {row[0]: row[1] for row in await session.execute(query.group_by(Case.state))}
    for state, title, hint in _CASES:
        reader.add(title, counts.get(state, 0), f"/checks?state={state}", hint, urgent=state == "disputed")
    late = (
        select(func.count()).select_from(Case).where(Case.state == "notified", Case.answer_until < reader.now)
    )
    reader.add("告知期已满，可认定", await _count(session, late), "/checks?state=notified", "期限内没有回复")


async def _to_publish(session: AsyncSession, reader: Reader) -> None:
    confirmed = select(func.count()).select_from(Case).where(Case.state == "confirmed")
    count = await _count(session, confirmed)
    reader.add("已认定，待通报", count, "/checks?state=confirmed", "可列入下一期表格或通报")


async def _directory(session: AsyncSession, reader: Reader) -> None:
    pending = select(func.count()).select_from(NumberChange).where(NumberChange.outcome == "pending")
    reader.add(
        "号码变更待录入",
        await _count(session, pending),
        "/units/number-changes",
        "单位报了而我方未录，其间误拨不算单位问题",
        urgent=True,
    )
    lines = select(func.count()).select_from(DutyLine).where(DutyLine.active, DutyLine.kind.in_(CALLED_KINDS))
    failed = lines.where(DutyLine.verification == "failed")
    reader.add(
        "核号不通的电话", await _count(session, failed), "/units?verification=failed", "要向单位核实号码"
    )
    await _confirmations(session, reader)


async def _confirmations(session: AsyncSession, reader: Reader) -> None:
    """Quarterly confirmations: those of this quarter in its last week, and those that the last quarter still owes.

    A unit that was entered after a quarter owes none for it.
    """
    quarter = quarters.quarter_of(reader.today)
    first, _ = quarters.days_of(quarter)
    before = quarters.quarter_of(date.fromordinal(first.toordinal() - 1))
    for name, title in ((before, "上季度未核对的单位"), (quarter, "本季度待核对的单位")):
        if quarters.state_of(name, reader.today, confirmed=False) == "early":
            continue
        reader.add(
            title,
            await _count(session, _unconfirmed(name, reader.zone)),
            f"/units/confirmations?quarter={name}",
            "请单位确认名录无误",
        )


def _unconfirmed(quarter: str, zone: ZoneInfo) -> Select[Any]:
    first, last = quarters.days_of(quarter)
    over = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    given = select(Confirmation.unit_id).where(Confirmation.quarter == quarter)
    called = select(DutyLine.unit_id).where(DutyLine.active, DutyLine.kind.in_(CALLED_KINDS))
    return (
        select(func.count())
        .select_from(Unit)
        .where(
            Unit.id.in_(called),
            Unit.id.not_in(given),
            Unit.created_at < over,
            or_(Unit.first_day.is_(None), Unit.first_day <= last),
            or_(Unit.last_day.is_(None), Unit.last_day >= first),
        )
    )


async def _approvals(session: AsyncSession, reader: Reader) -> None:
    prompts = select(func.count()).select_from(Prompt)
    prompts = prompts.where(Prompt.approved_at.is_(None), Prompt.retired_at.is_(None))
    reader.add("提示音待批准", await _count(session, prompts), "/prompts", "未经批准的不会播放")


async def _removals(session: AsyncSession, reader: Reader) -> None:
    asked = select(func.count()).select_from(RecordingRemoval).where(RecordingRemoval.state == "requested")
    reader.add(
        "录音提前删除待裁决", await _count(session, asked), "/recordings?removal=requested", "由另一人决定"
    )


async def _phone_records(session: AsyncSession, reader: Reader) -> None:
    drafts = select(func.count()).select_from(PhoneRecord).where(PhoneRecord.state == "draft")
    reader.add("电话记录单待签", await _count(session, drafts), "/phone-records?state=draft", "核对后签发")


async def _plans(session: AsyncSession, reader: Reader) -> None:
    paused = select(func.count()).select_from(Plan).where(Plan.running.is_(False), Plan.state == "paused")
    reader.add("暂停中的计划", await _count(session, paused), "/plans", "恢复前不拨打")


async def _grants(session: AsyncSession, reader: Reader) -> None:
    asked = select(func.count()).select_from(AccountGrant).where(AccountGrant.state == "asked")
    decides = reader.who.may(P.ACCOUNTS_APPROVE)
    title, hint = (
        ("账号变更待批准", "批准后才生效") if decides else ("账号变更等安全管理员批准", "批准前不生效")
    )
    reader.add(title, await _count(session, asked), "/system/accounts", hint, urgent=decides)


async def _rules(session: AsyncSession, reader: Reader) -> None:
    """Without rules in force calls are recorded and nothing is ever put forward."""
    activated = await session.scalar(select(RuleActivation.id).limit(1))
    reader.add(
        "尚未启用规则集",
        int(activated is None),
        "/system/rules",
        "启用之前只记录接听情况，不对单位作出认定",
        urgent=True,
    )


async def _audit(session: AsyncSession, reader: Reader) -> None:
    last = await session.scalar(select(func.max(AuditLink.event_id))) or 0
    # A line of just now, such as this sign-in, is sealed within seconds: it waits for nobody.
    before = reader.now - timedelta(minutes=1)
    unsealed = select(func.count()).select_from(AuditEvent)
    unsealed = unsealed.where(AuditEvent.id > last, AuditEvent.at < before)
    count = await _count(session, unsealed)
    reader.add("审计记录尚未链接", count, "/system/audit", "通常数秒内自动链接；长期不减请查看服务")


async def _count(session: AsyncSession, query: Select[Any]) -> int:
    return int(await session.scalar(query) or 0)


Collector = Callable[[AsyncSession, Reader], Awaitable[None]]
_COLLECTORS: tuple[tuple[P, Collector], ...] = (
    (P.ALARMS, _alarms),
    (P.REVIEW, _cases),
    (P.PUBLISH, _to_publish),
    (P.DIRECTORY_CHANGE, _directory),
    (P.PLANS_APPROVE, _approvals),
    (P.REVIEW, _removals),
    (P.PHONE_RECORDS, _phone_records),
    (P.PLANS_CHANGE, _plans),
    (P.ACCOUNTS, _grants),
    (P.RULES_CHANGE, _rules),
    (P.AUDIT, _audit),
)
_HINTS = {
    "clock_off": "校准本机时钟前，计划停止抽取和拨打",
    "calendar_ending": "请导入新的日历，否则按普通周末处理",
    "draw_broken": "计划的抽签无法核对，请联系系统管理员",
    "recordings_unstored": "录音完好保留，恢复后自动入库；请检查磁盘或存储",
    "prompt_missing": "提示音文件缺失或被改动，相关通话不拨打",
    "disk_low": "请腾出磁盘空间",
    "disk_full": "磁盘已满，暂停拨测；请腾出空间",
    "retention_failed": "到期录音未能删除，请检查存储",
    "transcription_behind": "转写积压，录音不受影响",
}
