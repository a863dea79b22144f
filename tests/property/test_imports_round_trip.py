"""Whatever the records hold, their export changes nothing where it came from and makes an empty office the same."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st

from app.directory.lines import Dialling
from app.directory.models import (
    DUTY_REGIMES,
    LEADER_REGIMES,
    LINE_KINDS,
    PERSON_ROLES,
    STAFFINGS,
    UNIT_CATEGORIES,
)
from app.directory.numbers import key_of, read_number
from app.imports.comparing import weigh
from app.imports.reading import read
from app.imports.stored import Snapshot, Stored, clean, ordered
from app.imports.writing import write_workbook
from app.planning.models import DAY_KINDS
from sip.guard import DialPolicy

ZONE = ZoneInfo("Asia/Shanghai")
MAY = Dialling(DialPolicy.open(), frozenset())
SIGNS = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co", "Cf"))
NAME = st.text(SIGNS, min_size=1, max_size=12).map(clean).filter(lambda text: text and text != "清空")
PERSON = NAME.filter(lambda text: not set(text) & set(",，、;；/\n"))
TEXT = st.one_of(st.just(""), NAME)
DAYS = st.one_of(st.none(), st.dates(date(1970, 1, 1), date(2200, 12, 31)))
CODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,6}", fullmatch=True)
TARGETS = st.one_of(
    st.integers(2_000_000, 8_999_999).map(lambda number: (f"0917-{number}", None)),
    st.integers(2_000_000, 8_999_999).map(lambda number: (f"{number}转{number % 9000}", None)),
    st.integers(2_000_000, 8_999_999).map(lambda number: ("转8012", f"{number}转8012")),
    # Longer than any emergency number, which no line may have.
    st.integers(2_000_000, 8_999_999).map(lambda user: ("0000-55501", f"sip:{user}@127.0.0.1:5062")),
)
MOMENT = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(microsecond=0))


def spans(first: date | None, last: date | None) -> tuple[date | None, date | None]:
    """Two days in order."""
    return (last, first) if first and last and last < first else (first, last)


@st.composite
def offices(draw: st.DrawFn) -> Snapshot:
    """A small office as the records hold it."""
    office = Snapshot(ZONE)
    codes = draw(st.lists(CODES, min_size=1, max_size=5, unique_by=lambda code: code))
    for key, code in enumerate(codes, 1):
        first, last = spans(draw(DAYS), draw(DAYS))
        values = {
            "code": code,
            "name": draw(NAME),
            "parent": draw(st.sampled_from(["", *codes[: key - 1]])),
            "category": draw(st.sampled_from(UNIT_CATEGORIES)),
            "kind": draw(TEXT),
            "handover": tuple(sorted(draw(st.sets(st.sampled_from(["00:00", "08:30", "18:00"]))))),
            "first_day": first,
            "last_day": last,
        }
        office.units.append(Stored(key, values))
    keys = st.integers(1, len(codes))
    for key, (number, target) in enumerate(
        draw(st.lists(TARGETS, max_size=5, unique_by=lambda each: each[1] or each[0])), 1
    ):
        office.lines.append(_line(draw, key, number, target, draw(keys), codes))
    # Two that are the same in everything are written once: hence a name for each.
    for key, name in enumerate(draw(st.lists(NAME, max_size=5, unique=True)), 1):
        first, last = spans(draw(DAYS), draw(DAYS))
        values = {
            "name": name,
            "title": draw(TEXT),
            "role": draw(st.sampled_from(PERSON_ROLES)),
            "staffing": draw(st.sampled_from(STAFFINGS)),
            "phone": draw(TEXT),
            "first_day": first,
            "last_day": last,
        }
        office.people.append(Stored(key, values, draw(keys)))
    _dated(draw, office, keys)
    return office


def _line(draw: st.DrawFn, key: int, number: str, target: str | None, unit: int, codes: list[str]) -> Stored:
    target = target or read_number(number).target
    first, last = spans(draw(DAYS), draw(DAYS))
    others = [code for code in codes if code != codes[unit - 1]]
    values = {
        "name": draw(NAME),
        "number": number,
        "target": target,
        "kind": draw(st.sampled_from(LINE_KINDS)),
        "trunk": "",
        "active": draw(st.booleans()),
        "shared": tuple(sorted(draw(st.sets(st.sampled_from(others))))) if others else (),
        "pilots": tuple(sorted(draw(st.sets(st.sampled_from(["0917-3210000", "12345"]))))),
        "first_day": first,
        "last_day": last,
    }
    return Stored(key, values, unit, key_of(target))


def _dated(draw: st.DrawFn, office: Snapshot, keys: st.SearchStrategy[int]) -> None:
    for key, unit in enumerate(draw(st.sets(keys)), 1):
        values: dict[str, Any] = {
            "duty": draw(st.sampled_from(DUTY_REGIMES)),
            "leader": draw(st.sampled_from(LEADER_REGIMES)),
            "first_day": draw(st.dates(date(1970, 1, 1), date(2200, 1, 1))),
            "last_day": None,
            "note": draw(TEXT),
        }
        office.regimes.append(Stored(key, values, unit))
    for key, unit in enumerate(draw(st.sets(keys)), 1):
        first = draw(MOMENT)
        last = draw(st.one_of(st.none(), st.integers(1, 10**6).map(lambda s: first + timedelta(seconds=s))))  # noqa: B023
        kind = draw(st.sampled_from(["maintenance", "emergency"]))
        values = {"line": None, "kind": kind, "first": first, "last": last, "reason": draw(NAME)}
        office.exemptions.append(Stored(key, values, unit))
    for key, unit in enumerate(draw(st.sets(keys)), 1):
        start = draw(MOMENT)
        names = draw(st.sets(PERSON, min_size=1, max_size=3))
        length = timedelta(seconds=draw(st.integers(1, 72 * 3600)))
        shifts = ordered((start, start + length, name, draw(TEXT), draw(TEXT)) for name in names)
        values = {
            "day": start.date(),
            "kind": draw(st.sampled_from(["duty", "leader"])),
            "version": 2,
            "shifts": shifts,
        }
        office.rosters.append(Stored(key, values, unit))
    for day in sorted(draw(st.sets(st.dates(date(1970, 1, 1), date(2200, 12, 31)), max_size=3))):
        sensitive = draw(st.booleans())
        kind = draw(st.sampled_from(["", *DAY_KINDS] if sensitive else DAY_KINDS))
        values = {"day": day, "kind": kind, "name": draw(TEXT), "sensitive": sensitive}
        values |= {"sensitive_name": draw(TEXT) if sensitive else "", "note": draw(TEXT)}
        office.days.append(Stored(day, values))


@settings(max_examples=60, deadline=None)
@given(office=offices())
def test_an_export_says_just_what_the_records_hold(office: Snapshot) -> None:
    content = write_workbook(office)
    case = weigh(read(content, "名录.xlsx"), office, MAY, date(1970, 1, 1))
    assert [finding for finding in case.findings.all if finding.severity == "error"] == []
    assert case.changes == []
    assert case.not_named.total() == 0


@settings(max_examples=40, deadline=None)
@given(office=offices())
def test_an_export_makes_an_empty_office_just_the_same(office: Snapshot) -> None:
    content = write_workbook(office)
    case = weigh(read(content, "名录.xlsx"), Snapshot(ZONE), MAY, date(1970, 1, 1))
    assert [finding for finding in case.findings.all if finding.severity == "error"] == []
    assert cells(write_workbook(_entered(case.changes))) == cells(content)


def _entered(changes: list[Any]) -> Snapshot:
    """The office that these additions make."""
    office = Snapshot(ZONE)
    units = {change.values["code"]: key for key, change in enumerate(changes, 1) if change.kind == "units"}
    places = {
        "units": "units",
        "regimes": "regimes",
        "lines": "lines",
        "people": "people",
        "exemptions": "exemptions",
    }
    for key, change in enumerate(changes, 1):
        values = dict(change.values)
        unit = units[change.unit.code] if change.unit is not None else 0
        if change.kind in ("duty", "leader"):
            office.rosters.append(Stored(key, values | {"kind": change.kind}, unit))
        elif change.kind == "days":
            office.days.append(Stored(values["day"], values))
        else:
            more = {"line": None} if change.kind == "exemptions" else {}
            getattr(office, places[change.kind]).append(Stored(key, values | more, unit))
    return office


def cells(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {sheet.title: [tuple(cell.value for cell in row) for row in sheet.rows] for sheet in book}
