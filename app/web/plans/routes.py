"""抽查计划: the list, one plan with its preview, its starts and what becomes of them, and the verbs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts.principal import limits
from app.api.actor import Actor
from app.api.paging import After, cut, pack, unpack
from app.errors import OfficeError
from app.planning import choosing, coverage, progress, prompts, repository, service, verify
from app.planning.calendar import load_book
from app.planning.models import Plan
from app.planning.serving import PathKey, State
from app.settings import Settings
from app.web.pages import render
from app.web.plans import choices, preview, views
from app.web.plans.problems import Problem, of_error

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
PAGE_ROWS = 30
MOST_FAULTS = 50
Reason = Annotated[str, Form(max_length=400)]


def today_of(settings: Settings) -> date:
    """The local day."""
    return clock.now().astimezone(settings.zone).date()


@router.api_route("/plans", methods=READ)
async def list_page(request: Request, state: State, status: str = "", after: After = None) -> Response:
    """Plans, newest first, and how far the year's coverage has come."""
    database, settings = state
    wanted = status if status in choices.STATES else None
    place = int(unpack(after, int)[0]) if after else None  # type: ignore[arg-type]
    async with database.reading() as session:
        found = await repository.plans(session, wanted, place, PAGE_ROWS + 1)
        rows, last = cut(found, PAGE_ROWS)
        runs = await repository.runs(session, [plan.id for plan in rows])
    return render(
        request,
        "plans/list.html",
        rows=[views.row(plan, runs) for plan in rows],
        states=choices.STATES,
        chosen=wanted or "",
        next_place="" if last is None else pack(last.id),
        first=place is None,
        year=today_of(settings).year,
    )


@router.api_route("/plans/year", methods=READ)
async def year_part(request: Request, state: State) -> Response:
    """全覆盖 of this year, in one line."""
    database, settings = state
    async with database.reading() as session:
        found = await coverage.summary(session, today_of(settings).year, 1, settings.zone)
    return render(request, "plans/_year.html", covered=found)


@router.api_route("/plans/{plan_id}", methods=READ)
async def plan_page(request: Request, state: State, plan_id: PathKey) -> Response:
    """One plan."""
    return await _page(request, state, plan_id)


@router.api_route("/plans/{plan_id}/progress", methods=READ)
async def progress_part(request: Request, state: State, plan_id: PathKey) -> Response:
    """How far a plan has come."""
    database, settings = state
    async with database.reading() as session:
        plan = await service.get(session, plan_id)
        found = await progress.of(session, plan, settings.zone, today_of(settings))
        spec = choosing.spec_of(plan)
    return render(
        request, "plans/_progress.html", made=found, guaranteed=0 if spec is None else spec.calls_per_unit
    )


@router.api_route("/plans/{plan_id}/preview", methods=READ)
async def preview_part(request: Request, state: State, plan_id: PathKey) -> Response:
    """What a plan would do if it was started now, or what is left of it: loads, never moments."""
    database, settings = state
    async with database.reading() as session:
        plan = await service.get(session, plan_id)
        seen = await look(session, settings, plan)
    return render(request, "plans/_preview.html", seen=seen, started=plan.state in repository.GOING_ON)


async def look(session: AsyncSession, settings: Settings, plan: Plan) -> preview.Shown:
    """Work a preview out, of a plan that is written down or not."""
    seen = await service.look(session, settings, plan)
    spec = choosing.spec_of(plan)
    assert spec is not None
    book = await load_book(session, spec.first_day, spec.last_day)
    return preview.shown(seen, book, await choices.names(session), settings.zone)


