"""Days and times as offices write them."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta

from app.imports.findings import WrongValueError
from app.imports.formats import moment_of
from app.imports.grid import Value

FIRST_YEAR, LAST_YEAR = 1970, 2200
DAY = timedelta(days=1)
_LEAST_SERIAL, _MOST_SERIAL = 25_569, 109_939
"""1 January 1970 and 31 December 2200 as spreadsheets count days."""
_DAY = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?", re.ASCII)
_PLAIN_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_NO_YEAR = re.compile(
    r"\d{1,2}\s*[-/.月]\s*\d{1,2}\s*[日号]?([-/.]\s*\d{2,4})?|\d{2}\s*[-/.年]\s*\d{1,2}\D.*", re.ASCII
)
_WEEKDAY = re.compile(r"\s*\(?(?:星期|周|礼拜)[一二三四五六日天]\)?\s*$")
_CLOCK = re.compile(
    r"(?P<next>次日|第二天|翌日|\+1)?\s*(?P<half>上午|下午|早上|早|晚上|晚|中午|凌晨|am|pm)?\s*(?P<next2>次日|第二天|翌日)?\s*"
    r"(?P<hour>\d{1,2})(?:\s*[:.点时]\s*(?:(?P<minute>\d{1,2})\s*分?)?(?P<half_hour>半)?(?:[:.]?\s*(?P<second>\d{1,2})\s*秒?)?)"
    r"\s*(?P<after>am|pm)?",
    re.ASCII | re.IGNORECASE,
)
_LATER = frozenset(("下午", "晚上", "晚", "pm"))
_BETWEEN = re.compile(r"\s*(?:-|–|—|―|−|~|〜|∼|至|到)+\s*")


def _plain(text: str) -> str:
    visible = "".join(
        sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf"
    )
    return visible.strip()


def read_day(value: Value) -> date:
    """Read a day: a date cell, a spreadsheet's number of a day, 20260105, or text such as 2026年1月5日.

    Raises `WrongValueError`.
    """
    if isinstance(value, datetime):
        return _within(value.date())
    if isinstance(value, date):
        return _within(value)
    if isinstance(value, float):
        return _within(_day_of_number(value))
    text = _WEEKDAY.sub("", _plain(value)) if isinstance(value, str) else ""
    # 2026-01-05 00:00:00 is how other programs write a day.
    text = re.sub(r"[T\s]+0{1,2}:00(:00(\.0+)?)?$", "", text)
    found = _DAY.fullmatch(text) or _PLAIN_DAY.fullmatch(text)
    if found is None:
        if text.isascii() and text.isdigit() and len(text) == 5:
            return _within(_day_of_number(float(text)))
        raise WrongValueError("date_without_year" if _NO_YEAR.fullmatch(text) else "bad_date")
    try:
        return _within(date(*map(int, found.groups())))
    except ValueError as error:
        if isinstance(error, WrongValueError):
            raise
        raise WrongValueError("bad_date") from None


def _day_of_number(number: float) -> date:
    if number == int(number) and 1970_01_01 <= number <= 2200_12_31:
        return read_day(str(int(number)))
    moment = (
        moment_of(number, "date", from_1904=False) if _LEAST_SERIAL <= number <= _MOST_SERIAL + 1 else None
    )
    if not isinstance(moment, datetime):
        raise WrongValueError("bad_date")
    return moment.date()


def _within(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise WrongValueError("date_range")
    return day


def read_clock(value: Value) -> timedelta | datetime:
    """Read a time of day as what has passed since midnight, 24 hours and more on the next day; or a whole moment.

    Raises `WrongValueError`.
    """
    if isinstance(value, datetime):
        _within(value.date())
        return value
    if isinstance(value, time):
        return timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)
    if isinstance(value, float) and 0 <= value <= 1:
        return timedelta(seconds=round(value * DAY.total_seconds()))
    text = _plain(value) if isinstance(value, str) else ""
    day, _, rest = text.replace("T", " ").partition(" ")
    if rest and _DAY.fullmatch(day):
        clock = _clock(rest.strip())
        return datetime.combine(read_day(day), time()) + clock
    return _clock(text)


def _clock(text: str) -> timedelta:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise WrongValueError("bad_time")
    hour, minute, second = int(found["hour"]), int(found["minute"] or 0), int(found["second"] or 0)
    if found["half_hour"]:
        minute = 30
    half = (found["half"] or found["after"] or "").lower()
    if half in _LATER and hour < 12:
        hour += 12
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        raise WrongValueError("bad_time")
    passed = timedelta(hours=hour, minutes=minute, seconds=second)
    return passed + DAY if found["next"] or found["next2"] else passed


def read_period(value: Value) -> tuple[timedelta, timedelta]:
    """Read `8:00-18:00` as what has passed since midnight; an end that is not later lies on the next day.

    Raises `WrongValueError`.
    """
    text = _plain(value) if isinstance(value, str) else ""
    if text in ("全天", "24小时", "昼夜", "全日"):
        return timedelta(), DAY
    parts = _BETWEEN.split(text)
    if len(parts) != 2:
        raise WrongValueError("bad_period")
    try:
        first, last = _clock(parts[0]), _clock(parts[1])
    except WrongValueError:
        raise WrongValueError("bad_period") from None
    return first, last if last > first else last + DAY


def clock_text(moment: datetime, day: date) -> str:
    """Write a local moment beside its roster's day, as `read_clock` reads it."""
    shown = f"{moment:%H:%M}" if moment.second == 0 else f"{moment:%H:%M:%S}"
    if moment.date() == day:
        return shown
    if moment.date() == day + DAY:
        return f"次日{shown}"
    return f"{moment.date().isoformat()} {shown}"
