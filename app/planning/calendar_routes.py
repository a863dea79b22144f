"""The calendar over the API."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app import clock
from app.api.actor import Actor
from app.api.text import Day, Short
from app.errors import BadInputError, Fault
from app.planning import calendar_csv, calendar_repository, calendar_seed, calendar_service
from app.planning.calendar import DAY_KINDS_ZH, CalendarBook, DayInfo, load_book, stretches, warning
from app.planning.calendar_schemas import (
    CalendarOut,
    ChangedOut,
    ChangeOut,
    DayDetail,
    DayIn,
    DayOut,
    SeedIn,
    SensitiveIn,
    SpanOut,
)
from app.planning.calendar_service import Author, Entry
from app.planning.serving import State
from app.settings import Settings

router = APIRouter(prefix="/api/v1/calendar", tags=["calendar"])
MOST_DAYS = 400
MOST_EXPORTED_DAYS = 12_000
CHANGES_SHOWN = 50
DayInPath = Annotated[Day, Path(description="A day such as 2026-05-01")]
Reason = Annotated[Short, Query(description="Must be given where days of the past change")]
_CSV: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("")
async def show_days(state: State, first: Day | None = None, last: Day | None = None) -> CalendarOut:
    """What the days of a span are, at most 400; without one, those of the present year."""
    database, settings = state
    year = _today(settings).year
    first = first or (date(last.year, 1, 1) if last else date(year, 1, 1))
    last = last or date(first.year, 12, 31)
    _check_span(first, last, MOST_DAYS)
    async with database.reading() as session:
        book = await load_book(session, first, last)
    return CalendarOut(
        days=[_out(info) for info in book.span(first, last)],
        unknown=[SpanOut(first=one, last=other) for one, other in stretches(book.unknown(first, last))],
        warning=warning(book, first, last),
    )


@router.get("/export", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def export(state: State, first: Day | None = None, last: Day | None = None) -> Response:
    """What was entered, as CSV; imported again, it changes nothing."""
    first, last = first or date(1970, 1, 1), last or date(2200, 12, 31)
    if last < first:
        raise BadInputError("the span ends before it begins", [Fault("last", f"lies before {first}")])
    async with state[0].reading() as session:
        text = calendar_csv.write(await calendar_repository.days(session, first, last))
    headers = {"Content-Disposition": 'attachment; filename="calendar.csv"'}
    # With its mark a spreadsheet takes it for UTF-8.
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/import", openapi_extra=_CSV)
async def import_file(
    request: Request, state: State, who: Actor, reason: Reason = "", preview: bool = False
) -> ChangedOut:
    """Enter the days of a CSV file, all or none; `preview` says what would come of it and enters nothing.

    Every line that is wrong is named.
    """
    database, settings = state
    entries = calendar_csv.read(await _body(request))
    author = Author(who, _today(settings), reason)
    if preview:
        async with database.reading() as session:
            return ChangedOut.model_validate(await calendar_service.compare(session, entries))
    async with database.unit_of_work() as session:
        return ChangedOut.model_validate(await calendar_service.import_days(session, entries, author))


@router.post("/seed")
async def seed(state: State, who: Actor, body: SeedIn) -> ChangedOut:
    """Enter the shipped data of years; what was entered or imported stays."""
    database, settings = state
    today = _today(settings)
    years = body.years or [year for year in calendar_seed.years() if year >= today.year - 1]
    async with database.unit_of_work() as session:
        return ChangedOut.model_validate(await calendar_service.seed(session, years, Author(who, today)))


@router.post("/sensitive")
async def mark_sensitive(state: State, who: Actor, body: SensitiveIn) -> ChangedOut:
    """Mark a sensitive period (特殊敏感期), or take the mark off."""
    database, settings = state
    author = Author(who, _today(settings), body.reason)
    async with database.unit_of_work() as session:
        changed = await calendar_service.mark_sensitive(
            session, body.first_day, body.last_day, body.name, author, sensitive=body.sensitive
        )
        return ChangedOut.model_validate(changed)


@router.get("/{day}")
async def show_day(state: State, day: DayInPath) -> DayDetail:
    """One day, with what was changed of it."""
    async with state[0].reading() as session:
        return await _detail(session, day)


@router.put("/{day}")
async def set_day(state: State, who: Actor, day: DayInPath, body: DayIn) -> DayDetail:
    """Enter a day as a whole."""
    database, settings = state
    entry = Entry(body.kind, body.name, body.sensitive, body.sensitive_name, body.note)
    async with database.unit_of_work() as session:
        await calendar_service.set_day(session, day, entry, Author(who, _today(settings), body.reason))
        return await _detail(session, day)


@router.delete("/{day}")
async def clear_day(state: State, who: Actor, day: DayInPath, reason: Reason = "") -> DayDetail:
    """Take out what was entered of a day: the weekend rule holds for it again."""
    database, settings = state
    async with database.unit_of_work() as session:
        await calendar_service.clear_day(session, day, Author(who, _today(settings), reason))
        return await _detail(session, day)


def _today(settings: Settings) -> date:
    return clock.now().astimezone(settings.zone).date()


def _check_span(first: date, last: date, most: int) -> None:
    if last < first:
        raise BadInputError("the span ends before it begins", [Fault("last", f"lies before {first}")])
    if last - first >= timedelta(days=most):
        raise BadInputError("the span is too long", [Fault("last", f"takes a span of at most {most} days")])


def _out(info: DayInfo) -> DayOut:
    return DayOut(day=info.day, kind_zh=DAY_KINDS_ZH[info.kind], **info.to_dict())


async def _detail(session: AsyncSession, day: date) -> DayDetail:
    rows = await calendar_repository.days(session, day, day)
    book: CalendarBook = await load_book(session, day, day)
    changes = await calendar_repository.changes_of(session, day, CHANGES_SHOWN)
    row = rows[0] if rows else None
    return DayDetail(
        **_out(book.day(day)).model_dump(),
        holiday_name=row.name if row else "",
        sensitive_name=row.sensitive_name if row else "",
        note=row.note if row else "",
        source=row.source if row else None,
        changes=[ChangeOut.model_validate(change) for change in changes],
    )


async def _body(request: Request) -> bytes:
    """Return the body, read no further than a file may be long."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > calendar_csv.MOST_BYTES:
            message = f"has more than {calendar_csv.MOST_BYTES:,} bytes"
            raise BadInputError(f"the file {message}", [Fault("body", message)])
    return bytes(content)
