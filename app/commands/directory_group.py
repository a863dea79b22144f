"""How the commands `dutyring directory` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

directory = typer.Typer(
    help="Units, lines, people, rosters and calendar from and into spreadsheets (导入导出).",
    no_args_is_help=False,
)

File = Annotated[Path, typer.Argument(help="workbook (.xlsx) or CSV file")]
By = Annotated[str, typer.Option(metavar="NAME", help="who does it, for the audit trail")]


@directory.command()
def preview(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Say what a file would add and change and name every bad cell; exit status 1 if there is one."""
    from app.commands.directory import preview as run

    raise typer.Exit(run(file, as_json=as_json))


@directory.command("import")
def import_file(
    file: File,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    by: By = "local",
) -> None:
    """Preview a file, ask, and enter all of it or nothing; exit status 1 where a cell is bad."""
    from app.commands.directory import import_from

    raise typer.Exit(import_from(file, yes=yes, by=by))


@directory.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(help="workbook to be written, .xlsx")],
    unit: Annotated[
        str | None, typer.Option(metavar="CODE", help="this unit and all below it [all of them]")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="first day of the rosters [31 days back]")
    ] = None,
    by: By = "local",
) -> None:
    """Write a workbook that `import` takes back."""
    from app.commands.directory import export_to

    raise typer.Exit(export_to(file, unit, since, by))
