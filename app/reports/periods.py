"""Periods as people name them: a month, a quarter, a year, or any days."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from app.errors import BadInputError, Fault

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Days:
    """From a day to another, both inclusive."""

    first: date
    last: date
    name: str

    @property
    def text(self) -> str:
        """As documents print it."""
        return f"{self.first:%Y年%m月%d日}至{self.last:%Y年%m月%d日}"


def month(year: int, number: int) -> Days:
    """A month."""
    first = date(year, number, 1)
    return Days(first, _before(first, 1), f"{year}-{number:02}")


def quarter(year: int, number: int) -> Days:
    """A quarter."""
    first = date(year, 3 * number - 2, 1)
    return Days(first, _before(first, 3), f"{year}Q{number}")


def year(number: int) -> Days:
    """A year."""
    return Days(date(number, 1, 1), date(number, 12, 31), f"{number}")


def _before(first: date, months: int) -> date:
    """The last day of so many months from a first one on."""
    place = first.year * 12 + first.month - 1 + months
    return date(place // 12, place % 12 + 1, 1) - timedelta(days=1)


def read(given: Mapping[str, str], today: date) -> Days:
    """Read the parameters `period` (`2026-11`, `2026Q4`, `2026`) or `first` and `last`; this month without any.

    Raises `BadInputError` for what is no period, and for more than a year.
    """
    text = given.get("period", "").strip()
    first, last = given.get("first", "").strip(), given.get("last", "").strip()
    if first or last:
        return _free(first, last, today)
    if not text:
        return month(today.year, today.month)
    found = re.fullmatch(r"(19[7-9]\d|20\d\d|21\d\d)(?:-(0[1-9]|1[0-2])|Q([1-4]))?", text)
    if found is None:
        raise BadInputError(f"期间“{text[:20]}”无法识别", [Fault("period", "2026-11, 2026Q4 or 2026")])
    if found[2]:
        return month(int(found[1]), int(found[2]))
    return quarter(int(found[1]), int(found[3])) if found[3] else year(int(found[1]))


def _free(first: str, last: str, today: date) -> Days:
    days = [_day(name, text) for name, text in (("first", first), ("last", last))]
    end = days[1] or max(today, days[0] or today)
    begin = days[0] or end.replace(day=1)
    if not 1970 <= begin.year <= end.year <= 2199:
        if end < begin:
            raise BadInputError("期间的结束早于开始", [Fault("last", "lies before `first`")])
        raise BadInputError("期间须在 1970 至 2199 年之间", [Fault("first", "1970 to 2199")])
    if end < begin:
        raise BadInputError("期间的结束早于开始", [Fault("last", "lies before `first`")])
    if (end - begin).days >= MOST_DAYS:
        raise BadInputError("期间至多一年，请分段汇总", [Fault("last", "more than a year on")])
    return Days(begin, end, "")


def _day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadInputError(f"日期“{text[:20]}”无法识别", [Fault(name, "YYYY-MM-DD")]) from error


def offered(today: date) -> list[Days]:
    """The periods that a page offers: this and the last month, quarter and year."""
    last_month = today.replace(day=1) - timedelta(days=1)
    number = (today.month + 2) // 3
    last_quarter = quarter(today.year - 1, 4) if number == 1 else quarter(today.year, number - 1)
    return [
        month(today.year, today.month),
        month(last_month.year, last_month.month),
        quarter(today.year, number),
        last_quarter,
        year(today.year),
        year(today.year - 1),
    ]
