"""The form of one day's roster: a row for each turn; what is filed is a new version, never a change of one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from app.api.actor import Actor
from app.api.text import Day
from app.directory.models import Person, Unit
from app.directory.routing import PathKey, State, today, unit_or_404
from app.errors import BadInputError, ConflictError, Fault, ForbiddenError, NotFoundError
from app.rosters import repository, routes
from app.rosters.filing import MOST_SHIFTS
from app.rosters.models import ROSTER_KINDS, Roster
from app.rosters.schemas import RosterIn
from app.web import i18n
from app.web.pages import render
from app.web.units import words
from app.web.units.forms import WAYS, of_validation, speak
from app.web.units.unit_page import head

SPARE_ROWS = 3
COLUMNS = ("name", "title", "phone", "start", "end", "until")
UNTIL: Mapping[str, str] = {"": "自动", "0": "当日", "1": "次日", "2": "第三日", "3": "第四日"}
"""On which day a turn ends, counted from the one on which it begins; by itself the next where its end is not later."""
_TIME = re.compile(r"([01]?\d|2[0-3])[:：]?([0-5]\d)")
_END_OF_DAY = ("24:00", "2400")
router = APIRouter(include_in_schema=False)
RosterDay = Annotated[Day, Path()]


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One row as it was typed."""

    name: str = ""
    title: str = ""
    phone: str = ""
    start: str = ""
    end: str = ""
    until: str = ""
    wrong: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was typed."""
        return not any((self.name, self.title, self.phone, self.start, self.end))


@dataclass(frozen=True, slots=True)
class Typed:
    """The whole form as it was typed, or as it begins."""

    rows: Sequence[TurnRow]
    seen_version: int
    note: str = ""
    take_back: bool = False
    problems: Sequence[str] = ()


@router.api_route("/units/{unit_id}/rosters/{day}/{kind}", methods=WAYS)
async def roster_form(
    request: Request,
    state: State,
    who: Actor,
    unit_id: PathKey,
    day: RosterDay,
    kind: str,
    like: Annotated[Day | None, Query()] = None,
) -> Response:
    """File a unit's roster of one day, beginning with the version there is, or another day's."""
    database, settings = state
    if kind not in ROSTER_KINDS:
        raise NotFoundError(f"没有“{kind[:20]}”这种值班表")
    async with database.reading() as session:
        unit = await unit_or_404(session, unit_id)
        people = await repository.people_of(session, [unit.id])
        typed = await _begun(session, unit, day, kind, like, settings.zone)
        values = await head(session, unit, today(settings))
    if request.method == "POST":
        speak(request)
        typed = _read(await request.form())
        try:
            given = given_of(typed, day, kind, people, settings.zone)
            await routes.file_roster(state, who, unit_id, given)
        except (BadInputError, ConflictError, ForbiddenError) as error:
            typed = _wrong(typed, error.detail, error.faults)
        except ValidationError as error:
            told = of_validation(error).by_field
            typed = replace(
                typed, problems=[i18n.gettext("班次里有填写不对的内容（姓名必填）"), *told.values()]
            )
        else:
            return RedirectResponse(f"/units/{unit_id}/rosters?first={day}", status_code=303)
    return render(
        request,
        "units/roster_form.html",
        422 if typed.problems else 200,
        typed=replace(typed, rows=[*typed.rows, *[TurnRow()] * SPARE_ROWS][:MOST_SHIFTS]),
        people=people,
        day=day,
        kind=kind,
        until=UNTIL,
        yesterday=day - timedelta(days=1),
        last_week=day - timedelta(days=7),
        weekday=words.WEEKDAYS[day.weekday()],
        **values,
    )


async def _begun(
    session: AsyncSession, unit: Unit, day: date, kind: str, like: date | None, zone: ZoneInfo
) -> Typed:
    """What the form begins with: the newest version, or that of another day."""
    version = await repository.newest_version(session, unit.id, day, kind)
    source = like or day
    found = await repository.versions_between(session, [unit.id], source, source)
    newest = max((row for row in found if row.kind == kind), key=lambda row: row.version, default=None)
    return Typed([] if newest is None else _rows(newest, zone), version)


def _rows(roster: Roster, zone: ZoneInfo) -> list[TurnRow]:
    rows = []
    for shift in roster.shifts:
        start, end = shift.start_at.astimezone(zone), shift.end_at.astimezone(zone)
        days = (end.date() - start.date()).days
        rows.append(
            TurnRow(shift.name, shift.title, shift.phone, f"{start:%H:%M}", f"{end:%H:%M}", str(days))
        )
    return rows


def _read(sent: FormData) -> Typed:
    """The rows in order; those left empty are no turns."""
    columns = {name: [str(value)[:200].strip() for value in sent.getlist(name)] for name in COLUMNS}
    count = min(max(map(len, columns.values())), MOST_SHIFTS + SPARE_ROWS)
    rows = [
        TurnRow(**{name: values[place] if place < len(values) else "" for name, values in columns.items()})
        for place in range(count)
    ]
    seen = str(sent.get("seen_version", ""))
    return Typed(
        [row for row in rows if not row.empty],
        int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 9 else 0,
        str(sent.get("note", ""))[:4000],
        bool(sent.get("take_back")),
    )


def given_of(typed: Typed, day: date, kind: str, people: Sequence[Person], zone: ZoneInfo) -> RosterIn:
    """What is filed. Raises `BadInputError` that names the row, `ValidationError`."""
    if not typed.rows and typed.seen_version and not typed.take_back:
        raise BadInputError("没有班次。要撤回此前报送的值班表，请勾选“撤回此前报送”")
    faults, shifts = [], []
    for place, row in enumerate(typed.rows):
        start, end = _moment(row.start, day, zone), _moment(row.end, day, zone)
        if not row.name or start is None or end is None or row.until not in UNTIL:
            faults.append(Fault(f"shifts[{place}]", "请填写姓名和起止时间，如 08:00"))
            continue
        days = int(row.until) if row.until else int(end <= start)
        shifts.append(
            {
                "name": row.name,
                "title": row.title,
                "phone": row.phone,
                "person_id": _person(row, people),
                "start_at": start,
                "end_at": end + timedelta(days=days),
            }
        )
    if faults:
        raise BadInputError("", faults)
    content: dict[str, Any] = {
        "day": day,
        "kind": kind,
        "shifts": shifts,
        "note": typed.note,
        "seen_version": typed.seen_version,
    }
    return RosterIn.model_validate(content)


def _moment(text: str, day: date, zone: ZoneInfo) -> datetime | None:
    """The moment of a time of day; None for what is no time."""
    if text in _END_OF_DAY:
        return datetime.combine(day + timedelta(days=1), time(), zone)
    found = _TIME.fullmatch(text)
    return None if found is None else datetime.combine(day, time(int(found[1]), int(found[2])), zone)


def _person(row: TurnRow, people: Sequence[Person]) -> int | None:
    """The unit's person of this name, where there is only one."""
    found = [person for person in people if person.name == row.name]
    return found[0].id if len(found) == 1 else None


def _wrong(typed: Typed, detail: str, faults: Sequence[Fault]) -> Typed:
    by_row: dict[int, str] = {}
    for fault in faults:
        place = re.match(r"shifts\[(\d+)\]", fault.where)
        if place is not None:
            by_row[int(place[1])] = i18n.gettext(detail or fault.message)
    rows = [replace(row, wrong=by_row.get(place, "")) for place, row in enumerate(typed.rows)]
    whole = (
        i18n.gettext(detail)
        if detail
        else i18n.gettext("有 %(n)s 个班次需要改正，见下。") % {"n": len(by_row)}
    )
    return replace(typed, rows=rows, problems=[whole])
