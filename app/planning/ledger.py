"""What planning asks of the ledger: which orders a line had, which checks count, who was covered.

Who was covered is counted by lines that units share (综合值班室), also by those of a unit that the reader does not see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    cast,
    exists,
    extract,
    func,
    literal,
    or_,
    select,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.accounts.scope import visible_units
from app.checks.models import IS_COUNTED, Attempt, SpotCheck
from app.directory.models import DutyLine, LineUnit, Unit
from app.planning.models import DrawSkip, Plan

CALLED_STATES = ("due", "claimed", "retry", "done")
"""Orders that called a line, or are about to; those withdrawn or missed rang nowhere."""
OPEN_STATES = ("due", "claimed", "retry")
Span = tuple[datetime, datetime]


def _counted_in(span: Span) -> list[ColumnElement[bool]]:
    return [IS_COUNTED, SpotCheck.first_due_at >= span[0], SpotCheck.first_due_at < span[1]]


def _short(span: Span, required: int) -> ColumnElement[bool]:
    """Whether a unit has fewer counted checks than are required: the last one required is not there."""
    if required == 1:
        return ~_reached(span)
    own = select(DutyLine.id).where(DutyLine.unit_id == Unit.id, DutyLine.kind != "fax").correlate(Unit)
    shared = select(LineUnit.line_id).where(LineUnit.unit_id == Unit.id).correlate(Unit)
    last = (
        # One list of lines: of two, joined by "or", no database looks into the index of a line.
        select(literal(1))
        .where(SpotCheck.line_id.in_(union(own, shared)), *_counted_in(span))
        .correlate(Unit)
        .limit(1)
        .offset(required - 1)
    )
    return ~last.exists()


def _reached(span: Span) -> ColumnElement[bool]:
    """Whether a unit has a counted check, by a line of its own or a shared one: one look into the index a line."""
    own = exists().where(
        DutyLine.unit_id == Unit.id,
        DutyLine.kind != "fax",
        exists().where(SpotCheck.line_id == DutyLine.id, *_counted_in(span)).correlate(DutyLine),
    )
    shared = exists().where(
        LineUnit.unit_id == Unit.id,
        exists().where(SpotCheck.line_id == LineUnit.line_id, *_counted_in(span)).correlate(LineUnit),
    )
    return or_(own.correlate(Unit), shared.correlate(Unit))


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
    query = select(Unit).where(_to_cover(span), *visible_units()).execution_options(every_unit=True)
    if missing is not None:
        short = _short(span, required)
        query = query.where(short if missing else ~short)
    if after is not None:
        query = query.where(Unit.code > after)
    return (await session.scalars(query.order_by(Unit.code).limit(limit))).all()


async def count_units(session: AsyncSession, span: Span, required: int) -> tuple[int, int]:
    """How many units there are to cover in a span, and how many of them are short."""
    query = select(func.count()).select_from(Unit).where(_to_cover(span), *visible_units())
    query = query.execution_options(every_unit=True)
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


def _borne() -> ColumnElement[bool]:
    """Whether an order counts towards the caps of its line.

    A 核号 that a person ordered does not: one a day would keep a line out of all random checks.
    """
    by_hand = and_(SpotCheck.kind == "verification", SpotCheck.run_id.is_(None))
    return and_(SpotCheck.kind != "demo", ~by_hand)


async def uses(
    session: AsyncSession, line_ids: Sequence[int], since: datetime
) -> Mapping[int, Sequence[datetime]]:
    """When lines were called since a moment, by line and in the order of time: the first call of each order.

    Random and designated checks are calls that a duty room bears, and 核号 calls that a plan made; see `_borne`.
    """
    query = (
        select(SpotCheck.line_id, SpotCheck.first_due_at)
        .where(
            SpotCheck.line_id.in_(line_ids),
            SpotCheck.due_at >= since,
            SpotCheck.first_due_at >= since,
            _borne(),
            SpotCheck.state.in_(CALLED_STATES),
        )
        .order_by(SpotCheck.first_due_at)
    )
    found: dict[int, list[datetime]] = {}
    for line_id, at in await session.execute(query):
        found.setdefault(line_id, []).append(at)
    return found


async def uses_of_all(
    session: AsyncSession, line_ids: frozenset[int], since: datetime
) -> Mapping[int, Sequence[datetime]]:
    """As `uses`, for as many lines as there may be."""
    query = (
        select(SpotCheck.line_id, SpotCheck.first_due_at)
        .where(
            SpotCheck.state.in_(CALLED_STATES),
            SpotCheck.due_at >= since,
            SpotCheck.first_due_at >= since,
            _borne(),
        )
        .order_by(SpotCheck.first_due_at)
    )
    found: dict[int, list[datetime]] = {}
    for line_id, at in await session.execute(query):
        if line_id in line_ids:
            found.setdefault(line_id, []).append(at)
    return found


def _counts_so_far() -> ColumnElement[bool]:
    """Random checks that count, those that are not over yet among them."""
    return and_(
        SpotCheck.kind == "random",
        or_(SpotCheck.state.in_(OPEN_STATES), and_(SpotCheck.state == "done", SpotCheck.counts)),
    )


async def done_by_plan(session: AsyncSession, plan_id: int) -> Mapping[int, Sequence[int]]:
    """When a plan's checks that count were made, in any order, by the unit that answers for the line.

    Seconds since 1970: a plan of a year has ten thousands of them, and moments would take longer to make than to read.
    """
    # Joined to so many checks, the lines would take as long to read as the checks.
    unit_of = {row[0]: row[1] for row in await session.execute(select(DutyLine.id, DutyLine.unit_id))}
    second: ColumnElement[int] = extract("epoch", SpotCheck.first_due_at)
    if session.get_bind().dialect.name != "sqlite":
        # SQLite's are whole already, and it may have been built without `floor`.
        second = cast(func.floor(second), BigInteger)
    query = select(SpotCheck.line_id, second).where(
        SpotCheck.plan_id == plan_id, SpotCheck.first_due_at.is_not(None), _counts_so_far()
    )
    found: dict[int, list[int]] = {}
    for line_id, at in await session.execute(query):
        unit_id = unit_of.get(line_id)
        if unit_id is not None:
            found.setdefault(unit_id, []).append(at)
    return found


async def count_by_unit(
    session: AsyncSession, plan_id: int, since: datetime | None = None
) -> Mapping[int, int]:
    """How many checks of a plan that count each unit had, by the unit that answered for the line when it was called."""
    query = select(SpotCheck.unit_id, func.count()).where(SpotCheck.plan_id == plan_id, _counts_so_far())
    if since is not None:
        query = query.where(SpotCheck.first_due_at >= since)
    return {row[0]: row[1] for row in await session.execute(query.group_by(SpotCheck.unit_id))}


async def done_by_year(
    session: AsyncSession, first: int, last: int, zone: ZoneInfo
) -> Mapping[int, Mapping[int, int]]:
    """How many random checks that count each unit had by calendar year; those of a shared line count for each unit."""
    shared: dict[int, list[int]] = {}
    for line_id, unit_id in await session.execute(select(LineUnit.line_id, LineUnit.unit_id)):
        shared.setdefault(line_id, []).append(unit_id)
    found: dict[int, dict[int, int]] = {}
    for year in range(first, last + 1):
        span = datetime(year, 1, 1, tzinfo=zone), datetime(year + 1, 1, 1, tzinfo=zone)
        for line_id, unit_id, count in await _done_in(session, span):
            for reached in {unit_id, *shared.get(line_id, ())}:
                years = found.setdefault(reached, {})
                years[year] = years.get(year, 0) + count
    return found


async def _done_in(session: AsyncSession, span: Span) -> Sequence[tuple[int, int, int]]:
    """Lines that had random checks in a span which count or are not over yet: with their unit, and how many."""
    # Line by line, each by its stretch of the index: counted together, all years would be gone through.
    over = select(func.count()).where(SpotCheck.line_id == DutyLine.id, *_counted_in(span))
    lines = select(DutyLine.id, DutyLine.unit_id, over.correlate(DutyLine).scalar_subquery())
    going_on = (
        select(SpotCheck.line_id, func.count())
        .where(
            SpotCheck.kind == "random",
            SpotCheck.state.in_(OPEN_STATES),
            SpotCheck.due_at >= span[0],
            SpotCheck.first_due_at >= span[0],
            SpotCheck.first_due_at < span[1],
        )
        .group_by(SpotCheck.line_id)
    )
    further = {row[0]: row[1] for row in await session.execute(going_on)}
    rows = [(key, unit_id, done + further.get(key, 0)) for key, unit_id, done in await session.execute(lines)]
    return [row for row in rows if row[2]]


async def orders_of(session: AsyncSession, run_id: int) -> Sequence[SpotCheck]:
    """The orders of a run, by draw and slot."""
    query = select(SpotCheck).where(SpotCheck.run_id == run_id)
    return (await session.scalars(query.order_by(SpotCheck.epoch, SpotCheck.slot))).all()


async def uncalled(session: AsyncSession, run_id: int) -> frozenset[int]:
    """Keys of the orders of a run that are said to be done and have no call."""
    query = select(SpotCheck.id).where(
        SpotCheck.run_id == run_id,
        SpotCheck.state == "done",
        ~exists().where(Attempt.check_id == SpotCheck.id),
    )
    return frozenset(await session.scalars(query))


async def undrawn(
    session: AsyncSession, plan_id: int | None = None, limit: int = 100
) -> Sequence[tuple[int, int | None]]:
    """Orders that count as random and belong to no run, with their plan; those entered moment by moment apart."""
    query = (
        select(SpotCheck.id, SpotCheck.plan_id)
        .outerjoin(Plan, Plan.id == SpotCheck.plan_id)
        .where(
            SpotCheck.kind == "random",
            SpotCheck.run_id.is_(None),
            or_(SpotCheck.plan_id.is_(None), Plan.content.is_not(None)),
        )
    )
    if plan_id is not None:
        query = query.where(SpotCheck.plan_id == plan_id)
    rows = await session.execute(query.order_by(SpotCheck.id).limit(limit))
    return [(row[0], row[1]) for row in rows]


async def slots_after(
    session: AsyncSession, run_id: int, place: tuple[int, int], limit: int
) -> Sequence[SpotCheck]:
    """The orders of a run behind a draw and slot."""
    query = select(SpotCheck).where(
        SpotCheck.run_id == run_id, tuple_(SpotCheck.epoch, SpotCheck.slot) > tuple_(*place)
    )
    return (await session.scalars(query.order_by(SpotCheck.epoch, SpotCheck.slot).limit(limit))).all()


async def count_by_epoch(session: AsyncSession, run_id: int) -> Mapping[int, int]:
    """How many orders of a run there are, by draw."""
    query = select(SpotCheck.epoch, func.count()).where(SpotCheck.run_id == run_id).group_by(SpotCheck.epoch)
    return {epoch: count for epoch, count in await session.execute(query) if epoch is not None}


async def handled_slots(
    session: AsyncSession, run_id: int, epoch: int, among: Sequence[int] | None = None
) -> frozenset[int]:
    """The slots of a draw, or those of them `among` some, that are orders or were passed over."""
    found: set[int] = set()
    for table in (SpotCheck, DrawSkip):
        query = select(table.slot).where(table.run_id == run_id, table.epoch == epoch)
        if among is not None:
            query = query.where(table.slot.in_(among))
        found |= {slot for slot in await session.scalars(query) if slot is not None}
    return frozenset(found)


async def open_of_run(session: AsyncSession, run_id: int) -> bool:
    """Whether an order of a run is not over yet."""
    query = select(SpotCheck.id).where(SpotCheck.run_id == run_id, SpotCheck.state.in_(OPEN_STATES)).limit(1)
    return await session.scalar(query) is not None


async def count_verifications(session: AsyncSession, run_id: int, epoch: int) -> int:
    """How many moments of a draw went to 核号 calls: the checks that they were drawn for are owed still."""
    query = select(func.count()).where(
        SpotCheck.run_id == run_id, SpotCheck.epoch == epoch, SpotCheck.kind == "verification"
    )
    return await session.scalar(query) or 0


async def count_uncounted(session: AsyncSession, run_id: int, epoch: int, since: datetime) -> int:
    """How many checks of a run ended without saying anything of the unit since its last draw: they are owed still."""
    ended = or_(
        and_(SpotCheck.state == "done", SpotCheck.closed_at >= since, ~SpotCheck.counts),
        and_(
            SpotCheck.state.in_(("withdrawn", "missed")),
            or_(SpotCheck.closed_at >= since, and_(SpotCheck.closed_at.is_(None), SpotCheck.epoch == epoch)),
        ),
    )
    query = select(func.count()).where(SpotCheck.run_id == run_id, SpotCheck.kind == "random", ended)
    return await session.scalar(query) or 0


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
