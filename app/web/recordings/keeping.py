"""How long one recording is kept: holds, removal before its time by two people, withdrawal (封存)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts.permissions import Permission as P
from app.accounts.principal import current
from app.api.actor import Actor
from app.archive import open_archive
from app.directory.models import Unit
from app.directory.routing import PathKey, State
from app.errors import BadInputError, OfficeError
from app.evidence import holds, leaving, removals, repository, views, withdrawal
from app.evidence.holding import KIND_ZH
from app.evidence.schemas import DecisionIn, ReasonIn
from app.reviews.steps import folded
from app.web.pages import render
from app.web.spoken import Trouble, read_form, trouble
from app.web.views import clock_time

READ = ["GET", "HEAD"]
LABELS = {"reason": "理由", "approve": "决定"}
NOTHING_WRONG = Trouble("", "", 200)
router = APIRouter(include_in_schema=False)


@router.api_route("/recordings/{recording_id}/keeping", methods=READ)
async def show(request: Request, state: State, recording_id: int) -> Response:
    """保存与保留: until when a recording is kept, what holds it, what was decided."""
    return await keeping_page(request, state, recording_id)


async def keeping_page(
    request: Request, state: State, recording_id: int, wrong: Trouble = NOTHING_WRONG
) -> Response:
    """Show how one recording is kept; `wrong` is the form that was just refused."""
    database, settings = state
    async with database.reading() as session:
        found = await repository.one(session, recording_id) if 0 < recording_id < 2**63 else None
        if found is None:
            raise HTTPException(404, "no such recording")
        detail = await views.detail(session, found, settings, clock.now())
        unit = None if found.unit_id is None else await session.get(Unit, found.unit_id)
    me = current()
    return render(
        request,
        "recordings/keeping.html",
        wrong.status,
        r=detail,
        unit="" if unit is None else unit.name,
        at=lambda moment: clock_time(moment, settings.zone),
        kinds=KIND_ZH,
        trouble=wrong,
        may_review=me is not None and me.may(P.REVIEW),
        mine=lambda name: me is not None and folded(name) == folded(me.name),
        standing_holds=[hold for hold in detail.holds if hold.lifted_at is None],
        asked=[removal for removal in detail.removals if removal.state == "requested"],
    )


@router.post("/recordings/{recording_id}/holds")
async def place_hold(request: Request, state: State, recording_id: PathKey, who: Actor) -> Response:
    """保留."""
    return await _reasoned(
        request, state, recording_id, "hold", lambda s, reason: holds.place(s, recording_id, reason, who)
    )


@router.post("/recordings/{recording_id}/holds/{hold_id}/lift")
async def lift_hold(
    request: Request, state: State, recording_id: PathKey, hold_id: PathKey, who: Actor
) -> Response:
    """解除保留."""
    return await _reasoned(
        request,
        state,
        recording_id,
        f"lift-{hold_id}",
        lambda s, reason: holds.lift(s, recording_id, hold_id, reason, who),
    )


@router.post("/recordings/{recording_id}/removals")
async def request_removal(request: Request, state: State, recording_id: PathKey, who: Actor) -> Response:
    """申请提前删除."""
    return await _reasoned(
        request,
        state,
        recording_id,
        "removal",
        lambda s, reason: removals.request(s, recording_id, reason, who),
    )


@router.post("/recordings/{recording_id}/removals/{removal_id}/decide")
async def decide_removal(
    request: Request, state: State, recording_id: PathKey, removal_id: PathKey, who: Actor
) -> Response:
    """决定删除申请: what is approved is deleted at once."""
    database, settings = state
    form = await request.form()
    name = f"decide-{removal_id}"
    try:
        chosen = {"yes": True, "no": False}.get(str(form.get("approve", "")))
        if chosen is None:
            raise BadInputError("请选择同意或不同意 (choose whether to approve)")
        body = read_form(DecisionIn, {"approve": chosen, "reason": form.get("reason", "")}, LABELS)
        async with database.unit_of_work() as session:
            await removals.decide(session, recording_id, removal_id, body.approve, body.reason, who)
        if body.approve:
            await leaving.erase_now(database, lambda: open_archive(settings), [recording_id])
    except OfficeError as error:
        typed = {"reason": str(form.get("reason", ""))}
        return await keeping_page(request, state, recording_id, trouble(name, error, typed))
    return _back(recording_id)


@router.post("/recordings/{recording_id}/withdraw")
async def withdraw(request: Request, state: State, recording_id: PathKey, who: Actor) -> Response:
    """封存: at once, whatever holds it."""
    database, settings = state
    form = await request.form()
    typed = {"reason": str(form.get("reason", ""))}
    try:
        body = read_form(ReasonIn, typed, LABELS)
        await withdrawal.withdraw(database, lambda: open_archive(settings), recording_id, body.reason, who)
    except OfficeError as error:
        return await keeping_page(request, state, recording_id, trouble("withdraw", error, typed))
    return _back(recording_id)


async def _reasoned(
    request: Request,
    state: State,
    recording_id: int,
    name: str,
    verb: Callable[[AsyncSession, str], Awaitable[Any]],
) -> Response:
    """Carry out what asks for a reason alone."""
    form = await request.form()
    typed = {"reason": str(form.get("reason", ""))}
    try:
        body = read_form(ReasonIn, typed, LABELS)
        async with state[0].unit_of_work() as session:
            await verb(session, body.reason)
    except OfficeError as error:
        return await keeping_page(request, state, recording_id, trouble(name, error, typed))
    return _back(recording_id)


def _back(recording_id: int) -> Response:
    return RedirectResponse(f"/recordings/{recording_id}/keeping", status_code=303)
