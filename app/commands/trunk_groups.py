"""How the commands `dutyring trunks` and `dutyring numbers` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

trunks = typer.Typer(
    help="Our lines to the telephone network (中继): how they are, and those that were entered.",
    invoke_without_command=True,
    no_args_is_help=False,
)
numbers = typer.Typer(
    help="Numbers that are never dialled, allowed beside the directory, or answer keys.",
    no_args_is_help=False,
)

Name = Annotated[str, typer.Argument(help="name of the trunk")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
Kind = Annotated[str, typer.Argument(metavar="KIND", help="deny, allow or key (an answer key)")]


@trunks.callback()
def list_trunks(
    context: typer.Context,
    as_json: Json = False,
    check: Annotated[
        bool, typer.Option("--check", help="bring the trunks up here for a moment; needs no running service")
    ] = False,
    wait: Annotated[float, typer.Option(metavar="S", help="with --check: at most so many seconds")] = 15.0,
) -> None:
    """Our trunks and how they are; exit status 0 if every one is up without an alarm."""
    if context.invoked_subcommand is not None:
        return
    from app.commands.trunks import show_all

    raise typer.Exit(show_all(as_json=as_json, check=check, wait_s=wait))


@trunks.command()
def add(
    name: Name,
    host: Annotated[str, typer.Option(metavar="HOST", help="address or name of its SIP server")],
    transport: Annotated[str, typer.Option(metavar="udp|tcp|tls", help="how we reach it")] = "udp",
    user: Annotated[str | None, typer.Option(metavar="U", help="digest user name")] = None,
    password_env: Annotated[
        str | None, typer.Option(metavar="VAR", help="environment variable with the digest password")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="file with the digest password")
    ] = None,
    register: Annotated[bool, typer.Option("--register", help="the trunk registers")] = False,
    members: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="MEMBER=VALUE", help="any other member of a trunk, lists as JSON"),
    ] = None,
) -> None:
    """Enter a trunk."""
    from app.commands.trunks import add as run

    given = {
        "host": host,
        "transport": transport,
        "user": user,
        "password_env": password_env,
        "password_file": password_file,
        "registration": register or None,
    }
    raise typer.Exit(run(name, {k: v for k, v in given.items() if v is not None}, members or []))


@trunks.command()
def show(name: Name, as_json: Json = False) -> None:
    """One trunk: what is set, how it is, what happened to it."""
    from app.commands.trunks import show as run

    raise typer.Exit(run(name, as_json))


@trunks.command()
def remove(name: Name) -> None:
    """Take a trunk out that was entered; its history stays."""
    from app.commands.trunks import remove as run

    raise typer.Exit(run(name))


@trunks.command()
def enable(name: Name) -> None:
    """Let calls use a trunk that was entered."""
    from app.commands.trunks import enable as run

    raise typer.Exit(run(name, True))


@trunks.command()
def disable(name: Name) -> None:
    """Let no call use a trunk that was entered."""
    from app.commands.trunks import enable as run

    raise typer.Exit(run(name, False))


@numbers.command("list")
def list_numbers(
    reveal: Annotated[
        bool, typer.Option("--reveal", help="show answer keys in full; this is put on record")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the numbers that were entered; of answer keys the last two digits."""
    from app.commands.numbers import show

    raise typer.Exit(show(reveal=reveal, as_json=as_json))


@numbers.command("add")
def add_number(
    kind: Kind,
    number: Annotated[
        str | None, typer.Argument(help="the number; answer keys are asked for or read from standard input")
    ] = None,
    label: Annotated[str, typer.Option(metavar="TEXT", help="whose number it is")] = "",
) -> None:
    """Enter a number."""
    from app.commands.numbers import add as run

    raise typer.Exit(run(kind, number, label))


@numbers.command("remove")
def remove_number(
    kind: Kind,
    number: Annotated[
        str | None, typer.Argument(help="the number; answer keys are asked for or read from standard input")
    ] = None,
) -> None:
    """Take a number out."""
    from app.commands.numbers import remove as run

    raise typer.Exit(run(kind, number))
