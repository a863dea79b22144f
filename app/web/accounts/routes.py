"""账号: the list, one account, and what is asked for and approved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app.accounts import appointing, repository
from app.accounts.appointing import Invited, undertaking
from app.accounts.permissions import ROLE_ZH, Permission, Role
from app.accounts.principal import Principal
from app.accounts.repository import Sought
from app.api.paging import cut, pack
from app.directory.routing import PathKey, State, code_after
from app.errors import Fault, NotFoundError, OfficeError
from app.settings import Settings
from app.web.accounts import views
from app.web.pages import render
from app.web.sign_in.entering import by_field, spoken

router = APIRouter(prefix="/system/accounts", include_in_schema=False, dependencies=[Depends(spoken)])
READ = ["GET", "HEAD"]
ROWS = 50
UNIT_FIELDS = 3
UNITS_OFFERED = 300
Given = Annotated[str, Form(max_length=200)]
Verb = Callable[[AsyncSession, Settings, int], Awaitable[Invited | str | None]]
Many = Annotated[list[str] | None, Form(max_length=100)]


@router.api_route("", methods=READ)
async def list_page(
    request: Request, state: State, q: str = "", wanted: str = "", after: str | None = None
) -> Response:
    """Accounts, those that wait for a decision named above."""
    database, settings = state
    sought = Sought(q.strip()[:80].replace("\0", ""), wanted if wanted in views.FILTERS else "")
    async with database.reading() as session:
        found = await repository.listed(session, sought, code_after(after), ROWS + 1)
        page, last = cut(found, ROWS)
        values: dict[str, Any] = {
            "rows": await views.rows(session, page, settings.zone),
            "waiting": await repository.waiting(session),
            "needs_officer": await appointing.needs_officer(session, settings),
        }
    return render(
        request,
        "accounts/list.html",
        sought=sought,
        filters=views.FILTERS,
        next=pack(last.account.login) if last else None,
        **values,
        **_office(request, state),
    )


@router.api_route("/new", methods=READ)
async def new_page(request: Request, state: State) -> Response:
    """The form of an invitation."""
    return await _new(request, state)


@router.post("")
async def invite(
    request: Request,
    state: State,
    login: Given = "",
    name: Given = "",
    roles: Many = None,
    units: Many = None,
) -> Response:
    """Invite a person; the link is shown this once."""
    database, settings = state
    typed = {"login": login, "name": name, "roles": roles or [], "units": units or []}
    try:
        held = _roles(roles)
        async with undertaking(database, "account.invite", "accounts") as session:
            heads = await appointing.heads_of(session, units or [])
            charge = appointing.charge_of(settings, held, heads)
            made = await appointing.invite(session, settings, login, name, charge)
    except OfficeError as error:
        faults = by_field(error.faults or [Fault("", error.detail)])
        return await _new(request, state, 422, typed, faults)
    return await _one(request, state, made.account.id, 201, secret=made.secret, opens=made.in_force)


@router.api_route("/{account_id}", methods=READ)
async def account_page(request: Request, state: State, account_id: PathKey, done: str = "") -> Response:
    """One account, and what may be done with it."""
    return await _one(request, state, account_id, done=done)


@router.post("/{account_id}/charge")
async def ask(
    request: Request, state: State, account_id: PathKey, roles: Many = None, units: Many = None
) -> Response:
    """Ask for other roles or another scope."""
    database, settings = state
    try:
        held = _roles(roles)
        async with undertaking(database, "account.ask", f"account:{account_id}") as session:
            heads = await appointing.heads_of(session, units or [])
            charge = appointing.charge_of(settings, held, heads)
            await appointing.ask(session, settings, account_id, charge)
    except NotFoundError:
        raise
    except OfficeError as error:
        faults = by_field(error.faults or [Fault("", error.detail)])
        typed = {"roles": roles or [], "units": units or []}
        return await _one(request, state, account_id, 422, faults=faults, typed=typed)
    return RedirectResponse(f"/system/accounts/{account_id}?done=asked", status_code=303)


@router.post("/{account_id}/approve")
async def approve(request: Request, state: State, account_id: PathKey) -> Response:
    """Let what was asked for come into force; the code for the link is shown this once."""
    return await _do(request, state, account_id, "approve", "approved", appointing.approve)


@router.post("/{account_id}/refuse")
async def refuse(request: Request, state: State, account_id: PathKey) -> Response:
    """Refuse what was asked for."""
    return await _do(request, state, account_id, "refuse", "refused", appointing.refuse)


@router.post("/{account_id}/link")
async def make_link(request: Request, state: State, account_id: PathKey) -> Response:
    """Make a link by which the person sets a password; it is shown this once."""
    return await _do(request, state, account_id, "link", "", appointing.make_link)


@router.post("/{account_id}/lock")
async def lock(request: Request, state: State, account_id: PathKey) -> Response:
    """Keep somebody out until they are unlocked."""
    return await _do(request, state, account_id, "lock", "locked", appointing.lock)


@router.post("/{account_id}/unlock")
async def unlock(request: Request, state: State, account_id: PathKey) -> Response:
    """Let somebody in again."""
    return await _do(request, state, account_id, "unlock", "unlocked", appointing.unlock)


@router.post("/{account_id}/close")
async def close(request: Request, state: State, account_id: PathKey) -> Response:
    """Close an account for good."""
    return await _do(request, state, account_id, "close", "closed", appointing.close)


async def _do(
    request: Request, state: State, account_id: int, action: str, done: str, verb: Verb
) -> Response:
    """Do something with an account; why it was refused stands on its page, what is given once too."""
    database, settings = state
    try:
        async with undertaking(database, f"account.{action}", f"account:{account_id}") as session:
            found = await verb(session, settings, account_id)
    except NotFoundError:
        raise
    except OfficeError as error:
        faults = by_field([Fault("", error.detail)])
        return await _one(request, state, account_id, error.status, faults=faults)
    if isinstance(found, Invited):
        return await _one(request, state, account_id, 201, secret=found.secret, opens=found.in_force)
    if found is not None:
        return await _one(request, state, account_id, code=found)
    return RedirectResponse(f"/system/accounts/{account_id}?done={done}", status_code=303)


async def _new(
    request: Request,
    state: State,
    status: int = 200,
    typed: Mapping[str, Any] | None = None,
    faults: Mapping[str, Sequence[str]] | None = None,
) -> Response:
    database, settings = state
    async with database.reading() as session:
        needs_officer = await appointing.needs_officer(session, settings)
        offered = await repository.first_units(session, UNITS_OFFERED)
    typed = typed or {"login": "", "name": "", "roles": [], "units": []}
    return render(
        request,
        "accounts/new.html",
        status,
        typed=typed,
        faults=faults or {},
        offered=offered,
        unit_fields=_fields(typed["units"]),
        needs_officer=needs_officer,
        **_office(request, state),
    )


async def _one(
    request: Request,
    state: State,
    account_id: int,
    status: int = 200,
    *,
    done: str = "",
    typed: Mapping[str, Any] | None = None,
    faults: Mapping[str, Sequence[str]] | None = None,
    secret: str = "",
    opens: bool = False,
    code: str = "",
) -> Response:
    database, settings = state
    async with database.reading() as session:
        found = await repository.one_listed(session, account_id)
        if found is None:
            raise NotFoundError(f"没有编号为 {account_id} 的账号")
        grants = await repository.grants_of(session, account_id)
        names = await views.names_of(session, grants)
        row = (await views.rows(session, [found], settings.zone))[0]
        offered = await repository.first_units(session, UNITS_OFFERED)
        codes = await repository.unit_codes(session, (found.granted.unit_ids or ()) if found.granted else ())
    held = found.asked or found.granted
    typed = typed or {"roles": held.roles if held else [], "units": codes}
    return render(
        request,
        "accounts/account.html",
        status,
        row=row,
        own=_me(request).account_id == account_id,
        history=[views.granted(grant, names, settings.zone) for grant in grants],
        typed=typed,
        faults=faults or {},
        offered=offered,
        unit_fields=_fields(typed["units"]),
        done=done,
        secret=secret,
        opens=opens,
        code=code,
        **_office(request, state),
    )


def _office(request: Request, state: State) -> dict[str, Any]:
    """What who reads the page may do, and the roles there are."""
    settings = state[1]
    return {
        "separate": settings.separate_duties,
        "may_change": _me(request).may(Permission.ACCOUNTS_CHANGE),
        "may_guard": appointing.may_guard(settings, _me(request)),
        "roles": ROLE_ZH,
        "base": str(request.base_url).rstrip("/"),
    }


def _me(request: Request) -> Principal:
    found: Principal = request.scope["state"]["principal"]
    return found


def _roles(given: Sequence[str] | None) -> frozenset[Role]:
    return frozenset(Role(name) for name in given or () if name in set(Role))


def _fields(units: Sequence[str]) -> Sequence[str]:
    """The codes that stand in the form, and some empty fields after them."""
    given = [code for code in units if code]
    return [*given, *[""] * max(1, UNIT_FIELDS - len(given))]
