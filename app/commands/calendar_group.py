"""How the commands `dutyring calendar` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

calendar = typer.Typer(
    help="The calendar: workdays, holidays, days swapped for them (调休), sensitive periods (特殊敏感期).",
    no_args_is_help=False,
)

Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
By = Annotated[str, typer.Option(metavar="NAME", help="who does it, for the audit trail")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="must be given where days of the past change")]
First = Annotated[str | None, typer.Option("--first", metavar="DAY", help="first day, such as 2026-05-01")]
Last = Annotated[str | None, typer.Option("--last", metavar="DAY", help="last day")]


@calendar.command()
def show(
    first: First = None,
    last: Last = None,
    every: Annotated[bool, typer.Option("--all", help="plain workdays and weekends too")] = False,
    as_json: Json = False,
) -> None:
    """Print days, those of the present year without --first and --last."""
    from app.commands.calendar import show as run

    raise typer.Exit(run(first, last, every=every, as_json=as_json))


@calendar.command()
def seed(
    year: Annotated[
        list[int] | None, typer.Option(metavar="YEAR", help="repeatable [last year and all after it]")
    ] = None,
    by: By = "local",
) -> None:
    """Enter the shipped data; what was entered or imported stays."""
    from app.commands.calendar import seed as run

    raise typer.Exit(run(year or [], by))


@calendar.command("import")
def import_days(
    file: Annotated[Path, typer.Argument(help="CSV with the columns day, kind, sensitive, name, ...")],
    preview: Annotated[bool, typer.Option("--preview", help="say what would change, enter nothing")] = False,
    reason: Reason = "",
    by: By = "local",
) -> None:
    """Enter the days of a file, all or none."""
    from app.commands.calendar import import_days as run

    raise typer.Exit(run(file, preview=preview, reason=reason, by=by))


@calendar.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="where to write it [standard output]")] = None,
    first: First = None,
    last: Last = None,
) -> None:
    """Write what was entered as CSV; `import` reads it."""
    from app.commands.calendar import export as run

    raise typer.Exit(run(file, first, last))


@calendar.command("set")
def set_day(
    day: Annotated[str, typer.Argument(help="a day such as 2026-05-01")],
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="workday, weekend, holiday, makeup_workday, lieu_day, or rule"),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="of the holiday")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="a remark")] = None,
    sensitive: Annotated[
        str | None, typer.Option(metavar="NAME", help="mark it as part of this sensitive period")
    ] = None,
    not_sensitive: Annotated[bool, typer.Option("--not-sensitive", help="take that mark off")] = False,
    until: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="with --sensitive or --not-sensitive: all days to this one"),
    ] = None,
    reason: Reason = "",
    by: By = "local",
) -> None:
    """Change a day; what is not given stays as it is. The kind `rule` leaves it to the weekend rule."""
    from app.commands.calendar import DayOptions
    from app.commands.calendar import set_day as run

    options = DayOptions(day, kind, name, note, sensitive, not_sensitive, until, reason, by)
    raise typer.Exit(run(options))
