"""Somebody who is signed in, for measurements: every role at once, for every unit or for a part of the tree."""

from __future__ import annotations

from app.accounts import people, sessions
from app.accounts.gate import cookie_name
from app.accounts.permissions import Role
from app.database import Database
from app.settings import Settings


async def signed_in(database: Database, settings: Settings, unit: int | None) -> str:
    """Begin a session; return what stands in the header `Cookie`. `unit`: head of the part; None: every unit."""
    login, name = ("bench", "测量") if unit is None else (f"bench-{unit}", f"测量 {unit}")
    async with database.unit_of_work() as session:
        account = await people.by_login(session, login)
        if account is None:
            account = await people.create(session, login, name, list(Role), None if unit is None else [unit])
        account.state = "active"
        secret = await sessions.begin(session, settings, account, "127.0.0.1", "bench")
    return f"{cookie_name(settings)}={secret}"
