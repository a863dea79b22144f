"""Forms of a unit itself: entered, changed, hung elsewhere, closed; how it keeps duty; its word once a quarter."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.actor import Actor
from app.directory import change_routes, quarters, routes
from app.directory.models import Unit, UnitRegime
from app.directory.routing import PathKey, State, today, unit_or_404
from app.directory.schemas import (
    CloseIn,
    ConfirmationIn,
    MoveIn,
    RegimeEnd,
    RegimeIn,
    UnitChange,
    UnitIn,
)
from app.errors import NotFoundError
from app.web.units import naming, words
from app.web.units.forms import WAYS, Field, Form, Values, day_text, handle

router = APIRouter(include_in_schema=False)
PARENT = Field("parent_id", "上级单位", "unit", hint="填代码或名称；没有上级的留空", most=120)
UNIT = (
    Field("code", "代码", needed=True, hint="字母、数字、_ . -，至多 40 个", most=40),
    Field("name", "名称", needed=True, most=120),
    Field("category", "类别", "choice", choices=words.CATEGORY, hint="考核规则按类别适用"),
    Field("kind", "分组", empty="", hint="自定，如 镇街；抽查计划可按分组选取", most=40),
    Field("handover_times", "交接班时间", "list", hint="如 08:30、18:00；前后 15 分钟不抽查"),
    Field("first_day", "启用日期", "day"),
    Field("last_day", "停用日期", "day", hint="含当日"),
)
REGIME = (
    Field("first_day", "开始日期", "day", needed=True),
    Field("last_day", "结束日期", "day", hint="含当日；一直有效的留空"),
    Field("duty", "值班方式", "choice", choices=words.DUTY),
    Field("leader", "带班方式", "choice", choices=words.LEADER),
    Field("note", "说明", empty="", most=200),
    Field("end_previous", "此前未定结束日期的方式到前一日为止", "tick"),
)


async def unit_of(state: State, unit_id: int) -> Unit:
    """Read the unit that a form is about. Raises `NotFoundError`."""
    async with state[0].reading() as session:
        return await unit_or_404(session, unit_id)


@router.api_route("/units/new", methods=WAYS)
async def new_unit(
    request: Request,
    state: State,
    who: Actor,
    parent: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Enter a unit."""
    form = Form("新增单位", (PARENT, *UNIT), "/units", typed={"parent_id": parent, "category": "other"})

    async def prepare(values: Values) -> Values:
        async with state[0].reading() as session:
            return await naming.one_key(session, values, "parent_id")

    async def do(given: UnitIn) -> str:
        return f"/units/{(await routes.enter_unit(state, who, given)).id}"

    return await handle(request, form, UnitIn, state[1].zone, do, prepare)


