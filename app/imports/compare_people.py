"""Compares people and regimes (值班方式) of a file with those of the records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from app.imports.changes import Change, Comparison, UnitRef, given_of
from app.imports.compare_units import unit_of
from app.imports.records import Row
from app.imports.stored import Stored, by_unit

PERSON: dict[str, Any] = {
    "name": "",
    "title": "",
    "role": "duty_officer",
    "staffing": "unknown",
    "phone": "",
    "first_day": None,
    "last_day": None,
}
REGIME: dict[str, Any] = {"duty": "", "leader": "", "first_day": None, "last_day": None, "note": ""}
_OPEN = date.max


@dataclass(slots=True)
class _Named:
    row: Row
    unit: UnitRef
    given: dict[str, Any]


def compare_people(case: Comparison) -> None:
    """See which people the file adds or changes."""
    present: dict[tuple[int, str], list[Stored]] = defaultdict(list)
    for stored in case.snapshot.people:
        present[stored.unit_id, stored.values["name"]].append(stored)
    entries = _people(case)
    # Those that stand in the records just so come first: they are then out of the way of those that changed.
    left = [entry for entry in entries if not _stands(case, entry, present)]
    for entry in left:
        _settle(case, entry, present)
    if entries:
        case.not_named["people"] = sum(map(len, present.values()))


def _people(case: Comparison) -> list[_Named]:
    found: list[_Named] = []
    seen: dict[tuple[Any, ...], Row] = {}
    named: dict[tuple[Any, ...], Row] = {}
    for row in case.rows("people"):
        unit = unit_of(case, row)
        if unit is None or row.faulty:
            continue
        given = given_of(row, PERSON)
        whole = (unit.code, *(given.get(key) for key in PERSON))
        earlier = seen.setdefault(whole, row)
        if earlier is not row:
            if not (row.implied or earlier.implied):
                case.findings.about(row, "name", "duplicate", place=earlier.place, what=given["name"])
            continue
        alike = named.setdefault((unit.code, given["name"], given.get("role"), given.get("first_day")), row)
        if alike is not row and not row.implied:
            case.findings.about(row, "name", "same_person", place=alike.place)
        found.append(_Named(row, unit, given))
    return found


def _candidates(entry: _Named, present: dict[tuple[int, str], list[Stored]]) -> list[Stored]:
    if entry.unit.id is None:
        return []
    named = present.get((entry.unit.id, entry.given["name"]), [])
    role = entry.given.get("role")
    return [stored for stored in named if role is None or stored.values["role"] == role]


def _stands(case: Comparison, entry: _Named, present: dict[tuple[int, str], list[Stored]]) -> bool:
    for stored in _candidates(entry, present):
        if all(stored.values[key] == value for key, value in entry.given.items()):
            case.unchanged["people"] += 1
            _consume(stored, present)
            return True
    return False


def _consume(stored: Stored, present: dict[tuple[int, str], list[Stored]]) -> None:
    present[stored.unit_id, stored.values["name"]].remove(stored)


def _settle(case: Comparison, entry: _Named, present: dict[tuple[int, str], list[Stored]]) -> None:
    found = _candidates(entry, present)
    if len(found) > 1:
        phone = entry.given.get("phone")
        found = [stored for stored in found if phone and stored.values["phone"] == phone] or found
    if len(found) > 1:
        case.findings.about(entry.row, "name", "person_ambiguous", count=len(found))
        return
    what = f"{entry.unit.name} {entry.given['name']}"
    if not found:
        values = PERSON | entry.given
        _check_days(case, entry.row, values)
        case.changes.append(Change("people", "add", what, entry.row, values, unit=entry.unit))
        return
    _check_days(case, entry.row, found[0].values | entry.given)
    case.settle(entry.row, found[0], entry.given, what=what, unit=entry.unit)
    _consume(found[0], present)


def _check_days(case: Comparison, row: Row, after: dict[str, Any]) -> None:
    first, last = after["first_day"], after["last_day"]
    if first and last and last < first and not row.faulty:
        case.findings.about(row, "last_day", "day_order", first=str(first))


@dataclass(slots=True)
class _Span:
    """Days of one regime, and where it is written."""

    first: date
    last: date
    place: str
    row: Row | None


def compare_regimes(case: Comparison) -> None:
    """See which regimes the file adds or changes. A regime is known by its unit and first day."""
    present = by_unit(case.snapshot.regimes)
    spans: dict[str, list[_Span]] = defaultdict(list)
    seen: dict[tuple[str, date], Row] = {}
    for row in case.rows("regimes"):
        unit = unit_of(case, row)
        if unit is None or row.faulty:
            continue
        given = given_of(row, REGIME)
        first = given["first_day"]
        earlier = seen.setdefault((unit.code, first), row)
        if earlier is not row:
            case.findings.about(
                row, "first_day", "duplicate", place=earlier.place, what=f"{unit.name} {first}"
            )
            continue
        found = _of_day(present, unit, first)
        _settle_regime(case, row, unit, given, found)
        last = (found.values if found else REGIME) | given
        spans[unit.code].append(_Span(first, last["last_day"] or _OPEN, row.place, row))
    _add_present(case, spans, set(seen))
    for code in spans:
        _check_overlaps(case, spans[code])
    if seen:
        named = sum(_is_named(case, entry, set(seen)) for entry in case.snapshot.regimes)
        case.not_named["regimes"] = len(case.snapshot.regimes) - named


def _of_day(present: dict[int, list[Stored]], unit: UnitRef, first: date) -> Stored | None:
    if unit.id is None:
        return None
    return next((entry for entry in present.get(unit.id, []) if entry.values["first_day"] == first), None)


def _settle_regime(
    case: Comparison, row: Row, unit: UnitRef, given: dict[str, Any], found: Stored | None
) -> None:
    what = f"{unit.name} {given['first_day']}"
    if found is None:
        case.changes.append(Change("regimes", "add", what, row, REGIME | given, unit=unit))
    else:
        case.settle(row, found, given, what=what, unit=unit)


def _is_named(case: Comparison, entry: Stored, seen: set[tuple[str, date]]) -> bool:
    return (case.by_unit_id[entry.unit_id].code, entry.values["first_day"]) in seen


def _add_present(case: Comparison, spans: dict[str, list[_Span]], seen: set[tuple[str, date]]) -> None:
    """What the records hold beside the rows of the file counts when days overlap."""
    for entry in case.snapshot.regimes:
        code = case.by_unit_id[entry.unit_id].code
        if code in spans and not _is_named(case, entry, seen):
            first, last = entry.values["first_day"], entry.values["last_day"]
            place = f"已登记 {first}—{last or ''}"
            spans[code].append(_Span(first, last or _OPEN, place, None))


def _check_overlaps(case: Comparison, spans: list[_Span]) -> None:
    spans.sort(key=lambda span: span.first)
    for one, other in pairwise(spans):
        if other.first <= one.last:
            row, beside = (other.row, one) if other.row is not None else (one.row, other)
            if row is not None:
                case.findings.about(row, "first_day", "overlap", place=beside.place)
