"""All queries of scores. Each is bounded by a period, and by the units of one page unless it ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import Attempt, SpotCheck, StoredProposal
from app.checks.proposal_codes import OUR_FAULT
from app.directory.models import DutyLine, Unit
from app.directory.repository import below
from app.reviews.models import COUNTING, Case
from app.reviews.scoring import Finding
from app.rules.models import RuleActivation

RING_EDGES_S = (5, 11, 15, 20, 30)
"""Upper ends of the stretches of ring-to-answer, seconds; the last one has none."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment until, but not including, another."""

    first_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """The units asked for: a subtree, or these, or all."""

    head: Unit | None = None
    unit_ids: Sequence[int] | None = None

    def of(self, column: ColumnElement[int]) -> list[ColumnElement[bool]]:
        """Return the conditions on a column with a unit's key."""
        if self.unit_ids is not None:
            return [column.in_(self.unit_ids)]
        if self.head is not None:
            return [column.in_(select(Unit.id).where(below(self.head)))]
        return []


async def units(session: AsyncSession, head: Unit | None, after: int | None, limit: int) -> Sequence[Unit]:
    """Units by key, of a subtree or all."""
    query = select(Unit)
    if head is not None:
        query = query.where(below(head))
    if after is not None:
        query = query.where(Unit.id > after)
    return (await session.scalars(query.order_by(Unit.id).limit(limit))).all()


async def counted(session: AsyncSession, period: Period, scope: Scope) -> tuple[Counter[int], Counter[int]]:
    """For each unit: closed random orders of the period, and how many of them do not count because of us."""
    lines = await session.execute(select(DutyLine.id, DutyLine.unit_id).where(*scope.of(DutyLine.unit_id)))  # type: ignore[arg-type]
    unit_of = {row[0]: row[1] for row in lines}
    narrowed = scope.head is not None or scope.unit_ids is not None
    inside = _closed_random(period)
    if narrowed:
        inside.append(SpotCheck.line_id.in_(select(DutyLine.id).where(*scope.of(DutyLine.unit_id))))  # type: ignore[arg-type]
    closed: Counter[int] = Counter()
    query = select(SpotCheck.line_id, func.count()).where(*inside).group_by(SpotCheck.line_id)
    for line_id, number in await session.execute(query):
        closed[unit_of[line_id]] += number
    spoilt: Counter[int] = Counter()
    ours = union(
        select(StoredProposal.check_id).where(
            StoredProposal.code.in_(sorted(OUR_FAULT)), StoredProposal.in_force
        ),
        select(Case.check_id).where(Case.end_cause == "our_fault", Case.check_id.is_not(None)),
    ).subquery()
    query = (
        select(SpotCheck.line_id, func.count())
        .join(ours, ours.c.check_id == SpotCheck.id)
        .where(*inside)
        .group_by(SpotCheck.line_id)
    )
    for line_id, number in await session.execute(query):
        spoilt[unit_of[line_id]] += number
    return closed, spoilt


def _closed_random(period: Period) -> list[ColumnElement[bool]]:
    return [
        SpotCheck.kind == "random",
        SpotCheck.state == "done",
        SpotCheck.first_due_at >= period.first_at,
        SpotCheck.first_due_at < period.until,
    ]


async def findings(session: AsyncSession, period: Period, scope: Scope) -> dict[int, list[Finding]]:
    """For each unit: what was confirmed of the period and has not been taken back, the demonstration's left out."""
    query = (
        select(Case.unit_id, Case.confirmed_code, Case.happened_at, Case.kind, Case.check_id)
        .where(
            Case.state.in_(COUNTING),
            Case.kind != "demo",
            Case.happened_at >= period.first_at,
            Case.happened_at < period.until,
            *scope.of(Case.unit_id),  # type: ignore[arg-type]
        )
        .order_by(Case.id)
    )
    found: dict[int, list[Finding]] = {}
    for unit_id, code, at, kind, check_id in await session.execute(query):
        found.setdefault(unit_id, []).append(Finding(code or "", at, kind, check_id))
    return found


async def ring_times(session: AsyncSession, period: Period, unit_ids: Sequence[int]) -> dict[int, list[int]]:
    """For each unit: answered random calls by how long they rang, in the stretches of `RING_EDGES_S`.

    Calls of an order with a case that is not confirmed are left out: a slow answer is told of nobody before that.
    """
    ring = Attempt.ring_to_answer_ms
    stretch = case(
        *((ring <= edge * 1000, position) for position, edge in enumerate(RING_EDGES_S)),
        else_=len(RING_EDGES_S),
    )
    open_case = select(Case.id).where(Case.check_id == Attempt.check_id, Case.state.not_in(COUNTING)).exists()
    query = (
        select(DutyLine.unit_id, stretch, func.count())
        .select_from(SpotCheck)
        .join(DutyLine, DutyLine.id == SpotCheck.line_id)
        .join(Attempt, Attempt.check_id == SpotCheck.id)
        .where(
            *_closed_random(period),
            DutyLine.unit_id.in_(unit_ids),
            Attempt.outcome == "answered",
            ring.is_not(None),
            ~open_case,
        )
        .group_by(DutyLine.unit_id, stretch)
    )
    found: dict[int, list[int]] = {}
    for unit_id, position, number in await session.execute(query):
        found.setdefault(unit_id, [0] * (len(RING_EDGES_S) + 1))[position] = number
    return found


async def activations(session: AsyncSession, until: datetime) -> Sequence[RuleActivation]:
    """Every activation of rules before a moment, in the order in which they came into force."""
    query = (
        select(RuleActivation)
        .where(RuleActivation.from_at < until)
        .order_by(RuleActivation.from_at, RuleActivation.id)
    )
    return (await session.scalars(query)).all()
