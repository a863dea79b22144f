"""All queries of planning: prompts, plans with their runs and draws, checks that were made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import DutyLine, LineUnit, Unit
from app.planning.models import DrawEpoch, DrawSkip, ManualCheck, Plan, PlanRun, Prompt


async def prompt(session: AsyncSession, prompt_id: int) -> Prompt | None:
    """One prompt."""
    return await session.get(Prompt, prompt_id)


async def prompts(
    session: AsyncSession, kind: str | None = None, *, usable: bool = False, after: int = 0, limit: int = 200
) -> Sequence[Prompt]:
    """Prompts by key; `usable` leaves those that are approved and not retired."""
    query = select(Prompt).where(Prompt.id > after)
    if kind is not None:
        query = query.where(Prompt.kind == kind)
    if usable:
        query = query.where(Prompt.approved_at.is_not(None), Prompt.retired_at.is_(None))
    return (await session.scalars(query.order_by(Prompt.id).limit(limit))).all()


async def newest_prompt(session: AsyncSession, kind: str) -> Prompt | None:
    """The prompt of this kind that was approved last and is in use."""
    query = select(Prompt).where(
        Prompt.kind == kind, Prompt.approved_at.is_not(None), Prompt.retired_at.is_(None)
    )
    return await session.scalar(query.order_by(Prompt.approved_at.desc(), Prompt.id.desc()).limit(1))


async def words_of(session: AsyncSession, made_by: str) -> frozenset[str]:
    """What the prompts that somebody made say."""
    return frozenset(await session.scalars(select(Prompt.words).where(Prompt.created_by == made_by)))


async def plan(session: AsyncSession, plan_id: int, *, lock: bool = False) -> Plan | None:
    """One plan; `lock` keeps others from changing it until the unit of work is over."""
    return await session.get(Plan, plan_id, with_for_update=True if lock else None)


async def plans(session: AsyncSession, state: str | None, before: int | None, limit: int) -> Sequence[Plan]:
    """Plans, newest first."""
    query = select(Plan)
    if state is not None:
        query = query.where(Plan.state == state)
    if before is not None:
        query = query.where(Plan.id < before)
    return (await session.scalars(query.order_by(Plan.id.desc()).limit(limit))).all()


async def runs(session: AsyncSession, plan_ids: Sequence[int]) -> Sequence[PlanRun]:
    """Every start of some plans, in their order."""
    query = select(PlanRun).where(PlanRun.plan_id.in_(plan_ids))
    return (await session.scalars(query.order_by(PlanRun.plan_id, PlanRun.number))).all()


async def run(session: AsyncSession, run_id: int) -> PlanRun | None:
    """One start of a plan."""
    return await session.get(PlanRun, run_id)


async def all_runs(session: AsyncSession, plan_id: int | None = None) -> Sequence[PlanRun]:
    """Every start of every plan, or of one."""
    query = select(PlanRun)
    if plan_id is not None:
        query = query.where(PlanRun.plan_id == plan_id)
    return (await session.scalars(query.order_by(PlanRun.plan_id, PlanRun.number))).all()


async def sealed_runs(session: AsyncSession) -> Sequence[tuple[PlanRun, Plan, int]]:
    """The runs whose seed is still sealed, each with its plan and the number of its last draw."""
    last = select(func.max(DrawEpoch.number)).where(DrawEpoch.run_id == PlanRun.id).scalar_subquery()
    query = (
        select(PlanRun, Plan, last)
        .join(Plan, Plan.id == PlanRun.plan_id)
        .where(PlanRun.revealed_at.is_(None))
        .order_by(PlanRun.id)
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(query) if row[2] is not None]


async def epochs(session: AsyncSession, run_id: int) -> Sequence[DrawEpoch]:
    """The draws of a run, in their order."""
    query = select(DrawEpoch).where(DrawEpoch.run_id == run_id)
    return (await session.scalars(query.order_by(DrawEpoch.number))).all()


async def epoch(session: AsyncSession, run_id: int, number: int) -> DrawEpoch | None:
    """One draw of a run."""
    return await session.scalar(
        select(DrawEpoch).where(DrawEpoch.run_id == run_id, DrawEpoch.number == number)
    )


async def skips(session: AsyncSession, run_id: int, epoch_number: int | None = None) -> Sequence[DrawSkip]:
    """The moments of a run, or of one of its draws, that passed without a call."""
    query = select(DrawSkip).where(DrawSkip.run_id == run_id)
    if epoch_number is not None:
        query = query.where(DrawSkip.epoch == epoch_number)
    return (await session.scalars(query.order_by(DrawSkip.epoch, DrawSkip.slot))).all()


async def unit(session: AsyncSession, unit_id: int) -> Unit | None:
    """One unit."""
    return await session.get(Unit, unit_id)


async def paths(session: AsyncSession, unit_ids: Sequence[int]) -> Mapping[int, str]:
    """Paths of some units, by key."""
    rows = await session.execute(select(Unit.id, Unit.path).where(Unit.id.in_(unit_ids)))
    return dict(rows.tuples().all())


async def lines_reaching(session: AsyncSession, unit_id: int) -> Sequence[int]:
    """Keys of the duty lines that are a unit's own, or, where it has none, that are shared with it."""
    own = select(DutyLine.id).where(DutyLine.unit_id == unit_id, DutyLine.active, DutyLine.kind == "duty")
    found = (await session.scalars(own.order_by(DutyLine.id))).all()
    if found:
        return found
    shared = (
        select(DutyLine.id)
        .join(LineUnit, LineUnit.line_id == DutyLine.id)
        .where(LineUnit.unit_id == unit_id, DutyLine.active, DutyLine.kind == "duty")
    )
    return (await session.scalars(shared.order_by(DutyLine.id))).all()


async def running_plans(session: AsyncSession) -> Sequence[Plan]:
    """The plans that run or are paused."""
    query = select(Plan).where(Plan.state.in_(("running", "paused")), Plan.content.is_not(None))
    return (await session.scalars(query.order_by(Plan.id))).all()


async def reaches(session: AsyncSession, line_id: int, unit_id: int) -> bool:
    """Whether a line is a unit's own, or shared with it (综合值班室)."""
    own = select(DutyLine.id).where(DutyLine.id == line_id, DutyLine.unit_id == unit_id)
    shared = select(LineUnit.line_id).where(LineUnit.line_id == line_id, LineUnit.unit_id == unit_id)
    return await session.scalar(own.union(shared).limit(1)) is not None


async def manual_check(session: AsyncSession, manual_id: int) -> ManualCheck | None:
    """One check that was made by hand."""
    return await session.get(ManualCheck, manual_id)


async def manual_checks(
    session: AsyncSession,
    *,
    unit_id: int | None,
    source: str | None,
    code: str | None,
    first: datetime | None,
    last: datetime | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> Sequence[ManualCheck]:
    """Checks that were made by hand, newest first, by when they were made."""
    query = select(ManualCheck)
    for column, value in (
        (ManualCheck.unit_id, unit_id),
        (ManualCheck.source, source),
        (ManualCheck.code, code),
    ):
        if value is not None:
            query = query.where(column == value)
    if first is not None:
        query = query.where(ManualCheck.at >= first)
    if last is not None:
        query = query.where(ManualCheck.at < last)
    if after is not None:
        query = query.where(tuple_(ManualCheck.at, ManualCheck.id) < tuple_(*after))
    query = query.order_by(ManualCheck.at.desc(), ManualCheck.id.desc()).limit(limit)
    return (await session.scalars(query)).all()
