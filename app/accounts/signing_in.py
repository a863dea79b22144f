"""Signing in with login and password.

Three steps, so that no row is held while argon2 works: who it would be; whether the password is right; what follows,
judged on the account as it is by then. Tries at one time are thereby counted one after the other. Whether the login
is unknown, the password wrong or the account locked, the answer and its time are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import passwords, people
from app.accounts import service as audit
from app.accounts.models import Account, Session
from app.accounts.throttle import SignInLimits, network_of
from app.database import Database
from app.settings import Settings

KNOWN_DAYS = 30
"""For how long an address where somebody signed in is one of theirs."""


@dataclass(frozen=True, slots=True)
class Try:
    """Somebody who would like to come in."""

    login: str
    password: str
    address: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody is not let in; for everything but haste the reason is told to nobody."""

    wait_s: float = 0.0
    """Seconds after which this address may try again; 0 where it may at once."""


@dataclass(frozen=True, slots=True)
class Let:
    """Somebody is let in."""

    account_id: int
    change_secret: str = ""
    """Of a one-time link by which the password must be changed first, for it is too old."""


async def sign_in(database: Database, settings: Settings, limits: SignInLimits, given: Try) -> Let | Refused:
    """Let somebody in by login and password, or not. Raises `UnavailableError` when too many try at one time."""
    place = network_of(given.address)
    if not limits.addresses.take(place):
        return Refused(limits.addresses.wait_s(place))
    async with database.reading() as session:
        account = await people.by_login(session, given.login)
    usable = account is not None and account.state == "active"
    kept = account.password_hash if account is not None and usable else None
    right = await passwords.fits(given.password, kept)
    async with database.unit_of_work() as session:
        if account is None or not usable:
            await _unknown(session, given)
            return Refused()
        query = select(Account).where(Account.id == account.id)
        # Read anew: others may have tried in the meantime, or the password is another one by now.
        fresh = await session.scalar(query.with_for_update().execution_options(populate_existing=True))
        assert fresh is not None
        found = await _judged(session, settings, limits, fresh, given, right and fresh.password_hash == kept)
    if isinstance(found, Let):
        limits.addresses.give_back(place)
    return found


async def _judged(
    session: AsyncSession,
    settings: Settings,
    limits: SignInLimits,
    account: Account,
    given: Try,
    right: bool,
) -> Let | Refused:
    subject, now = f"account:{account.id}", clock.now()
    if await _is_locked(session, limits, account, given.address):
        account.wrong_since += not right
        await _record(session, subject, "locked", account, given, done=False)
        return Refused()
    if not right:
        limits.places.take(_place(account, given.address))
        account.wrong_since += 1
        account.failures += 1
        detail = "wrong password"
        if account.failures >= settings.sign_in_failures:
            account.failures, account.locked_until = 0, now + timedelta(minutes=settings.lock_minutes)
            detail = "wrong password, locked"
        await _record(session, subject, detail, account, given, done=False)
        return Refused()
    account.failures = 0
    if account.locked_until is not None and account.locked_until <= now:
        account.locked_until = None
    if is_too_old(settings, account):
        secret = await people.make_link(session, "expired", account.id, account.name)
        await _record(session, subject, "password too old", account, given)
        return Let(account.id, secret)
    await _record(session, subject, "", account, given)
    return Let(account.id)


def is_too_old(settings: Settings, account: Account) -> bool:
    """Whether the password must be changed."""
    changed = account.password_changed_at
    return bool(
        settings.password_days
        and changed is not None
        and clock.now() >= changed + timedelta(days=settings.password_days)
    )


async def _is_locked(session: AsyncSession, limits: SignInLimits, account: Account, address: str) -> bool:
    if account.state != "active" or account.locked_by is not None:
        return True
    if account.locked_until is None or clock.now() >= account.locked_until:
        return False
    # Somebody who locks an account from elsewhere does not keep its person out at their own desk.
    known = select(Session.id).where(
        Session.account_id == account.id,
        Session.address == address[:64],
        Session.created_at > clock.now() - timedelta(days=KNOWN_DAYS),
    )
    if not address or not await session.scalar(known.limit(1)):
        return True
    return limits.places.wait_s(_place(account, address)) > 0


def _place(account: Account, address: str) -> str:
    return f"{account.id} {network_of(address)}"


async def _unknown(session: AsyncSession, given: Try) -> None:
    # What was typed may be a password in the wrong field: its beginning is enough to recognise a name by.
    begin = "".join(sign for sign in given.login.strip()[:2] if sign.isprintable())
    await audit.record(
        session, "sign-in", f"login:{begin}…", _from("unknown", given.address), "-", done=False
    )


async def _record(
    session: AsyncSession, subject: str, detail: str, account: Account, given: Try, *, done: bool = True
) -> None:
    await audit.record(session, "sign-in", subject, _from(detail, given.address), account.name, done=done)


def _from(detail: str, address: str) -> str:
    # Nobody asks yet as far as the trail knows: it would not write the address by itself.
    return "; ".join(part for part in (detail, f"from {address}" if address else "") if part)
