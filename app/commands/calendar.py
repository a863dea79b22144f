"""`dutyring calendar`: what kind of day a date is."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.api.text import Day, Name, Short
from app.commands.numbers import in_records
from app.errors import OfficeError
from app.planning import calendar_csv, calendar_repository, calendar_seed, calendar_service
from app.planning.calendar import SENSITIVE_ZH, CalendarBook, DayInfo, load_book, stretches
from app.planning.calendar_schemas import DayName, DayNote
from app.planning.calendar_service import Author, Changed, Entry, entry_of
from app.planning.models import DAY_KINDS
from app.settings import get_settings

SCHEMA = "dutyring.calendar/1"
RULE = "rule"
PLAIN = ("workday", "weekend")
MOST_DAYS = 4_000
_OPTIONS = {"last_day": "--until", "years": "--year"}
"""Options whose members of the API are called otherwise."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DayOptions:
    """What is to be changed of a day; None leaves it."""

    day: str
    kind: str | None
    name: str | None
    note: str | None
    sensitive: str | None
    not_sensitive: bool
    until: str | None
    reason: str
    by: str


def show(first: str | None, last: str | None, *, every: bool, as_json: bool) -> int:
    """Print days; return the exit status."""
    year = _today().year
    one = _day(first, "--first") if first else None
    other = _day(last, "--last") if last else None
    one = one or date((other.year if other else year), 1, 1)
    other = other or date(one.year, 12, 31)
    if not one <= other or (other - one).days >= MOST_DAYS:
        reason = f"it takes a day from {one} on, within {MOST_DAYS:,} days"
        raise typer.BadParameter(reason, param_hint="'--last'")
    book = _in_records(lambda session: load_book(session, one, other))
    days = [info for info in book.span(one, other) if every or _is_special(info)]
    unknown = list(stretches(book.unknown(one, other)))
    if as_json:
        _print_json(days, unknown)
    else:
        _print_table(days, book, one, other)
    return 0


def _is_special(info: DayInfo) -> bool:
    return info.kind not in PLAIN or info.sensitive or bool(info.name)


def _print_json(days: Sequence[DayInfo], unknown: Sequence[tuple[date, date]]) -> None:
    content = {
        "schema": SCHEMA,
        "days": [{"day": info.day.isoformat(), **info.to_dict()} for info in days],
        "unknown": [{"first": str(one), "last": str(other)} for one, other in unknown],
    }
    print(json.dumps(content, ensure_ascii=False))  # noqa: T201


def _print_table(days: Sequence[DayInfo], book: CalendarBook, first: date, last: date) -> None:
    table = Table("day", "kind", "sensitive", "name")
    for info in days:
        cells = (f"{info.day} {info.day:%a}", info.kind, SENSITIVE_ZH if info.sensitive else "", info.name)
        # As Text: brackets of a name are no markup.
        table.add_row(*(Text(cell) for cell in cells))
    Console(highlight=False).print(table if days else "no holidays or sensitive periods")
    _warn(book, first, last)


def _warn(book: CalendarBook, first: date, last: date) -> None:
    """Say on standard error which days nobody entered."""
    unknown = book.unknown(first, last)
    if unknown:
        spans = [f"{one}" if one == other else f"{one} to {other}" for one, other in stretches(unknown)]
        shown = ", ".join(spans[:5]) + (", ..." if len(spans) > 5 else "")
        print(  # noqa: T201
            f"dutyring: warning: {len(unknown)} days follow the plain weekend rule, holidays are not known: {shown}",
            file=sys.stderr,
        )


def seed(years: Sequence[int], by: str) -> int:
    """Enter the shipped data; return the exit status."""
    author = _author(by, "")
    wanted = years or [year for year in calendar_seed.years() if year >= author.today.year - 1]
    _say(_in_records(lambda session: calendar_service.seed(session, wanted, author)))
    return 0


def import_days(file: Path, *, preview: bool, reason: str, by: str) -> int:
    """Enter the days of a file; return the exit status. Every wrong line is named on standard error."""
    author = _author(by, reason)
    try:
        content = _content(file)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="'FILE'") from None
    try:
        entries = calendar_csv.read(content)
    except OfficeError as error:
        for fault in error.faults:
            print(f"{fault.where}: {fault.message}", file=sys.stderr)  # noqa: T201
        raise typer.BadParameter(f"{file}: {error}", param_hint="'FILE'") from None
    if preview:
        _say(_in_records(lambda session: calendar_service.compare(session, entries)), "nothing entered yet: ")
    else:
        _say(_in_records(lambda session: calendar_service.import_days(session, entries, author)))
    return 0


