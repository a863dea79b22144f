"""How the command `dutyring search` is typed."""

from __future__ import annotations

from typing import Annotated

import typer


def search(
    text: Annotated[
        str, typer.Argument(help="words, all of which must be said in the call; quotes hold words together")
    ],
    unit: Annotated[
        str | None, typer.Option(metavar="CODE", help="this unit and all below it [all of them]")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="MOMENT", help="calls from here on")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="MOMENT", help="calls before this")] = None,
    channel: Annotated[str | None, typer.Option(metavar="us|them", help="who said it [either]")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=200, help="calls that are printed")] = 20,
    by: Annotated[str, typer.Option(metavar="NAME", help="who does it, for the audit trail")] = "local",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Find calls by what was said in them, newest first; exit status 1 where there is none."""
    from app.commands.search import Narrowed, run

    raise typer.Exit(run(text, Narrowed(unit, since, until, channel), limit, by, as_json=as_json))
