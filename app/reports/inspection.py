"""值班工作检查记录表 (固原, annex 3) of one unit: what calls, rosters and checks by hand show of each question.

The telephone cannot see a duty room. A question on which nothing is on record reads 未核实; where something is, the
dates stand beside it, and what the machine only proposes is called 拟认定.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import SpotCheck
from app.directory.models import Unit
from app.planning.models import ManualCheck
from app.reports import gathering, people, wording
from app.reports.gathering import CheckRow
from app.reports.periods import Days
from app.reports.summary import start_of
from app.reports.wording import UNKNOWN
from app.reviews.codes import title_of
from app.reviews.models import COUNTING, Case
from app.rosters.models import Roster

MOST_CHECKS = 300
MOST_DATES = 12
"""Dates that one answer names."""
SOURCES = {
    "hand_dialled": "人工拨打",
    "on_site": "实地检查",
    "video": "视频检查",
    "superior": "上级抽查",
    "admission": "本人承认",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One question of the form and what is on record of it."""

    part: str
    group: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """A form that is filled in."""

    unit: str
    inspectors: str
    days: Days
    items: Sequence[Item]
    beside: Sequence[str]
    """备注: checks by hand, and what the form does not ask for."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on record of a unit in a period."""

    unit: Unit
    days: Days
    zone: ZoneInfo
    deadline_days: int
    checks: Sequence[CheckRow]
    rosters: Sequence[tuple[date, str, datetime]]
    """Day, kind and when it was filed first."""
    manual: Sequence[ManualCheck]
    confirmed: Sequence[tuple[str, datetime]]
    """Codes of confirmed findings of checks by hand, with their moments."""

    def day_of(self, at: datetime) -> str:
        """A local day as the form writes it."""
        local = at.astimezone(self.zone)
        return f"{local.month}月{local.day}日"


async def facts_of(
    session: AsyncSession, unit: Unit, days: Days, zone: ZoneInfo, deadline_days: int
) -> Facts:
    """Gather what is on record of a unit."""
    first, until = start_of(days.first, zone), start_of(days.last + timedelta(days=1), zone)
    query = select(SpotCheck.id).where(
        SpotCheck.unit_id == unit.id,
        SpotCheck.first_due_at >= first,
        SpotCheck.first_due_at < until,
        SpotCheck.state == "done",
        SpotCheck.kind.in_(("random", "designated")),
    )
    ids = (
        await session.scalars(query.order_by(SpotCheck.first_due_at, SpotCheck.id).limit(MOST_CHECKS))
    ).all()
    rosters = await session.execute(
        select(Roster.day, Roster.kind, Roster.filed_at)
        .where(Roster.unit_id == unit.id, Roster.day.between(days.first, days.last), Roster.version == 1)
        .order_by(Roster.day)
    )
    manual = select(ManualCheck).where(
        ManualCheck.unit_id == unit.id, ManualCheck.at >= first, ManualCheck.at < until
    )
    cases = await session.execute(
        select(Case.confirmed_code, Case.code, Case.happened_at)
        .where(
            Case.unit_id == unit.id, Case.kind == "manual", Case.state.in_(COUNTING),
            Case.happened_at >= first, Case.happened_at < until,
        )
        .order_by(Case.happened_at)
    )  # fmt: skip
    return Facts(
        unit,
        days,
        zone,
        deadline_days,
        await gathering.rows(session, ids),
        [(row[0], row[1], row[2]) for row in rosters],
        (await session.scalars(manual.order_by(ManualCheck.at))).all(),
        [(row[0] or row[1], row[2]) for row in cases],
    )


def fill(facts: Facts) -> Inspection:
    """Fill the form in. Pure."""
    duty, reports = "值班值守工作情况", "值班信息报告情况"
    asked: Sequence[tuple[str, str, str, Callable[[Facts], str]]] = (
        (duty, "值班责任落实情况", "是否按要求报送值班表", _rosters),
        (duty, "值班责任落实情况", "是否落实24小时值班和领导在岗带班制度", _presence),
        (duty, "值班责任落实情况", "值班员是否清楚本单位主要负责同志去向及联系方式", _by_hand("unprepared")),
        (duty, "值班责任落实情况", "值班员是否了解本单位值班工作安排", _arrangements),
        (duty, "值班制度执行情况", "值班电话接听是否及时规范", _answering),
        (duty, "值班制度执行情况", "是否存在值班电话设置彩铃或呼转手机情况", _diverting),
        (duty, "值班制度执行情况", "是否掌握国务院及自治区政府总值班室电话号码", _numbers),
        (duty, "值班制度执行情况", "值班人员是否清楚信息报送流程", _by_hand("unprepared")),
        (
            reports,
            "主体责任履行情况",
            "是否在30分钟内电话报告、1小时内书面报告发生在本单位的重要紧急情况",
            _by_hand("late_report"),
        ),
        (reports, "主体责任履行情况", "是否及时准确反馈调度核实情况", lambda _: UNKNOWN),
    )
    named = dict.fromkeys(
        [check.inspector for check in facts.checks if check.inspector] + [row.made_by for row in facts.manual]
    )
    return Inspection(
        unit=facts.unit.name,
        inspectors="、".join(named) or UNKNOWN,
        days=facts.days,
        items=[Item(part, group, question, answer(facts)) for part, group, question, answer in asked],
        beside=_beside(facts),
    )


