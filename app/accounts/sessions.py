"""Sessions of browsers and tokens of programs: begun, recognised, ended. Verbs never commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import secrets
from app.accounts.models import Account, AccountGrant, ApiToken, Session
from app.accounts.permissions import Permission, Role, carried_by
from app.accounts.principal import Principal, Scope
from app.directory.models import Unit
from app.settings import Settings

SEEN_EVERY = timedelta(seconds=60)
"""How exactly it is known when a session was used last: not every request writes."""


async def begin(session: AsyncSession, settings: Settings, account: Account, address: str, agent: str) -> str:
    """Begin a session; return the secret of its cookie, which is always a new one.

    It knows when the person was here before and how many wrong passwords came since, so that they can be told.
    """
    secret, now = secrets.new(), clock.now()
    row = Session(
        digest=secrets.digest(secret),
        account_id=account.id,
        csrf_secret=secrets.new(),
        created_at=now,
        seen_at=now,
        expires_at=now + timedelta(hours=settings.session_hours),
        address=address[:64],
        agent="".join(sign for sign in agent if sign.isprintable())[:200],
        before_at=account.last_signed_in_at,
        wrong_before=account.wrong_since,
    )
    account.last_signed_in_at, account.wrong_since = now, 0
    session.add(row)
    await session.flush()
    return secret


async def end(session: AsyncSession, session_id: int, reason: str) -> None:
    """End one session."""
    await session.execute(
        update(Session)
        .where(Session.id == session_id, Session.ended_at.is_(None))
        .values(ended_at=clock.now(), end_reason=reason)
    )


async def end_all(session: AsyncSession, account_id: int, reason: str, but: int | None = None) -> None:
    """End every session of an account, `but` one."""
    query = update(Session).where(Session.account_id == account_id, Session.ended_at.is_(None))
    if but is not None:
        query = query.where(Session.id != but)
    await session.execute(query.values(ended_at=clock.now(), end_reason=reason))


async def seen(session: AsyncSession, session_id: int) -> None:
    """Write down that a session was used."""
    await session.execute(update(Session).where(Session.id == session_id).values(seen_at=clock.now()))


async def used(session: AsyncSession, token_id: int) -> None:
    """Write down that a token was used."""
    await session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=clock.now()))


async def running(session: AsyncSession, settings: Settings, account_id: int) -> Sequence[Session]:
    """The sessions of an account that hold now, the one used last first."""
    now = clock.now()
    query = select(Session).where(
        Session.account_id == account_id,
        Session.ended_at.is_(None),
        Session.expires_at > now,
        Session.seen_at > now - timedelta(minutes=settings.session_idle_minutes),
    )
    return (await session.scalars(query.order_by(Session.seen_at.desc(), Session.id))).all()


async def of_cookie(
    session: AsyncSession, settings: Settings, secret: str, address: str
) -> tuple[Principal, datetime] | None:
    """Return who a cookie stands for, and when that session was last seen; None for none that holds."""
    query = (
        select(Session, Account)
        .join(Account, Account.id == Session.account_id)
        .where(
            Session.digest == secrets.digest(secret),
            Session.ended_at.is_(None),
            Account.state == "active",
            Account.locked_by.is_(None),
        )
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, account = found
    now = clock.now()
    if now >= row.expires_at or now >= row.seen_at + timedelta(minutes=settings.session_idle_minutes):
        return None
    granted = await _granted(session, account.id)
    if granted is None:
        return None
    roles, scope = granted
    principal = Principal(
        account.id,
        account.login,
        account.name,
        roles,
        carried_by(roles),
        scope,
        session_id=row.id,
        csrf_secret=row.csrf_secret,
        address=address,
    )
    return principal, row.seen_at


async def of_token(
    session: AsyncSession, secret: str, address: str
) -> tuple[Principal, datetime | None] | None:
    """Return who a token acts for, and when it was last used; None for one that does not hold."""
    query = (
        select(ApiToken, Account)
        .join(Account, Account.id == ApiToken.account_id)
        .where(
            ApiToken.digest == secrets.digest(secret),
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > clock.now(),
            Account.state == "active",
            Account.locked_by.is_(None),
        )
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    token, account = found
    granted = await _granted(session, account.id)
    if granted is None:
        return None
    roles, scope = granted
    given = frozenset(Permission(name) for name in token.permissions if name in set(Permission))
    # A token never does more than its account may at this moment.
    permissions = (given | {Permission.SIGNED_IN}) & carried_by(roles)
    principal = Principal(
        account.id, account.login, account.name, roles, permissions, scope, token_id=token.id, address=address
    )
    return principal, token.last_used_at


async def _granted(session: AsyncSession, account_id: int) -> tuple[frozenset[Role], Scope | None] | None:
    """Roles and scope of the grant in force; None where there is none."""
    query = select(AccountGrant).where(
        AccountGrant.account_id == account_id, AccountGrant.state == "in_force"
    )
    grant = (await session.scalars(query)).one_or_none()
    if grant is None:
        return None
    roles = frozenset(Role(name) for name in grant.roles)
    return roles, None if grant.unit_ids is None else Scope(tuple(await _paths(session, grant.unit_ids)))


async def _paths(session: AsyncSession, unit_ids: Sequence[int]) -> Sequence[str]:
    query = select(Unit.path).where(Unit.id.in_(unit_ids)).order_by(Unit.path)
    return (await session.scalars(query)).all()
