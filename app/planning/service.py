"""Verbs of plans (抽查计划). They never commit: the caller's unit of work does.

A plan is written as a draft, seen in a preview, started, perhaps paused, and over in the end. Each start is a run with
a seed of its own; starting again is one more run, for all to see. No verb and no audit line tells of a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.principal import WHOLE_OFFICE_ONLY, every_unit, limits
from app.checks.alarms import clock_ok
from app.directory import repository as directory
from app.errors import BadInputError, ConflictError, Fault, ForbiddenError, NotFoundError
from app.planning import choosing, gathering, prompts, repository, sealed
from app.planning.draw import Contradiction, Load, commitment, contradictions, expected_load
from app.planning.draw_inputs import DrawInputs
from app.planning.gathering import Uncallable
from app.planning.models import Plan, PlanRun
from app.planning.spec import PlanSpec
from app.planning.windows import DrawMoment
from app.sealing import sealer
from app.settings import Settings

EDITABLE = ("draft", "cancelled")
"""States in which a plan may be changed and started. A cancelled one shows all its earlier runs."""
_MOST_FAULTS = 50


@dataclass(frozen=True, slots=True)
class Preview:
    """What a plan would do if it was started now: loads, never moments."""

    plan: Plan
    inputs: DrawInputs
    loads: Sequence[Load]
    contradictions: Sequence[Contradiction]
    over: int
    """Things that were guaranteed for periods that are over by now: nothing can be done for them any more."""
    uncallable: Sequence[Uncallable]
    pending: int
    """Lines whose number has yet to be verified: their first call is a 核号."""
    unknown_days: int
    """Days of the period that nobody entered into the calendar: they follow the weekend rule."""
    hindrances: Sequence[Fault]
    """What else keeps it from being started: prompts, approval, the clock, its dates."""
    night_approved: bool
    stamp: str = ""
    """Of the directory and calendar that it was worked out from, for a start; empty: nothing is started by it."""


async def create(session: AsyncSession, name: str, spec: PlanSpec, who: str) -> Plan:
    """Write a plan down as a draft. Raises `BadInputError`, `ForbiddenError` for units that are not the writer's."""
    await _check_scope(session, spec)
    plan = Plan(
        name=name,
        running=False,
        state="draft",
        content=spec.to_content(),
        created_at=clock.now(),
        created_by=who,
    )
    session.add(plan)
    await session.flush()
    await audit.record(session, "plan_create", f"plan:{plan.id}", name, who)
    return plan


async def edit(session: AsyncSession, plan_id: int, name: str, spec: PlanSpec, who: str) -> Plan:
    """Change a plan that is not running. An approval of the night has to be given anew. Raises `ConflictError`."""
    plan = await get(session, plan_id, lock=True)
    await _check_scope(session, spec)
    _editable(plan)
    plan.name, plan.content = name, spec.to_content()
    plan.night_approved_at = plan.night_approved_by = None
    await session.flush()
    await audit.record(session, "plan_edit", f"plan:{plan_id}", name, who)
    return plan


async def _check_scope(session: AsyncSession, spec: PlanSpec) -> None:
    """Whoever is for a part of the tree plans for units in it, and has to name them: no choice means every unit."""
    if limits() is None:
        return
    if not spec.units.subtrees:
        raise ForbiddenError(
            WHOLE_OFFICE_ONLY, [Fault("subtrees", "beyond your units: choose units of yours")]
        )
    wanted = frozenset(spec.units.subtrees)
    missing = wanted - await directory.present_units(session, wanted)
    if missing:
        listed = "、".join(str(key) for key in sorted(missing))
        raise BadInputError(f"没有编号为 {listed} 的单位", [Fault("subtrees", f"没有编号为 {listed} 的单位")])


async def get(session: AsyncSession, plan_id: int, *, lock: bool = False) -> Plan:
    """One plan. Raises `NotFoundError`."""
    plan = await repository.plan(session, plan_id, lock=lock)
    if plan is None:
        raise NotFoundError(f"there is no plan {plan_id}")
    return plan


def _editable(plan: Plan) -> None:
    if plan.content is None:
        raise ConflictError(f"plan {plan.id} was entered moment by moment; it cannot be changed or started")
    if plan.state not in EDITABLE:
        raise ConflictError(
            f"plan {plan.id} is {plan.state}; only a draft or a cancelled plan can be changed"
        )


