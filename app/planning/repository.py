"""All queries of planning: prompts, plans with their runs and draws, checks that were made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Executable, Row, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.directory.models import DutyLine, LineUnit, Unit, UnitExemption
from app.planning.models import (
    CalendarChange,
    CalendarDay,
    DrawEpoch,
    DrawSkip,
    ManualCheck,
    Plan,
    PlanRun,
    Prompt,
)

GOING_ON = ("running", "paused")
"""States of a plan whose run is not over."""


class StandingRun(NamedTuple):
    """A run whose seed is still sealed."""

    run_id: int
    plan_id: int
    state: str
    """Of its plan."""
    last_epoch: int
    ended: bool
    """Cancelled: nothing of it is called any more, be its plan started again or not."""

    @property
    def goes_on(self) -> bool:
        """Whether its moments count."""
        return not self.ended and self.state in GOING_ON


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


async def sealed_runs(session: AsyncSession) -> Sequence[StandingRun]:
    """The runs whose seed is still sealed."""
    last = select(func.max(DrawEpoch.number)).where(DrawEpoch.run_id == PlanRun.id).scalar_subquery()
    query = (
        select(PlanRun.id, PlanRun.plan_id, Plan.state, last, PlanRun.ended_at.is_not(None))
        .join(Plan, Plan.id == PlanRun.plan_id)
        .where(PlanRun.revealed_at.is_(None))
        .order_by(PlanRun.id)
    )
    rows = (await session.execute(query)).all()
    return [StandingRun(*row) for row in rows if row[3] is not None]


async def last_epoch(session: AsyncSession, run_id: int) -> int | None:
    """Number of the last draw of a run."""
    return await session.scalar(select(func.max(DrawEpoch.number)).where(DrawEpoch.run_id == run_id))


async def goes_on(session: AsyncSession, run_id: int, epoch_number: int) -> bool:
    """Whether a run is not over and this is its last draw."""
    query = (
        select(PlanRun.id)
        .join(Plan, Plan.id == PlanRun.plan_id)
        .where(PlanRun.id == run_id, PlanRun.ended_at.is_(None), Plan.state.in_(GOING_ON))
    )
    found = await session.scalar(query)
    return found is not None and await last_epoch(session, run_id) == epoch_number


async def epochs(session: AsyncSession, run_id: int) -> Sequence[DrawEpoch]:
    """The draws of a run, in their order."""
    query = select(DrawEpoch).where(DrawEpoch.run_id == run_id)
    return (await session.scalars(query.order_by(DrawEpoch.number))).all()


async def epoch(session: AsyncSession, run_id: int, number: int) -> DrawEpoch | None:
    """One draw of a run."""
    return await session.scalar(
        select(DrawEpoch).where(DrawEpoch.run_id == run_id, DrawEpoch.number == number)
    )


async def inputs_of(session: AsyncSession, run_id: int, number: int) -> Mapping[str, Any]:
    """The inputs of a draw."""
    query = select(DrawEpoch.inputs).where(DrawEpoch.run_id == run_id, DrawEpoch.number == number)
    return await session.scalar(query) or {}


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
    return {row.id: row.path for row in rows}


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
    query = select(Plan).where(Plan.state.in_(GOING_ON), Plan.content.is_not(None))
    return (await session.scalars(query.order_by(Plan.id))).all()


async def plans_playing(session: AsyncSession, prompt_ids: Sequence[int]) -> Mapping[int, Sequence[Plan]]:
    """The running and paused plans that name some prompts, by prompt."""
    found: dict[int, list[Plan]] = {}
    for row in await running_plans(session):
        content = row.content or {}
        played = {content.get("opening_id"), content.get("closing_id")}
        for key in set(prompt_ids):
            if key in played:
                found.setdefault(key, []).append(row)
    return found


async def reaches(session: AsyncSession, line_id: int, unit_id: int) -> bool:
    """Whether a line is a unit's own, or shared with it (综合值班室)."""
    own = select(DutyLine.id).where(DutyLine.id == line_id, DutyLine.unit_id == unit_id)
    shared = select(LineUnit.line_id).where(LineUnit.line_id == line_id, LineUnit.unit_id == unit_id)
    return await session.scalar(own.union(shared).limit(1)) is not None


