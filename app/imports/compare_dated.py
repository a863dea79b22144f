"""Compares rosters, exemptions and the calendar of a file with those of the records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from app.directory.models import LINE_EXEMPTIONS
from app.directory.numbers import key_of, read_number
from app.errors import BadInputError
from app.imports.changes import Change, Comparison, LineRef, UnitRef, given_of
from app.imports.compare_units import unit_of
from app.imports.moments import DAY
from app.imports.records import Row
from app.imports.stored import ShiftKey, Stored, midnight, ordered
from app.imports.values import is_bare_extension
from app.rosters.filing import MOST_SHIFTS

CALENDAR: dict[str, Any] = {
    "kind": "",
    "name": "",
    "sensitive": False,
    "sensitive_name": "",
    "note": "",
}


def compare_rosters(case: Comparison) -> None:
    """See which rosters become a new version. Rows of one unit, day and kind make one roster."""
    newest = {
        (entry.unit_id, entry.values["day"], entry.values["kind"]): entry for entry in case.snapshot.rosters
    }
    groups: dict[tuple[str, date, str], list[Row]] = defaultdict(list)
    for row in case.rows("duty", "leader"):
        unit = unit_of(case, row)
        if unit is not None and row.values.get("day") is not None:
            groups[unit.code, row.values["day"], row.kind].append(row)
    for (code, day, kind), rows in groups.items():
        unit = case.by_code[code]
        shifts = _shifts(case, rows)
        if len(shifts) > MOST_SHIFTS:
            case.findings.about(rows[0], "name", "too_many", most=MOST_SHIFTS)
        if any(row.faulty for row in rows):
            continue
        found = newest.get((unit.id, day, kind)) if unit.id is not None else None
        what = f"{unit.name} {day}"
        if found is None:
            values = {"day": day, "shifts": shifts, "version": 1}
            case.changes.append(Change(rows[0].kind, "add", what, rows[0], values, unit=unit))
        else:
            case.settle(rows[0], found, {"shifts": shifts}, what=what, unit=unit)


def _shifts(case: Comparison, rows: Sequence[Row]) -> tuple[ShiftKey, ...]:
    """The shifts of a roster; one person cannot have two at once."""
    found: dict[ShiftKey, Row] = {}
    for row in rows:
        values = row.values
        if row.faulty or "start" not in values:
            continue
        shift = (values["start"], values["end"], values["name"], values["title"], values["phone"])
        if shift in found:
            case.findings.about(row, "name", "duplicate", place=found[shift].place, what=values["name"])
        found.setdefault(shift, row)
    by_name: dict[str, list[ShiftKey]] = defaultdict(list)
    for shift in ordered(found):
        by_name[shift[2]].append(shift)
    for name, shifts in by_name.items():
        for one, other in pairwise(shifts):
            if other[0] < one[1]:
                case.findings.about(
                    found[other], "name", "filed_twice", name, name=name, place=found[one].place
                )
    return ordered(found)


def compare_exemptions(case: Comparison) -> None:
    """See which exemptions the file adds or changes. One is known by unit, line, kind and first moment."""
    present: dict[tuple[Any, ...], Stored] = {}
    for entry in (*case.snapshot.line_exemptions, *case.snapshot.exemptions):
        values = entry.values
        # A line's exemption is the line's, whichever unit the row names.
        unit_id = None if values["kind"] in LINE_EXEMPTIONS else entry.unit_id
        present[unit_id, values["line"], values["kind"], values["first"]] = entry
    seen: dict[tuple[Any, ...], Row] = {}
    for row in case.rows("exemptions"):
        unit = unit_of(case, row)
        if unit is None or row.faulty:
            continue
        line = _line_of(case, row, unit)
        given = _times_of(case, row)
        if row.faulty:
            continue
        key = (unit.code, line.key if line else "", given["kind"], given["first"])
        earlier = seen.setdefault(key, row)
        what = f"{unit.name} {row.values.get('number', '')}".strip()
        if earlier is not row:
            case.findings.about(row, "kind", "duplicate", place=earlier.place, what=what)
            continue
        found = present.get(_key(unit, line, given)) if line is None or line.stored is not None else None
        if found is None:
            values = {"last": None} | given
            case.changes.append(Change("exemptions", "add", what, row, values, unit=unit, line=line))
        else:
            # An empty cell leaves what is there; so does a missing column.
            case.settle(row, found, given, what=what, unit=unit, line=line)


def _key(unit: UnitRef, line: LineRef | None, given: dict[str, Any]) -> tuple[Any, ...]:
    line_id = None if line is None or line.stored is None else line.stored.id
    unit_id = None if given["kind"] in LINE_EXEMPTIONS else unit.id
    return unit_id, line_id, given["kind"], given["first"]


def _times_of(case: Comparison, row: Row) -> dict[str, Any]:
    """What a row says, by days or by moments as its kind wants it; a last day holds to its end."""
    values = row.values
    given: dict[str, Any] = {"kind": values["kind"], "reason": values["reason"]}
    if values["kind"] in LINE_EXEMPTIONS:
        for key in ("first", "last"):
            if isinstance(values.get(key), datetime):
                case.findings.about(row, key, "by_day")
            elif key in values:
                given[key] = values[key]
        return given
    given["first"] = _moment(values["first"])
    if "last" in values:
        last = values["last"]
        given["last"] = None if last is None else _moment(last, after=not isinstance(last, datetime))
        if last is not None and given["last"] <= given["first"] and not row.faulty:
            case.findings.about(row, "last", "day_order", first=str(given["first"]))
    return given


def _moment(value: date | datetime, *, after: bool = False) -> datetime:
    if isinstance(value, datetime):
        return value
    return midnight(value) + DAY if after else midnight(value)


def _line_of(case: Comparison, row: Row, unit: UnitRef) -> LineRef | None:
    number = row.values.get("number")
    if not number:
        if row.values["kind"] in LINE_EXEMPTIONS:
            case.findings.about(row, "number", "line_needed", "")
        return None
    lines = case.lines.get(unit.code, [])
    found = [line for line in lines if line.stored is not None and line.stored.values["number"] == number]
    if not found and not is_bare_extension(number):
        try:
            key = key_of(read_number(number).target)
        except BadInputError:
            key = number
        found = [line for line in lines if line.key == key]
    if not found:
        case.findings.about(row, "number", "line_unknown")
        return None
    # A fax may have the number of a duty line: what is called is meant.
    return next((line for line in found if line.called), found[0])


def compare_days(case: Comparison, today: date) -> None:
    """See which days of the calendar the file adds or changes."""
    present = {entry.values["day"]: entry for entry in case.snapshot.days}
    seen: dict[date, Row] = {}
    for row in case.rows("days"):
        day = row.values.get("day")
        if day is None or row.faulty:
            continue
        earlier = seen.setdefault(day, row)
        if earlier is not row:
            case.findings.about(row, "day", "duplicate", place=earlier.place, what=str(day))
            continue
        given = given_of(row, CALENDAR)
        found = present.get(day)
        if not ((found.values if found else CALENDAR) | given)["sensitive"]:
            # Only a sensitive period has its name.
            given["sensitive_name"] = ""
        before = len(case.changes)
        if found is None and CALENDAR | given == CALENDAR:
            case.unchanged["days"] += 1
        elif found is None:
            values = {"day": day} | CALENDAR | given
            case.changes.append(Change("days", "add", str(day), row, values))
        else:
            case.settle(row, found, given, what=str(day))
        if day < today and len(case.changes) > before:
            case.findings.about(row, "day", "past_judged")
