"""Accounts: passwords, signing in, one-time links. Verbs never commit: the caller's unit of work does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import secrets
from app.accounts import service as audit
from app.accounts.models import Account, AccountGrant, OneTimeLink
from app.accounts.permissions import Role
from app.settings import Settings

HASHER = PasswordHash((Argon2Hasher(),))
_NOBODY = HASHER.hash("nobody has this one")
"""Checked where there is no such account, so that the time of the answer does not tell."""
LINK_HOURS = {"first": 24, "invitation": 72, "reset": 24, "demo": 24}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why somebody was not let in."""

    locked: bool = False


async def sign_in(session: AsyncSession, settings: Settings, login: str, password: str) -> Account | Refused:
    """Return the account of a login and password; count wrong ones, and lock after too many."""
    account = await session.scalar(select(Account).where(Account.login == login.strip().lower()))
    now = clock.now()
    if account is None or account.state != "active" or account.password_hash is None:
        HASHER.verify(password, _NOBODY)
        await audit.record(session, "sign-in", f"login:{login.strip()[:60]}", "unknown", "-", done=False)
        return Refused()
    subject = f"account:{account.id}"
    if account.locked_until is not None and now < account.locked_until:
        await audit.record(session, "sign-in", subject, "locked", account.name, done=False)
        return Refused(locked=True)
    if not HASHER.verify(password, account.password_hash):
        account.failures += 1
        if account.failures >= settings.sign_in_failures:
            account.failures, account.locked_until = 0, now + timedelta(minutes=settings.lock_minutes)
        await audit.record(session, "sign-in", subject, "wrong password", account.name, done=False)
        return Refused(locked=account.locked_until is not None and now < account.locked_until)
    account.failures, account.locked_until, account.last_signed_in_at = 0, None, now
    await audit.record(session, "sign-in", subject, "", account.name)
    return account


async def any_account(session: AsyncSession) -> bool:
    """Whether anybody ever took up an account."""
    return bool(await session.scalar(select(func.count()).where(Account.state != "invited")))


async def make_link(
    session: AsyncSession, kind: str, account_id: int | None = None, who: str = audit.LOCAL
) -> str:
    """Make a one-time link; return its secret. Older ones of the kind and account stop working."""
    secret, now = secrets.new(), clock.now()
    older = update(OneTimeLink).where(
        OneTimeLink.kind == kind, OneTimeLink.account_id.is_not_distinct_from(account_id)
    )
    await session.execute(older.where(OneTimeLink.used_at.is_(None)).values(used_at=now))
    session.add(
        OneTimeLink(
            kind=kind,
            digest=secrets.digest(secret),
            account_id=account_id,
            created_at=now,
            created_by=who,
            expires_at=now + timedelta(hours=LINK_HOURS[kind]),
        )
    )
    await session.flush()
    return secret


async def link(session: AsyncSession, secret: str) -> OneTimeLink | None:
    """Return the link with this secret, None for one that is used, over or was never made."""
    query = select(OneTimeLink).where(
        OneTimeLink.digest == secrets.digest(secret),
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > clock.now(),
    )
    return await session.scalar(query.with_for_update())


async def create(
    session: AsyncSession,
    login: str,
    name: str,
    roles: frozenset[Role],
    unit_ids: list[int] | None = None,
    who: str = audit.LOCAL,
) -> Account:
    """Create an account whose grant is in force, as the command line and the first link do."""
    now = clock.now()
    account = Account(login=login.strip().lower(), name=name.strip(), created_at=now, created_by=who)
    session.add(account)
    await session.flush()
    session.add(
        AccountGrant(
            account_id=account.id,
            state="in_force",
            roles=sorted(roles),
            unit_ids=unit_ids,
            asked_at=now,
            asked_by=who,
            decided_at=now,
            decided_by=who,
        )
    )
    await audit.record(session, "create account", f"account:{account.id}", ", ".join(sorted(roles)), who)
    return account


def set_password(account: Account, password: str) -> None:
    """Give an account a password, which takes it up."""
    if account.password_hash is not None:
        account.former_hashes = [account.password_hash, *account.former_hashes][:5]
    account.password_hash = HASHER.hash(password)
    account.password_changed_at = clock.now()
    account.state, account.failures, account.locked_until = "active", 0, None
