"""`dutyring stop-calls`: 紧急停拨, with or without a running service."""

from __future__ import annotations

import getpass
import json
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import repository, stops
from app.checks.models import EmergencyStop
from app.commands.numbers import in_records
from app.directory import repository as directory
from app.errors import ConflictError, OfficeError
from app.settings import get_settings

MOST_SIGNS = 80
MOST_REASON = 4000
EXIT_NOT_SO = 1


def place(unit: str | None, reason: str | None, by: str | None, *, as_json: bool) -> int:
    """Stop all calls, or those to a unit and below it; return the exit status."""
    who, why = _who(by), _reason(reason)

    async def write(session: AsyncSession) -> tuple[EmergencyStop, int]:
        unit_id = None
        if unit is not None:
            row = await directory.unit_by_code(session, unit)
            if row is None:
                raise typer.BadParameter(f"there is no unit with the code {unit!r}", param_hint="'--unit'")
            unit_id = row.id
        stop = await stops.place_stop(session, unit_id, why, who)
        return stop, await repository.live_count(session)

    stop, live = _in_records(write)
    if as_json:
        print(json.dumps(_plain(stop), ensure_ascii=False))  # noqa: T201
    else:
        whom = "every unit" if unit is None else f"unit {unit} and those below it"
        under_way = f"; calls under way now: {live}, those of them that are meant end at once" if live else ""
        print(f"stop {stop.id} holds for {whom}{under_way}")  # noqa: T201
    return 0


def lift(stop_id: int, reason: str | None, by: str | None, *, as_json: bool) -> int:
    """Lift a stop; return the exit status, 1 where it was lifted already."""
    who, why = _who(by), _reason(reason)

    async def write(session: AsyncSession) -> EmergencyStop:
        return await stops.lift_stop(session, stop_id, why, who)

    try:
        stop = _in_records(write)
    except ConflictError as error:
        typer.echo(f"dutyring: {error}", err=True)
        return EXIT_NOT_SO
    if as_json:
        print(json.dumps(_plain(stop), ensure_ascii=False))  # noqa: T201
    else:
        print(f"stop {stop.id} is lifted")  # noqa: T201
    return 0


def show(*, as_json: bool) -> int:
    """Print the stops that hold; return the exit status."""

    async def read(session: AsyncSession) -> list[tuple[EmergencyStop, str]]:
        found = []
        for stop in await stops.standing(session):
            unit = None if stop.unit_id is None else await directory.unit(session, stop.unit_id)
            found.append((stop, stops.ALL_ZH if unit is None else f"{unit.code} {unit.name}"))
        return found

    rows = _in_records(read)
    if as_json:
        items = [_plain(stop) | {"whom": whom} for stop, whom in rows]
        print(json.dumps({"schema": "dutyring.stops/1", "stops": items}, ensure_ascii=False))  # noqa: T201
        return 0
    zone = get_settings().zone
    table = Table("id", "whom", "since", "by", "reason")
    for stop, whom in rows:
        since = f"{stop.placed_at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        table.add_row(*(Text(cell) for cell in (str(stop.id), whom, since, stop.placed_by, stop.reason)))
    Console().print(table if rows else "no stop holds: calls may leave")
    return 0


def _in_records(work: Any) -> Any:
    get_settings()  # A wrong setting is no wrong argument.
    try:
        return in_records(work)
    except ConflictError:
        raise
    except OfficeError as error:
        raise typer.BadParameter(str(error)) from None


def _who(by: str | None) -> str:
    name = (by if by is not None else getpass.getuser()).strip()
    if not 0 < len(name) <= MOST_SIGNS or not name.isprintable():
        raise typer.BadParameter(f"it takes a name of 1 to {MOST_SIGNS} signs", param_hint="'--by'")
    return name


def _reason(reason: str | None) -> str:
    text = (reason or "").strip()
    if not 0 < len(text) <= MOST_REASON or not text.isprintable():
        raise typer.BadParameter("it takes the reason in words, on one line", param_hint="'--reason'")
    return text


def _plain(stop: EmergencyStop) -> dict[str, Any]:
    names = ("id", "unit_id", "reason", "placed_by", "lifted_by", "lift_reason")
    moments = {name: getattr(stop, name) for name in ("placed_at", "lifted_at")}
    return {name: getattr(stop, name) for name in names} | {
        name: None if at is None else at.isoformat() for name, at in moments.items()
    }
