"""Plans and their draws as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.api import idempotency
from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack, unpack
from app.errors import NotFoundError
from app.planning import ledger, repository, service
from app.planning.models import Plan, PlanRun
from app.planning.schemas import (
    DrawOut,
    DrawsOut,
    PlanIn,
    PlanOut,
    PreviewOut,
    ReasonIn,
    RunOut,
    SlotOut,
    epoch_out,
    plan_out,
    preview_out,
)
from app.planning.serving import PathKey, State

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
PlanState = Literal["draft", "running", "paused", "cancelled", "finished"]
Number = Annotated[int, Path(ge=0, le=1_000_000)]


async def _told(session: AsyncSession, plan: Plan) -> PlanOut:
    return plan_out(plan, list(await repository.runs(session, [plan.id])))


@router.get("")
async def list_plans(
    state: State, status: PlanState | None = None, after: After = None, limit: Limit = 50
) -> Page[PlanOut]:
    """Plans, newest first, each with its starts."""
    place = unpack(after, int)[0] if after else None
    assert place is None or isinstance(place, int)
    async with state[0].reading() as session:
        found = await repository.plans(session, status, place, limit + 1)
        rows, last = cut(found, limit)
        runs: dict[int, list[PlanRun]] = {}
        for run in await repository.runs(session, [plan.id for plan in rows]):
            runs.setdefault(run.plan_id, []).append(run)
    return Page(
        items=[plan_out(plan, runs.get(plan.id, [])) for plan in rows],
        next=None if last is None else pack(last.id),
    )


@router.post("", status_code=201)
async def create_plan(state: State, who: Actor, body: PlanIn) -> PlanOut:
    """Write a plan down as a draft; nobody is called before it is started."""
    async with state[0].unit_of_work() as session:
        return await _told(session, await service.create(session, body.name, body.spec, who))


@router.get("/{plan_id}")
async def show_plan(state: State, plan_id: PathKey) -> PlanOut:
    """One plan."""
    async with state[0].reading() as session:
        return await _told(session, await service.get(session, plan_id))


@router.put("/{plan_id}")
async def edit_plan(state: State, who: Actor, plan_id: PathKey, body: PlanIn) -> PlanOut:
    """Change a draft or a cancelled plan."""
    async with state[0].unit_of_work() as session:
        return await _told(session, await service.edit(session, plan_id, body.name, body.spec, who))


@router.get("/{plan_id}/preview")
async def preview_plan(state: State, plan_id: PathKey) -> PreviewOut:
    """What a plan would do if it was started now: loads by day and window, what is against it; never moments."""
    database, settings = state
    async with database.reading() as session:
        return preview_out(await service.preview(session, settings, plan_id))


@router.post("/{plan_id}/approve-night")
async def approve_night(state: State, who: Actor, plan_id: PathKey) -> PlanOut:
    """Let a plan call between 00:00 and 06:00, each line once a month; not by the person who wrote it."""
    async with state[0].unit_of_work() as session:
        return await _told(session, await service.approve_night(session, plan_id, who))


@router.post("/{plan_id}/start", response_model=PlanOut)
async def start_plan(state: State, who: Actor, key: idempotency.Key, plan_id: PathKey) -> JSONResponse:
    """Start a plan: commit to a seed that nobody knows. 409 names everything that is against it."""
    database, settings = state
    route = f"POST /plans/{plan_id}/start"

    async def answered(session: AsyncSession) -> tuple[int, dict[str, Any]]:
        # What takes long was worked out before, so that calls under way can write meanwhile.
        await service.start(session, settings, seen, who)
        plan = await service.get(session, plan_id)
        return 200, (await _told(session, plan)).model_dump(mode="json")

    async with database.reading() as session:
        known = await idempotency.known(session, key, route)
        if not known:
            seen = await service.preview(session, settings, plan_id)
    return await idempotency.once(database, key, route, [plan_id, who], answered)


@router.post("/{plan_id}/pause")
async def pause_plan(state: State, who: Actor, plan_id: PathKey, body: ReasonIn) -> PlanOut:
    """Call nobody until it is resumed; what passes meanwhile is drawn anew then."""
    async with state[0].unit_of_work() as session:
        return await _told(session, await service.pause(session, plan_id, body.reason, who))


@router.post("/{plan_id}/resume")
async def resume_plan(state: State, who: Actor, plan_id: PathKey, body: ReasonIn) -> PlanOut:
    """Let a paused plan go on."""
    async with state[0].unit_of_work() as session:
        return await _told(session, await service.resume(session, plan_id, body.reason, who))


@router.post("/{plan_id}/cancel")
async def cancel_plan(state: State, who: Actor, plan_id: PathKey, body: ReasonIn) -> PlanOut:
    """End a plan. It may be started again: that is one more start, for all to see."""
    async with state[0].unit_of_work() as session:
        return await _told(session, await service.cancel(session, plan_id, body.reason, who))


@router.get("/{plan_id}/draw")
async def show_draw(state: State, plan_id: PathKey) -> DrawsOut:
    """Commitments and chains of every start; the seed of a run once it is over."""
    async with state[0].reading() as session:
        await service.get(session, plan_id)
        runs = await repository.runs(session, [plan_id])
        draws = [await _draw(session, run) for run in runs]
    return DrawsOut(plan_id=plan_id, starts=len(runs), draws=draws)


async def _draw(session: AsyncSession, run: PlanRun) -> DrawOut:
    orders = await ledger.count_by_epoch(session, run.id)
    skips = await repository.count_skips(session, run.id)
    epochs = await repository.epoch_heads(session, run.id)
    return DrawOut(
        run=RunOut.model_validate(run),
        epochs=[epoch_out(item, orders.get(item.number, 0), skips.get(item.number, 0)) for item in epochs],
    )


@router.get("/{plan_id}/draw/{number}/inputs/{epoch}")
async def show_inputs(state: State, plan_id: PathKey, number: Number, epoch: Number) -> dict[str, Any]:
    """All that a draw depends on besides the seed, whose canonical text `inputs_sha256` is the SHA-256 of."""
    async with state[0].reading() as session:
        run = await _run(session, plan_id, number)
        found = await repository.epoch(session, run.id, epoch)
    if found is None:
        raise NotFoundError(f"run {number} of plan {plan_id} has no draw {epoch}")
    return found.inputs


async def _run(session: AsyncSession, plan_id: int, number: int) -> PlanRun:
    await service.get(session, plan_id)
    for run in await repository.runs(session, [plan_id]):
        if run.number == number:
            return run
    raise NotFoundError(f"plan {plan_id} has no start {number}")


@router.get("/{plan_id}/draw/{number}/slots")
async def list_slots(
    state: State, plan_id: PathKey, number: Number, after: After = None, limit: Limit = 50
) -> Page[SlotOut]:
    """The drawn moments of a start that have come: orders, and what was passed over and why."""
    epoch, slot = unpack(after, int, int) if after else (-1, -1)
    assert isinstance(epoch, int)
    assert isinstance(slot, int)
    async with state[0].reading() as session:
        run = await _run(session, plan_id, number)
        orders = await ledger.slots_after(session, run.id, (epoch, slot), limit + 1)
        skips = await repository.skips_after(session, run.id, (epoch, slot), limit + 1)
    found = [
        SlotOut(
            epoch=row.epoch or 0,
            slot=row.slot or 0,
            line_id=row.line_id,
            at=row.first_due_at or row.due_at,
            order_id=row.id,
            kind=row.kind,
            passed_over=None,
        )
        for row in orders
    ] + [
        SlotOut(
            epoch=row.epoch,
            slot=row.slot,
            line_id=row.line_id,
            at=row.at,
            order_id=None,
            kind=None,
            passed_over=row.why,
        )
        for row in skips
    ]
    found.sort(key=lambda item: (item.epoch, item.slot))
    rows, last = cut(found[: limit + 1], limit)
    return Page(items=list(rows), next=None if last is None else pack(last.epoch, last.slot))
