"""The commands `dutyring evidence-bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

evidence_bundle = typer.Typer(
    help="Evidence bundles (证据包): a ZIP of all there is of a check, which anybody can verify offline.",
    no_args_is_help=False,
)


@evidence_bundle.command()
def make(
    check: Annotated[int, typer.Argument(help="number of the check")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="the ZIP to write; replaced if it is there")
    ],
    attempt: Annotated[int | None, typer.Option(metavar="ID", help="one call of it [all]")] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="who does it [local]")] = "local",
) -> None:
    """Write the bundle of a check; put on record."""
    from app.commands.bundle import make as run

    raise typer.Exit(run(check, out, attempt, by))


@evidence_bundle.command()
def check(
    file: Annotated[Path, typer.Argument(help="a bundle")],
    key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="the office's public key, as you have it")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Verify a bundle without database or service; exit status 1 and a line for each thing that does not hold."""
    from app.commands.bundle import check as run

    raise typer.Exit(run(file, key, as_json=as_json))
