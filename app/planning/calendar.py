"""What kind of day a date is: 工作日, 双休日, 法定节假日, 调休工作日, 调休后的公休日, and 特殊敏感期 over any of them.

A `CalendarBook` is a snapshot in memory: plans, draws and verdicts look days up in it and query nothing. A day that
nobody entered follows the plain weekend rule and says so (`known` is False).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.planning import calendar_repository
from app.planning.models import CalendarDay

SATURDAY = 5
DAY_KINDS_ZH = {
    "workday": "工作日",
    "weekend": "双休日",
    "holiday": "法定节假日",
    "makeup_workday": "调休工作日",
    "lieu_day": "调休后的公休日",
}
SENSITIVE_ZH = "特殊敏感期"
SPANS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class DayInfo:
    """One day as plans and verdicts see it."""

    day: date
    kind: str
    """One of `app.planning.models.DAY_KINDS`."""
    sensitive: bool = False
    """特殊敏感期, whatever else the day is."""
    name: str = ""
    """Of the holiday, of the sensitive period, or both; empty for a plain day."""
    known: bool = False
    """Whether its kind was entered; False: taken from the plain weekend rule."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as a proposal keeps it, so that a later change of the calendar changes no verdict."""
        return {"kind": self.kind, "sensitive": self.sensitive, "known": self.known, "name": self.name}


def weekend_rule(day: date) -> str:
    """What a day is as far as its name tells: Saturday and Sunday off, every other day at work."""
    return "weekend" if day.weekday() >= SATURDAY else "workday"


def plain(day: date) -> DayInfo:
    """A day that nobody entered."""
    return DayInfo(day, weekend_rule(day))


@dataclass(frozen=True, slots=True)
class CalendarBook:
    """Days by date; those that are not in it follow the weekend rule."""

    days: Mapping[date, DayInfo] = field(default_factory=dict)

    def day(self, wanted: date) -> DayInfo:
        """Return what is known of a day."""
        return self.days.get(wanted) or plain(wanted)

    def span(self, first: date, last: date) -> Iterator[DayInfo]:
        """Return every day from the first to the last, both inclusive."""
        for number in range(first.toordinal(), last.toordinal() + 1):
            yield self.day(date.fromordinal(number))

    def unknown(self, first: date, last: date) -> tuple[date, ...]:
        """Return the days of a span whose kind nobody entered."""
        return tuple(info.day for info in self.span(first, last) if not info.known)

    @classmethod
    def of(cls, days: Iterable[DayInfo]) -> CalendarBook:
        """Make a book of days."""
        return cls({info.day: info for info in days})


def named(name: str, sensitive_name: str) -> str:
    """Join the names of a holiday and of a sensitive period that fall on one day."""
    return "、".join(part for part in (name, sensitive_name) if part)


def info_of(row: CalendarDay) -> DayInfo:
    """Return a stored day as a `DayInfo`."""
    kind = row.kind if row.known else weekend_rule(row.day)
    sensitive_name = row.sensitive_name if row.sensitive else ""
    return DayInfo(row.day, kind, row.sensitive, named(row.name, sensitive_name), row.known)


async def load_book(
    session: AsyncSession, first: date, last: date, as_of: datetime | None = None
) -> CalendarBook:
    """Load the days from the first to the last, both inclusive; with `as_of` as they stood at that moment."""
    found = {row.day: info_of(row) for row in await calendar_repository.days(session, first, last)}
    if as_of is not None:
        for day, before in (await calendar_repository.before_changes(session, first, last, as_of)).items():
            found.pop(day, None)
            if before is not None:
                found[day] = _from_snapshot(day, before)
    return CalendarBook(found)


def _from_snapshot(day: date, told: Mapping[str, Any]) -> DayInfo:
    known, sensitive = bool(told["known"]), bool(told["sensitive"])
    kind = str(told["kind"]) if known else weekend_rule(day)
    sensitive_name = str(told["sensitive_name"]) if sensitive else ""
    return DayInfo(day, kind, sensitive, named(str(told["name"]), sensitive_name), known)


def stretches(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Return the unbroken stretches of days in ascending order, both ends inclusive."""
    first: date | None = None
    last: date | None = None
    for day in days:
        if first is None or last is None or day != last + timedelta(days=1):
            if first is not None and last is not None:
                yield first, last
            first = day
        last = day
    if first is not None and last is not None:
        yield first, last


def warning(book: CalendarBook, first: date, last: date) -> str | None:
    """Say in words which days of a span nobody entered; None where all are known."""
    unknown = book.unknown(first, last)
    if not unknown:
        return None
    spans = [f"{one}" if one == other else f"{one} 至 {other}" for one, other in stretches(unknown)]
    shown = "、".join(spans[:SPANS_SHOWN]) + ("等" if len(spans) > SPANS_SHOWN else "")
    return f"日历缺 {len(unknown)} 天（{shown}）：暂按双休日规则推定，节假日与调休未计入，请尽快补录。"