def _rosters(facts: Facts) -> str:
    total = (facts.days.last - facts.days.first).days + 1
    filed = {day: at for day, kind, at in facts.rosters if kind == "duty"}
    if not filed:
        return f"{UNKNOWN}（本系统未收到本期值班表）"
    late = [
        day
        for day, at in filed.items()
        if at.astimezone(facts.zone).date() > day - timedelta(days=facts.deadline_days)
    ]
    told = f"本期 {total} 天，已报送 {len(filed)} 天"
    if late:
        named = "、".join(f"{day.month}月{day.day}日" for day in late[:MOST_DATES])
        return f"{told}，其中未按期（提前 {facts.deadline_days} 天）报送 {len(late)} 天：{named}{_more(late)}"
    return f"{told}，均按期"


def _presence(facts: Facts) -> str:
    answered = [check for check in facts.checks if _picked_up(check)]
    told = ""
    if facts.checks:
        told = f"电话抽查 {len(facts.checks)} 次，接通 {len(answered)} 次；"
    found = _found_by_hand(facts, "off_post", "leader_absent", "ineligible_staff")
    return f"{told}{found}" if found else f"{told}人员在岗及领导带班情况电话不能判断，{UNKNOWN}"


def _arrangements(facts: Facts) -> str:
    found = _found_by_hand(facts, "unprepared")
    if found:
        return found
    told = [
        (check, {"是": "与值班表相符", "否": "不在值班表"}.get(people.rostered(check), ""))
        for check in facts.checks
    ]
    named = [f"{_when(facts, check)}接听人{people.name(check)}{word}" for check, word in told if word]
    return "；".join(named[:MOST_DATES]) + _more(named) if named else UNKNOWN


def _answering(facts: Facts) -> str:
    if not facts.checks:
        return UNKNOWN
    within = [c for c in facts.checks if _code(c) in ("within", "borderline", "answered_on_repeat")]
    told = [f"抽查 {len(facts.checks)} 次，及时接听 {len(within)} 次"]
    told += _cases(
        facts, ("no_answer", "overtime", "rejected", "silent_answer", "machine", "long_busy", "fax")
    )
    return "；".join(told)


def _diverting(facts: Facts) -> str:
    if not facts.checks:
        return UNKNOWN
    return "；".join(_cases(facts, ("crbt", "forwarded"))) or f"抽查 {len(facts.checks)} 次，未发现"


def _numbers(facts: Facts) -> str:
    told = [
        f"{_when(facts, check)}{'答对' if item.answer == 'yes' else '答错'}"
        for check in facts.checks
        for item in check.answers
        if item.kind == "number" and item.evidence.get("matches") and item.answer in ("yes", "no")
    ]
    return "、".join(told[:MOST_DATES]) + _more(told) if told else UNKNOWN


def _by_hand(code: str) -> Callable[[Facts], str]:
    return lambda facts: _found_by_hand(facts, code) or UNKNOWN


def _found_by_hand(facts: Facts, *codes: str) -> str:
    found = [(code, at) for code, at in facts.confirmed if code in codes]
    return "；".join(f"{facts.day_of(at)}已认定：{title_of(code)}" for code, at in found)


def _cases(facts: Facts, codes: Sequence[str]) -> list[str]:
    """已认定 and 拟认定, apart, each with its days."""
    confirmed: list[str] = []
    still_open: list[str] = []
    for check in facts.checks:
        for case in check.cases:
            code = case.confirmed_code or case.code
            if case.state in COUNTING and code in codes:
                confirmed.append(f"{_when(facts, check)}{wording.finding(case)}")
            elif case.state in wording.OPEN and code.removesuffix("_review") in codes:
                still_open.append(f"{_when(facts, check)}{wording.finding(case)}")
    told = []
    if confirmed:
        told.append("已认定：" + "、".join(confirmed[:MOST_DATES]) + _more(confirmed))
    if still_open:
        told.append("拟认定（待核）：" + "、".join(still_open[:MOST_DATES]) + _more(still_open))
    return told


def _code(check: CheckRow) -> str:
    return str((check.proposal or {}).get("code", ""))


def _picked_up(check: CheckRow) -> bool:
    return any(call.outcome == "answered" for call in check.calls)


def _when(facts: Facts, check: CheckRow) -> str:
    return facts.day_of(check.calls[0].at if check.calls else check.at)


def _more(items: Sequence[object]) -> str:
    return f"等 {len(items)} 次" if len(items) > MOST_DATES else ""


def _beside(facts: Facts) -> list[str]:
    told = [
        f"{facts.day_of(row.at)}{SOURCES.get(row.source, row.source)}（{row.made_by}）：{row.found}"
        for row in facts.manual
    ]
    if len(facts.checks) >= MOST_CHECKS:
        told.append(f"本期抽查超过 {MOST_CHECKS} 次，本表只计最先的 {MOST_CHECKS} 次")
    told.append(
        "值班值守工作情况为必查项，值班信息报告情况为突发紧急事件后检查项。电话抽查不能核实的，写“未核实”。"
    )
    return told