@router.api_route("/units/{unit_id}/change", methods=WAYS)
async def change_unit(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Change what is written of a unit."""
    unit = await unit_of(state, unit_id)
    typed = {
        "code": unit.code,
        "name": unit.name,
        "category": unit.category,
        "kind": unit.kind,
        "handover_times": "、".join(unit.handover_times),
        "first_day": day_text(unit.first_day),
        "last_day": day_text(unit.last_day),
    }
    form = Form(
        "修改单位", UNIT, f"/units/{unit.id}", unit.name, typed, hidden={"revision": str(unit.revision)}
    )

    async def do(given: UnitChange) -> str:
        await routes.change_unit(state, who, unit_id, given)
        return f"/units/{unit_id}"

    return await handle(request, form, UnitChange, state[1].zone, do)


@router.api_route("/units/{unit_id}/move", methods=WAYS)
async def move_unit(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Hang a unit elsewhere in the tree."""
    unit = await unit_of(state, unit_id)
    parent = None if unit.parent_id is None else await unit_of_or_none(state, unit.parent_id)
    form = Form(
        "调整上级",
        (PARENT,),
        f"/units/{unit.id}",
        unit.name,
        {"parent_id": "" if parent is None else parent.code},
        {"revision": str(unit.revision)},
        note="该单位及其全部下级一起移到新的上级之下；留空则成为最上一级。",
    )

    async def prepare(values: Values) -> Values:
        async with state[0].reading() as session:
            return await naming.one_key(session, values, "parent_id")

    async def do(given: MoveIn) -> str:
        await routes.move_unit(state, who, unit_id, given)
        return f"/units/{unit_id}"

    return await handle(request, form, MoveIn, state[1].zone, do, prepare)


async def unit_of_or_none(state: State, unit_id: int) -> Unit | None:
    """Read a unit; None where it is not to be seen."""
    try:
        return await unit_of(state, unit_id)
    except NotFoundError:
        return None


@router.api_route("/units/{unit_id}/close", methods=WAYS)
async def close_unit(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Say on which day a unit is there for the last time."""
    unit = await unit_of(state, unit_id)
    form = Form(
        "撤销单位",
        (Field("last_day", "最后一日", "day", needed=True, hint="含当日；其后不再抽查"),),
        f"/units/{unit.id}",
        unit.name,
        {"last_day": day_text(unit.last_day or today(state[1]))},
        {"revision": str(unit.revision)},
        button="撤销",
        confirm="撤销后该单位不再抽查，已有记录全部保留。确定撤销？",
        note="单位不会删除：线路、人员、值班表和抽查记录都保留。下级单位须先撤销或迁出。",
    )

    async def do(given: CloseIn) -> str:
        await routes.close_unit(state, who, unit_id, given)
        return f"/units/{unit_id}"

    return await handle(request, form, CloseIn, state[1].zone, do)


@router.api_route("/units/{unit_id}/regimes/new", methods=WAYS)
async def new_regime(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Say how a unit keeps duty between two days."""
    unit = await unit_of(state, unit_id)
    typed = {"first_day": day_text(today(state[1])), "duty": "onsite", "leader": "phone", "end_previous": "1"}
    form = Form("登记值班方式", REGIME, f"/units/{unit.id}", unit.name, typed)

    async def do(given: RegimeIn) -> str:
        await routes.enter_regime(state, who, unit_id, given)
        return f"/units/{unit_id}#regimes"

    return await handle(request, form, RegimeIn, state[1].zone, do)


@router.api_route("/units/{unit_id}/regimes/{regime_id}", methods=WAYS)
async def end_regime(
    request: Request, state: State, who: Actor, unit_id: PathKey, regime_id: PathKey
) -> Response:
    """Change the last day of a regime."""
    unit = await unit_of(state, unit_id)
    async with state[0].reading() as session:
        regime = await session.get(UnitRegime, regime_id)
    if regime is None or regime.unit_id != unit.id:
        raise NotFoundError(f"没有编号为 {regime_id} 的值班方式")
    form = Form(
        "修改值班方式的结束日期",
        (Field("last_day", "结束日期", "day", hint="含当日；一直有效的留空"),),
        f"/units/{unit.id}",
        f"{unit.name} {regime.first_day}",
        {"last_day": day_text(regime.last_day)},
    )

    async def do(given: RegimeEnd) -> str:
        await routes.end_regime(state, who, regime_id, given)
        return f"/units/{unit_id}#regimes"

    return await handle(request, form, RegimeEnd, state[1].zone, do)


@router.api_route("/units/{unit_id}/confirmations/new", methods=WAYS)
async def new_confirmation(
    request: Request,
    state: State,
    who: Actor,
    unit_id: PathKey,
    quarter: Annotated[str, Query(max_length=6)] = "",
) -> Response:
    """Write down a unit's word that its entry is right."""
    unit = await unit_of(state, unit_id)
    form = Form(
        "季度核对",
        (
            Field("quarter", "季度", needed=True, hint="如 2026Q4", most=6),
            Field("note", "说明", "area", empty="", hint="如：无变动，王主任来电确认"),
        ),
        f"/units/{unit.id}",
        unit.name,
        {"quarter": quarter or quarters.quarter_of(today(state[1]))},
        button="已核对无误",
        note="由单位核对其线路、人员、值班方式是否属实，再在此登记；每季度一次。",
    )

    async def do(given: ConfirmationIn) -> str:
        await change_routes.confirm(state, who, unit_id, given)
        return f"/units/{unit_id}#confirmations"

    return await handle(request, form, ConfirmationIn, state[1].zone, do)
