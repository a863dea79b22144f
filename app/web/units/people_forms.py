"""Forms of people."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.actor import Actor
from app.directory import people_routes
from app.directory.models import Person
from app.directory.routing import PathKey, State
from app.directory.schemas import PersonChange, PersonIn
from app.errors import NotFoundError
from app.web.units import words
from app.web.units.forms import WAYS, Field, Form, day_text, handle
from app.web.units.unit_forms import unit_of

router = APIRouter(include_in_schema=False)
PERSON = (
    Field("name", "姓名", needed=True, most=80),
    Field("title", "职务", empty="", most=80),
    Field("role", "角色", "choice", choices=words.ROLE),
    Field("staffing", "人员性质", "choice", choices=words.STAFFING, hint="非在编人员单独值班会提示"),
    Field("phone", "手机", empty="", most=40),
    Field("first_day", "启用日期", "day"),
    Field("last_day", "停用日期", "day", hint="含当日；不再值班的填最后一日，不删除"),
)


@router.api_route("/units/{unit_id}/people/new", methods=WAYS)
async def new_person(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Enter a person."""
    unit = await unit_of(state, unit_id)
    typed = {"role": "duty_officer", "staffing": "unknown"}
    form = Form("新增人员", PERSON, f"/units/{unit.id}", unit.name, typed)

    async def do(given: PersonIn) -> str:
        await people_routes.enter_person(state, who, unit_id, given)
        return f"/units/{unit_id}#people"

    return await handle(request, form, PersonIn, state[1].zone, do)


@router.api_route("/units/{unit_id}/people/{person_id}/change", methods=WAYS)
async def change_person(
    request: Request, state: State, who: Actor, unit_id: PathKey, person_id: PathKey
) -> Response:
    """Change a person."""
    unit = await unit_of(state, unit_id)
    async with state[0].reading() as session:
        person = await session.get(Person, person_id)
    if person is None or person.unit_id != unit.id:
        raise NotFoundError(f"该单位没有编号为 {person_id} 的人员")
    typed = {
        "name": person.name,
        "title": person.title,
        "role": person.role,
        "staffing": person.staffing,
        "phone": person.phone,
        "first_day": day_text(person.first_day),
        "last_day": day_text(person.last_day),
    }
    form = Form(
        "修改人员",
        PERSON,
        f"/units/{unit.id}",
        f"{unit.name} {person.name}",
        typed,
        {"revision": str(person.revision)},
        note="已报送的值班表保留当时的姓名。",
    )

    async def do(given: PersonChange) -> str:
        await people_routes.change_person(state, who, person_id, given)
        return f"/units/{unit_id}#people"

    return await handle(request, form, PersonChange, state[1].zone, do)
