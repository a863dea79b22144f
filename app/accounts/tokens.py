"""Tokens by which a program acts for an account, within some of its permissions. Verbs never commit."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import repository, secrets
from app.accounts import service as audit
from app.accounts.models import ApiToken
from app.accounts.permissions import Permission
from app.accounts.principal import Principal
from app.errors import BadInputError, ConflictError, Fault, ForbiddenError, NotFoundError

MOST_DAYS = 365
MOST_TOKENS = 20
"""Of one account at one time."""
PREFIX = "dutyring_"
"""By which a scanner finds a token that was left in a file."""


def holds(token: ApiToken) -> bool:
    """Whether a token can be used now."""
    return token.revoked_at is None and clock.now() < token.expires_at


async def make(
    session: AsyncSession, asking: Principal, name: str, permissions: Collection[Permission], days: int
) -> tuple[ApiToken, str]:
    """Make a token; return it with its secret, which is kept nowhere.

    Raises `BadInputError`, which names the field; `ForbiddenError` for a token that asks for another one;
    `ConflictError` when there are too many.
    """
    account = await repository.account(session, asking.account_id)
    if asking.token_id is not None or account is None:
        raise ForbiddenError("令牌只能由本人登录后创建")
    name, wanted = " ".join(name.split()), frozenset(permissions) - {Permission.SIGNED_IN}
    _check(asking, name, wanted, days)
    present = [token for token in await repository.tokens_of(session, account.id) if holds(token)]
    if len(present) >= MOST_TOKENS:
        raise ConflictError(f"已有 {MOST_TOKENS} 个有效令牌，请先撤销不用的")
    if any(token.name == name for token in present):
        raise ConflictError("已有同名的有效令牌", [Fault("name", "已有同名的有效令牌")])
    secret, now = PREFIX + secrets.new(), clock.now()
    token = ApiToken(
        account_id=account.id,
        name=name,
        digest=secrets.digest(secret),
        permissions=sorted(wanted),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(token)
    await session.flush()
    detail = f"{name}: {', '.join(sorted(wanted))}; {days} days"
    await audit.record(session, "token.make", f"token:{token.id}", detail)
    return token, secret


def _check(asking: Principal, name: str, wanted: frozenset[Permission], days: int) -> None:
    wrong = []
    if not 1 <= len(name) <= 80 or not name.isprintable():
        wrong.append(Fault("name", "请写明用途，1 至 80 字"))
    if not wanted:
        wrong.append(Fault("permissions", "至少选一项权限"))
    if not wanted <= asking.permissions:
        wrong.append(Fault("permissions", "不能超出本人的权限"))
    if not 1 <= days <= MOST_DAYS:
        wrong.append(Fault("days", f"有效期为 1 至 {MOST_DAYS} 天"))
    if wrong:
        raise BadInputError(wrong[0].message, wrong)


async def revoke(session: AsyncSession, asking: Principal, token_id: int) -> ApiToken:
    """Let one of one's tokens end.

    Raises `NotFoundError` for somebody else's, `ForbiddenError` for a token that would end another one.
    """
    token = await session.get(ApiToken, token_id)
    if token is None or token.account_id != asking.account_id:
        raise NotFoundError(f"没有编号为 {token_id} 的令牌")
    if asking.token_id not in (None, token_id):
        raise ForbiddenError("令牌只能撤销自己")
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        await audit.record(session, "token.revoke", f"token:{token.id}", token.name)
    return token
