"""`dutyring evidence`: what is kept, held and withdrawn, with or without a running service."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.archive import open_archive
from app.commands.numbers import in_records
from app.database import Database
from app.errors import ConflictError, ForbiddenError, OfficeError
from app.evidence import holds, leaving, removals, repository, views, withdrawal
from app.evidence.repository import RecordingFilter
from app.evidence.schemas import HoldOut, KeptOut, RemovalOut
from app.settings import get_settings

MOST_SIGNS = 80
MOST_ROWS = 1000
EXIT_NOT_SO = 1
EXIT_OUR_FAILURE = 3
T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


def hold(recording: int, reason: str | None, by: str | None, *, as_json: bool) -> int:
    """Hold a recording; return the exit status, 1 where it is gone."""
    who, why = _who(by), _reason(reason)

    async def write(session: AsyncSession) -> HoldOut:
        return HoldOut.model_validate(await holds.place(session, _key(recording), why, who))

    return _told(write, as_json, lambda made: f"hold {made.id} keeps recording {recording}")


def lift(recording: int, hold_id: int, reason: str | None, by: str | None, *, as_json: bool) -> int:
    """Lift a hold; return the exit status, 1 where it was lifted already."""
    who, why = _who(by), _reason(reason)

    async def write(session: AsyncSession) -> HoldOut:
        key = _key(hold_id, "'HOLD'")
        return HoldOut.model_validate(await holds.lift(session, _key(recording), key, why, who))

    return _told(write, as_json, lambda made: f"hold {made.id} of recording {recording} is lifted")


def request_removal(recording: int, reason: str | None, by: str | None, *, as_json: bool) -> int:
    """Ask for a removal; return the exit status, 1 where it may not be."""
    who, why = _who(by), _reason(reason)

    async def write(session: AsyncSession) -> RemovalOut:
        return RemovalOut.model_validate(await removals.request(session, _key(recording), why, who))

    return _told(write, as_json, lambda made: f"request {made.id}: another person decides on it")


def decide_removal(
    recording: int, removal: int, approve: bool | None, reason: str | None, by: str | None, *, as_json: bool
) -> int:
    """Decide on a removal; return the exit status: 1 where it may not be, 3 where the store did not delete it."""
    if approve is None:
        raise typer.BadParameter("it takes one of the two", param_hint="'--approve' / '--refuse'")
    who, why = _who(by), _reason(reason)

    async def write(session: AsyncSession) -> RemovalOut:
        key = _key(removal, "'REMOVAL'")
        return RemovalOut.model_validate(
            await removals.decide(session, _key(recording), key, approve, why, who)
        )

    done = "is approved" if approve else "is refused"
    status = _told(write, as_json, lambda made: f"request {made.id} {done}")
    if status or not approve:
        return status
    return _erase([recording])


def withdraw(recording: int, reason: str | None, by: str | None, *, as_json: bool) -> int:
    """Withdraw a recording; return the exit status: 1 where it is gone already, 3 where the store did not delete it."""
    who, why = _who(by), _reason(reason)

    async def write(session: AsyncSession) -> withdrawal.Withdrawn:
        return await withdrawal.condemn(session, _key(recording), why, who)

    try:
        found: withdrawal.Withdrawn = _in_records(write)
    except (ConflictError, ForbiddenError) as error:
        return _refused(error)
    status = _erase(found.recording_ids)
    despite = [{"kind": ground.kind, "id": ground.id} for ground in found.despite]
    if as_json:
        told = {"schema": "dutyring.withdrawn/1", "recordings": list(found.recording_ids), "despite": despite}
        _say(json.dumps(told | {"deleted": status == 0}, ensure_ascii=False))
    else:
        names = ", ".join(str(key) for key in found.recording_ids)
        kept = "; it was held by " + ", ".join(f"{d['kind']} {d['id']}" for d in despite) if despite else ""
        _say(f"withdrawn: recording {names}{kept}")
    return status


def due(*, as_json: bool) -> int:
    """Print what is over and still there; return the exit status."""
    now = clock.now()

    async def read(session: AsyncSession) -> list[KeptOut]:
        found = await repository.page(session, RecordingFilter(due_at=now), now, None, MOST_ROWS)
        return await views.rows(session, found, now)

    rows: list[KeptOut] = _in_records(read)
    if as_json:
        items = [row.model_dump(mode="json") for row in rows]
        _say(json.dumps({"schema": "dutyring.recordings-due/1", "recordings": items}, ensure_ascii=False))
        return 0
    zone = get_settings().zone
    table = Table("id", "check", "kept until", "code", "kept by")
    for row in rows:
        until = "" if row.keep_until is None else f"{row.keep_until.astimezone(zone):%Y-%m-%d}"
        held = ", ".join(f"{ground.kind} {ground.id}" for ground in row.held_by)
        stands = held or ("goes" if row.standing == "going" else "nothing: it goes within the hour")
        cells = (str(row.id), str(row.check_id or ""), until, row.kept_by or "", stands)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table if rows else "no recording is over its time")
    return 0


def _told(
    write: Callable[[AsyncSession], Awaitable[Model]], as_json: bool, sentence: Callable[[Model], str]
) -> int:
    try:
        made = _in_records(write)
    except (ConflictError, ForbiddenError) as error:
        return _refused(error)
    _say(json.dumps(made.model_dump(mode="json"), ensure_ascii=False) if as_json else sentence(made))
    return 0


def _in_records(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    get_settings()  # A wrong setting is no wrong argument.
    try:
        return in_records(work)
    except (ConflictError, ForbiddenError):
        raise
    except OfficeError as error:
        raise typer.BadParameter(str(error)) from None


def _erase(recordings: Sequence[int]) -> int:
    settings = get_settings()

    async def run() -> bool:
        async with Database(settings.url) as database:
            return await leaving.erase_now(database, lambda: open_archive(settings), recordings)

    if asyncio.run(run()):
        return 0
    typer.echo(
        "dutyring: nobody hears it any more, but the store did not delete the sound; it is tried each hour",
        err=True,
    )
    return EXIT_OUR_FAILURE


def _refused(error: OfficeError) -> int:
    typer.echo(f"dutyring: {error}", err=True)
    return EXIT_NOT_SO


def _key(number: int, hint: str = "'RECORDING'") -> int:
    if not 0 < number < 2**63:
        raise typer.BadParameter("it takes a number from 1 on", param_hint=hint)
    return number


def _who(by: str | None) -> str:
    name = (by if by is not None else getpass.getuser()).strip()
    if not 0 < len(name) <= MOST_SIGNS or not name.isprintable():
        raise typer.BadParameter(f"it takes a name of 1 to {MOST_SIGNS} signs", param_hint="'--by'")
    return name


def _reason(reason: str | None) -> str:
    text = (reason or "").strip()
    if not text or not text.isprintable():
        raise typer.BadParameter("it takes the reason in words, on one line", param_hint="'--reason'")
    return text


def _say(text: str) -> None:
    typer.echo(text)
