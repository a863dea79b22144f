"""The form of a plan: written, changed, tried out before it is kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.api.actor import Actor
from app.errors import OfficeError
from app.planning import choosing, service
from app.planning.models import Plan
from app.planning.serving import PathKey, State
from app.settings import Settings
from app.web.pages import render
from app.web.plans import choices
from app.web.plans import form as forms
from app.web.plans.problems import GENERAL, of_error
from app.web.plans.routes import look, today_of

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]


async def _choices(session: AsyncSession, settings: Settings) -> choices.Choices:
    return await choices.load(session, sorted(settings.trunks))


@router.api_route("/plans/new", methods=READ)
async def new_page(request: Request, state: State, like: int = 0) -> Response:
    """The form of a new plan; `like`: the key of a plan whose members it begins with."""
    database, settings = state
    async with database.reading() as session:
        chosen = await _choices(session, settings)
        typed = forms.fresh(today_of(settings))
        if 0 < like < 2**63:
            typed = _of_plan(await service.get(session, like), chosen) or typed
    return _form(request, chosen, forms.Read("", None), typed)


def _of_plan(plan: Plan, chosen: choices.Choices) -> forms.Typed | None:
    spec = choosing.spec_of(plan)
    units = {unit.id: f"{unit.code} {unit.name}" for unit in chosen.units}
    return None if spec is None else forms.typed_of(plan.name, spec, units)


@router.api_route("/plans/{plan_id}/edit", methods=READ)
async def edit_page(request: Request, state: State, plan_id: PathKey) -> Response:
    """The form of a plan that was written down."""
    database, settings = state
    async with database.reading() as session:
        plan = await service.get(session, plan_id)
        chosen = await _choices(session, settings)
    typed = _of_plan(plan, chosen)
    if typed is None or plan.state not in service.EDITABLE:
        return RedirectResponse(f"/plans/{plan_id}", status_code=303)
    return _form(request, chosen, forms.Read(plan.name, None), typed, plan_id)


def _form(
    request: Request, chosen: choices.Choices, read: forms.Read, typed: forms.Typed, plan_id: int = 0
) -> Response:
    return render(
        request,
        "plans/form.html",
        422 if read.problems else 200,
        typed=typed,
        problems=read.problems,
        choices=chosen,
        words=choices,
        plan_id=plan_id,
        plan_name=read.name,
    )


@router.post("/plans/preview")
async def preview_part(request: Request, state: State) -> Response:
    """What stands in the form, tried out: nothing is kept."""
    database, settings = state
    async with request.form() as form:
        typed = forms.typed_from(form)
    async with database.reading() as session:
        read = forms.read(typed, await _choices(session, settings))
        if read.spec is None:
            fields = {where for where in read.problems if where != "name"}
            if fields or not typed.one["first_day"]:
                return render(request, "plans/_unready.html", count=len(fields))
            read = forms.read(_named(typed), await _choices(session, settings))
        assert read.spec is not None
        plan = Plan(
            id=0,
            name="",
            state="draft",
            running=False,
            content=read.spec.to_content(),
            created_at=clock.now(),
        )
        seen = await look(session, settings, plan)
    return render(request, "plans/_preview.html", seen=seen, started=False)


def _named(typed: forms.Typed) -> forms.Typed:
    """The same with a name: a plan is tried out before it has one."""
    return forms.Typed({**typed.one, "name": "-"}, typed.many, typed.windows, typed.weights)


@router.post("/plans")
async def create(request: Request, state: State, who: Actor) -> Response:
    """Write a plan down as a draft; nobody is called before it is started."""
    return await _keep(request, state, who, 0)


@router.post("/plans/{plan_id}")
async def change(request: Request, state: State, who: Actor, plan_id: PathKey) -> Response:
    """Change a draft or a cancelled plan."""
    return await _keep(request, state, who, plan_id)


async def _keep(request: Request, state: Any, who: str, plan_id: int) -> Response:
    database, settings = state
    async with request.form() as form:
        typed = forms.typed_from(form)
    async with database.reading() as session:
        if plan_id:
            # A plan that is not there for who asks is not, whatever the form holds.
            await service.get(session, plan_id)
        chosen = await _choices(session, settings)
    read = forms.read(typed, chosen)
    if read.spec is None:
        return _form(request, chosen, read, typed, plan_id)
    try:
        async with database.unit_of_work() as session:
            if plan_id:
                plan = await service.edit(session, plan_id, read.name, read.spec, who)
            else:
                plan = await service.create(session, read.name, read.spec, who)
            key = plan.id
    except OfficeError as error:
        if error.status == 404:
            raise
        where = error.faults[0].where if error.faults else GENERAL
        read = forms.Read(read.name, None, {where: of_error(error)})
        return _form(request, chosen, read, typed, plan_id)
    return RedirectResponse(f"/plans/{key}", status_code=303)
