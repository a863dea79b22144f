"""Accounts and tokens over the API."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import appointing, repository, tokens
from app.accounts.appointing import undertaking
from app.accounts.principal import Principal, current
from app.accounts.repository import Sought
from app.accounts.schemas import (
    AccountOut,
    ApprovedOut,
    AskedOut,
    ChargeIn,
    InvitationIn,
    LinkOut,
    TokenIn,
    TokenMade,
    TokenOut,
)
from app.api.paging import After, Limit, Page, cut, pack
from app.api.text import Short
from app.directory.routing import PathKey, State, code_after
from app.errors import BadInputError, Fault, ForbiddenError, NotFoundError

router = APIRouter(prefix="/api/v1", tags=["accounts"])
AccountState = Literal["invited", "active", "closed", "waiting"]


@router.get("/accounts")
async def list_accounts(
    state: State,
    q: Annotated[Short, Query(description="Part of the login or the name")] = "",
    wanted: Annotated[AccountState | None, Query(alias="state")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[AccountOut]:
    """Accounts, by login; `waiting` are those with something for a security officer to decide."""
    async with state[0].reading() as session:
        found = await repository.listed(session, Sought(q, wanted or ""), code_after(after), limit + 1)
    page, last = cut(found, limit)
    return Page(items=[AccountOut.of(row) for row in page], next=pack(last.account.login) if last else None)


@router.post("/accounts", status_code=201)
async def invite(state: State, given: InvitationIn) -> LinkOut:
    """Invite a person; the link opens when a security officer has approved it."""
    database, settings = state
    charge = appointing.charge_of(settings, given.roles, given.unit_ids)
    async with undertaking(database, "account.invite", "accounts") as session:
        await _units_are_there(session, given.unit_ids)
        made = await appointing.invite(session, settings, given.login, given.name, charge)
        return _link(made)


@router.get("/accounts/{account_id}")
async def show_account(state: State, account_id: PathKey) -> AccountOut:
    """One account."""
    async with state[0].reading() as session:
        found = await repository.one_listed(session, account_id)
    if found is None:
        raise NotFoundError(f"没有编号为 {account_id} 的账号")
    return AccountOut.of(found)


@router.post("/accounts/{account_id}/charge")
async def ask(state: State, account_id: PathKey, given: ChargeIn) -> AskedOut:
    """Ask for other roles or another scope."""
    database, settings = state
    charge = appointing.charge_of(settings, given.roles, given.unit_ids)
    async with undertaking(database, "account.ask", f"account:{account_id}") as session:
        await _units_are_there(session, given.unit_ids)
        return AskedOut(in_force=await appointing.ask(session, settings, account_id, charge))


@router.post("/accounts/{account_id}/approve")
async def approve(state: State, account_id: PathKey) -> ApprovedOut:
    """Let what was asked for come into force, and the link open."""
    database, settings = state
    async with undertaking(database, "account.approve", f"account:{account_id}") as session:
        return ApprovedOut(code=await appointing.approve(session, settings, account_id))


@router.post("/accounts/{account_id}/refuse", status_code=204)
async def refuse(state: State, account_id: PathKey) -> None:
    """Refuse what was asked for."""
    database, settings = state
    async with undertaking(database, "account.refuse", f"account:{account_id}") as session:
        await appointing.refuse(session, settings, account_id)


@router.post("/accounts/{account_id}/link", status_code=201)
async def make_link(state: State, account_id: PathKey) -> LinkOut:
    """Make a link by which the person sets a password; older ones stop working."""
    database, settings = state
    async with undertaking(database, "account.link", f"account:{account_id}") as session:
        return _link(await appointing.make_link(session, settings, account_id))


@router.post("/accounts/{account_id}/lock", status_code=204)
async def lock(state: State, account_id: PathKey) -> None:
    """Keep somebody out until they are unlocked; their sessions end."""
    database, settings = state
    async with undertaking(database, "account.lock", f"account:{account_id}") as session:
        await appointing.lock(session, settings, account_id)


@router.post("/accounts/{account_id}/unlock", status_code=204)
async def unlock(state: State, account_id: PathKey) -> None:
    """Let somebody in again."""
    database, settings = state
    async with undertaking(database, "account.unlock", f"account:{account_id}") as session:
        await appointing.unlock(session, settings, account_id)


@router.post("/accounts/{account_id}/close", status_code=204)
async def close(state: State, account_id: PathKey) -> None:
    """Close an account for good."""
    database, settings = state
    async with undertaking(database, "account.close", f"account:{account_id}") as session:
        await appointing.close(session, settings, account_id)


@router.get("/tokens")
async def list_tokens(state: State) -> list[TokenOut]:
    """One's own tokens, newest first, those that ended among them."""
    async with state[0].reading() as session:
        return [TokenOut.of(row) for row in await repository.tokens_of(session, _asking().account_id)]


@router.post("/tokens", status_code=201)
async def make_token(state: State, given: TokenIn) -> TokenMade:
    """Make a token within one's own permissions; needs a session of a browser."""
    async with undertaking(state[0], "token.make", "tokens") as session:
        row, secret = await tokens.make(session, _asking(), given.name, given.permissions, given.days)
        return TokenMade(token=TokenOut.of(row), secret=secret)


@router.post("/tokens/{token_id}/revoke")
async def revoke_token(state: State, token_id: PathKey) -> TokenOut:
    """Let a token end."""
    async with undertaking(state[0], "token.revoke", f"token:{token_id}") as session:
        return TokenOut.of(await tokens.revoke(session, _asking(), token_id))


def _asking() -> Principal:
    asking = current()
    if asking is None:
        raise ForbiddenError("未登录")
    return asking


def _link(made: appointing.Invited) -> LinkOut:
    return LinkOut(account_id=made.account.id, link=f"/enter/{made.secret}", opens=made.in_force)


async def _units_are_there(session: AsyncSession, unit_ids: list[int] | None) -> None:
    missing = set(unit_ids or ()) - set(await repository.unit_names(session, unit_ids or ()))
    if missing:
        reason = f"没有编号为 {min(missing)} 的单位"
        raise BadInputError(reason, [Fault("unit_ids", reason)])
