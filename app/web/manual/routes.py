"""人工补录: checks that were made by hand: the list, the form, one of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts.principal import current
from app.api.actor import Actor
from app.api.paging import After, cut, pack, unpack
from app.directory import repository as directory
from app.errors import NotFoundError, OfficeError
from app.planning import manual, repository
from app.planning.manual_routes import ManualIn
from app.planning.models import ManualCheck
from app.planning.serving import PathKey, State
from app.reviews import repository as reviews
from app.reviews.codes import PRESENCE_SOURCES, confirmable, needs_presence, title_of
from app.reviews.states import STATE_ZH
from app.reviews.states import State as CaseState
from app.settings import Settings
from app.web.pages import render
from app.web.plans import choices
from app.web.plans.problems import GENERAL, Problem, Problems, of_error, of_model

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
PAGE_ROWS = 50
FIELDS = ("unit", "line", "source", "day", "time", "made_by", "found", "code", "document")
_NAMES = {"unit_id": "unit", "line_id": "line", "at": "day"}


@router.api_route("/manual", methods=READ)
async def list_page(
    request: Request,
    state: State,
    unit: str = "",
    source: str = "",
    first: str = "",
    last: str = "",
    after: After = None,
) -> Response:
    """Checks made by hand, newest first."""
    database, settings = state
    place = unpack(after, datetime, int) if after else None
    unit_id = int(unit) if unit.isascii() and unit.isdecimal() and len(unit) < 18 else None
    async with database.reading() as session:
        found = await repository.manual_checks(
            session,
            unit_id=unit_id,
            source=source if source in manual.SOURCES_ZH else None,
            code=None,
            first=_midnight(first, settings, 0),
            last=_midnight(last, settings, 1),
            after=place,  # type: ignore[arg-type]
            limit=PAGE_ROWS + 1,
        )
        rows, end = cut(found, PAGE_ROWS)
        units = await reviews.units_named(session, (row.unit_id for row in rows))
        tree = await choices.tree(session)
    chosen = {"unit": unit, "source": source, "first": first, "last": last}
    return render(
        request,
        "manual/list.html",
        rows=rows,
        units=units,
        tree=tree,
        sources=manual.SOURCES_ZH,
        title_of=title_of,
        chosen=chosen,
        narrowed=any(chosen.values()),
        next_place="" if end is None else pack(end.at, end.id),
        begins=place is None,
        zone=settings.zone,
    )


def _midnight(text: str, settings: Settings, days: int) -> datetime | None:
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day + timedelta(days=days), time(), settings.zone)
    except (ValueError, OverflowError):
        return None


@router.api_route("/manual/new", methods=READ)
async def new_page(request: Request, state: State, unit: str = "") -> Response:
    """The form."""
    now = clock.now().astimezone(state[1].zone)
    me = current()
    typed = dict.fromkeys(FIELDS, "") | {
        "unit": unit if unit.isdecimal() else "",
        "source": "hand_dialled",
        "day": now.date().isoformat(),
        "made_by": "" if me is None else me.name,
    }
    return await _form(request, state, typed, {})


async def _form(request: Request, state: Any, typed: Mapping[str, str], problems: Problems) -> Response:
    database, _ = state
    unit = typed["unit"]
    async with database.reading() as session:
        tree = await choices.tree(session)
        known = {item.key: item.name for item in tree}
        lines = await directory.lines_of_unit(session, int(unit)) if unit in known else []
    codes = [(code, title_of(code), needs_presence(code)) for code in confirmable(by_hand=True)]
    return render(
        request,
        "manual/form.html",
        422 if problems else 200,
        typed=typed,
        problems=problems,
        tree=tree,
        lines=lines,
        sources=manual.SOURCES_ZH,
        presence=PRESENCE_SOURCES,
        codes=codes,
        known=unit in known,
        unit_name=known.get(unit, ""),
    )


@router.post("/manual")
async def enter(request: Request, state: State, who: Actor) -> Response:
    """Enter a check that was made by hand; a code opens a case, which a supervisor decides."""
    database, settings = state
    async with request.form() as form:
        typed = {key: str(form.get(key, "")).strip() for key in FIELDS}
    problems: dict[str, Problem] = {}
    try:
        given = ManualIn.model_validate(_content(typed, settings))
        async with database.unit_of_work() as session:
            entry, _ = await manual.enter(session, settings, ManualCheck(**given.model_dump()), who)
            key = entry.id
    except ValidationError as error:
        problems = of_model(
            error, lambda where: _NAMES.get(str(where[0]), str(where[0])) if where else GENERAL
        )
    except OfficeError as error:
        where = error.faults[0].where if error.faults else "unit"
        problems = {_NAMES.get(where, where): of_error(error)}
    if problems:
        return await _form(request, state, typed, problems)
    return RedirectResponse(f"/manual/{key}", status_code=303)


def _content(typed: Mapping[str, str], settings: Settings) -> dict[str, Any]:
    """What the API takes: the moment with the office's zone, nothing where nothing was chosen."""
    at = f"{typed['day']} {typed['time']}"
    try:
        at = datetime.fromisoformat(at).replace(tzinfo=settings.zone).isoformat()
    except ValueError:
        at = "?"
    content: dict[str, Any] = {key: typed[key] for key in ("source", "made_by", "found", "document")}
    content |= {"unit_id": typed["unit"], "at": at}
    content |= {name: typed[key] for name, key in (("line_id", "line"), ("code", "code")) if typed[key]}
    return content


@router.api_route("/manual/{manual_id}", methods=READ)
async def one_page(request: Request, state: State, manual_id: PathKey) -> Response:
    """One check that was made by hand."""
    database, settings = state
    async with database.reading() as session:
        entry = await repository.manual_check(session, manual_id)
        if entry is None:
            raise NotFoundError("没有这条人工补录")
        unit = await repository.unit(session, entry.unit_id)
        line = None if entry.line_id is None else await directory.line(session, entry.line_id)
        case = None if entry.code is None else await reviews.case_of(session, entry.code, None, manual_id)
    return render(
        request,
        "manual/one.html",
        entry=entry,
        unit=unit,
        line=line,
        case=case,
        case_state="" if case is None else STATE_ZH[CaseState(case.state)],
        sources=manual.SOURCES_ZH,
        code="" if entry.code is None else title_of(entry.code),
        zone=settings.zone,
    )
