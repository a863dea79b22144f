"""Enters days into the calendar: one by one, as sensitive periods, from a file, and from the shipped data.

Every change is kept with what was there before it. A day of the past may be put right, with a reason: what was proposed
for a call keeps the day as it stood at the call (`load_book(..., as_of)`), and only later judgements see the change.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.service import record
from app.checks.alarms import clear_alarm, raise_alarm
from app.errors import BadInputError, Fault, NotFoundError
from app.planning import calendar_repository as repository
from app.planning import calendar_seed
from app.planning.calendar import load_book, stretches, weekend_rule
from app.planning.models import CalendarChange, CalendarDay

Source = Literal["seed", "import", "entered"]
_Notes = dict[date, tuple[dict[str, Any] | None, dict[str, Any] | None]]
"""Days before and after a change; None: nothing is entered."""
MOST_SENSITIVE_DAYS = 366
WARNED_DAYS = 60
"""So long before its end the calendar must be gone on with."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is entered of a day. Without a kind the weekend rule goes on to hold for it."""

    kind: str | None
    name: str = ""
    sensitive: bool = False
    sensitive_name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes the calendar, when and why."""

    who: str
    today: date
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of entering several days."""

    added: int = 0
    changed: int = 0
    same: int = 0
    kept: int = 0
    """Days that a seed left as they had been entered."""


def entry_of(row: CalendarDay) -> Entry:
    """Return what is entered of a stored day."""
    kind = row.kind if row.known else None
    return Entry(kind, row.name, row.sensitive, row.sensitive_name, row.note)


async def set_day(session: AsyncSession, day: date, entry: Entry, author: Author) -> None:
    """Enter a day as a whole. Raises `BadInputError` where a day of the past is changed without a reason."""
    changed = await _enter(session, {day: entry}, "entered", author)
    if changed.same == 0:
        await record(session, "calendar_set", f"calendar:{day}", _told(entry, author), author.who)


async def clear_day(session: AsyncSession, day: date, author: Author) -> None:
    """Take a day out: the weekend rule holds for it again. Raises `NotFoundError` where nothing was entered."""
    row = await session.get(CalendarDay, day)
    if row is None:
        raise NotFoundError(f"nothing was entered for {day}")
    _need_reason([day], author)
    await _note(session, {day: (snapshot(row), None)}, author)
    await session.delete(row)
    await record(session, "calendar_clear", f"calendar:{day}", _told(entry_of(row), author), author.who)
    await session.flush()


async def mark_sensitive(
    session: AsyncSession, first: date, last: date, name: str, author: Author, *, sensitive: bool = True
) -> Changed:
    """Mark the days from the first to the last, both inclusive, as a sensitive period, or no more.

    Raises `BadInputError` for a span that cannot be right, and for days of the past without a reason.
    """
    if last < first:
        raise BadInputError("the period ends before it begins", [Fault("last_day", f"lies before {first}")])
    if (last - first).days >= MOST_SENSITIVE_DAYS:
        fault = Fault("last_day", f"takes a period of at most {MOST_SENSITIVE_DAYS} days")
        raise BadInputError("the period is too long", [fault])
    rows = {row.day: row for row in await repository.days(session, first, last)}
    entries: dict[date, Entry] = {}
    for number in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(number)
        row = rows.get(day)
        before = entry_of(row) if row else Entry(None)
        if sensitive or row is not None:
            entries[day] = replace(before, sensitive=sensitive, sensitive_name=name if sensitive else "")
    changed = await _enter(session, entries, None, author)
    detail = f"{'sensitive' if sensitive else 'not sensitive'} {name} {author.reason}".strip()
    await record(session, "calendar_sensitive", f"calendar:{first}..{last}", detail, author.who)
    return changed


async def compare(session: AsyncSession, entries: Mapping[date, Entry]) -> Changed:
    """Say what entering these days would change; nothing is entered."""
    rows = {row.day: row for row in await repository.days(session, min(entries), max(entries))}
    same = sum(
        (entry_of(rows[day]) if day in rows else Entry(None)) == entry for day, entry in entries.items()
    )
    changed = sum(day in rows and entry_of(rows[day]) != entry for day, entry in entries.items())
    return Changed(len(entries) - same - changed, changed, same)


async def import_days(session: AsyncSession, entries: Mapping[date, Entry], author: Author) -> Changed:
    """Enter the days of a file, all or none."""
    changed = await _enter(session, entries, "import", author)
    first, last = min(entries), max(entries)
    detail = f"{changed.added} added, {changed.changed} changed, {changed.same} the same {author.reason}"
    await record(session, "calendar_import", f"calendar:{first}..{last}", detail.strip(), author.who)
    return changed


async def seed(session: AsyncSession, years: Sequence[int], author: Author) -> Changed:
    """Enter the shipped data of these years. What was entered or imported stays as it is.

    Raises `BadInputError` for a year that the data do not hold.
    """
    known = calendar_seed.years()
    for year in years:
        if year not in known:
            fault = Fault("years", f"{year}: the shipped data hold {known[0]} to {known[-1]}")
            raise BadInputError(f"there are no shipped data of {year}", [fault])
    total = Changed()
    for year in sorted(set(years)):
        total = _sum(total, await _seed_year(session, year, author))
    if total.added or total.changed:
        detail = f"{total.added} added, {total.changed} changed, {total.kept} kept as entered"
        subject = f"calendar:{min(years)}..{max(years)}"
        await record(session, "calendar_seed", subject, detail, author.who)
    return total


