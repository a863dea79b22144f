"""The accounts of the demo: one for each role, each entered by a one-time link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import people
from app.accounts.models import Account
from app.accounts.permissions import Role

NAMES = {
    Role.DISPATCHER: "演示值班员",
    Role.SUPERVISOR: "演示督查员",
    Role.INSPECTOR: "演示检查员",
    Role.ADMINISTRATOR: "演示管理员",
    Role.SECURITY: "演示安全员",
    Role.AUDITOR: "演示审计员",
}


@dataclass(frozen=True, slots=True)
class Entrance:
    """A way into the demo."""

    role: Role
    name: str
    secret: str
    """Of the one-time link."""


async def entrances(session: AsyncSession) -> Sequence[Entrance]:
    """Make the accounts where they are missing; return a link for each that was not closed or locked meanwhile."""
    found = []
    for role, name in NAMES.items():
        login = f"demo-{role.value}"
        account = await session.scalar(select(Account).where(Account.login == login))
        if account is None:
            account = await people.create(session, login, name, frozenset({role}))
        if account.state == "closed" or account.locked_by is not None:
            continue
        secret = await people.make_link(session, "demo", account.id)
        found.append(Entrance(role, name, secret))
    return found
