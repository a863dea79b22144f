"""People with accounts, for tests of the doors and of pages as one role sees them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select

from app.accounts import people, secrets, sessions
from app.accounts.gate import COOKIE, CSRF_HEADER
from app.accounts.models import Account, Session
from app.accounts.permissions import ROLE_ZH, Role
from app.database import Database
from app.settings import Settings

PASSWORD = "a long enough password 1"
CHEAPLY = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
"""Takes a hundredth of the time of the product's: with it the tests hash (tests/web/conftest.py)."""
CHEAP = CHEAPLY.hash(PASSWORD)
"""What is kept of it."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody with a session."""

    account_id: int
    cookie: str
    csrf: str

    @property
    def headers(self) -> Mapping[str, str]:
        """What a browser of theirs sends with a request that changes something."""
        return {"Cookie": f"{COOKIE}={self.cookie}", CSRF_HEADER: self.csrf}


async def account(
    database: Database,
    *roles: Role,
    unit_ids: list[int] | None = None,
    name: str = "",
    password: str = "",
    kept: str = "",
) -> Account:
    """Make an account with these roles, active, with the password that is given, if any.

    `kept` is what is kept of a password, such as `CHEAP`.
    """
    name = name or "、".join(ROLE_ZH[role] for role in roles) + (str(unit_ids) if unit_ids else "")
    async with database.unit_of_work() as session:
        found = await session.scalar(select(Account).where(Account.name == name))
        if found is None:
            login = "-".join(roles) + ("-" + "-".join(map(str, unit_ids)) if unit_ids else "")
            if await people.by_login(session, login[:40]):
                login = f"{login[:31]}-{zlib.crc32(name.encode()):08x}"
            found = await people.create(session, login[:40], name, frozenset(roles), unit_ids)
        if password:
            people.set_password(found, password)
        if kept:
            people.take_password(found, kept)
        found.state = "active"
    return found


async def signed_in(
    database: Database, settings: Settings, *roles: Role, unit_ids: list[int] | None = None, name: str = ""
) -> SignedIn:
    """Somebody with these roles who has signed in; the service must have its own doorkeeper (`own_doors`)."""
    who = await account(database, *roles, unit_ids=unit_ids, name=name)
    async with database.unit_of_work() as session:
        secret = await sessions.begin(session, settings, who, "127.0.0.1", "test")
        row = (await session.scalars(select(Session).where(Session.digest == secrets.digest(secret)))).one()
        return SignedIn(who.id, secret, secrets.csrf_token(row.csrf_secret))