async def seed_missing(session: AsyncSession, today: date, who: str = "dutyring") -> Changed:
    """Enter the shipped data of last year, this year and those to come of which nothing is there yet.

    Meant for the start of the service: it does nothing once a year has any day, so that a day that was taken out on
    purpose stays out.
    """
    wanted = []
    for year in calendar_seed.years():
        first, last = date(year, 1, 1), date(year, 12, 31)
        if year >= today.year - 1 and not await repository.count_known(session, first, last):
            wanted.append(year)
    return await seed(session, wanted, Author(who, today, "shipped data")) if wanted else Changed()


async def watch_end(session: AsyncSession, today: date) -> date | None:
    """Raise or clear the office alarm `calendar_ending`; return the first day of the next 60 whose kind is unknown."""
    last = today + timedelta(days=WARNED_DAYS)
    unknown = (await load_book(session, today, last)).unknown(today, last)
    if not unknown:
        await clear_alarm(session, "calendar_ending")
        return None
    await raise_alarm(session, "calendar_ending", detail=f"from {unknown[0]} on days follow the weekend rule")
    return unknown[0]


def keep_up(zone: ZoneInfo) -> Callable[[AsyncSession, datetime], Awaitable[None]]:
    """Return what the service does to the calendar at its start and each hour: seed what is missing, watch its end."""

    async def run(session: AsyncSession, now: datetime) -> None:
        today = now.astimezone(zone).date()
        await seed_missing(session, today)
        await watch_end(session, today)

    return run


async def _seed_year(session: AsyncSession, year: int, author: Author) -> Changed:
    rows = {row.day: row for row in await repository.days(session, date(year, 1, 1), date(year, 12, 31))}
    entries: dict[date, Entry] = {}
    kept = 0
    for day, kind, name in calendar_seed.days(year):
        row = rows.get(day)
        if row is not None and row.known and row.source != "seed":
            kept += 1
        elif row is not None:
            entries[day] = replace(entry_of(row), kind=kind, name=name)
        else:
            entries[day] = Entry(kind, name)
    # Shipped data are entered without a reason, of the past too: nothing that somebody entered is changed by them.
    by_data = replace(author, reason=author.reason or "shipped data")
    return replace(await _enter(session, entries, "seed", by_data), kept=kept)


def _sum(one: Changed, other: Changed) -> Changed:
    return Changed(
        one.added + other.added,
        one.changed + other.changed,
        one.same + other.same,
        one.kept + other.kept,
    )


async def _enter(
    session: AsyncSession, entries: Mapping[date, Entry], source: Source | None, author: Author
) -> Changed:
    """Write days and keep what was there before; without a source, the source of a known kind stays as it is."""
    if not entries:
        return Changed()
    rows = {row.day: row for row in await repository.days(session, min(entries), max(entries))}
    changing = {
        day: entry
        for day, entry in entries.items()
        if (entry_of(rows[day]) if day in rows else Entry(None)) != entry
    }
    _need_reason(changing, author)
    notes: _Notes = {}
    for day, entry in changing.items():
        row = rows.get(day)
        before = snapshot(row) if row else None
        if entry == Entry(None) and row is not None:
            notes[day] = before, None
            await session.delete(row)
            continue
        row = row or CalendarDay(day=day, source=source or "entered")
        session.add(row)
        _write(row, entry, source, author)
        notes[day] = before, snapshot(row)
    await _note(session, notes, author)
    added = sum(before is None for before, _ in notes.values())
    return Changed(added, len(notes) - added, len(entries) - len(notes))


def _write(row: CalendarDay, entry: Entry, source: Source | None, author: Author) -> None:
    row.known = entry.kind is not None
    row.kind = entry.kind or weekend_rule(row.day)
    row.name, row.note = entry.name, entry.note
    row.sensitive = entry.sensitive
    row.sensitive_name = entry.sensitive_name if entry.sensitive else ""
    row.source = source or row.source
    row.changed_at, row.changed_by = clock.now(), author.who


def snapshot(row: CalendarDay) -> dict[str, Any]:
    """Return a stored day as a change keeps it."""
    return {
        "kind": row.kind,
        "known": row.known,
        "name": row.name,
        "sensitive": row.sensitive,
        "sensitive_name": row.sensitive_name,
        "note": row.note,
        "source": row.source,
    }


def _need_reason(days: Iterable[date], author: Author) -> None:
    past = sorted(day for day in days if day < author.today)
    if past and not author.reason:
        first, last = next(stretches(past))
        span = f"{first}" if first == last else f"{first} to {last}"
        fault = Fault("reason", "is missing: calls may have been judged by these days")
        raise BadInputError(f"a day of the past ({span}) is changed with a reason only", [fault])


async def _note(session: AsyncSession, notes: _Notes, author: Author) -> None:
    now = clock.now()
    session.add_all(
        CalendarChange(
            day=day,
            changed_at=now,
            changed_by=author.who,
            reason=author.reason,
            before=before,
            after=after,
        )
        for day, (before, after) in notes.items()
    )
    await session.flush()


def _told(entry: Entry, author: Author) -> str:
    content = {"kind": entry.kind, "name": entry.name, "sensitive": entry.sensitive}
    return f"{json.dumps(content, ensure_ascii=False)} {author.reason}".strip()
