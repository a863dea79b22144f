"""Accounts as they are made, their passwords, and one-time links. Verbs never commit."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as chance
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import passwords, secrets
from app.accounts import service as audit
from app.accounts.models import Account, AccountGrant, OneTimeLink
from app.accounts.passwords import KEPT
from app.accounts.permissions import Role
from app.errors import BadInputError, ConflictError, Fault

LINK_HOURS = {"first": 24.0, "invitation": 72.0, "reset": 24.0, "expired": 0.25, "demo": 24.0}
CODE_DIGITS = 8
MOST_WRONG_CODES = 5
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
_RESERVED = frozenset({audit.LOCAL, "-", "demo"})


def named(login: str, name: str) -> tuple[str, str]:
    """Return login and name as they are kept. Raises `BadInputError`, which names the field."""
    login, name = login.strip().lower(), " ".join(name.split())
    wrong = []
    if not _LOGIN.fullmatch(login):
        wrong.append(
            Fault("login", "登录名须为 2 至 40 位小写字母、数字、点、横线或下划线，以字母或数字开头")
        )
    if not 1 <= len(name) <= 80 or not name.isprintable() or name.casefold() in _RESERVED:
        wrong.append(Fault("name", "请填写真实姓名，1 至 80 字"))
    if wrong:
        raise BadInputError(wrong[0].message, wrong)
    return login, name


async def any_account(session: AsyncSession) -> bool:
    """Whether anybody has taken up an account, with a password to come in by; those of the demo have none."""
    return bool(await session.scalar(select(func.count()).where(Account.password_hash.is_not(None))))


async def by_login(session: AsyncSession, login: str) -> Account | None:
    """Return the account of a login, in any state."""
    if not login.isprintable():
        return None  # No database stores it.
    return await session.scalar(select(Account).where(Account.login == login.strip().lower()))


async def create(
    session: AsyncSession,
    login: str,
    name: str,
    roles: Collection[Role],
    unit_ids: list[int] | None = None,
    who: str = audit.LOCAL,
) -> Account:
    """Create an account whose grant is in force. Raises `BadInputError` and `ConflictError`, which name the field."""
    account = await enter(session, login, name, who)
    now = clock.now()
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
    await audit.record(session, "account.create", f"account:{account.id}", ", ".join(sorted(roles)), who)
    return account


async def enter(session: AsyncSession, login: str, name: str, who: str) -> Account:
    """Enter an account without any role. Raises `BadInputError` and `ConflictError`, which name the field."""
    login, name = named(login, name)
    wrong = []
    if await by_login(session, login):
        wrong.append(Fault("login", "这个登录名已有人用"))
    if await session.scalar(select(Account.id).where(Account.name == name)):
        wrong.append(Fault("name", "已有同名账号：留痕以姓名为准，请加以区分，如“张伟（水利局）”"))
    if wrong:
        raise ConflictError(wrong[0].message, wrong)
    account = Account(login=login, name=name, created_at=clock.now(), created_by=who)
    try:
        async with session.begin_nested():
            session.add(account)
    except IntegrityError:
        raise ConflictError("登录名或姓名刚刚被别人用了", [Fault("login", "刚刚被别人用了")]) from None
    return account


def set_password(account: Account, password: str) -> None:
    """Give an account a password, which takes it up; hashes here and now, for tests and the command line."""
    take_password(account, passwords.HASHER.hash(password))


def take_password(account: Account, kept: str) -> None:
    """Give an account the password that was hashed, which takes it up."""
    if account.password_hash is not None:
        account.former_hashes = [account.password_hash, *account.former_hashes][: KEPT - 1]
    account.password_hash = kept
    account.password_changed_at = clock.now()
    account.state, account.failures, account.locked_until = "active", 0, None


async def make_link(
    session: AsyncSession,
    kind: str,
    account_id: int | None = None,
    who: str = audit.LOCAL,
    *,
    needs_approval: bool = False,
) -> str:
    """Make a one-time link; return its secret. Older ones of the kind and account stop working."""
    secret, now = secrets.new(), clock.now()
    await end_links(session, account_id, (kind,))
    session.add(
        OneTimeLink(
            kind=kind,
            digest=secrets.digest(secret),
            account_id=account_id,
            created_at=now,
            created_by=who,
            expires_at=now + timedelta(hours=LINK_HOURS[kind]),
            needs_approval=needs_approval,
        )
    )
    await session.flush()
    return secret


async def end_links(session: AsyncSession, account_id: int | None, kinds: Collection[str]) -> None:
    """Let the open links of an account stop working."""
    query = update(OneTimeLink).where(
        OneTimeLink.kind.in_(kinds),
        OneTimeLink.account_id.is_not_distinct_from(account_id),
        OneTimeLink.used_at.is_(None),
    )
    await session.execute(query.values(used_at=clock.now()))


async def link(session: AsyncSession, secret: str) -> OneTimeLink | None:
    """Return the link with this secret; None for one that was used, is over, or opens nothing (yet).

    An invitation opens when its grant is in force, any link of an officer's making when another officer approved it.
    """
    query = select(OneTimeLink).where(
        OneTimeLink.digest == secrets.digest(secret),
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > clock.now(),
    )
    found = await session.scalar(query.with_for_update())
    if found is None or (found.needs_approval and found.approved_at is None):
        return None
    if found.kind == "first":
        return None if await any_account(session) else found
    account = await session.get(Account, found.account_id)
    if account is None or account.state == "closed" or account.locked_by is not None:
        return None
    granted = select(AccountGrant.id).where(
        AccountGrant.account_id == account.id, AccountGrant.state == "in_force"
    )
    return found if await session.scalar(granted) else None


def give_code(found: OneTimeLink) -> str:
    """Make the code without which an approved link does not open."""
    code = "".join(chance.choice("0123456789") for _ in range(CODE_DIGITS))
    found.code_digest = _of_code(found, code)
    return code


def code_fits(found: OneTimeLink, code: str) -> bool:
    """Whether the code is that of the link; too many wrong ones end it."""
    if found.code_digest is None:
        return True
    typed = "".join(sign for sign in code if sign.isdigit())
    if hmac.compare_digest(found.code_digest, _of_code(found, typed)):
        return True
    found.wrong_codes += 1
    if found.wrong_codes >= MOST_WRONG_CODES:
        found.used_at = clock.now()
    return False


def _of_code(found: OneTimeLink, code: str) -> str:
    return hashlib.sha256(f"{found.digest}:{code}".encode()).hexdigest()
