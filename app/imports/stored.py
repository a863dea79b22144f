"""What the records hold, in the very form in which rows of a file hold it: for comparing and for exports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from app.directory.models import DutyLine, LineExemption, Person, Unit, UnitExemption, UnitRegime
from app.directory.numbers import key_of
from app.imports.findings import WrongValueError
from app.imports.values import plain
from app.planning.models import CalendarDay
from app.rosters.models import Roster, Shift

ShiftKey = tuple[datetime, datetime, str, str, str]
"""Local start and end, name, title, phone."""


@dataclass(slots=True)
class Stored:
    """One entry of the records."""

    id: int | date
    values: dict[str, Any]
    """By key of the column; empty texts are `""`, days that are open None."""
    unit_id: int = 0
    key: str = ""
    """Of a line: its number in the form in which numbers are compared."""


@dataclass(slots=True)
class Snapshot:
    """All that a file may speak of."""

    zone: ZoneInfo
    units: list[Stored] = field(default_factory=list)
    regimes: list[Stored] = field(default_factory=list)
    lines: list[Stored] = field(default_factory=list)
    people: list[Stored] = field(default_factory=list)
    exemptions: list[Stored] = field(default_factory=list)
    line_exemptions: list[Stored] = field(default_factory=list)
    days: list[Stored] = field(default_factory=list)
    rosters: list[Stored] = field(default_factory=list)
    """The newest version of each."""


def clean(text: str, *, long: bool = False) -> str:
    """Text as a file would give it back, so that needless space of an entry is no change."""
    try:
        return plain(text, long=long)
    except WrongValueError:
        return text


def units(rows: Iterable[Unit]) -> list[Stored]:
    """Units; `parent` is the code of the one above."""
    found = list(rows)
    codes = {row.id: row.code for row in found}
    return [
        Stored(
            row.id,
            {
                "code": row.code,
                "name": clean(row.name),
                "parent": codes.get(row.parent_id, "") if row.parent_id is not None else "",
                "category": row.category,
                "kind": clean(row.kind),
                "handover": tuple(sorted(set(row.handover_times))),
                "first_day": row.first_day,
                "last_day": row.last_day,
            },
        )
        for row in found
    ]


def regimes(rows: Iterable[UnitRegime]) -> list[Stored]:
    """Regimes of units."""
    return [
        Stored(
            row.id,
            {
                "duty": row.duty,
                "leader": row.leader,
                "first_day": row.first_day,
                "last_day": row.last_day,
                "note": clean(row.note, long=True),
            },
            row.unit_id,
        )
        for row in rows
    ]


def lines(
    rows: Iterable[DutyLine], shared: dict[int, tuple[int, ...]], codes: dict[int, str]
) -> list[Stored]:
    """Lines; `shared` holds the further units of each, `codes` those of the units."""
    return [
        Stored(
            row.id,
            {
                "name": clean(row.name),
                "number": clean(row.number),
                "target": row.target,
                "kind": row.kind,
                "trunk": row.trunk or "",
                "active": row.active,
                "shared": tuple(sorted(codes[unit] for unit in shared.get(row.id, ()))),
                "pilots": tuple(sorted({clean(number) for number in row.pilot_numbers})),
                "first_day": row.first_day,
                "last_day": row.last_day,
            },
            row.unit_id,
            key_of(row.target),
        )
        for row in rows
    ]


def people(rows: Iterable[Person]) -> list[Stored]:
    """People of units."""
    return [
        Stored(
            row.id,
            {
                "name": clean(row.name),
                "title": clean(row.title),
                "role": row.role,
                "staffing": row.staffing,
                "phone": clean(row.phone),
                "first_day": row.first_day,
                "last_day": row.last_day,
            },
            row.unit_id,
        )
        for row in rows
    ]


def line_exemptions(rows: Iterable[LineExemption], unit_of: dict[int, int]) -> list[Stored]:
    """What lines may do, under the unit that answers for the line."""
    return [
        Stored(
            row.id,
            {
                "line": row.line_id,
                "kind": row.kind,
                "first": row.first_day,
                "last": row.last_day,
                "reason": clean(row.reason, long=True),
            },
            unit_of[row.line_id],
        )
        for row in rows
    ]


def exemptions(rows: Iterable[UnitExemption], zone: ZoneInfo) -> list[Stored]:
    """Times in which a unit, or one line of it, is let be; in local time."""
    return [
        Stored(
            row.id,
            {
                "line": row.line_id,
                "kind": row.kind,
                "first": local(row.first_at, zone),
                "last": None if row.last_at is None else local(row.last_at, zone),
                "reason": clean(row.reason, long=True),
            },
            row.unit_id,
        )
        for row in rows
    ]


def days(rows: Iterable[CalendarDay]) -> list[Stored]:
    """Days of the calendar; `kind` is empty where only the sensitive period was entered."""
    return [
        Stored(
            row.day,
            {
                "day": row.day,
                "kind": row.kind if row.known else "",
                "name": clean(row.name),
                "sensitive": row.sensitive,
                "sensitive_name": clean(row.sensitive_name),
                "note": clean(row.note, long=True),
            },
        )
        for row in rows
    ]


def rosters(rows: Iterable[Roster], zone: ZoneInfo) -> list[Stored]:
    """Rosters with their shifts in local time."""
    return [
        Stored(
            row.id,
            {
                "day": row.day,
                "kind": row.kind,
                "version": row.version,
                "shifts": ordered(_shift(shift, zone) for shift in row.shifts),
            },
            row.unit_id,
        )
        for row in rows
    ]


def _shift(shift: Shift, zone: ZoneInfo) -> ShiftKey:
    return (
        local(shift.start_at, zone),
        local(shift.end_at, zone),
        clean(shift.name),
        clean(shift.title),
        clean(shift.phone),
    )


def ordered(shifts: Iterable[ShiftKey]) -> tuple[ShiftKey, ...]:
    """Shifts by their start, each once."""
    return tuple(sorted(set(shifts)))


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """A moment as the clock on the wall shows it, to the second and without its zone: as cells have it."""
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0)


def midnight(day: date) -> datetime:
    """The beginning of a day."""
    return datetime.combine(day, time())


def by_unit(entries: Sequence[Stored]) -> dict[int, list[Stored]]:
    """Entries by the key of their unit."""
    found: dict[int, list[Stored]] = {}
    for entry in entries:
        found.setdefault(entry.unit_id, []).append(entry)
    return found
