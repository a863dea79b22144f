"""How the commands `dutyring evidence` are typed."""

from __future__ import annotations

from typing import Annotated

import typer

evidence = typer.Typer(
    help="Recordings as evidence: holds (保留), removal before their time (提前删除), withdrawal (封存).",
    no_args_is_help=False,
)

Key = Annotated[int, typer.Argument(metavar="RECORDING", help="number of the recording")]
Reason = Annotated[str | None, typer.Option(metavar="WORDS", help="why; must be given")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="who does it [the login name]")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


@evidence.command()
def hold(recording: Key, reason: Reason = None, by: By = None, as_json: Json = False) -> None:
    """保留: keep a recording whatever its retention says, until the hold is lifted."""
    from app.commands import evidence as run

    raise typer.Exit(run.hold(recording, reason, by, as_json=as_json))


@evidence.command()
def lift(
    recording: Key,
    hold: Annotated[int, typer.Argument(metavar="HOLD", help="number of the hold")],
    reason: Reason = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """解除保留: lift a hold."""
    from app.commands import evidence as run

    raise typer.Exit(run.lift(recording, hold, reason, by, as_json=as_json))


@evidence.command()
def withdraw(recording: Key, reason: Reason = None, by: By = None, as_json: Json = False) -> None:
    """封存: take a recording and all words made of it out at once; its hash stays."""
    from app.commands import evidence as run

    raise typer.Exit(run.withdraw(recording, reason, by, as_json=as_json))


@evidence.command("request-removal")
def request_removal(recording: Key, reason: Reason = None, by: By = None, as_json: Json = False) -> None:
    """申请提前删除: ask for a recording to be deleted before its time; another person decides."""
    from app.commands import evidence as run

    raise typer.Exit(run.request_removal(recording, reason, by, as_json=as_json))


@evidence.command("decide-removal")
def decide_removal(
    recording: Key,
    removal: Annotated[int, typer.Argument(metavar="REMOVAL", help="number of the request")],
    approve: Annotated[
        bool | None, typer.Option("--approve/--refuse", help="delete it now, or leave it; one must be given")
    ] = None,
    reason: Reason = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """决定删除申请: approve or refuse what another person asked for."""
    from app.commands import evidence as run

    raise typer.Exit(run.decide_removal(recording, removal, approve, reason, by, as_json=as_json))


@evidence.command()
def due(as_json: Json = False) -> None:
    """Print the recordings whose time is over and that are still there, with what keeps each."""
    from app.commands import evidence as run

    raise typer.Exit(run.due(as_json=as_json))
