"""Reported changes of number, and times without findings: their lists and forms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app import clock
from app.api.actor import Actor
from app.api.paging import cut, pack
from app.directory import change_routes, lists, repository
from app.directory.models import CHANGE_OUTCOMES, DutyLine, NumberChange, Unit, UnitExemption
from app.directory.routing import PathKey, State, key_after
from app.directory.schemas import (
    DismissIn,
    NumberChangeEnter,
    NumberChangeIn,
    UnitExemptionEnd,
    UnitExemptionIn,
)
from app.errors import NotFoundError
from app.web.pages import render
from app.web.units import repository as page_queries
from app.web.units import words
from app.web.units.forms import WAYS, Field, Form, Values, handle, moment_text
from app.web.units.unit_forms import unit_of

READ = ["GET", "HEAD"]
PAGE_ROWS = 50
router = APIRouter(include_in_schema=False)
Place = Annotated[str, Query(max_length=400)]


@router.api_route("/units/number-changes", methods=READ)
async def changes_page(
    request: Request,
    state: State,
    outcome: Annotated[str, Query(max_length=20)] = "pending",
    after: Place = "",
) -> Response:
    """Changes of number that units reported, newest first; those that wait unless others are asked for."""
    database, settings = state
    chosen = outcome if outcome in CHANGE_OUTCOMES else ""
    async with database.reading() as session:
        found = await lists.number_changes(
            session, None, None, chosen or None, key_after(after or None), PAGE_ROWS + 1
        )
        page, last = cut(found, PAGE_ROWS)
        units = await page_queries.units_named(session, [row.unit_id for row in page])
        named = await page_queries.lines_named(session, [row.line_id for row in page])
    return render(
        request,
        "units/number_changes.html",
        rows=page,
        units=units,
        line_names=named,
        outcome=chosen,
        next_place="" if last is None else pack(last.id),
        zone=settings.zone,
        words=words,
    )


@router.api_route("/units/exemptions", methods=READ)
async def exemptions_page(
    request: Request, state: State, all: Annotated[str, Query(max_length=4)] = "", after: Place = ""
) -> Response:
    """Times without findings, newest first; those that hold now unless all are asked for."""
    database, settings = state
    now = clock.now()
    async with database.reading() as session:
        found = await lists.unit_exemptions(
            session, None, None, None if all else now, key_after(after or None), PAGE_ROWS + 1
        )
        page, last = cut(found, PAGE_ROWS)
        units = await page_queries.units_named(session, [row.unit_id for row in page])
        named = await page_queries.lines_named(session, [row.line_id for row in page])
    return render(
        request,
        "units/exemptions.html",
        rows=page,
        units=units,
        line_names=named,
        every=bool(all),
        now=now,
        next_place="" if last is None else pack(last.id),
        zone=settings.zone,
        words=words,
    )


async def _lines(state: State, unit: Unit) -> dict[str, str]:
    """The lines of a unit for a choice, none among them."""
    async with state[0].reading() as session:
        found = await repository.lines_of_unit(session, unit.id)
    return {str(line.id): f"{line.number} {line.name}" for line in found}


def _or_none(values: Values) -> Values:
    """A line that was not chosen is none."""
    return values | {"line_id": values.get("line_id") or None}


async def _no_line(values: Values) -> Values:
    return _or_none(values)


@router.api_route("/units/{unit_id}/number-changes/new", methods=WAYS)
async def new_change(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Write down a change of number that a unit reported."""
    unit = await unit_of(state, unit_id)
    form = Form(
        "登记号码变更",
        (
            Field("line_id", "哪条线路", "choice", choices={"": "单位未说明", **await _lines(state, unit)}),
            Field("number", "新号码", empty="", hint="撤销该线路的留空", most=40),
            Field("received_at", "收到时间", "moment", needed=True, hint="单位告知的时间，不是录入的时间"),
            Field("note", "说明", "area", empty="", hint="谁来电、怎样告知"),
        ),
        f"/units/{unit.id}",
        unit.name,
        {"received_at": moment_text(clock.now(), state[1].zone)},
        note="从收到时间起，拨打旧号码算我方差错，不算单位问题，直到录入新号码。",
    )

    async def prepare(values: Values) -> Values:
        return _or_none(values) | {"unit_id": unit_id}

    async def do(given: NumberChangeIn) -> str:
        await change_routes.report_change(state, who, given)
        return f"/units/{unit_id}#changes"

    return await handle(request, form, NumberChangeIn, state[1].zone, do, prepare)


