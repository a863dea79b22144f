"""The calendar that ships: 国务院办公厅's yearly notices, as the library `chinesecalendar` holds them.

A day off of a notice that is the statutory holiday itself is 法定节假日, also where it falls on a weekend; one that the
notice gives in exchange for a weekend that is worked is 调休后的公休日, and that weekend day is 调休工作日.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from app.planning.calendar import weekend_rule


@lru_cache(maxsize=1)
def years() -> tuple[int, ...]:
    """Return the years that the shipped data hold."""
    holidays = _data().holidays
    return tuple(range(min(holidays).year, max(holidays).year + 1))


def days(year: int) -> Iterator[tuple[date, str, str]]:
    """Return every day of a year with its kind and, of a holiday's days and of days worked for one, its name."""
    data = _data()
    day = date(year, 1, 1)
    while day.year == year:
        if day in data.workdays:
            yield day, "makeup_workday", _name(data, data.workdays[day])
        elif day in data.in_lieu_days:
            yield day, "lieu_day", _name(data, data.in_lieu_days[day])
        elif day in data.holidays:
            yield day, "holiday", _name(data, data.holidays[day])
        else:
            yield day, weekend_rule(day), ""
        day += timedelta(days=1)


def _name(data: Any, english: str) -> str:
    found: str = data.Holiday(english).chinese
    return found


def _data() -> Any:
    # Read when it is needed: it takes a while, and most commands never ask.
    from chinese_calendar import constants

    return constants
