"""Chinese words of tables: what a check showed, what is proposed, what a person decided. Pure.

拟认定 (the machine's proposal) and 已认定 (a person's decision) never stand in one cell. What is not known reads
未核实, what does not apply reads —; no cell is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.checks import proposal_words
from app.checks.wording import seconds
from app.planning.calendar import DAY_KINDS_ZH, SENSITIVE_ZH
from app.reports.gathering import CallRow, CaseRow, CheckRow
from app.reviews.codes import title_of
from app.reviews.models import COUNTING
from app.reviews.states import STATE_ZH, State, Step

UNKNOWN = "未核实"
NOTHING = "—"
NONE_FOUND = "无"
DAY_HOURS = (8, 18)
"""工作日白天 is from 08:00 until 18:00; the rest of a working day is 夜间."""
LIMITS_S = (11.0, 15.0, 20.0)
_OUTCOMES = {
    "busy": "占线",
    "rejected": "拒接",
    "no_answer": "无人接听",
    "unobtainable": "空号",
    "unreachable": "不通",
    "redirected": "改号转移",
    "cancelled": "我方取消",
    "network_failure": "我方网络故障",
}
_ANSWERED = {
    "within": "三声内接听",
    "borderline": "临界接听（第四声前）",
    "exceeded": "超三声接听",
    "not_applicable": "接听，不计声数",
}
_BY = {"machine": "自动语音应答", "fax": "传真机应答", "silence": "接通无声", "unknown": "应答者未核实"}
_OURS = {"interrupted": "我方中断", "failed": "我方失败"}
OPEN = (State.TO_REVIEW, State.PROPOSED, State.NOTIFIED, State.DISPUTED)


def period_of_day(check: CheckRow, at: datetime) -> str:
    """时段 by the calendar as it stood at the call; `at` is local."""
    day = _day(check)
    if day is None:
        return UNKNOWN
    kind = str(day.get("kind", ""))
    told = DAY_KINDS_ZH.get(kind, UNKNOWN)
    if kind in ("workday", "makeup_workday"):
        told += "白天" if DAY_HOURS[0] <= at.hour < DAY_HOURS[1] else "夜间"
    if day.get("sensitive"):
        told = f"{SENSITIVE_ZH}（{told}）"
    return told if day.get("known") else f"{told}（日历未录，按双休日规则）"


def _day(check: CheckRow) -> Mapping[str, Any] | None:
    proposal = check.proposal or {}
    calls = proposal.get("attempts") or ()
    first = calls[0].get("day") if calls else None
    return first or proposal.get("day")


def answered_how(check: CheckRow) -> str:
    """接听情况 of the last call, and which call that was."""
    if not check.calls:
        return "未拨出"
    last = check.calls[-1]
    told = of_call(last)
    return told if len(check.calls) == 1 else f"第 {last.number} 次：{told}"


def of_call(call: CallRow) -> str:
    """接听情况 of one call: facts alone."""
    if call.state in _OURS:
        return _OURS[call.state]
    if call.outcome is None:
        return "拨测中" if call.state != "finished" else UNKNOWN
    if call.outcome != "answered":
        told = _OUTCOMES.get(call.outcome, UNKNOWN)
    elif call.answered_by in _BY:
        told = _BY[call.answered_by]
    else:
        told = _ANSWERED.get(call.three_ring or "", f"接听，时长{UNKNOWN}")
    if call.sign == "crbt":
        return f"{told}；有彩铃迹象"
    return f"{told}；有呼叫转移迹象" if call.sign else told


def ring_ms(check: CheckRow) -> float | None:
    """How long the last call rang, to the answer or until it was given up; None where that is not known."""
    if not check.calls:
        return None
    last = check.calls[-1]
    if last.ring_ms is not None:
        return last.ring_ms
    for call in (check.proposal or {}).get("attempts") or ():
        if call.get("id") == last.attempt_id and call.get("ring_s") is not None:
            return float(call["ring_s"]) * 1000
    return None


def ring_text(check: CheckRow) -> str:
    """响铃时长／声数: `6.0 秒，约 2 声`."""
    found = ring_ms(check)
    if found is None:
        return UNKNOWN
    rings = check.calls[-1].rings
    return f"{seconds(found, *LIMITS_S)} 秒" + (f"，约 {rings} 声" if rings is not None else "")


def proposed(check: CheckRow) -> str:
    """拟认定: what the machine puts forward, and nothing that a person said."""
    proposal = check.proposal
    if proposal is None:
        return "核号，不作判定" if check.kind == "verification" else "未作判定"
    told = [item for item in (proposal, *(proposal.get("others") or ())) if _speaks(item)]
    return "；".join(dict.fromkeys(_title(item) for item in told)) or NONE_FOUND


def _speaks(item: Mapping[str, Any]) -> bool:
    return bool(item.get("adverse") or item.get("needs_review"))


def _title(item: Mapping[str, Any]) -> str:
    return str(item.get("title_zh") or title_of(str(item.get("code", ""))))


def decided(cases: Sequence[CaseRow]) -> str:
    """已认定: what a named person confirmed, and nothing that is still open."""
    found = [case for case in cases if case.state in COUNTING]
    if found:
        return "；".join(dict.fromkeys(finding(case) for case in found))
    if any(case.state in OPEN for case in cases):
        return "尚未认定"
    return "不予认定" if cases else NONE_FOUND


def finding(case: CaseRow) -> str:
    """The title of what was confirmed."""
    return title_of(case.confirmed_code or case.code, case.proposal)


def standing(cases: Sequence[CaseRow]) -> str:
    """认定状态 of each case."""
    return "；".join(f"{finding(case)}：{STATE_ZH[State(case.state)]}" for case in cases) or NOTHING


def reviewers(cases: Sequence[CaseRow]) -> str:
    """复核人: who decided, of each case the last one."""
    names = (_last_decision(case) for case in cases)
    told = "、".join(dict.fromkeys(name for name, _ in names if name))
    return told or (UNKNOWN if cases else NOTHING)


def opinions(cases: Sequence[CaseRow]) -> str:
    """复核意见: the last decision of each case with its reason."""
    told = []
    for case in cases:
        _, reason = _last_decision(case)
        told.append(f"{STATE_ZH[State(case.state)]}{f'：{reason}' if reason else ''}")
    return "；".join(told) or NOTHING


_DECIDE = frozenset(
    step.value for step in (Step.PROPOSE, Step.CONFIRM, Step.UPHOLD, Step.REVOKE, Step.OVERTURN)
)


def _last_decision(case: CaseRow) -> tuple[str, str]:
    for action, who, content in reversed(case.steps):
        if action in _DECIDE and who != "system":
            return who, str(content.get("reason") or content.get("note") or "")
    return "", ""


def points(check: CheckRow) -> float | str:
    """扣分 of confirmed findings by the office's own scale; — where there is none of either."""
    found = [case for case in check.cases if case.state in COUNTING]
    given = [float(case.proposal["points"]) for case in found if case.proposal.get("points") is not None]
    if given:
        return sum(given)
    return "未设扣分" if found else NOTHING


def remarks(check: CheckRow) -> str:
    """备注: what the unit answered, what speaks for it, what spared it."""
    told: list[str] = []
    for case in check.cases:
        for action, _, content in case.steps:
            if action == Step.DISPUTE.value:
                told.append(f"申辩：{content.get('grounds') or content.get('reason') or '见申辩材料'}")
            elif action == Step.ACCEPT.value:
                told.append("单位无异议")
    told += [proposal_words.MITIGATIONS.get(item.kind, item.note) for item in check.mitigations]
    proposal = check.proposal or {}
    exempted = [item for item in _list(proposal.get("exempted")) if isinstance(item, Mapping)]
    told += [f"豁免：{item.get('reason')}" for item in exempted]
    if check.kind == "designated" and check.reason:
        told.append(f"事由：{check.reason}")
    return "；".join(dict.fromkeys(told)) or NONE_FOUND


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()