async def directory_rows(session: AsyncSession) -> Sequence[Row[Any]]:
    """Every value of directory, calendar and approvals that a draw may depend on, in a fixed order."""
    queries: list[Executable] = [
        select(
            DutyLine.id,
            DutyLine.unit_id,
            DutyLine.kind,
            DutyLine.active,
            DutyLine.verification,
            DutyLine.first_day,
            DutyLine.last_day,
        ).order_by(DutyLine.id),
        select(
            Unit.id, Unit.path, Unit.kind, Unit.category, Unit.handover_times, Unit.first_day, Unit.last_day
        ).order_by(Unit.id),
        select(LineUnit.line_id, LineUnit.unit_id).order_by(LineUnit.line_id, LineUnit.unit_id),
        select(
            UnitExemption.id,
            UnitExemption.unit_id,
            UnitExemption.line_id,
            UnitExemption.first_at,
            UnitExemption.last_at,
        ).order_by(UnitExemption.id),
        select(Plan.id, Plan.night_approved_at).where(Plan.state.in_(GOING_ON)).order_by(Plan.id),
        select(func.max(CalendarChange.id), select(func.count()).select_from(CalendarDay).scalar_subquery()),
    ]
    found: list[Row[Any]] = []
    for query in queries:
        found += (await session.execute(query)).all()
    return found


async def shared_units(
    session: AsyncSession,
) -> tuple[Mapping[int, Sequence[int]], Mapping[int, Sequence[str]]]:
    """For each shared line the further units that it reaches, and the handover times of those units."""
    query = (
        select(LineUnit.line_id, Unit.id, Unit.handover_times)
        .join(Unit, Unit.id == LineUnit.unit_id)
        .order_by(LineUnit.line_id, Unit.id)
    )
    further: dict[int, list[int]] = {}
    handovers: dict[int, list[str]] = {}
    for line_id, unit_id, times in await session.execute(query):
        further.setdefault(line_id, []).append(unit_id)
        handovers[unit_id] = times
    return further, handovers


async def exemptions_after(session: AsyncSession, at: datetime) -> Sequence[UnitExemption]:
    """The exemptions that hold at a moment or later."""
    query = select(UnitExemption).where(or_(UnitExemption.last_at.is_(None), UnitExemption.last_at > at))
    return (await session.scalars(query.order_by(UnitExemption.id))).all()


async def skips_after(
    session: AsyncSession, run_id: int, place: tuple[int, int], limit: int
) -> Sequence[DrawSkip]:
    """The moments of a run that passed without a call, behind a draw and slot."""
    query = select(DrawSkip).where(
        DrawSkip.run_id == run_id, tuple_(DrawSkip.epoch, DrawSkip.slot) > tuple_(*place)
    )
    return (await session.scalars(query.order_by(DrawSkip.epoch, DrawSkip.slot).limit(limit))).all()


async def count_skips(session: AsyncSession, run_id: int) -> Mapping[int, int]:
    """How many moments of a run passed without a call, by draw."""
    query = select(DrawSkip.epoch, func.count()).where(DrawSkip.run_id == run_id).group_by(DrawSkip.epoch)
    return {row[0]: row[1] for row in await session.execute(query)}


async def epoch_heads(session: AsyncSession, run_id: int) -> Sequence[DrawEpoch]:
    """The draws of a run, in their order, without their inputs."""
    query = (
        select(DrawEpoch).where(DrawEpoch.run_id == run_id).options(defer(DrawEpoch.inputs, raiseload=True))
    )
    return (await session.scalars(query.order_by(DrawEpoch.number))).all()


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
