"""What the commands `dutyring rules` share: the database, files, days, and how a line is printed."""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from app.commands.numbers import in_records
from app.database import Database
from app.errors import OfficeError
from app.rules.format import LARGEST_FILE
from app.rules.own import Own, parse_own
from app.settings import Settings, get_settings

T = TypeVar("T")


def run(work: Callable[[AsyncSession], Awaitable[T]], *, writes: bool = True) -> T:
    """Do it on the database of the settings; what is wrong with what was given is one line and exit status 2.

    What only reads leaves the one writer of SQLite to the service.
    """
    settings = get_settings()
    try:
        if writes:
            return in_records(work)
        in_records(_nothing)  # It brings the database up to date.
        return asyncio.run(_alone(work, settings))
    except OfficeError as error:
        raise typer.BadParameter(error.detail) from None


async def _nothing(_: AsyncSession) -> None:
    return None


async def _alone(work: Callable[[AsyncSession], Awaitable[T]], settings: Settings) -> T:
    async with Database(settings.url) as database, database.reading() as session:
        return await work(session)


def given(read: Callable[[], T], hint: str) -> T:
    """Read what was given; what is wrong with it is one line that names the option."""
    try:
        return read()
    except OfficeError as error:
        raise typer.BadParameter(error.detail, param_hint=hint) from None


def text_of(path: Path) -> str:
    """Read a text file of bounded size."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise typer.BadParameter(
                f"{path}: it takes at most {LARGEST_FILE // 1024} kB", param_hint="'FILE'"
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = f"{path}: cannot be read ({error.strerror or error})"
    except UnicodeDecodeError:
        reason = f"{path}: is no UTF-8 text"
    raise typer.BadParameter(reason, param_hint="'FILE'")


def own_of(path: Path | None) -> Own:
    """Read a file with an office's own points, caps, bands and limits; without one there are none."""
    if path is None:
        return Own()
    try:
        content = tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise typer.BadParameter(f"{path}: is no TOML ({error})", param_hint="'--own'") from None
    return given(lambda: parse_own(content), "'--own'")


def moment_of(text: str, settings: Settings) -> datetime:
    """Read a moment; without a zone it is local."""
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo is not None else at.replace(tzinfo=settings.zone)
        if not 1970 <= at.year <= 2200:
            raise ValueError(text)
        return at
    except ValueError:
        reason = f"{text!r} is no moment such as 2027-01-01T00:00"
        raise typer.BadParameter(reason, param_hint="'--from'") from None


def day_of(text: str, hint: str) -> date:
    """Read a day."""
    try:
        day = date.fromisoformat(text)
        if not 1970 <= day.year <= 2200:
            raise ValueError(text)
        return day
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day such as 2026-10-01", param_hint=hint) from None


def local(at: datetime) -> str:
    """Write a moment in the zone of the settings."""
    return at.astimezone(get_settings().zone).isoformat(sep=" ", timespec="seconds")


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    table = Table(*heads)
    for row in rows:
        # As Text: brackets in a title are no markup.
        table.add_row(*(Text(str(cell)) for cell in row))
    Console().print(table)


def say(text: str) -> None:
    """Print a line."""
    print(text)  # noqa: T201


def complain(text: str) -> None:
    """Print a line on standard error."""
    print(f"dutyring: {text}", file=sys.stderr)  # noqa: T201


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object."""
    print(json.dumps(content, ensure_ascii=False))  # noqa: T201
