"""How `dutyring backup`, `dutyring restore` and `dutyring doctor` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
WithoutRecordings = Annotated[bool, typer.Option("--without-recordings", help="leave the sounds out")]


def backup(
    target: Annotated[Path, typer.Argument(help="a new file NAME.tar, or a folder that keeps many backups")],
    without_recordings: WithoutRecordings = False,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="put the keys inside, unencrypted as all of it")
    ] = False,
    as_json: Json = False,
) -> None:
    """Back up database, recordings and files while the service runs, and check what was written."""
    from app.commands.backup import backup as run

    raise typer.Exit(
        run(target, with_recordings=not without_recordings, with_keys=with_keys, as_json=as_json)
    )


def restore(
    source: Annotated[Path, typer.Argument(help="a backup, or a folder of them")],
    name: Annotated[
        str | None, typer.Option("--set", metavar="NAME", help="which one of a folder [the newest]")
    ] = None,
    without_recordings: WithoutRecordings = False,
    as_json: Json = False,
) -> None:
    """Put a backup into an empty data folder and an empty database; nothing is ever overwritten."""
    from app.commands.backup import put_back

    raise typer.Exit(put_back(source, name, with_recordings=not without_recordings, as_json=as_json))


def doctor(
    offline: Annotated[
        bool, typer.Option("--offline", help="ask nothing over the network: no trunk, no time server")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at everything that the service needs on this machine, and say what to do; exit status 1 where it fails."""
    from app.commands.doctor import run

    raise typer.Exit(run(offline=offline, as_json=as_json))
