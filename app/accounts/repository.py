"""All queries about accounts, what was granted, their links and tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.models import Account, AccountGrant, ApiToken, OneTimeLink
from app.accounts.permissions import Role
from app.directory.models import Unit

APPROVABLE = ("invitation", "reset")
"""Kinds of links that one officer makes and another approves."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An account with what was granted to it and what was asked for it."""

    account: Account
    granted: AccountGrant | None
    asked: AccountGrant | None
    link: OneTimeLink | None
    """An open link that a security officer has yet to approve."""

    @property
    def locked(self) -> bool:
        """Whether it is locked now, by somebody or by wrong passwords."""
        until = self.account.locked_until
        return self.account.locked_by is not None or (until is not None and clock.now() < until)

    @property
    def waits(self) -> bool:
        """Whether a security officer has something to decide."""
        return self.asked is not None or self.link is not None


@dataclass(frozen=True, slots=True)
class Sought:
    """Which accounts are looked for."""

    q: str = ""
    """Part of login or name."""
    state: str = ""
    """`invited`, `active`, `closed`, `waiting` (for a decision) or empty."""


async def account(session: AsyncSession, account_id: int) -> Account | None:
    """One account, locked against changes by others until the unit of work ends."""
    query = select(Account).where(Account.id == account_id)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def listed(session: AsyncSession, sought: Sought, after: str | None, limit: int) -> Sequence[Listed]:
    """Accounts by login, after that one."""
    query = select(Account).order_by(Account.login).limit(limit)
    if sought.q:
        query = query.where(
            or_(
                Account.login.contains(sought.q.lower(), autoescape=True),
                Account.name.contains(sought.q, autoescape=True),
            )
        )
    if sought.state == "waiting":
        asked = select(AccountGrant.account_id).where(AccountGrant.state == "asked")
        query = query.where(or_(Account.id.in_(asked), Account.id.in_(_waiting_links())))
        query = query.where(Account.state != "closed")
    elif sought.state:
        query = query.where(Account.state == sought.state)
    if after is not None:
        query = query.where(Account.login > after)
    return await _with_grants(session, (await session.scalars(query)).all())


def _waiting_links() -> Select[int | None]:
    return select(OneTimeLink.account_id).where(*_open_and_unapproved())


def _open_and_unapproved() -> tuple[ColumnElement[bool], ...]:
    return (
        OneTimeLink.needs_approval.is_(True),
        OneTimeLink.approved_at.is_(None),
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > clock.now(),
    )


async def one_listed(session: AsyncSession, account_id: int) -> Listed | None:
    """One account with its grants."""
    found = await session.get(Account, account_id)
    return None if found is None else (await _with_grants(session, [found]))[0]


async def _with_grants(session: AsyncSession, accounts: Sequence[Account]) -> Sequence[Listed]:
    ids = [found.id for found in accounts]
    grants = await session.scalars(
        select(AccountGrant).where(
            AccountGrant.account_id.in_(ids), AccountGrant.state.in_(("asked", "in_force"))
        )
    )
    by_state: dict[tuple[int, str], AccountGrant] = {(row.account_id, row.state): row for row in grants}
    rows = await session.scalars(
        select(OneTimeLink).where(OneTimeLink.account_id.in_(ids), *_open_and_unapproved())
    )
    links = {row.account_id: row for row in rows}
    return [
        Listed(
            found,
            by_state.get((found.id, "in_force")),
            by_state.get((found.id, "asked")),
            links.get(found.id),
        )
        for found in accounts
    ]


async def grants_of(session: AsyncSession, account_id: int) -> Sequence[AccountGrant]:
    """Everything that was ever asked for an account, newest first."""
    query = select(AccountGrant).where(AccountGrant.account_id == account_id)
    return (await session.scalars(query.order_by(AccountGrant.id.desc()))).all()


async def grant(session: AsyncSession, account_id: int, state: str) -> AccountGrant | None:
    """The grant of an account that is in this state, `asked` or `in_force`."""
    query = select(AccountGrant).where(AccountGrant.account_id == account_id, AccountGrant.state == state)
    return await session.scalar(query.with_for_update())


async def holders(session: AsyncSession, role: Role, states: Collection[str]) -> Sequence[Account]:
    """Who holds a role by a grant in force: accounts in these states that nobody has locked.

    Their rows stay locked until the unit of work ends, so that two do not end each other's account at one moment.
    """
    query = (
        select(Account, AccountGrant)
        .join(AccountGrant, AccountGrant.account_id == Account.id)
        .where(AccountGrant.state == "in_force", Account.state.in_(states), Account.locked_by.is_(None))
        .order_by(Account.id)
        .with_for_update()
    )
    return [found for found, granted in await session.execute(query) if role in granted.roles]


async def waiting(session: AsyncSession) -> int:
    """How many accounts wait for a security officer."""
    asked = select(AccountGrant.account_id).where(AccountGrant.state == "asked")
    query = select(func.count(Account.id)).where(
        Account.state != "closed", or_(Account.id.in_(asked), Account.id.in_(_waiting_links()))
    )
    return await session.scalar(query) or 0


async def open_link(session: AsyncSession, account_id: int) -> OneTimeLink | None:
    """The link of an account that waits for a security officer."""
    query = select(OneTimeLink).where(
        OneTimeLink.account_id == account_id,
        OneTimeLink.kind.in_(APPROVABLE),
        *_open_and_unapproved(),
    )
    return await session.scalar(query.order_by(OneTimeLink.id.desc()).limit(1).with_for_update())


async def units(session: AsyncSession, codes: Collection[str]) -> Mapping[str, int]:
    """The keys of units by code."""
    rows = await session.execute(select(Unit.code, Unit.id).where(Unit.code.in_(codes)))
    return {str(code): int(key) for code, key in rows}


async def unit_names(session: AsyncSession, ids: Collection[int]) -> Mapping[int, str]:
    """Code and name of units, by key."""
    rows = await session.execute(select(Unit.id, Unit.code, Unit.name).where(Unit.id.in_(ids)))
    return {key: f"{name}（{code}）" for key, code, name in rows}


async def first_units(session: AsyncSession, limit: int) -> Sequence[tuple[str, str]]:
    """Code and name of the units nearest to the root, to choose from."""
    query = select(Unit.code, Unit.name).order_by(func.length(Unit.path), Unit.code).limit(limit)
    return [(code, name) for code, name in await session.execute(query)]


async def tokens_of(session: AsyncSession, account_id: int) -> Sequence[ApiToken]:
    """The tokens of an account, newest first."""
    query = select(ApiToken).where(ApiToken.account_id == account_id)
    return (await session.scalars(query.order_by(ApiToken.id.desc()).limit(200))).all()


async def unit_codes(session: AsyncSession, ids: Collection[int]) -> Sequence[str]:
    """The codes of units, in order."""
    return (await session.scalars(select(Unit.code).where(Unit.id.in_(ids)).order_by(Unit.code))).all()
