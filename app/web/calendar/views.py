"""The calendar as its pages show it: a year in months and weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.planning.calendar import DAY_KINDS_ZH, CalendarBook, DayInfo, stretches, weekend_rule
from app.planning.calendar_service import Entry
from app.planning.models import CalendarDay

MARKS: Mapping[str, str] = {
    "workday": "",
    "weekend": "休",
    "holiday": "假",
    "makeup_workday": "班",
    "lieu_day": "补休",
}
"""A word beside each day's number: colour is never the only sign."""
SENSITIVE_MARK = "敏"


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of the year grid."""

    info: DayInfo
    mark: str
    kind: str
    """In Chinese."""


Week = Sequence[Cell | None]


@dataclass(frozen=True, slots=True)
class Month:
    """One month, its weeks from Monday."""

    number: int
    weeks: Sequence[Week]


def months(book: CalendarBook, year: int) -> list[Month]:
    """The months of a year."""
    return [Month(number, _weeks(book, year, number)) for number in range(1, 13)]


def _weeks(book: CalendarBook, year: int, month: int) -> list[Week]:
    day = date(year, month, 1)
    week: list[Cell | None] = [None] * day.weekday()
    found: list[Week] = []
    while day.month == month:
        week.append(_cell(book.day(day)))
        if len(week) == 7:
            found.append(week)
            week = []
        day += timedelta(days=1)
    if week:
        found.append(week + [None] * (7 - len(week)))
    return found


def _cell(info: DayInfo) -> Cell:
    return Cell(info, MARKS[info.kind], DAY_KINDS_ZH[info.kind])


def counts(book: CalendarBook, year: int) -> list[tuple[str, int]]:
    """How many days of each kind a year has."""
    days = list(book.span(date(year, 1, 1), date(year, 12, 31)))
    found = [(name, sum(info.kind == kind for info in days)) for kind, name in DAY_KINDS_ZH.items()]
    return [*found, ("特殊敏感期", sum(info.sensitive for info in days))]


def unknown(book: CalendarBook, year: int) -> list[tuple[date, date]]:
    """The stretches of a year that nobody entered."""
    return list(stretches(book.unknown(date(year, 1, 1), date(year, 12, 31))))


Words = tuple[str, ...]
"""Each translated by itself where it is shown; empty where nothing was entered."""


@dataclass(frozen=True, slots=True)
class Change:
    """One day of a file that differs from what is entered."""

    day: date
    before: Words
    after: Words


def changes(entries: Mapping[date, Entry], rows: Mapping[date, CalendarDay]) -> list[Change]:
    """What a file would change, in order."""
    found = []
    for day, entry in sorted(entries.items()):
        row = rows.get(day)
        before = _told(day, _stored(row)) if row else ()
        after = _told(day, _entry(entry))
        if before != after and not (row is None and entry == Entry(None)):
            found.append(Change(day, before, after))
    return found


def _stored(row: CalendarDay) -> Mapping[str, Any]:
    return {
        "kind": row.kind if row.known else None,
        "name": row.name,
        "sensitive": row.sensitive,
        "sensitive_name": row.sensitive_name,
        "note": row.note,
    }


def _entry(entry: Entry) -> Mapping[str, Any]:
    return {
        "kind": entry.kind,
        "name": entry.name,
        "sensitive": entry.sensitive,
        "sensitive_name": entry.sensitive_name,
        "note": entry.note,
    }


def told(day: date, content: Mapping[str, Any] | None) -> Words:
    """A stored change of a day, in words."""
    if content is None:
        return ()
    return _told(day, {**content, "kind": content["kind"] if content["known"] else None})


def _told(day: date, content: Mapping[str, Any]) -> Words:
    kind = content["kind"]
    words = [DAY_KINDS_ZH[kind or weekend_rule(day)], "" if kind else "推定", content["name"]]
    if content["sensitive"]:
        words += ["特殊敏感期", content["sensitive_name"]]
    return tuple(word for word in (*words, content["note"]) if word)
