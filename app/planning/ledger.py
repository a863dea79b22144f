"""What planning asks of the ledger: which orders a line had, which checks count, who was covered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.checks.models import Attempt, SpotCheck
from app.directory.models import DutyLine, LineUnit, Unit

OURS = ("our_side", "cancelled", "interrupted")
"""Verdicts of calls that say nothing of the unit: what happened was ours."""
CALLED_STATES = ("due", "claimed", "retry", "done")
"""Orders that called a line, or are about to; those withdrawn or missed rang nowhere."""
OPEN_STATES = ("due", "claimed", "retry")
_LATEST_REPEAT = timedelta(days=2)
"""How much later than its first call an order's last one can be."""
Span = tuple[datetime, datetime]


def _counts() -> ColumnElement[bool]:
    """Whether a call of an order says anything of the unit."""
    return exists().where(
        Attempt.check_id == SpotCheck.id,
        Attempt.verdict_code.is_not(None),
        Attempt.verdict_code.not_in(OURS),
    )


def _counted_in(span: Span) -> list[ColumnElement[bool]]:
    return [
        SpotCheck.kind == "random",
        SpotCheck.state == "done",
        SpotCheck.first_due_at >= span[0],
        SpotCheck.first_due_at < span[1],
        # For the index: the moment of the last call.
        SpotCheck.due_at >= span[0],
        SpotCheck.due_at < span[1] + _LATEST_REPEAT,
        _counts(),
    ]


def _short(span: Span, required: int) -> ColumnElement[bool]:
    """Whether a unit has fewer counted checks than are required: the last one required is not there."""
    own = select(DutyLine.id).where(DutyLine.unit_id == Unit.id, DutyLine.kind != "fax").correlate(Unit)
    shared = select(LineUnit.line_id).where(LineUnit.unit_id == Unit.id).correlate(Unit)
    last = (
        select(literal(1))
        .where(or_(SpotCheck.line_id.in_(own), SpotCheck.line_id.in_(shared)), *_counted_in(span))
        .correlate(Unit)
        .limit(1)
        .offset(required - 1)
    )
    return ~last.exists()


def _to_cover(span: Span) -> ColumnElement[bool]:
    """Units that have a line and stood in the directory at some day of the span."""
    own = exists().where(DutyLine.unit_id == Unit.id, DutyLine.kind != "fax")
    shared = exists().where(LineUnit.unit_id == Unit.id)
    return and_(
        or_(own, shared),
        or_(Unit.first_day.is_(None), Unit.first_day <= (span[1] - timedelta(hours=12)).date()),
        or_(Unit.last_day.is_(None), Unit.last_day >= (span[0] + timedelta(hours=12)).date()),
    )


async def covered_units(
    session: AsyncSession,
    span: Span,
    required: int,
    *,
    missing: bool | None,
    after: str | None,
    limit: int,
) -> Sequence[Unit]:
    """Units by code; `missing` leaves those that are short of `required` counted checks in the span, or not."""
    query = select(Unit).where(_to_cover(span))
    if missing is not None:
        short = _short(span, required)
        query = query.where(short if missing else ~short)
    if after is not None:
        query = query.where(Unit.code > after)
    return (await session.scalars(query.order_by(Unit.code).limit(limit))).all()


async def count_units(session: AsyncSession, span: Span, required: int) -> tuple[int, int]:
    """How many units there are to cover in a span, and how many of them are short."""
    query = select(func.count()).select_from(Unit).where(_to_cover(span))
    return (
        await session.scalar(query) or 0,
        await session.scalar(query.where(_short(span, required))) or 0,
    )


async def counted_moments(
    session: AsyncSession, unit_ids: Sequence[int], span: Span
) -> Mapping[int, Sequence[datetime]]:
    """First calls of the random checks that count, by unit, in the order of time; shared lines count for each unit."""
    own = select(DutyLine.unit_id.label("unit_id"), DutyLine.id.label("line_id")).where(
        DutyLine.unit_id.in_(unit_ids), DutyLine.kind != "fax"
    )
    shared = select(LineUnit.unit_id.label("unit_id"), LineUnit.line_id.label("line_id")).where(
        LineUnit.unit_id.in_(unit_ids)
    )
    reach = own.union(shared).subquery()
    query = (
        select(reach.c.unit_id, SpotCheck.first_due_at)
        .join(SpotCheck, SpotCheck.line_id == reach.c.line_id)
        .where(*_counted_in(span))
        .order_by(SpotCheck.first_due_at, SpotCheck.id)
    )
    found: dict[int, list[datetime]] = {}
    for unit_id, at in await session.execute(query):
        found.setdefault(unit_id, []).append(at)
    return found


async def uses(
    session: AsyncSession, line_ids: Sequence[int], since: datetime
) -> Mapping[int, Sequence[datetime]]:
    """When lines were called since a moment, by line and in the order of time: the first call of each order.

    Random and designated checks and 核号 calls alike are calls that a duty room bears; the demonstration's are not.
    """
    query = (
        select(SpotCheck.line_id, SpotCheck.first_due_at)
        .where(
            SpotCheck.line_id.in_(line_ids),
            SpotCheck.due_at >= since,
            SpotCheck.first_due_at >= since,
            SpotCheck.kind != "demo",
            SpotCheck.state.in_(CALLED_STATES),
        )
        .order_by(SpotCheck.first_due_at)
    )
    found: dict[int, list[datetime]] = {}
    for line_id, at in await session.execute(query):
        found.setdefault(line_id, []).append(at)
    return found


async def open_order(session: AsyncSession, line_id: int) -> int | None:
    """Key of an order of this line that is not over yet."""
    query = select(SpotCheck.id).where(SpotCheck.line_id == line_id, SpotCheck.state.in_(OPEN_STATES))
    return await session.scalar(query.order_by(SpotCheck.id).limit(1))


async def lock_line(session: AsyncSession, line_id: int) -> DutyLine | None:
    """A line with its unit; whoever else wants to order a call of it waits until this unit of work is over."""
    query = (
        select(DutyLine)
        .where(DutyLine.id == line_id)
        .options(joinedload(DutyLine.unit))
        .with_for_update(of=DutyLine)
        .execution_options(populate_existing=True)
    )
    return await session.scalar(query)


async def count_since(session: AsyncSession, line_id: int, kind: str, since: datetime) -> int:
    """How many orders of a kind a line had since a moment."""
    query = select(func.count()).where(
        SpotCheck.line_id == line_id,
        SpotCheck.kind == kind,
        SpotCheck.due_at >= since,
        SpotCheck.state.in_(CALLED_STATES),
    )
    return await session.scalar(query) or 0
