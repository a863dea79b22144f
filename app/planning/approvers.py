"""Who may approve a call at night."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import Account, AccountGrant
from app.accounts.permissions import Permission, Role, carried_by


async def approvers(session: AsyncSession, but: str) -> Sequence[str]:
    """Names of those with an account that may approve calls at night, who asks left out."""
    query = (
        select(Account.name, AccountGrant.roles)
        .join(AccountGrant, AccountGrant.account_id == Account.id)
        .where(Account.state == "active", AccountGrant.state == "in_force", Account.name != but)
        .order_by(Account.name)
    )
    return [
        row.name
        for row in await session.execute(query)
        if Permission.PLANS_APPROVE in carried_by(Role(role) for role in row.roles)
    ]
