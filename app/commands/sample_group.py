"""How the commands `dutyring samples` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

samples = typer.Typer(
    help="Recordings of announcements (提示音样本) that are recognised in calls once they were marked.",
    no_args_is_help=False,
)

Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
Number = Annotated[int, typer.Argument(metavar="ID", help="number of the sample, as `list` shows it")]
Channel = Annotated[str, typer.Option(metavar="left|right|mix", help="of a stereo file")]
By = Annotated[str, typer.Option(metavar="NAME", help="who does it, for the audit trail")]


@samples.command()
def add(
    file: Annotated[Path | None, typer.Argument(help="sound file that the announcement is in")] = None,
    meaning: Annotated[str, typer.Option(metavar="WORD", help="what it says, such as powered_off")] = "",
    label: Annotated[str, typer.Option(metavar="TEXT", help="name of the sample for people")] = "",
    attempt: Annotated[
        int | None, typer.Option(metavar="ID", help="the recording of this call of a check, in place of FILE")
    ] = None,
    start: Annotated[float | None, typer.Option("--from", metavar="S", help="where it begins")] = None,
    end: Annotated[float | None, typer.Option("--to", metavar="S", help="where it ends")] = None,
    channel: Channel = "right",
    mobile: Annotated[bool, typer.Option("--mobile", help="only a mobile network says this")] = False,
    trunk: Annotated[
        str | None, typer.Option(metavar="NAME", help="listen for it on this trunk alone [on every one]")
    ] = None,
    by: By = "local",
) -> None:
    """Mark a stretch of a recording; without --from and --to all of its sound."""
    from app.commands.samples import Stretch
    from app.commands.samples import add as run

    raise typer.Exit(run(Stretch(file, attempt, start, end, channel), meaning, label, mobile, trunk, by))


@samples.command("list")
def list_samples(
    removed: Annotated[bool, typer.Option("--removed", help="those that were removed too")] = False,
    as_json: Json = False,
) -> None:
    """Print the samples."""
    from app.commands.samples import show_all

    raise typer.Exit(show_all(removed=removed, as_json=as_json))


@samples.command()
def show(id: Number, as_json: Json = False) -> None:
    """One sample, where it came from and what was done to it."""
    from app.commands.samples import show as run

    raise typer.Exit(run(id, as_json))


@samples.command()
def remove(id: Number, by: By = "local") -> None:
    """Listen for a sample no more; its history stays."""
    from app.commands.samples import remove as run

    raise typer.Exit(run(id, by))


@samples.command("test")
def hear(
    file: Annotated[Path, typer.Argument(help="sound file to listen to")],
    channel: Channel = "right",
    as_json: Json = False,
) -> None:
    """Say which samples are heard in a sound file, and where; exit status 1 if none is."""
    from app.commands.samples import hear as run

    raise typer.Exit(run(file, channel, as_json))


@samples.command("export")
def export_samples(
    file: Annotated[Path, typer.Argument(help="JSON file to be written; it holds no sound")],
) -> None:
    """Write the samples into a file that another office can import."""
    from app.commands.samples import export_to

    raise typer.Exit(export_to(file))


@samples.command("import")
def import_samples(
    file: Annotated[Path, typer.Argument(help="JSON file that `export` wrote")],
    by: By = "local",
) -> None:
    """Take in the samples of another office; those that are known already are left out."""
    from app.commands.samples import import_from

    raise typer.Exit(import_from(file, by))
