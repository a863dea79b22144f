"""How the commands `dutyring phone-records` are typed."""

from __future__ import annotations

from typing import Annotated

import typer

phone_records = typer.Typer(
    help="Phone records (电话记录单) of calls that came in and reports received.", no_args_is_help=False
)

Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


@phone_records.command("list")
def list_records(
    state: Annotated[
        str | None, typer.Option(metavar="draft|signed", help="those that are so [both]")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="CODE", help="this unit and all below it [all of them]")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="MOMENT", help="calls from here on")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="MOMENT", help="calls before this")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=200, help="records that are printed")] = 50,
    as_json: Json = False,
) -> None:
    """Print the records, newest call first."""
    from app.commands.phone_records import Listed, show_all

    raise typer.Exit(show_all(Listed(state, unit, since, until), limit, as_json=as_json))


@phone_records.command()
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="of the record, such as 2026-0007")],
    as_json: Json = False,
) -> None:
    """Print one record as it stands; exit status 1 if it is no longer what was signed."""
    from app.commands.phone_records import show as run

    raise typer.Exit(run(number, as_json=as_json))
