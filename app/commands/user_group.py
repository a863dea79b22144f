"""How the commands `dutyring user` are typed."""

from __future__ import annotations

from typing import Annotated

import typer

user = typer.Typer(
    help="Accounts, by whoever owns this machine: what is done here is in force at once.",
    no_args_is_help=False,
)

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="login name of the account")]
Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        metavar="ROLE",
        help="dispatcher, supervisor, inspector, administrator, security or auditor; repeatable",
    ),
]
Units = Annotated[
    list[str] | None,
    typer.Option("--unit", metavar="CODE", help="this unit and all below it; repeatable [all units]"),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="URL", help="address of the pages, for the link [that of the settings]"),
]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


@user.command()
def add(
    login: Login,
    name: Annotated[str, typer.Option(metavar="NAME", help="the person's name, as it goes on record")],
    role: Roles,
    unit: Units = None,
    address: Address = None,
    as_json: Json = False,
) -> None:
    """Make an account and print the one-time link by which its person sets a password."""
    from app.commands.user import add as run

    raise typer.Exit(run(login, name, role, unit or [], address, as_json=as_json))


@user.command("list")
def list_accounts(as_json: Json = False) -> None:
    """Print the accounts, by login."""
    from app.commands.user import show

    raise typer.Exit(show(as_json=as_json))


@user.command()
def link(login: Login, address: Address = None, as_json: Json = False) -> None:
    """Print a one-time link by which the person sets a password; older ones stop working."""
    from app.commands.user import link as run

    raise typer.Exit(run(login, address, as_json=as_json))


@user.command()
def lock(login: Login) -> None:
    """Keep somebody out until they are unlocked; their sessions end."""
    from app.commands.user import change

    raise typer.Exit(change(login, "lock"))


@user.command()
def unlock(login: Login) -> None:
    """Let somebody in again, whatever locked the account."""
    from app.commands.user import change

    raise typer.Exit(change(login, "unlock"))


@user.command()
def close(login: Login) -> None:
    """Close an account for good; its name stays on record."""
    from app.commands.user import change

    raise typer.Exit(change(login, "close"))


@user.command()
def role(login: Login, role: Roles, unit: Units = None) -> None:
    """Give an account other roles and another scope, in place of those it has."""
    from app.commands.user import give

    raise typer.Exit(give(login, role, unit or []))