async def _change(state: State, unit_id: int, change_id: int) -> tuple[Unit, NumberChange, DutyLine | None]:
    unit = await unit_of(state, unit_id)
    async with state[0].reading() as session:
        row = await session.get(NumberChange, change_id)
        line = None if row is None or row.line_id is None else await session.get(DutyLine, row.line_id)
    if row is None or row.unit_id != unit.id:
        raise NotFoundError(f"该单位没有编号为 {change_id} 的号码变更")
    return unit, row, line


def _told(unit: Unit, row: NumberChange, line: DutyLine | None) -> str:
    old = "" if line is None else f" {line.number}"
    return f"{unit.name}{old} → {row.number or '×'}"


@router.api_route("/units/{unit_id}/number-changes/{change_id}/enter", methods=WAYS)
async def enter_change(
    request: Request, state: State, who: Actor, unit_id: PathKey, change_id: PathKey
) -> Response:
    """Let the directory follow a reported change."""
    unit, row, line = await _change(state, unit_id, change_id)
    fields = (
        ()
        if line is not None
        else (
            Field(
                "line_id", "改哪条线路", "choice", choices={"": "另立一条新线路", **await _lines(state, unit)}
            ),
        )
    )
    form = Form(
        "录入号码变更",
        fields,
        f"/units/{unit.id}",
        _told(unit, row, line),
        button="录入",
        note="新号码先拨一次核号电话（不计入抽查），接通后才参加抽查。",
    )

    async def do(given: NumberChangeEnter) -> str:
        await change_routes.enter_change(state, who, change_id, given)
        return f"/units/{unit_id}#lines"

    return await handle(request, form, NumberChangeEnter, state[1].zone, do, _no_line)


@router.api_route("/units/{unit_id}/number-changes/{change_id}/dismiss", methods=WAYS)
async def dismiss_change(
    request: Request, state: State, who: Actor, unit_id: PathKey, change_id: PathKey
) -> Response:
    """Say that a reported change was none."""
    unit, row, line = await _change(state, unit_id, change_id)
    form = Form(
        "作废号码变更",
        (Field("reason", "理由", needed=True, most=200),),
        f"/units/{unit.id}",
        _told(unit, row, line),
        button="作废",
        note="作废之前的通话仍受这条登记保护。",
    )

    async def do(given: DismissIn) -> str:
        await change_routes.dismiss_change(state, who, change_id, given)
        return f"/units/{unit_id}#changes"

    return await handle(request, form, DismissIn, state[1].zone, do)


@router.api_route("/units/{unit_id}/exemptions/new", methods=WAYS)
async def new_exemption(request: Request, state: State, who: Actor, unit_id: PathKey) -> Response:
    """Keep findings from a unit, or one line of it, for a time."""
    unit = await unit_of(state, unit_id)
    form = Form(
        "登记豁免",
        (
            Field("kind", "事由", "choice", choices=words.UNIT_EXEMPTION),
            Field("line_id", "线路", "choice", choices={"": "全部线路", **await _lines(state, unit)}),
            Field("first_at", "开始", "moment", needed=True),
            Field("last_at", "结束", "moment", hint="未定的留空，结束时再填"),
            Field("reason", "理由", "area", needed=True, hint="何事、谁告知"),
        ),
        f"/units/{unit.id}",
        unit.name,
        {"first_at": moment_text(clock.now(), state[1].zone)},
        note="豁免期间的通话不认定问题。",
    )

    async def do(given: UnitExemptionIn) -> str:
        await change_routes.exempt_unit(state, who, unit_id, given)
        return f"/units/{unit_id}#exemptions"

    return await handle(request, form, UnitExemptionIn, state[1].zone, do, _no_line)


@router.api_route("/units/{unit_id}/exemptions/{exemption_id}", methods=WAYS)
async def end_exemption(
    request: Request, state: State, who: Actor, unit_id: PathKey, exemption_id: PathKey
) -> Response:
    """Say when an exemption is over."""
    unit = await unit_of(state, unit_id)
    async with state[0].reading() as session:
        row = await session.get(UnitExemption, exemption_id)
    if row is None or row.unit_id != unit.id:
        raise NotFoundError(f"该单位没有编号为 {exemption_id} 的豁免")
    form = Form(
        "结束豁免",
        (Field("last_at", "结束", "moment", needed=True),),
        f"/units/{unit.id}",
        unit.name,
        {"last_at": moment_text(row.last_at or clock.now(), state[1].zone)},
    )

    async def do(given: UnitExemptionEnd) -> str:
        await change_routes.end_exemption(state, who, exemption_id, given)
        return f"/units/{unit_id}#exemptions"

    return await handle(request, form, UnitExemptionEnd, state[1].zone, do)
