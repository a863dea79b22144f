"""Forms of duty lines: entered, changed, shared with further units, exempted."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.actor import Actor
from app.directory import line_routes
from app.directory.models import DutyLine, LineExemption, Unit
from app.directory.routing import PathKey, State, today, unit_or_404
from app.directory.schemas import LineChange, LineExemptionEnd, LineExemptionIn, LineIn, SharedIn
from app.errors import NotFoundError
from app.web.units import naming, repository, words
from app.web.units.forms import WAYS, Field, Form, Values, day_text, handle
from app.web.units.unit_forms import unit_of
from app.web.units.unit_page import says_target

router = APIRouter(include_in_schema=False)
LINE = (
    Field(
        "number",
        "号码",
        needed=True,
        most=40,
        hint="按通讯录书写，如 0917-3262000、3212345转8012；只有一个总机时可写 转8012",
    ),
    Field("target", "拨打号码", "none", hint="只有实际拨打的与上面不同才填", most=255),
    Field("name", "线路名称", needed=True, most=80),
    Field("kind", "类型", "choice", choices=words.LINE_KIND, hint="传真从不拨打"),
    Field("pilot_numbers", "引示号", "list", hint="总机或引示号，多个以、分隔"),
    Field("trunk", "中继", "none", hint="先从哪条中继拨出；一般留空", most=64),
    Field("first_day", "启用日期", "day"),
    Field("last_day", "停用日期", "day", hint="含当日"),
)
ACTIVE = Field("active", "启用", "tick")
_NEW_NUMBER = "新号码先拨一次核号电话（不计入抽查），接通后才参加抽查。"


async def line_of(state: State, unit_id: int, line_id: int) -> tuple[Unit, DutyLine]:
    """Read a line and the unit that answers for it. Raises `NotFoundError` where it is not this unit's."""
    async with state[0].reading() as session:
        unit = await unit_or_404(session, unit_id)
        line = await session.get(DutyLine, line_id)
    if line is None or line.unit_id != unit.id:
        raise NotFoundError(f"该单位没有编号为 {line_id} 的线路")
    return unit, line


@router.api_route("/units/{unit_id}/lines/new", methods=WAYS)
async def new_line(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Enter a line."""
    unit = await unit_of(state, unit_id)
    form = Form(
        "新增线路",
        LINE,
        f"/units/{unit.id}",
        unit.name,
        {"name": "值班电话", "kind": "duty"},
        note=_NEW_NUMBER,
    )

    async def do(given: LineIn) -> str:
        await line_routes.enter_line(state, who, unit_id, given)
        return f"/units/{unit_id}#lines"

    return await handle(request, form, LineIn, state[1].zone, do)


@router.api_route("/units/{unit_id}/lines/{line_id}/change", methods=WAYS)
async def change_line(
    request: Request, state: State, who: Actor, unit_id: PathKey, line_id: PathKey
) -> Response:
    """Change a line."""
    unit, line = await line_of(state, unit_id, line_id)
    typed = {
        "number": line.number,
        "target": "" if says_target(line.number, line.target) else line.target,
        "name": line.name,
        "kind": line.kind,
        "pilot_numbers": "、".join(line.pilot_numbers),
        "trunk": line.trunk or "",
        "first_day": day_text(line.first_day),
        "last_day": day_text(line.last_day),
        "active": "1" if line.active else "",
    }
    about = f"{unit.name} {line.number}"
    form = Form(
        "修改线路",
        (*LINE, ACTIVE),
        f"/units/{unit.id}",
        about,
        typed,
        {"revision": str(line.revision)},
        note="改了号码，先拨一次核号电话（不计入抽查）；以前的通话保留当时所拨的号码。停用不删除任何记录。",
    )

    async def do(given: LineChange) -> str:
        await line_routes.change_line(state, who, line_id, given)
        return f"/units/{unit_id}#lines"

    return await handle(request, form, LineChange, state[1].zone, do)


@router.api_route("/units/{unit_id}/lines/{line_id}/share", methods=WAYS)
async def share_line(
    request: Request, state: State, who: Actor, unit_id: PathKey, line_id: PathKey
) -> Response:
    """Say which further units a line reaches."""
    unit, line = await line_of(state, unit_id, line_id)
    async with state[0].reading() as session:
        shared = await repository.shared_units(session, line.id)
    form = Form(
        "综合值班室：共用单位",
        (
            Field(
                "unit_ids",
                "共用单位",
                "units",
                hint="其他共用这条线路的单位，填代码，多个以、分隔；留空则不共用",
            ),
        ),
        f"/units/{unit.id}",
        f"{unit.name} {line.number}",
        {"unit_ids": naming.codes_of(shared)},
        {"revision": str(line.revision)},
    )

    async def prepare(values: Values) -> Values:
        async with state[0].reading() as session:
            return await naming.all_keys(session, values, "unit_ids")

    async def do(given: SharedIn) -> str:
        await line_routes.share_line(state, who, line_id, given)
        return f"/units/{unit_id}#lines"

    return await handle(request, form, SharedIn, state[1].zone, do, prepare)


@router.api_route("/units/{unit_id}/lines/{line_id}/exemptions/new", methods=WAYS)
async def new_line_exemption(
    request: Request, state: State, who: Actor, unit_id: PathKey, line_id: PathKey
) -> Response:
    """Let a line forward, play a 彩铃 or be a fax."""
    unit, line = await line_of(state, unit_id, line_id)
    form = Form(
        "登记线路豁免",
        (
            Field("kind", "豁免事项", "choice", choices=words.LINE_EXEMPTION),
            Field("first_day", "开始日期", "day", needed=True),
            Field("last_day", "结束日期", "day", hint="含当日；未定的留空"),
            Field("reason", "理由", "area", needed=True, hint="谁批准、因何事"),
        ),
        f"/units/{unit.id}",
        f"{unit.name} {line.number}",
        {"first_day": day_text(today(state[1]))},
    )

    async def do(given: LineExemptionIn) -> str:
        await line_routes.exempt_line(state, who, line_id, given)
        return f"/units/{unit_id}#lines"

    return await handle(request, form, LineExemptionIn, state[1].zone, do)


@router.api_route("/units/{unit_id}/line-exemptions/{exemption_id}", methods=WAYS)
async def end_line_exemption(
    request: Request, state: State, who: Actor, unit_id: PathKey, exemption_id: PathKey
) -> Response:
    """Say on which day an exemption of a line holds for the last time."""
    async with state[0].reading() as session:
        row = await session.get(LineExemption, exemption_id)
    if row is None:
        raise NotFoundError(f"没有编号为 {exemption_id} 的豁免")
    unit, line = await line_of(state, unit_id, row.line_id)
    form = Form(
        "结束线路豁免",
        (Field("last_day", "最后一日", "day", needed=True, hint="含当日"),),
        f"/units/{unit.id}",
        f"{unit.name} {line.number}",
        {"last_day": day_text(row.last_day or today(state[1]))},
    )

    async def do(given: LineExemptionEnd) -> str:
        await line_routes.end_exemption(state, who, exemption_id, given)
        return f"/units/{unit_id}#lines"

    return await handle(request, form, LineExemptionEnd, state[1].zone, do)
