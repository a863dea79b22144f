"""日历: a year by kinds of day, one day with its changes, sensitive periods, shipped data, files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from app.api.actor import Actor
from app.api.text import FIRST_YEAR, LAST_YEAR, Day
from app.errors import BadInputError, OfficeError
from app.planning import calendar_csv, calendar_repository, calendar_seed, calendar_service
from app.planning.calendar import DAY_KINDS_ZH, load_book
from app.planning.calendar_schemas import DayIn, SensitiveIn
from app.planning.calendar_service import Author, Entry, entry_of
from app.planning.serving import State
from app.web.calendar import views
from app.web.pages import render
from app.web.plans.problems import GENERAL, Problem, Problems, of_error, of_lines, of_model
from app.web.plans.routes import today_of

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
CHANGES_SHOWN = 50
MOST_SHOWN = 400
DayInPath = Annotated[Day, Path()]
REASONS: Mapping[str, str] = {"shipped data": "随附数据"}
"""Reasons that the program gives by itself."""
SOURCES: Mapping[str, str] = {"seed": "随附数据", "import": "文件导入", "entered": "人工录入"}


@dataclass(frozen=True, slots=True)
class _Tried:
    """A form that could not be carried out: which, what was typed, and what is wrong."""

    form: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=dict)


@router.api_route("/calendar", methods=READ)
async def year_page(request: Request, state: State, year: int = 0, done: str = "") -> Response:
    """A year."""
    return await _year(request, state, year, done=done)


async def _year(
    request: Request, state: Any, year: int, tried: _Tried | None = None, done: str = ""
) -> Response:
    database, settings = state
    today = today_of(settings)
    year = year if FIRST_YEAR <= year <= LAST_YEAR else today.year
    async with database.reading() as session:
        book = await load_book(session, date(year, 1, 1), date(year, 12, 31))
    return render(
        request,
        "calendar/year.html",
        200 if tried is None else 422,
        year=year,
        today=today,
        months=views.months(book, year),
        counts=views.counts(book, year),
        unknown=views.unknown(book, year),
        unknown_days=len(book.unknown(date(year, 1, 1), date(year, 12, 31))),
        shipped=calendar_seed.years(),
        kinds=DAY_KINDS_ZH,
        marks=views.MARKS,
        tried=tried or _Tried(),
        done=done,
        limits=(FIRST_YEAR, LAST_YEAR),
    )


@router.api_route("/calendar/{day}", methods=READ)
async def day_page(request: Request, state: State, day: DayInPath) -> Response:
    """One day with what was changed of it."""
    return await _day(request, state, day)


async def _day(request: Request, state: Any, day: date, tried: _Tried | None = None) -> Response:
    database, settings = state
    async with database.reading() as session:
        rows = await calendar_repository.days(session, day, day)
        info = (await load_book(session, day, day)).day(day)
        changes = await calendar_repository.changes_of(session, day, CHANGES_SHOWN)
    entry = entry_of(rows[0]) if rows else Entry(None)
    typed = {
        "kind": entry.kind or "",
        "name": entry.name,
        "sensitive": "1" if entry.sensitive else "",
        "sensitive_name": entry.sensitive_name,
        "note": entry.note,
        "reason": "",
    }
    tried = tried or _Tried(typed=typed)
    return render(
        request,
        "calendar/day.html",
        422 if tried.problems else 200,
        day=day,
        info=info,
        kinds=DAY_KINDS_ZH,
        source=SOURCES.get(rows[0].source, "") if rows else "",
        past=day < today_of(settings),
        tried=tried,
        changes=[
            (
                item.changed_at.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M:%S"),
                item.changed_by,
                views.told(day, item.before),
                views.told(day, item.after),
                REASONS.get(item.reason, item.reason),
            )
            for item in changes
        ],
    )


async def _typed(request: Request) -> dict[str, str]:
    async with request.form() as form:
        return {key: value.strip() for key, value in form.items() if isinstance(value, str) and key != "csrf"}


def _read(model: type[BaseModel], typed: Mapping[str, str]) -> tuple[Any, dict[str, Problem]]:
    """Read a form into a model of the API; a tick that is not set is not sent."""
    content: dict[str, Any] = {key: typed[key] for key in model.model_fields if typed.get(key)}
    content["sensitive"] = bool(typed.get("sensitive"))
    try:
        return model.model_validate(content), {}
    except ValidationError as error:
        return None, of_model(error, lambda where: str(where[0]) if where else GENERAL)


async def _carried_out(state: Any, work: Callable[[AsyncSession], Awaitable[object]]) -> dict[str, Problem]:
    """Do it; return what is against it by field, nothing where it was done."""
    try:
        async with state[0].unit_of_work() as session:
            await work(session)
    except OfficeError as error:
        where = error.faults[0].where if error.faults else GENERAL
        return {where: of_error(error)}
    return {}


@router.post("/calendar/sensitive")
async def mark_sensitive(request: Request, state: State, who: Actor) -> Response:
    """Mark a sensitive period, or take the mark off."""
    typed = await _typed(request)
    given, problems = _read(SensitiveIn, typed)
    if given is not None:
        author = Author(who, today_of(state[1]), given.reason)
        problems = await _carried_out(
            state,
            lambda session: calendar_service.mark_sensitive(
                session, given.first_day, given.last_day, given.name, author, sensitive=given.sensitive
            ),
        )
    if problems:
        return await _year(request, state, _year_of(typed), _Tried("sensitive", typed, problems))
    return RedirectResponse(f"/calendar?year={given.first_day.year}&done=sensitive", status_code=303)


@router.post("/calendar/seed")
async def seed(request: Request, state: State, who: Actor) -> Response:
    """Enter the shipped data of a year; what was entered or imported stays."""
    typed = await _typed(request)
    year = _year_of(typed)
    author = Author(who, today_of(state[1]))
    problems = await _carried_out(state, lambda session: calendar_service.seed(session, [year], author))
    if problems:
        return await _year(request, state, year, _Tried("seed", typed, problems))
    return RedirectResponse(f"/calendar?year={year}&done=seed", status_code=303)


def _year_of(typed: Mapping[str, str]) -> int:
    text = typed.get("year", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else 0


@router.post("/calendar/import/preview")
async def import_preview(request: Request, state: State) -> Response:
    """What a file would change; nothing is entered."""
    content = b""
    async with request.form() as form:
        file = form.get("file")
        if isinstance(file, UploadFile):
            content = await file.read(calendar_csv.MOST_BYTES + 1)
    if not content:
        tried = _Tried("import", {}, {"file": Problem("请选择要导入的 CSV 文件")})
        return await _year(request, state, 0, tried)
    return await _import_page(request, state, content, "", {})


async def _import_page(
    request: Request, state: Any, content: bytes, reason: str, problems: Problems
) -> Response:
    try:
        entries = calendar_csv.read(content)
    except BadInputError as error:
        # What cannot be read is shown with each line that is wrong; the file is chosen once more.
        return render(request, "calendar/refused.html", 422, faults=of_lines(error.faults))
    async with state[0].reading() as session:
        told = await calendar_service.compare(session, entries)
        found = await calendar_repository.days(session, min(entries), max(entries))
    rows = {row.day: row for row in found}
    changes = views.changes(entries, rows)
    today = today_of(state[1])
    return render(
        request,
        "calendar/import.html",
        422 if problems else 200,
        told=told,
        changes=changes[:MOST_SHOWN],
        more=max(0, len(changes) - MOST_SHOWN),
        past=any(change.day < today for change in changes),
        text=_text(content),
        reason=reason,
        problems=problems,
        span=(min(entries), max(entries)),
    )


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030")


@router.post("/calendar/import")
async def import_file(request: Request, state: State, who: Actor) -> Response:
    """Enter the days of a file that was looked at, all or none."""
    typed = await _typed(request)
    content, reason = typed.get("text", "").encode(), typed.get("reason", "")[:200]
    try:
        entries = calendar_csv.read(content)
    except BadInputError as error:
        return render(request, "calendar/refused.html", 422, faults=of_lines(error.faults))
    author = Author(who, today_of(state[1]), reason)
    problems = await _carried_out(
        state, lambda session: calendar_service.import_days(session, entries, author)
    )
    if problems:
        return await _import_page(request, state, content, reason, problems)
    return RedirectResponse(f"/calendar?year={min(entries).year}&done=import", status_code=303)


@router.post("/calendar/{day}")
async def set_day(request: Request, state: State, who: Actor, day: DayInPath) -> Response:
    """Enter a day as a whole."""
    typed = await _typed(request)
    given, problems = _read(DayIn, typed)
    if given is not None:
        sensitive_name = given.sensitive_name if given.sensitive else ""
        entry = Entry(given.kind, given.name, given.sensitive, sensitive_name, given.note)
        author = Author(who, today_of(state[1]), given.reason)
        problems = await _carried_out(
            state, lambda session: calendar_service.set_day(session, day, entry, author)
        )
    if problems:
        blank = dict.fromkeys(("kind", "name", "sensitive", "sensitive_name", "note", "reason"), "")
        return await _day(request, state, day, _Tried("day", blank | typed, problems))
    return RedirectResponse(f"/calendar?year={day.year}&done=day#d{day}", status_code=303)


@router.post("/calendar/{day}/clear")
async def clear_day(request: Request, state: State, who: Actor, day: DayInPath) -> Response:
    """Take out what was entered of a day: the weekend rule holds for it again."""
    typed = await _typed(request)
    author = Author(who, today_of(state[1]), typed.get("reason", "")[:200])
    problems = await _carried_out(state, lambda session: calendar_service.clear_day(session, day, author))
    if problems:
        blank = dict.fromkeys(("kind", "name", "sensitive", "sensitive_name", "note", "reason"), "")
        return await _day(request, state, day, _Tried("clear", blank | typed, problems))
    return RedirectResponse(f"/calendar?year={day.year}&done=day#d{day}", status_code=303)
