"""All queries of scores. Each is bounded by a period, and by the units of one page unless it ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.checks.listing import ORDERS, shelves_of
from app.checks.models import Attempt, SpotCheck
from app.checks.proposal_codes import OUR_FAULT
from app.checks.shelves import ORDER_LABELS, Labels, read
from app.directory.models import Unit
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

    @property
    def everybody(self) -> bool:
        """Whether it is narrowed to nobody."""
        return self.head is None and self.unit_ids is None

    def of(self, column: InstrumentedAttribute[int]) -> list[ColumnElement[bool]]:
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
    """For each unit: random orders that were closed and judged, and how many of them do not count because of us.

    Read from an index alone: a unit's when some are asked for, else the shelves' of closed random orders.
    """
    closed: Counter[int] = Counter()
    spoilt: Counter[int] = Counter()
    inside = [SpotCheck.first_due_at >= period.first_at, SpotCheck.first_due_at < period.until]
    query = select(SpotCheck.unit_id, SpotCheck.shelf, func.count()).group_by(
        SpotCheck.unit_id, SpotCheck.shelf
    )
    if scope.everybody:
        inside.append(SpotCheck.shelf.in_(await _judged_shelves(session)))
    for unit_id, shelf, number in await session.execute(query.where(*inside, *scope.of(SpotCheck.unit_id))):
        labels = read(shelf, ORDER_LABELS)
        if _judged(labels):
            closed[unit_id] += number
            spoilt[unit_id] += number if labels["code"] in OUR_FAULT else 0
    query_ours = (
        select(Case.unit_id, func.count(distinct(Case.check_id)))
        .where(
            Case.end_cause == "our_fault",
            Case.kind == "random",
            Case.happened_at >= period.first_at,
            Case.happened_at < period.until,
            *scope.of(Case.unit_id),
        )
        .group_by(Case.unit_id)
    )
    for unit_id, number in await session.execute(query_ours):
        spoilt[unit_id] += number
    return closed, spoilt


def _judged(labels: Labels) -> bool:
    return labels["kind"] == "random" and labels["state"] == "done" and labels["code"] is not None


async def _judged_shelves(session: AsyncSession) -> list[str]:
    return [shelf for shelf in await shelves_of(session, ORDERS) if _judged(read(shelf, ORDER_LABELS))]


async def findings(session: AsyncSession, period: Period, scope: Scope) -> dict[int, list[Finding]]:
    """For each unit: what was confirmed of the period and has not been taken back, the demonstration's left out."""
    query = (
        select(
            Case.unit_id,
            func.coalesce(Case.confirmed_code, Case.code),
            Case.happened_at,
            Case.kind,
            Case.check_id,
        )
        .where(
            Case.state.in_(COUNTING),
            Case.kind != "demo",
            Case.happened_at >= period.first_at,
            Case.happened_at < period.until,
            *scope.of(Case.unit_id),
        )
        .order_by(Case.id)
    )
    found: dict[int, list[Finding]] = {}
    for unit_id, code, at, kind, check_id in await session.execute(query):
        found.setdefault(unit_id, []).append(Finding(code, at, kind, check_id))
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
        select(Attempt.unit_id, stretch, func.count())
        .where(
            Attempt.unit_id.in_(unit_ids),
            Attempt.claimed_at >= period.first_at,
            Attempt.claimed_at < period.until,
            Attempt.kind == "random",
            Attempt.proposal_code.not_in(sorted(OUR_FAULT)),
            Attempt.outcome == "answered",
            ring.is_not(None),
            ~open_case,
        )
        .group_by(Attempt.unit_id, stretch)
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