def _content(file: Path) -> bytes:
    with file.open("rb") as handle:
        # One more than there may be: the reader then says that it is too long.
        return handle.read(calendar_csv.MOST_BYTES + 1)


def export(file: Path | None, first: str | None, last: str | None) -> int:
    """Write what was entered; return the exit status."""
    one = _day(first, "--first") if first else date(1970, 1, 1)
    other = _day(last, "--last") if last else date(2200, 12, 31)

    async def read(session: AsyncSession) -> str:
        return calendar_csv.write(await calendar_repository.days(session, one, other))

    text = _in_records(read)
    if file is None:
        sys.stdout.write(text)
        return 0
    try:
        file.write_bytes(text.encode("utf-8-sig"))
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="'FILE'") from None
    return 0


def set_day(options: DayOptions) -> int:
    """Change a day, or mark a period; return the exit status."""
    author = _author(options.by, options.reason)
    day = _day(options.day, "DAY")
    if options.sensitive is not None and options.not_sensitive:
        raise typer.BadParameter("it cannot stand beside --sensitive", param_hint="'--not-sensitive'")
    if options.until is not None:
        return _mark_period(options, day, author)
    if options.kind not in (None, RULE, *DAY_KINDS):
        kinds = ", ".join((*DAY_KINDS, RULE))
        raise typer.BadParameter(f"it takes one of {kinds}", param_hint="'--kind'")

    async def write(session: AsyncSession) -> None:
        rows = await calendar_repository.days(session, day, day)
        before = entry_of(rows[0]) if rows else Entry(None)
        await calendar_service.set_day(session, day, _changed(before, options), author)

    _in_records(write)
    return 0


def _mark_period(options: DayOptions, day: date, author: Author) -> int:
    if options.sensitive is None and not options.not_sensitive:
        reason = "it takes --sensitive NAME or --not-sensitive beside it"
        raise typer.BadParameter(reason, param_hint="'--until'")
    if (options.kind, options.name, options.note) != (None, None, None):
        reason = "it marks a period; kind, name and note are changed one day at a time"
        raise typer.BadParameter(reason, param_hint="'--until'")
    last = _day(options.until or "", "--until")
    name = _checked(DayName, options.sensitive or "", "--sensitive")
    sensitive = options.sensitive is not None
    _say(
        _in_records(
            lambda session: calendar_service.mark_sensitive(
                session, day, last, name, author, sensitive=sensitive
            )
        )
    )
    return 0


def _changed(before: Entry, options: DayOptions) -> Entry:
    found = before
    if options.kind is not None:
        found = replace(found, kind=None if options.kind == RULE else options.kind)
    if options.name is not None:
        found = replace(found, name=_checked(DayName, options.name, "--name"))
    if options.note is not None:
        found = replace(found, note=_checked(DayNote, options.note, "--note"))
    if options.sensitive is not None:
        name = _checked(DayName, options.sensitive, "--sensitive")
        found = replace(found, sensitive=True, sensitive_name=name)
    if options.not_sensitive:
        found = replace(found, sensitive=False, sensitive_name="")
    return found


def _author(by: str, reason: str) -> Author:
    return Author(_checked(Name, by, "--by"), _today(), _checked(Short, reason, "--reason"))


def _today() -> date:
    return clock.now().astimezone(get_settings().zone).date()


def _day(text: str, option: str) -> date:
    try:
        found: date = TypeAdapter(Day).validate_python(text)
        return found
    except ValidationError:
        raise typer.BadParameter(
            f"{text}: it takes a day such as 2026-05-01", param_hint=f"'{option}'"
        ) from None


def _checked(kind: Any, text: str, option: str) -> str:
    try:
        found: str = TypeAdapter(kind).validate_python(text)
        return found
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(reason, param_hint=f"'{option}'") from None


def _in_records(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    try:
        return in_records(work)
    except OfficeError as error:
        where = error.faults[0].where if error.faults else ""
        hint = f"'{_OPTIONS.get(where, f'--{where}')}'" if where else None
        raise typer.BadParameter(str(error), param_hint=hint) from None


def _say(changed: Changed, before: str = "") -> None:
    kept = f", {changed.kept} kept as they were entered" if changed.kept else ""
    print(  # noqa: T201
        f"{before}{changed.added} days added, {changed.changed} changed, {changed.same} the same{kept}"
    )
