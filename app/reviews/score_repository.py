"""All queries of scores. Each is bounded by a period, and by the units of one page unless it ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.accounts.scope import visible_units
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

    Read from indices alone.
    """
    known = {shelf: read(shelf, ORDER_LABELS) for shelf in await shelves_of(session, ORDERS)}
    judged = [shelf for shelf, labels in known.items() if _judged(labels)]
    ours = [shelf for shelf in judged if known[shelf]["code"] in OUR_FAULT]
    if scope.unit_ids is None and session.get_bind().dialect.name == "sqlite":
        others = await _on_shelves(session, period, scope, [one for one in known if one not in judged])
        closed = await _all_orders(session, period, scope) - others
    else:
        closed = await _on_shelves(session, period, scope, judged)
    spoilt = await _on_shelves(session, period, scope, ours)
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


def _orders_of(period: Period) -> list[ColumnElement[bool]]:
    return [SpotCheck.first_due_at >= period.first_at, SpotCheck.first_due_at < period.until]


async def _on_shelves(
    session: AsyncSession, period: Period, scope: Scope, shelves: Sequence[str]
) -> Counter[int]:
    """For each unit: orders of the period on some shelves."""
    query = (
        select(SpotCheck.unit_id, func.count())
        .where(*_orders_of(period), SpotCheck.shelf.in_(shelves), *scope.of(SpotCheck.unit_id))
        .group_by(SpotCheck.unit_id)
    )
    return Counter({row[0]: row[1] for row in await session.execute(query)})


async def _all_orders(session: AsyncSession, period: Period, scope: Scope) -> Counter[int]:
    """For each unit: all orders of the period.

    SQLite looks at a row for each entry of an index that is asked for its shelf, which is computed: most orders are
    closed and judged, so that it is faster to count all and to take off the others. Both are read in one transaction,
    which sees the shelves and the rows as of one moment; PostgreSQL's statements see each a moment of their own.
    """
    number = select(func.count()).where(SpotCheck.unit_id == Unit.id, *_orders_of(period)).correlate(Unit)
    query = select(Unit.id, number.scalar_subquery()).where(*scope.of(Unit.id), *visible_units())
    rows = await session.execute(query.execution_options(every_unit=True))
    return Counter({row[0]: row[1] for row in rows if row[1]})


def _judged(labels: Labels) -> bool:
    return labels["kind"] == "random" and labels["state"] == "done" and labels["code"] is not None


async def found_orders(session: AsyncSession, period: Period, scope: Scope) -> Counter[int]:
    """For each unit: how many random orders of the period have a confirmed finding."""
    query = (
        select(Case.unit_id, func.count(distinct(Case.check_id)))
        .where(*_confirmed(period, scope), Case.kind == "random")
        .group_by(Case.unit_id)
    )
    return Counter({row[0]: row[1] for row in await session.execute(query)})


def _confirmed(period: Period, scope: Scope) -> list[ColumnElement[bool]]:
    return [
        Case.state.in_(COUNTING),
        Case.happened_at >= period.first_at,
        Case.happened_at < period.until,
        *scope.of(Case.unit_id),
    ]


async def findings(session: AsyncSession, period: Period, scope: Scope) -> dict[int, list[Finding]]:
    """For each unit: what was confirmed of the period and has not been taken back, the demonstration's left out."""
    code = func.coalesce(Case.confirmed_code, Case.code)
    query = select(Case.unit_id, code, Case.happened_at, Case.kind, Case.check_id)
    query = query.where(*_confirmed(period, scope), Case.kind != "demo")
    found: dict[int, list[Finding]] = {}
    for unit_id, name, at, kind, check_id in await session.execute(query):
        found.setdefault(unit_id, []).append(Finding(name, at, kind, check_id))
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
