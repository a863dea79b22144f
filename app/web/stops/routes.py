"""紧急停拨: stop all calls or those to a subtree, see what is stopped, lift a stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app.accounts.principal import limits
from app.api.actor import Actor
from app.checks import stops
from app.database import Database
from app.directory.models import Unit
from app.errors import BadInputError, OfficeError
from app.web.pages import render
from app.web.stops import standing

READ = ["GET", "HEAD"]
PAGE_ROWS = 30
MOST_REASON = 500
NO_UNITS = "您的账号没有管辖的单位，无从停拨"
router = APIRouter(include_in_schema=False)
Key = Annotated[int, Path(ge=1, lt=2**63)]


def database_of(request: Request) -> Database:
    """The database of this service."""
    database: Database = request.app.state.database
    return database


Data = Annotated[Database, Depends(database_of)]


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """One unit of the list of choices."""

    id: int
    name: str
    indent: str


@dataclass
class Typed:
    """What was typed into a form, and what is wrong with it."""

    what: str = "all"
    unit_id: str = ""
    reason: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    """In Chinese, by field; `form` is of the whole."""


@router.api_route("/stops", methods=READ)
async def stops_page(request: Request, database: Data, before: int | None = None) -> Response:
    """What is stopped, a form to stop, and what was stopped earlier."""
    return await _page(request, database, Typed(), before)


@router.api_route("/stops/panel", methods=READ)
async def stops_panel(request: Request, database: Data) -> Response:
    """The form alone, for the panel that opens above any page."""
    async with database.reading() as session:
        return render(
            request,
            "stops/_form.html",
            typed=Typed(),
            units=await _choices(session),
            live=await standing.under_way(session),
            whole=limits() is None,
            back=_inside(request.query_params.get("back", "")),
        )


@router.api_route("/stops/banner", methods=READ)
async def stops_banner(request: Request) -> Response:
    """What is stopped, for pages that learn of a change."""
    return render(request, "_stop_banner.html")


@router.api_route("/stops/under-way", methods=READ)
async def stops_under_way(request: Request, database: Data, what: str = "all", unit_id: str = "") -> Response:
    """How many calls would be ended."""
    async with database.reading() as session:
        unit = await session.get(Unit, int(unit_id)) if what == "unit" and _is_key(unit_id) else None
        live = await standing.under_way(session, unit) if what == "all" or unit is not None else None
    return render(request, "stops/_under_way.html", live=live)


@router.post("/stops")
async def place(
    request: Request,
    database: Data,
    who: Actor,
    what: Annotated[str, Form()] = "",
    unit_id: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Stop calls; within a second nothing more is dialled to these units."""
    typed = Typed(what, unit_id, reason)
    if what not in ("all", "unit"):
        typed.problems["what"] = "请选择停拨范围"
    if what == "unit" and not _is_key(unit_id):
        typed.problems["unit_id"] = "请选择单位"
    _check_reason(typed, "请写明停拨理由")
    if not typed.problems:
        try:
            async with database.unit_of_work() as session:
                for head in [int(unit_id)] if what == "unit" else await _all_of_mine(session):
                    await stops.place_stop(session, head, reason, who)
        except OfficeError as error:
            typed.problems["unit_id" if error.status == 404 else "form"] = (
                "没有这个单位" if error.status == 404 else error.detail
            )
    if typed.problems:
        return await _page(request, database, typed, None, 422)
    return RedirectResponse(_inside(back) or "/stops", status_code=303)


@router.post("/stops/{stop_id}/lift")
async def lift(
    request: Request, database: Data, who: Actor, stop_id: Key, reason: Annotated[str, Form()] = ""
) -> Response:
    """Lift a stop by hand, with a reason."""
    typed = Typed(reason=reason)
    _check_reason(typed, "请写明解除理由")
    if not typed.problems:
        try:
            async with database.unit_of_work() as session:
                await stops.lift_stop(session, stop_id, reason, who)
        except BadInputError as error:
            typed.problems["reason"] = error.detail
        except OfficeError as error:
            typed.problems["form"] = {404: "没有这条停拨", 409: "这条停拨已经解除"}.get(
                error.status, error.detail
            )
    if typed.problems:
        typed.reason = ""
        return await _page(request, database, Typed(), None, 422, lifting=(stop_id, reason, typed.problems))
    return RedirectResponse("/stops", status_code=303)


async def _page(
    request: Request,
    database: Database,
    typed: Typed,
    before: int | None,
    status: int = 200,
    lifting: tuple[int, str, dict[str, str]] | None = None,
) -> Response:
    async with database.reading() as session:
        rows = await stops.page(session, None, before, PAGE_ROWS + 1)
        shown = rows[:PAGE_ROWS]
        return render(
            request,
            "stops/stops.html",
            status_code=status,
            typed=typed,
            lifting=lifting,
            units=await _choices(session),
            live=await standing.under_way(session),
            whole=limits() is None,
            holding=await standing.standing(session),
            over=[row for row in await standing.views(session, shown) if row.lifted_at is not None],
            older=shown[-1].id if len(rows) > PAGE_ROWS else None,
            back="",
            zone=request.app.state.settings.zone,
        )


async def _choices(session: AsyncSession) -> list[UnitChoice]:
    query = select(Unit.id, Unit.name, Unit.path).order_by(Unit.path)
    rows = (await session.execute(query)).all()
    least = min((row.path.count("/") for row in rows), default=0)
    return [UnitChoice(row.id, row.name, "　" * (row.path.count("/") - least)) for row in rows]


async def _all_of_mine(session: AsyncSession) -> Sequence[int | None]:
    """What 全部单位 means for who asks: every unit (None), or the heads of the subtrees of the account.

    Raises `BadInputError` where the account's units are gone.
    """
    mine = limits()
    if mine is None:
        return [None]
    query = select(Unit.id, Unit.path).where(Unit.path.in_(mine.paths)).order_by(Unit.path)
    heads: list[tuple[int, str]] = []
    for key, path in (await session.execute(query)).all():
        if not heads or not path.startswith(heads[-1][1]):
            heads.append((key, path))
    if not heads:
        raise BadInputError(NO_UNITS)
    return [key for key, _ in heads]


def _check_reason(typed: Typed, wanted: str) -> None:
    if not typed.reason.strip():
        typed.problems["reason"] = wanted
    elif len(typed.reason) > MOST_REASON:
        typed.problems["reason"] = "理由最多 500 字"


def _is_key(value: str) -> bool:
    return value.isascii() and value.isdecimal() and 0 < len(value) < 19


def _inside(back: str) -> str:
    """An address of this service, or nothing: nobody is sent elsewhere."""
    return back if back.startswith("/") and not back.startswith(("//", "/\\")) else ""
