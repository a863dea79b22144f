"""The 核实通知单: what a unit is told of a finding that is about to be made against it, frozen when it is sent.

It speaks of this unit alone, and says what was heard, where in its own recording, by which words, until when and where
it may answer. Transcripts stay out of it: a unit hears its own clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import Attempt, SpotCheck
from app.checks.rules import CODES
from app.evidence.wordless import shown_verdict
from app.planning.models import ManualCheck
from app.reviews import repository
from app.reviews.codes import title_of
from app.reviews.models import Case
from app.reviews.states import Step
from app.transcripts import repository as transcripts
from app.transcripts.models import CallReading

SCHEMA = "dutyring.notice/1"
SOURCE_ZH = {
    "hand_dialled": "人工拨打",
    "on_site": "实地检查",
    "video": "视频检查",
    "superior": "上级抽查",
    "admission": "本人承认",
}
KIND_ZH = {"random": "计划抽查", "designated": "指定抽查", "demo": "演示", "manual": "人工补录"}
OUTCOME_ZH = {
    "answered": "接通",
    "no_answer": "无人接听",
    "busy": "占线",
    "rejected": "拒接",
    "unobtainable": "空号或停机",
    "unreachable": "无法接通",
    "redirected": "被转往他处",
    "cancelled": "我方取消",
    "network_failure": "线路故障",
}
MITIGATION_ZH = {
    "called_back": "及时回拨",
    "hung_up_to_verify": "挂断后核实来电",
    "refused_numbers": "未向未核实来电者提供号码",
    "other": "其他情形",
}
MAY_ANSWER = (
    "认可所列情况",
    "说明情况并附证明材料（如值班记录、通话清单、线路故障单）",
    "对号码登记、接听时间、呼叫转移等事实提出异议",
)
_PROPOSED = ("reasons", "grade", "rule_set", "document", "day", "regime", "roster", "exempted")
"""What the notice takes over from the proposal as it stands there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a unit may answer."""

    until: datetime
    working_days: int
    to: str
    unknown_days: Sequence[str] = ()
    """Days up to the deadline whose kind nobody entered."""


async def build(
    session: AsyncSession, case: Case, who: str, now: datetime, answer: Answer, zone: ZoneInfo
) -> dict[str, Any]:
    """Return the notice of a case as it stands now. Times of day are local, to a tenth of a second."""
    check = await repository.check(session, case.check_id) if case.check_id is not None else None
    manual = await repository.manual(session, case.manual_id) if case.manual_id is not None else None
    unit = await repository.unit(session, case.unit_id)
    code = case.confirmed_code or case.code
    attempts = check.attempts if check is not None else []
    readings = await transcripts.readings(session, (attempt.id for attempt in attempts))
    calls = [_call(attempt, zone, readings.get(attempt.id)) for attempt in attempts]
    return {
        "schema": SCHEMA,
        "number": f"核实〔{now.astimezone(zone):%Y}〕{case.id}号",
        "case": case.id,
        "order": case.check_id,
        "kind": {"code": case.kind, "title_zh": KIND_ZH[case.kind]},
        "issued_at": _at(now, zone),
        "issued_by": who,
        "confirmed_by": case.confirmed_by,
        "unit": {"id": case.unit_id, "name": unit.name if unit else "", "code": unit.code if unit else ""},
        "line": await _line(session, check, manual),
        "calls": calls,
        "by_hand": _by_hand(manual, zone),
        "finding": {"code": code, "title_zh": title_of(code, case.proposal)},
        "clauses": await _clauses(session, case),
        "limits": _limits(case, check),
        "mitigations": await _mitigations(session, case, zone),
        "answer": {
            "until": answer.until.astimezone(zone).isoformat(),
            "working_days": answer.working_days,
            "to": answer.to,
            "may_say": list(MAY_ANSWER),
            "days_by_weekend_rule": list(answer.unknown_days),
        },
    } | {name: case.proposal.get(name) for name in _PROPOSED}


async def _line(
    session: AsyncSession, check: SpotCheck | None, manual: ManualCheck | None
) -> dict[str, Any] | None:
    line = check.line if check is not None else None
    if line is None and manual is not None and manual.line_id is not None:
        line = await repository.line(session, manual.line_id)
    return {"name": line.name, "number": line.number} if line is not None else None


def _call(attempt: Attempt, zone: ZoneInfo, reading: CallReading | None) -> dict[str, Any]:
    facts = attempt.facts.content if attempt.facts is not None else {}
    if reading is not None:
        # The same call with what its words add: what it is judged by.
        facts = reading.content
    verdict = shown_verdict(attempt) or {}
    start = attempt.started_at or attempt.claimed_at

    def moment(name: str) -> str | None:
        after_ms = facts.get(name)
        return _at(start + timedelta(milliseconds=after_ms), zone) if after_ms is not None else None

    return {
        "number": attempt.number,
        "dialled_at": _at(start, zone),
        "rang_from": moment("ring_started_ms"),
        "answered_at": moment("answered_ms"),
        "ended_at": _at(attempt.ended_at, zone) if attempt.ended_at is not None else None,
        "ring_to_answer_s": _seconds(attempt.ring_to_answer_ms),
        "ring_to_answer_least_s": _seconds(attempt.ring_to_answer_min_ms),
        "rings": attempt.rings,
        "outcome": attempt.outcome,
        "outcome_zh": OUTCOME_ZH.get(attempt.outcome or "", "未完成"),
        "heard": _heard(attempt, verdict),
        "clip": _clip(attempt, facts),
    }


def _heard(attempt: Attempt, verdict: Mapping[str, Any]) -> list[str]:
    title = next((info for code, info in CODES.items() if code == attempt.verdict_code), None)
    found = [str(item.get("detail") or "") for item in verdict.get("findings") or ()]
    return [part for part in (title.zh if title else "", *found) if part]


def _clip(attempt: Attempt, facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """The stretch of the unit's own recording: from the first ring to the end of the call."""
    if attempt.recording is None or attempt.recording.gone_why is not None:
        return None
    return {
        "recording": attempt.recording.id,
        "sha256": attempt.recording.sha256,
        "from_ms": facts.get("ring_started_ms") or 0.0,
        "to_ms": facts.get("ended_ms") or attempt.recording.duration_ms,
    }


