"""指定抽查 and 核号: what would be dialled is shown first, then ordered; what becomes of it stands below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts.principal import current
from app.api.actor import Actor
from app.checks import orders
from app.checks.models import SpotCheck
from app.checks.orders import OrderFilter
from app.checks.rules import CODES
from app.directory import repository as directory
from app.errors import NotFoundError, OfficeError
from app.planning import designated, repository
from app.planning.approvers import approvers as approvers_but
from app.planning.designated import Designation, Outlook
from app.planning.designated_routes import DesignationIn, VerificationIn
from app.planning.serving import State
from app.settings import Settings
from app.web.pages import render
from app.web.plans import choices
from app.web.plans.problems import GENERAL, Problem, Problems, of_error, of_model, said

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
RECENT = 20
VERIFICATIONS: Mapping[str, str] = {"pending": "待核实", "verified": "已核实", "failed": "核实未通过"}
ORDER_STATES: Mapping[str, str] = {
    "due": "待拨",
    "claimed": "拨测中",
    "retry": "待复拨",
    "done": "已完成",
    "missed": "错过，未拨",
    "withdrawn": "已撤销",
}
KINDS: Mapping[str, str] = {"designated": "指定抽查", "verification": "核号"}
EMPTY: Mapping[str, str] = dict.fromkeys(
    ("unit_id", "line_id", "reason", "handover_reason", "night_approved_by"), ""
)


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line that would be called."""

    id: int
    unit: str
    number: str
    kind: str
    verification: str
    caps: Any
    refused: Problem | None
    by_person: str
    """`handover` or `night`: what a reason or an approval would allow; else empty."""
    unverifiable: Problem | None
    shared: bool
    """Another unit answers for it (综合值班室)."""


@dataclass(frozen=True, slots=True)
class _Tried:
    form: str = ""
    typed: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    problems: Problems = field(default_factory=dict)


@router.api_route("/designated", methods=READ)
async def page(request: Request, state: State, unit: str = "", line: str = "", done: str = "") -> Response:
    """Choose a unit, see what would be dialled, order it."""
    return await _page(request, state, _key(unit), _key(line), done=done == "1")