@router.api_route("/plans/{plan_id}/verify", methods=READ)
async def verify_part(request: Request, state: State, plan_id: PathKey) -> Response:
    """Whether every start of a plan did what it had committed to, from what is stored alone."""
    async with state[0].reading() as session:
        await service.get(session, plan_id)
    if limits() is not None:
        # Whoever sees a part of the tree sees a part of the orders: the rest would seem to be missing.
        return render(request, "plans/_verify.html", reports=None, whole=(), most=MOST_FAULTS)
    async with state[0].reading() as session:
        found = await verify.gather(session, plan_id)
        whole = await verify.verify_whole(session, found, plan_id)
        reports = [await verify.verify_run(session, item) for item in found]
    return render(request, "plans/_verify.html", reports=reports, whole=whole, most=MOST_FAULTS)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A verb that could not be carried out: what was typed, and why."""

    action: str
    reason: str
    problem: Problem


async def _page(request: Request, state: Any, plan_id: int, asked: _Asked | None = None) -> Response:
    database, settings = state
    async with database.reading() as session:
        plan = await service.get(session, plan_id)
        spec = choosing.spec_of(plan)
        shown = await views.detail(session, plan, settings.zone)
        named = {}
        for key in (spec.opening_id, spec.closing_id) if spec is not None else ():
            found = None if key is None else await repository.prompt(session, key)
            if found is not None:
                named[key] = found.name, prompts.fault_of(found, found.kind)
    return render(
        request,
        "plans/plan.html",
        422 if asked is not None else 200,
        plan=plan,
        spec=spec,
        shown=shown,
        prompts=named,
        asked=asked,
        words=choices,
        editable=plan.content is not None and plan.state in service.EDITABLE,
        going_on=plan.state in repository.GOING_ON,
        needs_night=spec is not None and spec.calls_at_night and plan.night_approved_at is None,
        zone=settings.zone,
    )


async def _done(
    request: Request,
    state: Any,
    plan_id: int,
    action: str,
    work: Callable[[AsyncSession], Awaitable[object]],
    reason: str = "",
) -> Response:
    """Carry a verb out and show the plan; where it cannot be, the page says why and keeps what was typed."""
    try:
        async with state[0].unit_of_work() as session:
            await work(session)
    except OfficeError as error:
        if error.status == 404:
            raise
        return await _page(request, state, plan_id, _Asked(action, reason, of_error(error)))
    return RedirectResponse(f"/plans/{plan_id}", status_code=303)


@router.post("/plans/{plan_id}/start")
async def start(request: Request, state: State, who: Actor, plan_id: PathKey) -> Response:
    """Start a plan: commit to a seed that nobody knows."""
    database, settings = state
    try:
        # What takes long is worked out before, so that calls under way can write meanwhile.
        async with database.reading() as session:
            seen = await service.preview(session, settings, plan_id)
    except OfficeError as error:
        if error.status == 404:
            raise
        return await _page(request, state, plan_id, _Asked("start", "", of_error(error)))
    return await _done(
        request, state, plan_id, "start", lambda session: service.start(session, settings, seen, who)
    )


@router.post("/plans/{plan_id}/approve-night")
async def approve_night(request: Request, state: State, who: Actor, plan_id: PathKey) -> Response:
    """Let a plan call between 00:00 and 06:00; not by who wrote it."""
    return await _done(
        request, state, plan_id, "night", lambda session: service.approve_night(session, plan_id, who)
    )


@router.post("/plans/{plan_id}/pause")
async def pause(
    request: Request, state: State, who: Actor, plan_id: PathKey, reason: Reason = ""
) -> Response:
    """Call nobody until it is resumed."""
    return await _with_reason(request, state, plan_id, ("pause", service.pause), reason, who)


@router.post("/plans/{plan_id}/resume")
async def resume(
    request: Request, state: State, who: Actor, plan_id: PathKey, reason: Reason = ""
) -> Response:
    """Let a paused plan go on."""
    return await _with_reason(request, state, plan_id, ("resume", service.resume), reason, who)


@router.post("/plans/{plan_id}/cancel")
async def cancel(
    request: Request, state: State, who: Actor, plan_id: PathKey, reason: Reason = ""
) -> Response:
    """End a plan for good."""
    return await _with_reason(request, state, plan_id, ("cancel", service.cancel), reason, who)


_Verb = Callable[[AsyncSession, int, str, str], Awaitable[Plan]]


async def _with_reason(
    request: Request, state: Any, plan_id: int, verb: tuple[str, _Verb], reason: str, who: str
) -> Response:
    action, work = verb
    plain = reason.strip()
    if not plain or len(plain) > 200 or not plain.isprintable():
        problem = Problem("请写明理由，最多 200 字")
        return await _page(request, state, plan_id, _Asked(action, reason, problem))
    return await _done(
        request, state, plan_id, action, lambda session: work(session, plan_id, plain, who), reason
    )
