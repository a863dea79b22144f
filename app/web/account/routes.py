"""我的账号: password, sessions and tokens of who reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts import passwords, people, repository, sessions, tokens
from app.accounts import service as audit
from app.accounts.appointing import undertaking
from app.accounts.models import Account, Session
from app.accounts.permissions import PERMISSION_ZH, ROLE_ZH, Permission
from app.accounts.principal import Principal
from app.directory.routing import PathKey, State
from app.errors import Fault, ForbiddenError, OfficeError, UnavailableError
from app.settings import Settings
from app.web.account.agents import browser_of
from app.web.pages import render
from app.web.sign_in.entering import by_field, inside, signed_in, spoken, wrong_password

router = APIRouter(include_in_schema=False, dependencies=[Depends(spoken)])
READ = ["GET", "HEAD"]
Given = Annotated[str, Form(max_length=200)]


def _me(request: Request) -> Principal:
    found: Principal = request.scope["state"]["principal"]
    return found


@router.api_route("/account", methods=READ)
async def account_page(request: Request, state: State, done: str = "") -> Response:
    """One's own account."""
    return await _page(request, state, done=done)


@router.api_route("/account/welcome", methods=READ)
async def welcome_page(request: Request, state: State, next: str = "/") -> Response:
    """After signing in: how many wrong passwords came since the time before."""
    database, settings = state
    async with database.reading() as session:
        row = await session.get(Session, _me(request).session_id or 0)
    if row is None or not row.wrong_before:
        return RedirectResponse(inside(next), status_code=303)
    before = row.before_at.astimezone(settings.zone) if row.before_at else None
    return render(request, "account/welcome.html", before=before, wrong=row.wrong_before, next=inside(next))


@router.post("/account/password")
async def change_password(
    request: Request, state: State, present: Given = "", password: Given = "", again: Given = ""
) -> Response:
    """Take another password: every session ends, and this browser gets a new one."""
    database, settings = state
    me = _me(request)
    async with database.reading() as session:
        account = await session.get(Account, me.account_id)
    if account is None or me.session_id is None:
        raise ForbiddenError("请先登录")
    try:
        wrong = await _wrong(request, settings, account, present, password, again)
        kept = "" if wrong else await passwords.hashed(password)
    except UnavailableError as error:
        return await _page(request, state, 503, faults=by_field([Fault("present", error.detail)]))
    if wrong:
        async with database.unit_of_work() as session:
            await audit.record(session, "password.change", f"account:{account.id}", "refused", done=False)
        return await _page(request, state, 422, faults=by_field(wrong))
    async with database.unit_of_work() as session:
        fresh = await repository.account(session, account.id)
        if fresh is None or fresh.password_hash != account.password_hash:
            raise ForbiddenError("口令刚刚已变更，请重新登录")
        people.take_password(fresh, kept)
        await audit.record(session, "password.change", f"account:{fresh.id}")
        await sessions.end_all(session, fresh.id, "password changed")
        return await signed_in(request, session, settings, fresh, "/account?done=password")


async def _wrong(
    request: Request, settings: Settings, account: Account, present: str, password: str, again: str
) -> Sequence[Fault]:
    places = request.app.state.sign_in_limits.places
    key = f"password {account.id}"
    if not places.take(key):
        return [Fault("present", "输错次数过多，请稍后再试")]
    if not await passwords.fits(present, account.password_hash):
        return [Fault("present", "现用口令不对")]
    places.give_back(key)
    return await wrong_password(settings, password, again, account.login, account.name, account)


@router.post("/account/sessions/end-others")
async def end_others(request: Request, state: State) -> Response:
    """End one's sessions in other browsers."""
    me = _me(request)
    async with state[0].unit_of_work() as session:
        await sessions.end_all(session, me.account_id, "ended by the person", but=me.session_id)
        await audit.record(session, "session.end-others", f"account:{me.account_id}")
    return RedirectResponse("/account?done=sessions", status_code=303)


@router.post("/account/tokens")
async def make_token(
    request: Request,
    state: State,
    name: Given = "",
    days: Annotated[str, Form(max_length=10)] = "",
    permissions: Annotated[list[str] | None, Form(max_length=100)] = None,
) -> Response:
    """Make a token and show its secret, this once."""
    wanted = [Permission(word) for word in permissions or () if word in set(Permission)]
    typed = {"name": name, "days": days, "permissions": set(wanted)}
    number = int(days) if days.isascii() and days.isdigit() else 0
    try:
        async with undertaking(state[0], "token.make", "tokens") as session:
            _, secret = await tokens.make(session, _me(request), name, wanted, number)
    except OfficeError as error:
        faults = by_field(error.faults or [Fault("token", error.detail)])
        return await _page(request, state, error.status, faults=faults, typed=typed)
    return await _page(request, state, 201, secret=secret)


@router.post("/account/tokens/{token_id}/revoke")
async def revoke_token(request: Request, state: State, token_id: PathKey) -> Response:
    """Let a token end."""
    async with undertaking(state[0], "token.revoke", f"token:{token_id}") as session:
        await tokens.revoke(session, _me(request), token_id)
    return RedirectResponse("/account?done=revoked", status_code=303)


async def _page(
    request: Request,
    state: State,
    status: int = 200,
    *,
    done: str = "",
    faults: Mapping[str, Sequence[str]] | None = None,
    typed: Mapping[str, Any] | None = None,
    secret: str = "",
) -> Response:
    database, settings = state
    me = _me(request)
    async with database.reading() as session:
        account = await session.get(Account, me.account_id)
        mine = (
            await _of_account(session, settings, me)
            if account is not None
            else {"sessions": [], "tokens": []}
        )
    changed = account.password_changed_at if account is not None else None
    return render(
        request,
        "account/account.html",
        status,
        account=account,
        roles=[ROLE_ZH[role] for role in sorted(me.roles)],
        changed=changed,
        zone=settings.zone,
        password_days=settings.password_days,
        least=settings.password_length,
        classes=settings.password_classes,
        phrase=settings.password_phrase_length,
        own=[
            (p, PERMISSION_ZH.get(p, p.value)) for p in Permission if p in me.permissions and p != "signed_in"
        ],
        words=PERMISSION_ZH,
        most_days=tokens.MOST_DAYS,
        now=clock.now(),
        done=done,
        faults=faults or {},
        typed=typed or {"name": "", "days": "90", "permissions": set()},
        secret=secret,
        **mine,
    )


async def _of_account(session: AsyncSession, settings: Settings, me: Principal) -> dict[str, Any]:
    running = await sessions.running(session, settings, me.account_id)
    rows = await repository.tokens_of(session, me.account_id)
    return {
        "sessions": [(row, browser_of(row.agent), row.id == me.session_id) for row in running],
        "tokens": [(row, tokens.holds(row)) for row in rows],
    }
