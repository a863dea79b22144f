"""`dutyring directory`: units, lines, people, rosters and calendar from and into spreadsheets."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import typer
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database, upgrade
from app.errors import NotFoundError, OfficeError
from app.imports import service
from app.imports.changes import Comparison
from app.imports.comparing import compare
from app.imports.files import LARGEST_FILE
from app.imports.grid import FileError
from app.imports.reading import read
from app.imports.records import Preview
from app.imports.telling import case_told, summary
from app.settings import get_settings

T = TypeVar("T")
_MOST_CHANGES = 200
"""Changes that are printed one by one; errors are printed all."""
_FILE = "'FILE'"


def preview(file: Path, *, as_json: bool) -> int:
    """Print what a file would do; return 1 where a cell is wrong."""
    told = case_told(_compared(_read(file)))
    if as_json:
        _say(json.dumps({"schema": "dutyring.import/1", **told}, ensure_ascii=False))
    else:
        _print(told)
    return 1 if told["errors"] else 0


def import_from(file: Path, *, yes: bool, by: str) -> int:
    """Print what a file would do and do it once it is confirmed; return the exit status."""
    found = _read(file)
    told = case_told(_compared(found))
    _print(told)
    if told["errors"]:
        _complain(f"nothing was imported: {_counted(told['errors'])} to mend, named above")
        return 1
    if not told["changes"]:
        _say("nothing to import: all of it stands in the records already")
        return 0
    if not yes and not _agreed():
        _complain("nothing was imported")
        return 1
    settings = get_settings()

    async def enter(session: AsyncSession) -> None:
        await service.confirm(session, found, told["digest"], settings, by)

    try:
        with service.meanwhile():
            _in_records(enter)
    except OfficeError as error:
        _complain(f"nothing was imported: {error.detail}")
        return 1
    _say(f"imported: {summary(told)}")
    return 0


def export_to(file: Path, unit: str | None, since: str | None, by: str) -> int:
    """Write the directory into a workbook; return the exit status."""
    settings = get_settings()
    first = _day(since)
    if file.suffix.lower() != ".xlsx":
        raise typer.BadParameter(f"{file} does not end in .xlsx", param_hint=_FILE)

    async def write(session: AsyncSession) -> bytes:
        return await service.export(session, settings, by, unit_code=unit, since=first)

    try:
        content = _in_records(write)
        file.write_bytes(content)
    except NotFoundError as error:
        raise typer.BadParameter(error.detail, param_hint="'--unit'") from None
    except OfficeError as error:
        raise typer.BadParameter(error.detail, param_hint=_FILE) from None
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be written: {error.strerror}", param_hint=_FILE) from None
    _say(f"written to {file}")
    return 0


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day such as 2026-01-31", param_hint="'--since'") from None


def _read(file: Path) -> Preview:
    try:
        with file.open("rb") as opened:
            # More is never read: a wrong file may have no end.
            content = opened.read(LARGEST_FILE + 1)
        return read(content, file.name)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint=_FILE) from None
    except FileError as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint=_FILE) from None


def _compared(found: Preview) -> Comparison:
    settings = get_settings()

    async def look(session: AsyncSession) -> Comparison:
        return await compare(session, found, settings)

    try:
        return _in_records(look, reading=True)
    except OfficeError as error:
        raise typer.BadParameter(error.detail, param_hint=_FILE) from None


def _agreed() -> bool:
    """Ask on a terminal; without one nobody can have agreed."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "it imports only with a yes: on a terminal, or with --yes", param_hint="'--yes'"
        )
    return typer.confirm("Import all of this?", err=True)


def _print(told: dict[str, Any]) -> None:
    for sheet in told["sheets"]:
        _say(f"{sheet['title']}: {sheet['rows']} rows, read as {sheet['read_as']}")
    for change in told["changes"][:_MOST_CHANGES]:
        fields = "; ".join(_field(change["action"], field) for field in change["fields"])
        _say(
            f"{change['action']:<6} {change['sheet']} {_plain(change['what'])} ({change['place']}): {_plain(fields)}"
        )
    if len(told["changes"]) > _MOST_CHANGES:
        _say(f"... and {len(told['changes']) - _MOST_CHANGES} more")
    # Below the changes: what has to be mended stands where the eye is when the list has run through.
    for finding in told["findings"]:
        place = "!".join(part for part in (finding["sheet"], finding["cell"]) if part) or told["name"]
        value = f" {finding['value']!r}" if finding["value"] else ""
        right = f"; right: {finding['right_en']}" if finding["right_en"] else ""
        _say(f"{finding['severity']:<5} {place}{value}: {finding['wrong_en']}{right}")
    for title, row in told["counts"].items():
        _say(
            f"{title}: {row['add']} to add, {row['change']} to change, {row['unchanged']} unchanged, "
            f"{row['not_named']} not in the file (they stay)"
        )


def _counted(errors: int) -> str:
    return "1 error" if errors == 1 else f"{errors} errors"


def _field(action: str, field: dict[str, str]) -> str:
    if action == "add":
        return f"{field['column']} {field['after']}"
    return f"{field['column']} {field['before'] or '-'} -> {field['after'] or '-'}"


def _plain(text: str) -> str:
    """Text of a file on one line of a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _in_records(work: Callable[[AsyncSession], Awaitable[T]], *, reading: bool = False) -> T:
    """Do one unit of work in the database of the settings, which is made or brought up first.

    `reading`: without keeping others from writing meanwhile.
    """
    settings = get_settings()

    async def run() -> T:
        async with (
            Database(settings.url) as database,
            database.reading() if reading else database.unit_of_work() as session,
        ):
            return await work(session)

    try:
        upgrade(settings)
    except (DatabaseError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise typer.BadParameter(
            f"the database cannot be opened: {reason}", param_hint="DUTYRING_DATA_DIR"
        ) from error
    return asyncio.run(run())


def _say(line: str) -> None:
    print(line)  # noqa: T201


def _complain(line: str) -> None:
    print(f"dutyring: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201