def _key(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 18 else None


async def _page(
    request: Request,
    state: Any,
    unit_id: int | None,
    line_id: int | None = None,
    tried: _Tried | None = None,
    done: bool = False,
) -> Response:
    database, settings = state
    async with database.reading() as session:
        if unit_id is None and line_id is not None:
            line = await directory.line(session, line_id)
            unit_id = None if line is None else line.unit_id
        unit = None if unit_id is None else await repository.unit(session, unit_id)
        if unit_id is not None and unit is None:
            raise NotFoundError("没有这个单位")
        lines = [] if unit is None else await _lines(session, settings, unit.id)
        fault = await designated.office_fault(session)
        units = await choices.tree(session)
        recent = await _recent(session)
        approvers = await approvers_but(session, _name())
    return render(
        request,
        "designated/page.html",
        200 if tried is None else 422,
        units=units,
        unit=unit,
        lines=lines,
        chosen_line=line_id,
        office_fault=None if fault is None else said(fault),
        tried=tried or _Tried(),
        done=done,
        recent=recent,
        approvers=approvers,
        **_words(settings),
    )


def _name() -> str:
    me = current()
    return "" if me is None else me.name


def _words(settings: Settings) -> dict[str, Any]:
    return {
        "states": ORDER_STATES,
        "kinds": KINDS,
        "verifications": VERIFICATIONS,
        "line_kinds": choices.LINE_KINDS,
        "zone": settings.zone,
        "codes": CODES,
    }


async def _lines(session: AsyncSession, settings: Settings, unit_id: int) -> list[LineRow]:
    """The lines that an order of the unit chooses from, then its further ones, which may be called by name."""
    keys = list(await repository.lines_reaching(session, unit_id))
    further = [
        line.id
        for line in await directory.lines_of_unit(session, unit_id)
        if line.active and line.kind in choices.LINE_KINDS and line.id not in keys
    ]
    return [_row(found, unit_id) for found in await designated.outlook(session, settings, [*keys, *further])]


def _row(found: Outlook, unit_id: int) -> LineRow:
    refused, line = found.refused, found.line
    return LineRow(
        line.id,
        line.unit.name,
        line.number,
        line.kind,
        line.verification,
        found.caps,
        None if refused is None else said(refused.detail),
        refused.why if refused is not None and refused.why in ("handover", "night") else "",
        None if found.verification_refused is None else said(found.verification_refused),
        line.unit_id != unit_id,
    )


async def _recent(session: AsyncSession) -> list[SpotCheck]:
    now = clock.now()
    found: list[SpotCheck] = []
    for kind in KINDS:
        found += await orders.page(session, OrderFilter(kind=kind), None, RECENT, now)
    return sorted(found, key=lambda check: (check.first_due_at, check.id), reverse=True)[:RECENT]


@router.api_route("/designated/recent", methods=READ)
async def recent_part(request: Request, state: State) -> Response:
    """What became of the last orders."""
    database, settings = state
    async with database.reading() as session:
        recent = await _recent(session)
    return render(request, "designated/_recent.html", recent=recent, **_words(settings))


@router.post("/designated")
async def order(request: Request, state: State, who: Actor) -> Response:
    """Check a unit or a line now, within caps."""
    database, settings = state
    typed = await _typed(request)
    try:
        content = {key: value for key, value in typed.items() if value and key in EMPTY}
        if "line_id" in content:
            content.pop("unit_id", None)
        given = DesignationIn.model_validate(content)
        async with database.unit_of_work() as session:
            if given.night_approved_by not in (None, *await approvers_but(session, who)):
                # Whoever is named stands in the audit trail as the one who allowed it.
                problem = Problem("请从列出的督查人员中选择")
                return await _again(request, state, _Tried("order", typed, {"night_approved_by": problem}))
            await designated.order(session, settings, Designation(**given.model_dump()), who)
    except ValidationError as error:
        problems = of_model(error, lambda where: str(where[0]) if where else GENERAL)
        return await _again(request, state, _Tried("order", typed, problems))
    except OfficeError as error:
        return await _again(request, state, _Tried("order", typed, {GENERAL: of_error(error)}))
    return RedirectResponse(_back(typed), status_code=303)


@router.post("/designated/verify")
async def verify(request: Request, state: State, who: Actor) -> Response:
    """Call a line to see whether its number is right (核号); never scored."""
    database, settings = state
    typed = await _typed(request)
    try:
        given = VerificationIn.model_validate({key: typed[key] for key in ("line_id", "reason")})
        async with database.unit_of_work() as session:
            await designated.verify_number(session, settings, given.line_id, given.reason, who)
    except ValidationError as error:
        problems = of_model(error, lambda where: str(where[0]) if where else GENERAL)
        return await _again(request, state, _Tried("verify", typed, problems))
    except OfficeError as error:
        return await _again(request, state, _Tried("verify", typed, {GENERAL: of_error(error)}))
    return RedirectResponse(_back(typed), status_code=303)


async def _typed(request: Request) -> dict[str, str]:
    async with request.form() as form:
        given = {key: str(form.get(key, "")).strip() for key in (*EMPTY, "unit")}
    return {**given, "unit_id": given["unit_id"] or given["unit"]}


def _back(typed: Mapping[str, str]) -> str:
    unit = _key(typed["unit"])
    return "/designated?done=1" if unit is None else f"/designated?unit={unit}&done=1"


async def _again(request: Request, state: Any, tried: _Tried) -> Response:
    unit, line = _key(tried.typed["unit"]), _key(tried.typed["line_id"])
    return await _page(request, state, unit, line, tried)
