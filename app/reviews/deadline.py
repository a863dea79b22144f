"""Until when a unit may answer: working days by the calendar, 调休工作日 included."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.planning.calendar import CalendarBook, load_book

WORKING = ("workday", "makeup_workday")
USUAL_DAYS = 2
MOST_DAYS = 30
_LONGEST_LEAVE = 20
"""More days off in a row than any calendar has."""


def answer_until(notified_at: datetime, working_days: int, book: CalendarBook, zone: ZoneInfo) -> datetime:
    """Return the end of the last working day for an answer. The day of the notice itself does not count."""
    day, left = notified_at.astimezone(zone).date(), working_days
    while left:
        day += timedelta(days=1)
        left -= book.day(day).kind in WORKING
    return datetime.combine(day + timedelta(days=1), time(), zone)


async def deadline(
    session: AsyncSession, notified_at: datetime, working_days: int, zone: ZoneInfo
) -> tuple[datetime, tuple[date, ...]]:
    """Return the deadline, and the days up to it whose kind nobody entered (plain weekend rule)."""
    first = notified_at.astimezone(zone).date() + timedelta(days=1)
    # Seven days hold five working ones; no leave is longer than the reserve.
    last = first + timedelta(days=working_days * 2 + _LONGEST_LEAVE)
    book = await load_book(session, first, last)
    until = answer_until(notified_at, working_days, book, zone)
    return until, book.unknown(first, (until - timedelta(seconds=1)).date())
