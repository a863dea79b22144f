"""去向: where a unit's principal is. The list and each reading of a place go on record; the page says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from app import clock
from app.api.actor import Actor
from app.directory.routing import PathKey, State, today, unit_or_404
from app.errors import NotFoundError
from app.rosters import repository, whereabout_routes
from app.rosters.schemas import WhereaboutsIn, WhereaboutsRead
from app.web.pages import render
from app.web.units.forms import WAYS, Field, Form, Values, handle, moment_text
from app.web.units.unit_forms import unit_of
from app.web.units.unit_page import head

READ = ["GET", "HEAD"]
router = APIRouter(include_in_schema=False)
DAY = timedelta(days=1)


@router.api_route("/units/{unit_id}/whereabouts", methods=READ)
async def whereabouts_page(
    request: Request,
    state: State,
    who: Actor,
    unit_id: PathKey,
    after: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """Who of a unit is away, and when; the places stay sealed until somebody asks for one."""
    return await _page(request, state, who, unit_id, after, None)


@router.post("/units/{unit_id}/whereabouts/{row_id}/read")
async def read_place(
    request: Request, state: State, who: Actor, unit_id: PathKey, row_id: PathKey
) -> Response:
    """Show one place; who read whose is on record before it is shown."""
    await _of_unit(state, unit_id, row_id)
    found = await whereabout_routes.read_whereabouts(state, who, row_id)
    return await _page(request, state, who, unit_id, "", found)


@router.post("/units/{unit_id}/whereabouts/{row_id}/forget")
async def forget_place(state: State, who: Actor, unit_id: PathKey, row_id: PathKey) -> Response:
    """Delete one entry before it expires."""
    await _of_unit(state, unit_id, row_id)
    await whereabout_routes.forget_whereabouts(state, who, row_id)
    return RedirectResponse(f"/units/{unit_id}/whereabouts", status_code=303)


@router.api_route("/units/{unit_id}/whereabouts/new", methods=WAYS)
async def new_whereabouts(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Enter where a unit's principal is."""
    unit = await unit_of(state, unit_id)
    async with state[0].reading() as session:
        people = [
            person for person in await repository.people_of(session, [unit.id]) if person.role == "principal"
        ]
    now = clock.now()
    form = Form(
        "登记去向",
        (
            Field("name", "姓名", needed=True, most=80),
            Field("first_at", "开始", "moment", needed=True),
            Field("last_at", "结束", "moment", needed=True),
            Field("place", "去向", needed=True, hint="密封保存；到期一日后删除。严禁录入涉密信息", most=200),
        ),
        f"/units/{unit.id}/whereabouts",
        unit.name,
        {
            "name": people[0].name if people else "",
            "first_at": moment_text(now, state[1].zone),
            "last_at": moment_text(now + DAY, state[1].zone),
        },
        note="去向只有总值班室和督查可以查看，每次查看都留下记录。",
    )

    async def prepare(values: Values) -> Values:
        key = next((person.id for person in people if person.name == values.get("name")), None)
        return values | {"person_id": key}

    async def do(given: WhereaboutsIn) -> str:
        await whereabout_routes.enter_whereabouts(state, who, unit_id, given)
        return f"/units/{unit_id}/whereabouts"

    return await handle(request, form, WhereaboutsIn, state[1].zone, do, prepare)


async def _of_unit(state: State, unit_id: int, row_id: int) -> None:
    async with state[0].reading() as session:
        row = await repository.whereabouts(session, row_id, clock.now())
    if row is None or row.unit_id != unit_id:
        raise NotFoundError(f"没有编号为 {row_id} 的去向，或已过期")


async def _page(
    request: Request, state: State, who: str, unit_id: int, after: str, shown: WhereaboutsRead | None
) -> Response:
    database, settings = state
    found = await whereabout_routes.list_whereabouts(state, who, unit_id, after or None, 50)
    async with database.reading() as session:
        unit = await unit_or_404(session, unit_id)
        values = await head(session, unit, today(settings))
    return render(
        request,
        "units/whereabouts.html",
        rows=found.items,
        next_place=found.next or "",
        shown=shown,
        now=clock.now(),
        zone=settings.zone,
        **values,
    )
