"""Checks with all that a row of a table says of them, some hundreds at a time, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.answers.models import AnswerItem
from app.checks.models import Attempt, Mitigation, Recording, SpotCheck, StoredProposal
from app.planning.models import PlanRun
from app.reviews.models import Case, CaseEvent
from app.reviews.states import Step

TOLD = (Step.PROPOSE, Step.CONFIRM, Step.UPHOLD, Step.REVOKE, Step.OVERTURN, Step.DISPUTE, Step.ACCEPT)
"""Steps of a case that a table tells of."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call of a check."""

    attempt_id: int
    number: int
    at: datetime
    state: str
    outcome: str | None
    answered_by: str | None
    ring_ms: float | None
    rings: int | None
    three_ring: str | None
    sign: str | None
    recording: tuple[int, str | None] | None = None
    """Its recording's key, and why its sound is gone."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case of a check, with the steps that a table tells of."""

    code: str
    confirmed_code: str | None
    state: str
    proposal: Mapping[str, Any]
    steps: Sequence[tuple[str, str, Mapping[str, Any]]] = ()
    """Step, person, content."""


@dataclass(slots=True)
class CheckRow:
    """One check."""

    check_id: int
    kind: str
    state: str
    unit_id: int
    unit: str
    line: str
    plan: str
    inspector: str
    """抽查人; empty: not on record."""
    at: datetime
    reason: str
    calls: list[CallRow] = field(default_factory=list)
    proposal: Mapping[str, Any] | None = None
    cases: list[CaseRow] = field(default_factory=list)
    answers: list[AnswerItem] = field(default_factory=list)
    """What a person has said yes or no to."""
    mitigations: list[Mitigation] = field(default_factory=list)


async def rows(session: AsyncSession, check_ids: Sequence[int]) -> list[CheckRow]:
    """Return checks in the order of their keys as given; those that are out of the reader's scope are left out."""
    query = (
        select(SpotCheck)
        .where(SpotCheck.id.in_(check_ids))
        .options(joinedload(SpotCheck.unit), joinedload(SpotCheck.line), joinedload(SpotCheck.plan))
    )
    checks = {check.id: check for check in await session.scalars(query)}
    starters = await _starters(session, checks.values())
    found = {key: _row(check, starters) for key, check in checks.items()}
    attempts = await _add_calls(session, found)
    await _add_proposals(session, found)
    await _add_cases(session, found)
    await _add_beside(session, found, attempts)
    return [found[key] for key in check_ids if key in found]


async def _starters(session: AsyncSession, checks: Iterable[SpotCheck]) -> Mapping[int, str]:
    """Who started each run that these checks were drawn by."""
    runs = {check.run_id for check in checks if check.run_id is not None}
    if not runs:
        return {}
    rows = await session.execute(select(PlanRun.id, PlanRun.started_by).where(PlanRun.id.in_(runs)))
    return {row[0]: row[1] for row in rows}


def _row(check: SpotCheck, starters: Mapping[int, str]) -> CheckRow:
    started = starters.get(check.run_id or 0, "") or (check.plan.created_by if check.plan is not None else "")
    return CheckRow(
        check_id=check.id,
        kind=check.kind,
        state=check.state,
        unit_id=check.unit_id,
        unit=check.unit.name,
        line=check.line.number,
        plan="" if check.plan is None else check.plan.name,
        inspector=started if check.kind == "random" else check.ordered_by,
        at=check.first_due_at,
        reason=check.reason,
    )


async def _add_calls(session: AsyncSession, found: Mapping[int, CheckRow]) -> Mapping[int, int]:
    """Add the calls; return the check of each by its key."""
    columns = (
        Attempt.id, Attempt.check_id, Attempt.number, Attempt.started_at, Attempt.claimed_at, Attempt.state,
        Attempt.outcome, Attempt.answered_by, Attempt.ring_to_answer_ms, Attempt.rings, Attempt.three_ring,
        Attempt.sign,
    )  # fmt: skip
    query = select(*columns).where(Attempt.check_id.in_(found)).order_by(Attempt.check_id, Attempt.number)
    rows = (await session.execute(query)).all()
    owners = {row.id: row.check_id for row in rows}
    sounds = await session.execute(
        select(Recording.attempt_id, Recording.id, Recording.gone_why).where(Recording.attempt_id.in_(owners))
    )
    recordings = {row[0]: (row[1], row[2]) for row in sounds}
    for row in rows:
        call = CallRow(
            row.id, row.number, row.started_at or row.claimed_at, row.state, row.outcome, row.answered_by,
            row.ring_to_answer_ms, row.rings, row.three_ring, row.sign, recordings.get(row.id),
        )  # fmt: skip
        found[row.check_id].calls.append(call)
    return owners


async def _add_proposals(session: AsyncSession, found: Mapping[int, CheckRow]) -> None:
    query = (
        select(StoredProposal.check_id, StoredProposal.content)
        .where(StoredProposal.check_id.in_(found), StoredProposal.in_force)
        .order_by(StoredProposal.id)
    )
    for check_id, content in await session.execute(query):
        found[check_id].proposal = content


async def _add_cases(session: AsyncSession, found: Mapping[int, CheckRow]) -> None:
    query = select(Case.id, Case.check_id, Case.code, Case.confirmed_code, Case.state, Case.proposal)
    cases = (await session.execute(query.where(Case.check_id.in_(found)).order_by(Case.id))).all()
    steps: dict[int, list[tuple[str, str, Mapping[str, Any]]]] = defaultdict(list)
    if cases:
        wanted = CaseEvent.action.in_([step.value for step in TOLD])
        events = select(CaseEvent.case_id, CaseEvent.action, CaseEvent.who, CaseEvent.content)
        events = events.where(CaseEvent.case_id.in_([case.id for case in cases]), wanted).order_by(
            CaseEvent.id
        )
        for case_id, action, who, content in await session.execute(events):
            steps[case_id].append((action, who, content))
    for case in cases:
        row = CaseRow(case.code, case.confirmed_code, case.state, case.proposal, steps[case.id])
        if case.check_id is not None:
            found[case.check_id].cases.append(row)


async def _add_beside(
    session: AsyncSession, found: Mapping[int, CheckRow], owners: Mapping[int, int]
) -> None:
    said = select(AnswerItem).where(AnswerItem.attempt_id.in_(owners), AnswerItem.answer != "unverified")
    for item in await session.scalars(said.order_by(AnswerItem.id)):
        found[owners[item.attempt_id]].answers.append(item)
    beside = select(Mitigation).where(Mitigation.check_id.in_(found)).order_by(Mitigation.id)
    for mitigation in await session.scalars(beside):
        found[mitigation.check_id].mitigations.append(mitigation)
