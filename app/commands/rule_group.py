"""How the commands `dutyring rules` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

rules = typer.Typer(
    help="Rule sets: clauses that findings rest on, and which of them are in force by which local document.",
    no_args_is_help=False,
)

Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
Set = Annotated[str, typer.Argument(metavar="SET", help="key of a set, or 12 signs or more of its SHA-256")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="rule set as TOML")]
OwnFile = Annotated[
    Path | None,
    typer.Option("--own", metavar="FILE", help="points, caps, bands and limits of your own, as TOML"),
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="who does it, for the audit trail")]


@rules.command("list")
def list_sets(as_json: Json = False) -> None:
    """Print the rule sets, shipped and added, and which one is in force."""
    from app.commands.rules import show_all

    raise typer.Exit(show_all(as_json=as_json))


@rules.command()
def show(set: Set, as_json: Json = False) -> None:
    """One set: its clauses with their exact words, whom they bind and what they support."""
    from app.commands.rules import show as run

    raise typer.Exit(run(set, as_json=as_json))


@rules.command()
def check(file: File) -> None:
    """Say whether a file holds a rule set; exit status 1 and a line for each thing that is wrong if not."""
    from app.commands.rules import check as run

    raise typer.Exit(run(file))


@rules.command()
def add(file: File, by: By = "local") -> None:
    """Store a rule set; what was stored already stays the one it is."""
    from app.commands.rules import add as run

    raise typer.Exit(run(file, by))


@rules.command()
def activate(
    set: Set,
    document: Annotated[
        str, typer.Option(metavar="TEXT", help="local document (本单位依据文件) by which the rules hold")
    ] = "",
    own: OwnFile = None,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="a moment to come, e.g. 2027-01-01T00:00 [now]")
    ] = "",
    by: By = "local",
) -> None:
    """Put a set in force."""
    from app.commands.rules import activate as run

    raise typer.Exit(run(set, document, own, start, by))


@rules.command()
def history(as_json: Json = False) -> None:
    """Print what was put in force when, by whom and by which document."""
    from app.commands.rules import history as run

    raise typer.Exit(run(as_json=as_json))


@rules.command()
def compare(
    set: Set,
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="first day of the orders")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="last day of the orders")] = "",
    unit: Annotated[str, typer.Option(metavar="CODE", help="a unit and all below it [all units]")] = "",
    own: OwnFile = None,
    as_json: Json = False,
    by: By = "local",
) -> None:
    """Judge the closed orders of a period by another set, to compare; no case is touched."""
    from app.commands.rules_compare import compare as run

    raise typer.Exit(run(set, (first, last), unit, own, as_json=as_json, by=by))


@rules.command("trunk-music")
def trunk_music(
    correct: Annotated[
        bool, typer.Option("--correct", help="judge them anew and revoke the cases that nobody has confirmed")
    ] = False,
    as_json: Json = False,
    by: By = "local",
) -> None:
    """Print the orders whose 彩铃 turned out to be our own trunk's music; exit status 1 while there are any."""
    from app.commands.rules_compare import trunk_music as run

    raise typer.Exit(run(correct=correct, as_json=as_json, by=by))
