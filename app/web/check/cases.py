"""The cases of one check as a person decides on them: how each stands, what may be done, and what stands against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks.models import Attempt
from app.errors import ForbiddenError
from app.evidence.sight import Sight
from app.reviews import hearing, repository, steps
from app.reviews import views as case_details
from app.reviews.codes import confirmable, follows, title_of
from app.reviews.machine import DIFFERS
from app.reviews.models import Case
from app.reviews.schemas import CaseDetail, EventOut
from app.reviews.states import BESIDE, OPENED, STATE_ZH, STEP_ZH, State, Step
from app.web.views import clock_time

CAUSE_ZH: Mapping[str, str] = {
    "not_a_finding": "不构成问题",
    "our_fault": "我方原因",
    "exempted": "属豁免情形",
    "dispute_accepted": "申辩成立",
    "new_facts": "出现新的事实",
}
_OPENED_ZH = {OPENED: "提出", DIFFERS: "机器意见不同"}
_TELLING = ("reason", "words", "grounds", "by", "without_recording", "name")
_LABEL = {
    "reason": "理由",
    "words": "内容",
    "grounds": "申辩理由",
    "by": "单位答复人",
    "without_recording": "无录音时的依据",
    "name": "材料",
}
ELSEWHERE = (Step.PUBLISH, *BESIDE)
"""Steps that are not taken by the forms of deciding."""


@dataclass(frozen=True, slots=True)
class StepView:
    """One step that was taken."""

    at: str
    who: str
    action: str
    state: str
    told: tuple[tuple[str, str], ...]
    """Label and text of what was said with it."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case of the check."""

    detail: CaseDetail
    reasons: Sequence[str]
    clauses: Sequence[Mapping[str, Any]]
    """Of the proposal."""
    steps: Sequence[str]
    """What this person could do with it on this page, by the state alone."""
    blocked: Mapping[str, str]
    """By step, what stands against it for this person just now, in Chinese."""
    unheard: Sequence[int]
    """Numbers of the calls whose recordings this person has not heard yet."""
    soundless: bool
    """A confirmation has to say on what it rests."""
    events: Sequence[StepView]
    codes: Sequence[tuple[str, str]]
    suggested: str
    """The finding code that the proposal leads to; empty: none."""
    until: str
    """When the unit's time to answer is over; empty: it runs not."""


async def case_views(
    session: AsyncSession,
    attempts: Sequence[Attempt],
    found: Sequence[Case],
    who: str,
    sight: Sight,
    zone: ZoneInfo,
) -> list[CaseView]:
    """Make the cases of a check for the person who reads its page."""
    return [await _case(session, attempts, case, who, sight, zone) for case in found]


async def _case(
    session: AsyncSession, attempts: Sequence[Attempt], case: Case, who: str, sight: Sight, zone: ZoneInfo
) -> CaseView:
    detail = await case_details.detail(session, case)
    heard = await hearing.heard(session, case, who)
    of_recording = {
        attempt.recording.id: attempt.number for attempt in attempts if attempt.recording is not None
    }
    codes = confirmable(case.manual_id is not None)
    return CaseView(
        detail=detail,
        reasons=sight.reasons(case.proposal.get("reasons")),
        clauses=case.proposal.get("clauses") or (),
        steps=[step.value for step in detail.steps if step not in ELSEWHERE and _possible(step, detail)],
        blocked=await _blocked(session, case, detail, who, zone),
        unheard=sorted(of_recording.get(key, 0) for key in heard.unheard),
        soundless=heard.nothing,
        events=[_event(event, zone) for event in detail.events],
        codes=[(code, title_of(code)) for code in codes],
        suggested=next((code for code in codes if follows(case.code, code)), ""),
        until="" if case.answer_until is None else clock_time(case.answer_until, zone),
    )


def _possible(step: Step, detail: CaseDetail) -> bool:
    """Whether a step of the table makes sense now: nothing is upheld where nothing is in dispute."""
    return step is not Step.UPHOLD or detail.dispute_open


async def _blocked(
    session: AsyncSession, case: Case, detail: CaseDetail, who: str, zone: ZoneInfo
) -> dict[str, str]:
    found: dict[str, str] = {}
    if detail.dispute_open:
        try:
            await steps.check_other(session, case, who)
        except ForbiddenError as error:
            found = dict.fromkeys((Step.UPHOLD, Step.REVOKE, Step.OVERTURN), error.detail)
    if State(case.state) is State.NOTIFIED:
        accepted = await repository.last_event(session, case.id, Step.ACCEPT.value)
        if accepted is None and case.answer_until is not None and clock.now() < case.answer_until:
            until = clock_time(case.answer_until, zone)
            found[Step.CONFIRM] = (
                f"答复期限未到（至 {until}），单位尚未答复 (the unit may still answer, until {until})"
            )
    return found


def _event(event: EventOut, zone: ZoneInfo) -> StepView:
    action = STEP_ZH.get(Step(event.action)) if event.action in tuple(Step) else _OPENED_ZH.get(event.action)
    return StepView(
        at=clock_time(event.at, zone),
        who=event.who,
        action=action or event.action,
        state=STATE_ZH[State(event.to_state)],
        told=tuple(_told(event.content, zone)),
    )


def _told(content: Mapping[str, Any], zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """What an event says, as label and text."""
    if content.get("code"):
        yield "事由", title_of(str(content["code"]))
    if content.get("cause"):
        yield "原因", CAUSE_ZH.get(str(content["cause"]), str(content["cause"]))
    for name in _TELLING:
        if content.get(name):
            yield _LABEL[name], str(content[name])
    if content.get("late"):
        yield "时限", "逾期答复"
    for clause in content.get("clauses") or ():
        yield "条款", f"{clause.get('source', '')} {clause.get('article', '')}“{clause.get('words', '')}”"
    notice = content.get("notice")
    if notice:
        until = clock_time(datetime.fromisoformat(notice["answer"]["until"]), zone)
        yield "通知单", f"{notice['number']}，{until} 前答复至 {notice['answer']['to']}"
