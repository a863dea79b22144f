"""`dutyring user`: accounts, by whoever owns the machine. No password passes by here: a one-time link is printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import appointing, people, repository
from app.accounts.models import Account
from app.accounts.permissions import Role
from app.accounts.repository import Listed, Sought
from app.database import Database, upgrade
from app.errors import OfficeError
from app.settings import Settings, get_settings

SCHEMA = "dutyring.users/1"
LINK_SCHEMA = "dutyring.user-link/1"
MOST_ROWS = 10_000
_OPTIONS = {"login": "'LOGIN'", "name": "'--name'", "roles": "'--role'", "units": "'--unit'"}
_ENGLISH = {
    "这个登录名已有人用": "this login is taken",
    "账号已停用": "the account is closed",
    "这是最后一个系统管理员，先任命另一个": "it is the last administrator; appoint another one first",
    "这是最后一个安全管理员，先任命另一个": "it is the last security officer; appoint another one first",
}
_BY_FIELD = {
    "login": "takes 2 to 40 small letters, digits, `.`, `-` or `_`, and begins with a letter or digit",
    "name": "takes a person's name of 1 to 80 signs that no other account has",
    "roles": "administrator, security and auditor are accounts of their own (DUTYRING_SEPARATE_DUTIES)",
    "units": "takes codes of units that there are, and none for administrator, security and auditor",
}
T = TypeVar("T")


def add(
    login: str, name: str, roles: Sequence[str], units: Sequence[str], address: str | None, *, as_json: bool
) -> int:
    """Make an account; return the exit status."""
    settings, held = get_settings(), _roles(roles)

    async def work(session: AsyncSession) -> appointing.Invited:
        charge = appointing.charge_of(settings, held, await appointing.heads_of(session, units))
        return await appointing.invite(session, settings, login, name, charge)

    made = _in_records(settings, work)
    _tell_link(settings, made, address, as_json=as_json)
    return 0


def link(login: str, address: str | None, *, as_json: bool) -> int:
    """Print a one-time link; return the exit status."""
    settings = get_settings()

    async def work(session: AsyncSession) -> appointing.Invited:
        account = await _account(session, login)
        return await appointing.make_link(session, settings, account.id)

    _tell_link(settings, _in_records(settings, work), address, as_json=as_json)
    return 0


def change(login: str, what: str) -> int:
    """Lock, unlock or close an account; return the exit status."""
    settings = get_settings()
    verbs = {"lock": appointing.lock, "unlock": appointing.unlock, "close": appointing.close}

    async def work(session: AsyncSession) -> Account:
        account = await _account(session, login)
        await verbs[what](session, settings, account.id)
        return account

    account = _in_records(settings, work)
    words = {"lock": "locked", "unlock": "unlocked", "close": "closed"}
    print(f"{account.login}: {words[what]}")  # noqa: T201
    return 0


def give(login: str, roles: Sequence[str], units: Sequence[str]) -> int:
    """Give an account other roles; return the exit status."""
    settings, held = get_settings(), _roles(roles)

    async def work(session: AsyncSession) -> Account:
        account = await _account(session, login)
        charge = appointing.charge_of(settings, held, await appointing.heads_of(session, units))
        await appointing.ask(session, settings, account.id, charge)
        return account

    account = _in_records(settings, work)
    print(f"{account.login}: {', '.join(sorted(held))}")  # noqa: T201
    return 0


def show(*, as_json: bool) -> int:
    """Print the accounts; return the exit status."""
    settings = get_settings()

    async def work(session: AsyncSession) -> tuple[Sequence[Listed], dict[int, str]]:
        found = await repository.listed(session, Sought(), None, MOST_ROWS)
        ids = {key for item in found if item.granted for key in item.granted.unit_ids or ()}
        return found, dict(await repository.unit_names(session, ids))

    found, names = _in_records(settings, work)
    rows = [_row(item, names) for item in found]
    if as_json:
        print(json.dumps({"schema": SCHEMA, "users": rows}, ensure_ascii=False))  # noqa: T201
        return 0
    table = Table("login", "name", "state", "roles", "units", "last sign-in")
    for row in rows:
        state = row["state"] + (", locked" if row["locked"] else "")
        units = "all" if row["units"] is None else ", ".join(row["units"])
        last = row["last_signed_in_at"] and datetime.fromisoformat(row["last_signed_in_at"])
        last = last.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M") if last else ""
        # As Text: brackets of a name are no markup.
        cells = (row["login"], row["name"], state, ", ".join(row["roles"]), units, last)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table if rows else "no account yet: `dutyring serve` prints a link for the administrator")
    return 0


def _row(item: Listed, names: dict[int, str]) -> dict[str, Any]:
    account, granted = item.account, item.granted
    heads = granted.unit_ids if granted else []
    return {
        "login": account.login,
        "name": account.name,
        "state": account.state,
        "locked": item.locked,
        "roles": granted.roles if granted else [],
        "units": None if heads is None else [names.get(key, str(key)) for key in heads],
        "last_signed_in_at": account.last_signed_in_at.isoformat() if account.last_signed_in_at else None,
    }


async def _account(session: AsyncSession, login: str) -> Account:
    account = await people.by_login(session, login)
    if account is None:
        raise typer.BadParameter(f"there is no account {login[:60]!r}", param_hint="'LOGIN'")
    return account


def _roles(given: Sequence[str]) -> frozenset[Role]:
    unknown = [name for name in given if name not in set(Role)]
    if unknown:
        reason = f"there is no role {unknown[0][:60]!r}; it takes {', '.join(Role)}"
        raise typer.BadParameter(reason, param_hint="'--role'")
    return frozenset(Role(name) for name in given)


def _tell_link(settings: Settings, made: appointing.Invited, address: str | None, *, as_json: bool) -> None:
    base = (address or _address(settings)).rstrip("/")
    found = f"{base}/enter/{made.secret}"
    if as_json:
        content = {"schema": LINK_SCHEMA, "login": made.account.login, "link": found}
        print(json.dumps(content, ensure_ascii=False))  # noqa: T201
        return
    hours = people.LINK_HOURS["invitation" if made.account.state == "invited" else "reset"]
    print(f"{made.account.login}: the link works once, within {hours:g} hours\n{found}")  # noqa: T201


def _address(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _in_records(settings: Settings, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Do one unit of work in the database of the settings; a refusal is one line that names what is wrong."""

    async def run() -> T:
        async with (
            Database(settings.url) as database,
            appointing.undertaking(database, "user", "command line") as session,
        ):
            return await work(session)

    try:
        upgrade(settings)
        return asyncio.run(run())
    except OfficeError as error:
        where = error.faults[0].where if error.faults else "login"
        reason = _ENGLISH.get(error.detail) or _BY_FIELD.get(where) or error.detail
        raise typer.BadParameter(reason, param_hint=_OPTIONS.get(where, "'LOGIN'")) from None
    except (DatabaseError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise typer.BadParameter(
            f"the database cannot be opened: {reason}", param_hint="DUTYRING_DATA_DIR"
        ) from error
