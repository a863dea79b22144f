"""How the commands `dutyring audit` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

audit = typer.Typer(help="The audit trail (审计): whether it holds, and its export.", no_args_is_help=False)

Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
Heads = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="a signed head that was kept elsewhere; repeatable"),
]


@audit.command()
def verify(
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="an export to check, without a database [the trail]")
    ] = None,
    head: Heads = None,
    as_json: Json = False,
) -> None:
    """Find any line that was changed, removed or slipped in; exit status 1 and a line for each."""
    from app.commands.audit import verify as run

    raise typer.Exit(run(file, head or [], as_json=as_json))


@audit.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="where it is written; a new file")],
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY|TIME", help="from here on [the beginning]")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", metavar="DAY|TIME", help="up to the end of this day, or before this time [now]"),
    ] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="who does it, for the audit trail")] = "local",
) -> None:
    """Write the trail with its chain as JSON lines; the export is a line of the trail itself."""
    from app.commands.audit import export as run

    raise typer.Exit(run(file, first, last, by))


@audit.command()
def head(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write it there [standard output]")] = None,
) -> None:
    """The chain's signed head, for somebody who keeps it elsewhere."""
    from app.commands.audit import head as run

    raise typer.Exit(run(out))
