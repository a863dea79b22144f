"""Who gets which account: asked for by an administrator, let into force by a security officer (三员分立).

Where duties are not kept apart what an administrator asks for is in force at once. Whoever sits at the command line of
the machine may do all of it. Verbs never commit: `undertaking` is their unit of work, in which a refusal leaves its
audit line too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import people, repository, sessions
from app.accounts import service as audit
from app.accounts.models import Account, AccountGrant
from app.accounts.permissions import APART, Permission, Role, apart
from app.accounts.principal import Principal, current
from app.database import Database
from app.errors import BadInputError, ConflictError, Fault, ForbiddenError, NotFoundError
from app.settings import Settings

MOST_HEADS = 50
"""Of the subtrees that one account is for."""
_LAST = {
    Role.ADMINISTRATOR: "这是最后一个系统管理员，先任命另一个",
    Role.SECURITY: "这是最后一个安全管理员，先任命另一个",
}


@dataclass(frozen=True, slots=True)
class Charge:
    """What an account is to be for."""

    roles: frozenset[Role]
    unit_ids: tuple[int, ...] | None = None
    """Heads of subtrees; None: every unit."""


@dataclass(frozen=True, slots=True)
class Invited:
    """An account that was made, and the way into it."""

    account: Account
    secret: str
    in_force: bool
    """Whether the link opens already."""


@asynccontextmanager
async def undertaking(database: Database, action: str, subject: str) -> AsyncIterator[AsyncSession]:
    """A unit of work; what is refused in it stands in the trail all the same."""
    try:
        async with database.unit_of_work() as session:
            yield session
    except (ForbiddenError, ConflictError) as error:
        async with database.unit_of_work() as session:
            await audit.record(session, action, subject, error.detail[:200], done=False)
        raise


def charge_of(settings: Settings, roles: Collection[Role], unit_ids: Collection[int] | None) -> Charge:
    """Return what an account is to be for. Raises `BadInputError` for roles that do not go together."""
    held = frozenset(roles)
    if not held:
        raise _bad("roles", "至少选一个角色")
    if settings.separate_duties and not apart(held):
        raise _bad(
            "roles", "三员分立：系统管理员、安全管理员、安全审计员须各用单独账号，不与其他角色同在一个账号"
        )
    if unit_ids is None:
        return Charge(held)
    heads = tuple(sorted(set(unit_ids)))
    if not heads or len(heads) > MOST_HEADS:
        raise _bad("units", f"管辖范围须为 1 至 {MOST_HEADS} 个单位；不填为全部单位")
    if held & APART:
        raise _bad("units", "系统管理员、安全管理员、安全审计员不分管辖范围")
    return Charge(held, heads)


async def invite(session: AsyncSession, settings: Settings, login: str, name: str, charge: Charge) -> Invited:
    """Make an account and its invitation. Raises `BadInputError` and `ConflictError`, which name the field."""
    who = _who()
    account = await people.enter(session, login, name, who)
    at_once = await _at_once(session, settings, charge)
    session.add(_grant(account, charge, who, at_once))
    secret = await people.make_link(session, "invitation", account.id, who, needs_approval=not at_once)
    await audit.record(session, "account.invite", _of(account), f"{account.name}: {_told(charge)}")
    if at_once:
        await audit.record(session, "account.in-force", _of(account), "alone: nobody else decides")
    return Invited(account, secret, at_once)


async def ask(session: AsyncSession, settings: Settings, account_id: int, charge: Charge) -> bool:
    """Ask for other roles or another scope; return whether they are in force at once.

    Raises `NotFoundError`, `ForbiddenError` for one's own account, `ConflictError` for one that is closed, and for the
    last of the officers.
    """
    who = _who()
    account = await _open_account(session, account_id)
    _not_oneself(account, "不能变更本人账号的角色和范围")
    before = await repository.grant(session, account_id, "asked")
    if before is not None:
        before.state, before.over_at = "over", clock.now()
    at_once = await _at_once(session, settings, charge)
    if at_once:
        await _put_in_force(session, settings, account, charge.roles)
    session.add(_grant(account, charge, who, at_once))
    await audit.record(session, "account.ask", _of(account), _told(charge))
    if at_once:
        await audit.record(session, "account.in-force", _of(account), "alone: nobody else decides")
    await session.flush()
    return at_once


async def approve(session: AsyncSession, settings: Settings, account_id: int) -> str | None:
    """Let what was asked for an account come into force, and let its link open.

    Returns the code without which the link does not open, None where no link waits. Whoever made the link does not
    know the code and whoever has the code does not know the link, so that neither alone can be that person.
    Raises `NotFoundError`, `ForbiddenError`, and `ConflictError` where nothing was asked.
    """
    account = await _to_decide(session, settings, account_id)
    grant = await repository.grant(session, account_id, "asked")
    link = await repository.open_link(session, account_id)
    if grant is None and link is None:
        raise ConflictError("没有待批的事项，可能刚刚已由别人办理")
    for asker in {grant.asked_by if grant else None, link.created_by if link else None} - {None}:
        if asker == _who() and current() is not None:
            raise ForbiddenError("不能审批本人提出的申请")
    now = clock.now()
    if grant is not None:
        await _put_in_force(session, settings, account, frozenset(Role(name) for name in grant.roles))
        grant.state, grant.decided_at, grant.decided_by = "in_force", now, _who()
        await audit.record(session, "account.approve", _of(account), ", ".join(grant.roles))
    if link is None:
        return None
    link.approved_at, link.approved_by = now, _who()
    await audit.record(session, "account.approve-link", _of(account), link.kind)
    return people.give_code(link)


async def refuse(session: AsyncSession, settings: Settings, account_id: int) -> None:
    """Refuse what was asked for an account; its waiting link stops working. Raises as `approve`."""
    account = await _to_decide(session, settings, account_id)
    grant = await repository.grant(session, account_id, "asked")
    link = await repository.open_link(session, account_id)
    if grant is None and link is None:
        raise ConflictError("没有待批的事项，可能刚刚已由别人办理")
    if grant is not None:
        grant.state, grant.decided_at, grant.decided_by = "refused", clock.now(), _who()
    if link is not None:
        link.used_at = clock.now()
    await audit.record(session, "account.refuse", _of(account), ", ".join(grant.roles) if grant else "link")


async def make_link(session: AsyncSession, settings: Settings, account_id: int) -> Invited:
    """Make a link by which the person sets a password: a new invitation, or one to set another password.

    Raises `NotFoundError`, `ForbiddenError` for one's own account, `ConflictError` for one that is closed.
    """
    account = await _open_account(session, account_id)
    _not_oneself(account, "本人修改口令请到“我的账号”")
    kind = "invitation" if account.state == "invited" else "reset"
    alone = current() is None or not settings.separate_duties or await _is_first_officer(session, account)
    secret = await people.make_link(session, kind, account.id, _who(), needs_approval=not alone)
    await audit.record(session, "account.link", _of(account), kind)
    return Invited(account, secret, alone)


async def lock(session: AsyncSession, settings: Settings, account_id: int) -> None:
    """Keep somebody out until they are unlocked; sessions end. Raises as `ask`."""
    account = await _open_account(session, account_id)
    _guards(settings)
    _not_oneself(account, "不能锁定本人账号")
    await _not_the_last(session, settings, account)
    account.locked_by = _who()
    await sessions.end_all(session, account.id, "locked")
    await audit.record(session, "account.lock", _of(account))


async def unlock(session: AsyncSession, settings: Settings, account_id: int) -> None:
    """Let somebody in again, whatever locked the account. Raises as `ask`."""
    account = await _open_account(session, account_id)
    _guards(settings)
    _not_oneself(account, "不能解锁本人账号")
    account.locked_by, account.locked_until, account.failures = None, None, 0
    await audit.record(session, "account.unlock", _of(account))


async def close(session: AsyncSession, settings: Settings, account_id: int) -> None:
    """Close an account for good: sessions, tokens and links end, its name stays on record. Raises as `ask`."""
    account = await _open_account(session, account_id)
    _not_oneself(account, "不能停用本人账号")
    await _not_the_last(session, settings, account)
    now = clock.now()
    for state in ("asked", "in_force"):
        grant = await repository.grant(session, account_id, state)
        if grant is not None:
            grant.state, grant.over_at = "over", now
    account.state, account.closed_at, account.password_hash, account.former_hashes = "closed", now, None, []
    await sessions.end_all(session, account.id, "account closed")
    await people.end_links(session, account.id, ("invitation", "reset", "expired", "demo"))
    for token in await repository.tokens_of(session, account.id):
        token.revoked_at = token.revoked_at or now
    await audit.record(session, "account.close", _of(account))


async def needs_officer(session: AsyncSession, settings: Settings) -> bool:
    """Whether nothing more comes into force until a security officer is appointed."""
    return settings.separate_duties and not await repository.holders(
        session, Role.SECURITY, ("invited", "active")
    )


async def _at_once(session: AsyncSession, settings: Settings, charge: Charge) -> bool:
    if current() is None or not settings.separate_duties:
        return True
    # Somebody has to be the first who decides.
    return charge.roles == {Role.SECURITY} and await needs_officer(session, settings)


async def _is_first_officer(session: AsyncSession, account: Account) -> bool:
    """Whether this is the first security officer, who has not taken up the account yet."""
    if account.state != "invited" or await repository.holders(session, Role.SECURITY, ("active",)):
        return False
    return account.id in {
        found.id for found in await repository.holders(session, Role.SECURITY, ("invited",))
    }


async def _put_in_force(
    session: AsyncSession, settings: Settings, account: Account, roles: frozenset[Role]
) -> None:
    """Let the grant before end; who is signed in signs in anew."""
    await _not_the_last(session, settings, account, roles)
    before = await repository.grant(session, account.id, "in_force")
    if before is not None:
        before.state, before.over_at = "over", clock.now()
    await sessions.end_all(session, account.id, "roles changed")
    await session.flush()


async def _not_the_last(
    session: AsyncSession, settings: Settings, account: Account, stays: Collection[Role] = ()
) -> None:
    needed = (Role.ADMINISTRATOR, Role.SECURITY) if settings.separate_duties else (Role.ADMINISTRATOR,)
    for role in needed:
        held = {found.id for found in await repository.holders(session, role, ("active",))}
        if role not in stays and held == {account.id}:
            raise ConflictError(_LAST[role])


async def _open_account(session: AsyncSession, account_id: int) -> Account:
    account = await repository.account(session, account_id)
    if account is None:
        raise NotFoundError(f"没有编号为 {account_id} 的账号")
    if account.state == "closed":
        raise ConflictError("账号已停用")
    return account


async def _to_decide(session: AsyncSession, settings: Settings, account_id: int) -> Account:
    _guards(settings)
    account = await _open_account(session, account_id)
    _not_oneself(account, "不能审批本人账号的事项")
    return account


def _guards(settings: Settings) -> None:
    """Raise `ForbiddenError` unless who asks decides on accounts: a security officer, where there are such."""
    asking = current()
    needed = Permission.ACCOUNTS_APPROVE if settings.separate_duties else Permission.ACCOUNTS_CHANGE
    if asking is not None and not (asking.may(needed) or asking.may(Permission.ACCOUNTS_APPROVE)):
        raise ForbiddenError("由安全管理员办理")


def may_guard(settings: Settings, asking: Principal | None) -> bool:
    """Whether somebody decides on accounts, for what a page offers."""
    needed = Permission.ACCOUNTS_APPROVE if settings.separate_duties else Permission.ACCOUNTS_CHANGE
    return asking is not None and (asking.may(needed) or asking.may(Permission.ACCOUNTS_APPROVE))


def _not_oneself(account: Account, reason: str) -> None:
    asking = current()
    if asking is not None and asking.account_id == account.id:
        raise ForbiddenError(reason)


def _grant(account: Account, charge: Charge, who: str, in_force: bool) -> AccountGrant:
    now = clock.now()
    return AccountGrant(
        account_id=account.id,
        state="in_force" if in_force else "asked",
        roles=sorted(charge.roles),
        unit_ids=None if charge.unit_ids is None else list(charge.unit_ids),
        asked_at=now,
        asked_by=who,
        decided_at=now if in_force else None,
        decided_by=who if in_force else None,
    )


def _who() -> str:
    asking = current()
    return audit.LOCAL if asking is None else asking.name


def _of(account: Account) -> str:
    return f"account:{account.id}"


def _told(charge: Charge) -> str:
    units = "all units" if charge.unit_ids is None else f"units {', '.join(map(str, charge.unit_ids))}"
    return f"{', '.join(sorted(charge.roles))}; {units}"


def _bad(where: str, reason: str) -> BadInputError:
    return BadInputError(reason, [Fault(where, reason)])


async def heads_of(session: AsyncSession, codes: Sequence[str]) -> list[int] | None:
    """The keys of the units with these codes; None for none. Raises `BadInputError`, which names those unknown."""
    wanted = [code.strip() for code in codes if code.strip()]
    if not wanted:
        return None
    found = await repository.units(session, [code for code in wanted if code.isprintable()])
    missing = [code for code in wanted if code not in found]
    if missing:
        raise _bad("units", f"没有代码为 {'、'.join(missing[:5])} 的单位")
    return [found[code] for code in wanted]
