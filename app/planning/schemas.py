"""Plans as JSON. Nothing here has a moment that is still to come."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.api.text import Name, Title
from app.planning.models import DrawEpoch, Plan, PlanRun
from app.planning.service import Preview
from app.planning.spec import PlanSpec

MOST_CONTRADICTIONS = 200


class PlanIn(BaseModel):
    """A plan as it is written down."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    spec: PlanSpec


class ReasonIn(BaseModel):
    """Why it is done."""

    model_config = ConfigDict(extra="forbid")

    reason: Title


class RunOut(BaseModel):
    """One start of a plan: the commitment first, the seed once it is over."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    started_at: datetime
    started_by: str
    commitment: str
    ended_at: datetime | None
    ended_why: str
    seed: str | None
    """In hex; null as long as the run is not over."""
    revealed_at: datetime | None
    last_link: str | None


class PlanOut(BaseModel):
    """A plan with its starts."""

    id: int
    name: str
    state: str
    spec: dict[str, Any] | None
    """Null for a plan whose moments were entered by hand."""
    created_at: datetime
    created_by: str
    night_approved_at: datetime | None
    night_approved_by: str | None
    starts: int
    """How often it was started: each start has a draw of its own."""
    runs: list[RunOut]


class LoadOut(BaseModel):
    """Calls to expect in one stretch of a window on one day: a mean over all draws that there could be."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    start: datetime
    end: datetime
    night: bool
    expected: float


class ContradictionOut(BaseModel):
    """Something that the plan guarantees and cannot keep."""

    model_config = ConfigDict(from_attributes=True)

    kind: str
    unit_id: int
    span: str
    label: str
    wanted: int
    done: int
    possible: int
    message: str
    message_zh: str


class UncallableOut(BaseModel):
    """A unit that is chosen and cannot be called: its number could not be verified."""

    model_config = ConfigDict(from_attributes=True)

    unit_id: int
    code: str
    why: str


class HindranceOut(BaseModel):
    """Something else that keeps the plan from being started."""

    where: str
    message: str


class PreviewOut(BaseModel):
    """What a plan would do if it was started now."""

    plan_id: int
    units: int
    lines: int
    expected_calls: float
    startable: bool
    hindrances: list[HindranceOut]
    contradictions: list[ContradictionOut]
    """The first 200; `contradiction_count` counts all."""
    contradiction_count: int
    over: int
    """Guarantees for periods that are over by now: nothing can be done for them any more."""
    uncallable: list[UncallableOut]
    pending_lines: int
    """Numbers that have yet to be verified: their first call is a 核号."""
    unknown_days: int
    """Days that the calendar does not know: they follow the plain weekend rule."""
    loads: list[LoadOut]


class EpochOut(BaseModel):
    """One draw of a run, as the chain has it; its inputs are asked for alone."""

    number: int
    drawn_at: datetime
    cause: str
    inputs_sha256: str
    chain: str
    orders: int
    passed_over: int


class DrawOut(BaseModel):
    """A run with the chain of its draws."""

    run: RunOut
    epochs: list[EpochOut]


class DrawsOut(BaseModel):
    """Every start of a plan with its draws: with the inputs and the slots, all that a verification takes."""

    plan_id: int
    starts: int
    draws: list[DrawOut]


class SlotOut(BaseModel):
    """A drawn moment that has come: the order that it became, or why it was passed over."""

    epoch: int
    slot: int
    line_id: int
    at: datetime
    order_id: int | None
    kind: str | None
    passed_over: str | None


def plan_out(plan: Plan, runs: list[PlanRun]) -> PlanOut:
    """A plan as JSON."""
    return PlanOut(
        id=plan.id,
        name=plan.name,
        state=plan.state,
        spec=plan.content,
        created_at=plan.created_at,
        created_by=plan.created_by,
        night_approved_at=plan.night_approved_at,
        night_approved_by=plan.night_approved_by,
        starts=len(runs),
        runs=[RunOut.model_validate(run) for run in runs],
    )


def preview_out(seen: Preview) -> PreviewOut:
    """A preview as JSON."""
    return PreviewOut(
        plan_id=seen.plan.id,
        units=len(seen.inputs.units),
        lines=sum(len(unit.lines) for unit in seen.inputs.units),
        expected_calls=round(sum(load.expected for load in seen.loads), 3),
        startable=not (seen.hindrances or seen.contradictions),
        hindrances=[HindranceOut(where=fault.where, message=fault.message) for fault in seen.hindrances],
        contradictions=[
            ContradictionOut(
                kind=item.kind,
                unit_id=item.unit_id,
                span=item.span,
                label=item.label,
                wanted=item.wanted,
                done=item.done,
                possible=item.possible,
                message=str(item),
                message_zh=item.zh,
            )
            for item in seen.contradictions[:MOST_CONTRADICTIONS]
        ],
        contradiction_count=len(seen.contradictions),
        over=seen.over,
        uncallable=[UncallableOut.model_validate(item) for item in seen.uncallable],
        pending_lines=seen.pending,
        unknown_days=seen.unknown_days,
        loads=[LoadOut.model_validate(load) for load in seen.loads],
    )


def epoch_out(epoch: DrawEpoch, orders: int, passed_over: int) -> EpochOut:
    """A draw as JSON."""
    return EpochOut(
        number=epoch.number,
        drawn_at=epoch.drawn_at,
        cause=epoch.cause,
        inputs_sha256=epoch.inputs_sha256,
        chain=epoch.chain,
        orders=orders,
        passed_over=passed_over,
    )