def _by_hand(manual: ManualCheck | None, zone: ZoneInfo) -> dict[str, Any] | None:
    if manual is None:
        return None
    return {
        "source": manual.source,
        "source_zh": SOURCE_ZH[manual.source],
        "at": _at(manual.at, zone),
        "made_by": manual.made_by,
        "found": manual.found,
        "document": manual.document,
    }


async def _clauses(session: AsyncSession, case: Case) -> list[dict[str, Any]]:
    """The clauses of the finding, as the person who confirmed it had them."""
    confirmed = await repository.last_event(session, case.id, Step.PROPOSE.value)
    return list(confirmed.content.get("clauses") or ()) if confirmed is not None else []


def _limits(case: Case, check: SpotCheck | None) -> dict[str, Any] | None:
    """The limits by which the order was judged, named as the conversion that they are."""
    read = [attempt.verdicts[-1].content for attempt in check.attempts if attempt.verdicts] if check else []
    limits = case.proposal.get("limits") or next(
        (found["limits"] for found in read if "limits" in found), None
    )
    if not limits:
        return None
    words = (
        f"“响铃三声”按 {limits.get('limit_s', 15):g} 秒折算（折算口径，本单位自定，各规范未规定秒数）；"
        f"超过 {limits.get('finding_s', 20):g} 秒方拟认定超时"
    )
    return dict(limits) | {"words": words}


async def _mitigations(session: AsyncSession, case: Case, zone: ZoneInfo) -> list[dict[str, Any]]:
    """What speaks for the unit, also what was recorded only after the case was opened."""
    if case.check_id is None:
        return []
    return [
        {"kind": row.kind, "title_zh": MITIGATION_ZH[row.kind], "at": _at(row.at, zone), "note": row.note}
        for row in await repository.mitigations(session, case.check_id)
    ]


def _at(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    # The offset with its colon, as everywhere else: +0800 is no RFC 3339.
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 100_000}{local.isoformat()[-6:]}"


def _seconds(value_ms: float | None) -> float | None:
    return None if value_ms is None else round(value_ms / 1000, 1)