async def approve_night(session: AsyncSession, plan_id: int, who: str) -> Plan:
    """Let a plan call between 00:00 and 06:00, each line once a month; not by who wrote it. Raises `ForbiddenError`."""
    plan = await get(session, plan_id, lock=True)
    edits = await audit.of_actions(session, ("plan_edit",), f"plan:{plan_id}")
    if who in {plan.created_by, *(line.who for line in edits)}:
        raise ForbiddenError(f"plan {plan_id} was written by {who}; a supervisor must approve calls at night")
    spec = _spec(plan)
    if not spec.calls_at_night:
        raise ConflictError(f"plan {plan_id} has no window between 00:00 and 06:00")
    if plan.state == "finished":
        raise ConflictError(f"plan {plan_id} is over")
    plan.night_approved_at, plan.night_approved_by = clock.now(), who
    await session.flush()
    await audit.record(session, "plan_approve_night", f"plan:{plan_id}", "", who)
    return plan


def _spec(plan: Plan) -> PlanSpec:
    spec = choosing.spec_of(plan)
    if spec is None:
        raise ConflictError(f"plan {plan.id} was entered moment by moment and has no windows")
    return spec


async def preview(session: AsyncSession, settings: Settings, plan_id: int) -> Preview:
    """Work out what a plan would do if it was started now. Only reads; takes a second or two for 2,000 units."""
    plan = await get(session, plan_id)
    with every_unit():
        # Read before all the rest: what is changed meanwhile is seen by the start.
        stamp = await gathering.stamp(session)
    return replace(await look(session, settings, plan), stamp=stamp)


async def look(session: AsyncSession, settings: Settings, plan: Plan) -> Preview:
    """As `preview`, to be looked at alone, of a plan that need not be written down yet: its key is 0 then."""
    await _check_scope(session, _spec(plan))
    with every_unit():
        # A draw depends on caps, shared lines and other plans, whoever may see them.
        return await _preview(session, settings, plan)


async def _preview(session: AsyncSession, settings: Settings, plan: Plan) -> Preview:
    spec = _spec(plan)
    now = clock.now()
    found = await gathering.gather(session, plan, spec, settings.zone, now)
    approved = plan.night_approved_at is not None
    hindrances = await _hindrances(session, settings, plan, spec, now)
    inputs = found.inputs(settings.zone, DrawMoment(0, now, night_approved=approved))
    if not inputs.units:
        hindrances.append(Fault("units", "no unit with a line that may be called is chosen"))
    loads, against = await asyncio.to_thread(lambda: (expected_load(inputs), contradictions(inputs)))
    today = now.astimezone(settings.zone).date()
    over = {place for place in {item[2:4] for item in against} if _is_over(*place, inputs, today)}
    ahead = [item for item in against if item[2:4] not in over]
    if over:
        # What is over must not keep the rest from being drawn.
        inputs = replace(inputs, best_effort=True)
    return Preview(
        plan,
        inputs,
        loads,
        ahead,
        len(against) - len(ahead),
        found.uncallable,
        found.pending,
        len(found.book.unknown(spec.first_day, spec.last_day)),
        hindrances,
        approved,
    )


def _is_over(span: str, label: str, inputs: DrawInputs, today: date) -> bool:
    """Whether the period or year that something is guaranteed for has passed."""
    if span == "year":
        return int(label) < today.year
    following = inputs.periods.index(label) + 1
    return following < len(inputs.periods) and date.fromisoformat(inputs.periods[following]) <= today


async def _hindrances(
    session: AsyncSession, settings: Settings, plan: Plan, spec: PlanSpec, now: datetime
) -> list[Fault]:
    found: list[Fault] = []
    opening = None if spec.opening_id is None else await repository.prompt(session, spec.opening_id)
    why = "takes an approved opening" if spec.opening_id is None else prompts.fault_of(opening, "opening")
    if why is not None:
        found.append(Fault("opening_id", why))
    closing = None if spec.closing_id is None else await repository.prompt(session, spec.closing_id)
    if spec.closing_id is not None:
        why = prompts.fault_of(closing, "closing")
        if why is not None:
            found.append(Fault("closing_id", why))
    said_s = sum(prompt.duration_ms for prompt in (opening, closing) if prompt is not None) / 1000
    if said_s > spec.max_talk_s:
        # The closing would begin before it has been said who calls, and how to verify us.
        found.append(Fault("max_talk_s", f"opening and closing take {said_s:.1f} s: give them at least that"))
    if spec.calls_at_night and plan.night_approved_at is None:
        found.append(Fault("windows", "between 00:00 and 06:00 they take a supervisor's approval"))
    if spec.last_day < now.astimezone(settings.zone).date():
        found.append(Fault("last_day", f"{spec.last_day} has passed"))
    if not await clock_ok(session):
        found.append(Fault("clock", "this machine's clock is off; see the alarms"))
    return found


