"""How the commands `dutyring bench` are typed, and what they print."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

bench = typer.Typer(help="Measure what this machine holds.", no_args_is_help=False)

Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
MOST_ROWS = 20_000_000
MOST_UNITS = 20_000
MOST_CALLS = 10_000
MOST_SECONDS = 3_600.0
MOST_SETUPS_PER_S = 1_000.0
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


@bench.command()
def calls(
    concurrency: Annotated[int, typer.Option(metavar="N", help="calls at once")] = 100,
    seconds: Annotated[float, typer.Option(metavar="S", help="how long all of them talk")] = 10.0,
    rate: Annotated[float, typer.Option(metavar="N", help="set-ups a second until all calls are up")] = 100.0,
    beyond_limit: Annotated[
        bool, typer.Option("--beyond-limit", help="place them even where this machine is too slow for them")
    ] = False,
    as_json: Json = False,
) -> None:
    """Place calls at once, recorded and analysed, to a far end in a process of its own.

    Status 1 where a call was not answered, a recording is not right, our packets were late (0.5 %) or lost, or this
    machine is measured to be too slow for so many calls.
    """
    for name, value, most in (
        ("--concurrency", concurrency, MOST_CALLS),
        ("--seconds", seconds, MOST_SECONDS),
        ("--rate", rate, MOST_SETUPS_PER_S),
    ):
        if not 1 <= value <= most:
            raise typer.BadParameter(f"{value:g}: it takes 1 to {most:g}", param_hint=f"'{name}'")
    from app.bench.calls import TooManyCallsError, Wanted, measure
    from app.bench.calls_figures import held, table
    from sip.media import MediaError

    try:
        figures = measure(Wanted(concurrency, seconds, rate, beyond_limit))
    except (TooManyCallsError, MediaError) as error:
        advice = "; --beyond-limit places them all the same" if isinstance(error, TooManyCallsError) else ""
        typer.echo(f"{error}{advice}", err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps(figures) if as_json else table(figures))
    raise typer.Exit(0 if held(figures) else 1)


@bench.command()
def lists(
    rows: Annotated[int, typer.Option(metavar="N", help="orders in the database")] = 100_000,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="an empty PostgreSQL database, or one of either kind of an earlier run [a SQLite file]",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(metavar="N", help="how often everything is asked for")] = 5,
    as_json: Json = False,
) -> None:
    """Fill a database and ask for every list with its filters; status 1 where one takes more than 200 ms (p95)."""
    for name, value, most in (("--rows", rows, MOST_ROWS), ("--repeats", repeats, 1000)):
        if not 1 <= value <= most:
            raise typer.BadParameter(f"{value}: it takes 1 to {most}", param_hint=f"'{name}'")
    figures = _measured(rows, database, repeats)
    slow = {name: ms for name, ms in figures["p95_ms"].items() if ms > figures["limit_ms"]}
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        for name, ms in sorted(figures["p95_ms"].items(), key=lambda item: -item[1]):
            typer.echo(f"{ms:8.1f} ms  {name}")
        typer.echo(
            f"{figures['rows']} orders, {figures['database']}: slowest {figures['slowest_ms']} ms at the 95th "
            f"percentile, limit {figures['limit_ms']:g} ms"
        )
    raise typer.Exit(1 if slow else 0)


def _measured(rows: int, url: str | None, repeats: int) -> dict[str, Any]:
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

    from app.bench.fill import NotEmptyError
    from app.bench.lists import measure, own_folder, quiet

    quiet()
    try:
        with own_folder() as folder:
            return asyncio.run(measure(rows, url, folder, repeats))
    except (ArgumentError, NoSuchModuleError, OperationalError, NotEmptyError) as error:
        reason = str(error).splitlines()[0]
        raise typer.BadParameter(f"{reason}", param_hint="'--database'") from error


@bench.command()
def year(
    units: Annotated[int, typer.Option(metavar="N", help="units with a line each")] = 2000,
    of: Annotated[int, typer.Option("--year", metavar="YYYY", help="the year that is simulated")] = 2026,
    seed: Annotated[int, typer.Option(metavar="N", help="chance by which the lines behave")] = 1,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="an empty PostgreSQL database [a SQLite file]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a plan run for a year on a virtual clock.

    Status 1 where a unit is left out, a cap is broken or a line is dialled twice.
    """
    for name, value, least, most in (
        ("--units", units, 1, MOST_UNITS),
        ("--year", of, _FIRST_YEAR, _LAST_YEAR),
    ):
        if not least <= value <= most:
            raise typer.BadParameter(f"{value}: it takes {least} to {most}", param_hint=f"'{name}'")
    figures = _year(units, of, seed, database)
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        for name, value in figures.items():
            typer.echo(f"{name:>16}  {value}")
    held = figures["coverage"] == 1 and not figures["cap_violations"] and not figures["double_dials"]
    raise typer.Exit(0 if held else 1)


def _year(units: int, of: int, seed: int, url: str | None) -> dict[str, Any]:
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

    from app.bench.lists import own_folder
    from app.bench.year import NotEmptyError, own_settings, simulate
    from app.logs import configure

    try:
        with own_folder() as folder:
            settings = own_settings(folder, url)
            configure(settings)
            return asyncio.run(simulate(settings, units, of, seed))
    except (ArgumentError, NoSuchModuleError, OperationalError, NotEmptyError) as error:
        reason = str(error).splitlines()[0]
        raise typer.BadParameter(f"{reason}", param_hint="'--database'") from error
