"""`dutyring numbers`: the numbers of the dial policy. Answer keys are work secrets and never pass by an argument."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.accounts import service as audit
from app.database import Database, upgrade
from app.settings import get_settings
from app.trunks import repository, service
from app.trunks.models import PolicyNumber

KINDS = {"deny": "deny", "allow": "allow", "key": "answer_key"}
_WORDS = {stored: word for word, stored in KINDS.items()}
T = TypeVar("T")


def show(*, reveal: bool, as_json: bool) -> int:
    """Print the numbers; return the exit status. Revealed answer keys leave an audit line."""

    async def read(session: AsyncSession) -> list[PolicyNumber]:
        rows = list(await repository.numbers(session))
        if reveal:
            await audit.record(session, "reveal", "numbers:answer_key")
        return rows

    rows = [_row(row, reveal) for row in in_records(read)]
    if as_json:
        print(json.dumps({"schema": "dutyring.numbers/1", "numbers": rows}, ensure_ascii=False))  # noqa: T201
        return 0
    table = Table("kind", "number", "label")
    for row in rows:
        # As Text: brackets of a label are no markup.
        table.add_row(*(Text(row[cell]) for cell in ("kind", "number", "label")))
    Console().print(table if rows else "no numbers were entered")
    return 0


def _row(row: PolicyNumber, reveal: bool) -> dict[str, str]:
    secret = row.kind == "answer_key" and not reveal
    number = service.masked(row.number) if secret else row.number
    return {"kind": _WORDS[row.kind], "number": number, "label": row.label}


def add(kind: str, number: str | None, label: str) -> int:
    """Enter a number; return the exit status."""
    stored, text = _kind(kind), _number(kind, number)

    async def write(session: AsyncSession) -> None:
        await service.add_number(session, stored, text, label)

    _say_wrong(write)
    return 0


def remove(kind: str, number: str | None) -> int:
    """Take a number out; return the exit status."""
    stored, text = _kind(kind), _number(kind, number)

    async def write(session: AsyncSession) -> None:
        await service.remove_number(session, stored, text)

    _say_wrong(write)
    return 0


def in_records(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Do one unit of work in the database of the settings, which is made or brought up first.

    Raises `PresentError` and `UnknownError` too where another process entered the same, or took it out, just now.
    """
    settings = get_settings()

    async def run() -> T:
        async with Database(settings.url) as database, database.unit_of_work() as session:
            return await work(session)

    try:
        upgrade(settings)
        return asyncio.run(run())
    except IntegrityError:
        # The database's own words may hold what was entered: an answer key.
        raise service.PresentError("another process has just entered the same") from None
    except StaleDataError:
        raise service.UnknownError("another process has just taken it out") from None
    except (DatabaseError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise typer.BadParameter(
            f"the database cannot be opened: {reason}", param_hint="DUTYRING_DATA_DIR"
        ) from error


def _say_wrong(write: Callable[[AsyncSession], Awaitable[None]]) -> None:
    get_settings()  # A wrong setting is no wrong number.
    try:
        in_records(write)
    except service.LabelError as error:
        raise typer.BadParameter(str(error), param_hint="'--label'") from None
    except (service.PresentError, service.UnknownError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="'NUMBER'") from None


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise typer.BadParameter(f"it takes one of {', '.join(KINDS)}", param_hint="'KIND'")
    return KINDS[kind]


def _number(kind: str, given: str | None) -> str:
    if kind != "key":
        if given is None:
            raise typer.BadParameter("it takes the number", param_hint="'NUMBER'")
        return given
    if given is not None:
        # The arguments of a command stand in the process list and in the shell's history.
        reason = "an answer key is no argument; leave it out and type it when asked, or pipe it in"
        raise typer.BadParameter(reason, param_hint="'NUMBER'")
    typed = getpass.getpass("number: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise typer.BadParameter("it takes the number on standard input", param_hint="'NUMBER'")
    return typed.strip()