async def start(session: AsyncSession, settings: Settings, seen: Preview, who: str) -> PlanRun:
    """Start a plan as it was seen in a preview: commit to a seed that nobody knows, and seal it.

    Raises `ConflictError` that names what is against it.
    """
    plan = await get(session, seen.plan.id, lock=True)
    with every_unit():
        return await _start(session, settings, plan, seen, who)


async def _start(session: AsyncSession, settings: Settings, plan: Plan, seen: Preview, who: str) -> PlanRun:
    _editable(plan)
    changed = plan.content != seen.plan.content or (plan.night_approved_at is not None) != seen.night_approved
    if changed or await gathering.stamp(session) != seen.stamp:
        raise ConflictError(
            f"plan {plan.id}, the directory or the calendar was changed just now; start it again"
        )
    now = clock.now()
    hindrances = [*seen.hindrances, *await _hindrances(session, settings, plan, _spec(plan), now)]
    if hindrances:
        unique = list(dict.fromkeys(hindrances))
        told = "; ".join(f"{fault.where}: {fault.message}" for fault in unique)
        raise ConflictError(f"plan {plan.id} cannot be started: {told}", unique)
    if seen.contradictions:
        raise _cannot_be_met(plan, seen.contradictions)
    return await _begin(session, settings, plan, seen.inputs, who, now)


def _cannot_be_met(plan: Plan, found: Sequence[Contradiction]) -> ConflictError:
    faults = [Fault(f"unit {item.unit_id}", str(item)) for item in found[:_MOST_FAULTS]]
    return ConflictError(
        f"plan {plan.id} cannot be started: {len(found)} things that it guarantees cannot be met; {found[0]}",
        faults,
    )


async def _begin(
    session: AsyncSession, settings: Settings, plan: Plan, inputs: DrawInputs, who: str, now: datetime
) -> PlanRun:
    number = len(await repository.runs(session, [plan.id])) + 1
    seed = sealed.new_seed()
    run = PlanRun(
        plan_id=plan.id,
        number=number,
        started_at=now,
        started_by=who,
        sealed_seed=sealed.seal_seed(sealer(settings), seed, plan.id, number),
        commitment=commitment(seed, inputs),
    )
    session.add(run)
    await session.flush()
    session.add(sealed.new_epoch(run.id, run.commitment, inputs, "start", now))
    plan.state, plan.running = "running", True
    await session.flush()
    detail = f"run {number}, {len(inputs.units)} units, commitment {run.commitment}"
    await audit.record(session, "plan_start", f"plan:{plan.id}", detail, who)
    return run


async def pause(session: AsyncSession, plan_id: int, reason: str, who: str) -> Plan:
    """Let a plan call nobody until it is resumed; moments that pass meanwhile are drawn anew then."""
    plan = await _in_state(session, plan_id, "running")
    plan.state, plan.running = "paused", False
    await session.flush()
    await audit.record(session, "plan_pause", f"plan:{plan_id}", reason, who)
    return plan


async def resume(session: AsyncSession, plan_id: int, reason: str, who: str) -> Plan:
    """Let a paused plan go on."""
    plan = await _in_state(session, plan_id, "paused")
    if not await clock_ok(session):
        raise ConflictError(f"plan {plan_id} cannot go on: this machine's clock is off; see the alarms")
    plan.state, plan.running = "running", True
    await session.flush()
    await audit.record(session, "plan_resume", f"plan:{plan_id}", reason, who)
    return plan


async def _in_state(session: AsyncSession, plan_id: int, wanted: str) -> Plan:
    plan = await get(session, plan_id, lock=True)
    if plan.state != wanted:
        raise ConflictError(f"plan {plan_id} is {plan.state}, not {wanted}")
    return plan


async def cancel(session: AsyncSession, plan_id: int, reason: str, who: str) -> Plan:
    """End a plan for good; a further start is a further run with a new seed. Calls under way are not touched."""
    plan = await get(session, plan_id, lock=True)
    if plan.state in ("cancelled", "finished"):
        raise ConflictError(f"plan {plan_id} is {plan.state} already")
    now = clock.now()
    for run in await repository.runs(session, [plan_id]):
        if run.ended_at is None:
            run.ended_at, run.ended_why = now, f"cancelled: {reason}"[:200]
    plan.state, plan.running = "cancelled", False
    await session.flush()
    await audit.record(session, "plan_cancel", f"plan:{plan_id}", reason, who)
    return plan


def check_name(name: str) -> str:
    """Return a plan's name without spaces at its ends. Raises `BadInputError`."""
    plain = name.strip()
    if not 0 < len(plain) <= 80 or not plain.isprintable():
        raise BadInputError("a plan's name has 1 to 80 signs", [Fault("name", "takes 1 to 80 signs")])
    return plain
