"""How the commands `dutyring recordings` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

recordings = typer.Typer(
    help="Recordings (录音): whether they are what was recorded, and their repair.", no_args_is_help=False
)

Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


@recordings.command()
def verify(
    head: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="a signed head that was kept elsewhere; repeatable"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find anything that was changed, removed, exchanged or added; exit status 1 and a line for each."""
    from app.commands.recordings import verify as run

    raise typer.Exit(run(head or [], as_json=as_json))


@recordings.command()
def repair(as_json: Json = False) -> None:
    """Store what a dead process left, attach it to its call, adopt recordings of earlier versions."""
    from app.commands.recordings import repair as run

    raise typer.Exit(run(as_json=as_json))


@recordings.command()
def head(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write it there [standard output]")] = None,
) -> None:
    """The manifest's signed head, for somebody who keeps it elsewhere."""
    from app.commands.recordings import head as run

    raise typer.Exit(run(out))


@recordings.command("list")
def list_recordings(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="so many, newest first")] = 50,
    as_json: Json = False,
) -> None:
    """Print the recordings."""
    from app.commands.recordings import show

    raise typer.Exit(show(limit, as_json=as_json))
