"""One-time links: the first administrator, an invitation, another password."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app import clock
from app.accounts import passwords, people, repository, sessions
from app.accounts import service as audit
from app.accounts.gate import address_of
from app.accounts.models import Account, OneTimeLink
from app.accounts.permissions import Role
from app.accounts.throttle import network_of
from app.database import Database
from app.directory.routing import State
from app.errors import Fault, OfficeError
from app.settings import Settings
from app.web.pages import render
from app.web.sign_in.entering import by_field, signed_in, spoken, wrong_password

router = APIRouter(include_in_schema=False, dependencies=[Depends(spoken)])
READ = ["GET", "HEAD"]
WITHOUT_PASSWORD = "demo"


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into the form of a link."""

    login: str = ""
    name: str = ""
    password: str = field(default="", repr=False)
    again: str = field(default="", repr=False)
    code: str = field(default="", repr=False)


Given = Annotated[str, Form(max_length=200)]


@router.api_route("/enter/{secret}", methods=READ)
async def link_page(request: Request, state: State, secret: str) -> Response:
    """What a one-time link asks for. It is used up by the form alone: a preview of the link does not."""
    database, settings = state
    async with database.reading() as session:
        found = await people.link(session, secret)
        account = await _account_of(session, found)
    if found is None:
        return render(request, "sign_in/over.html", 410)
    return _form(request, settings, found, account, secret, Typed(), ())


@router.post("/enter/{secret}")
async def use_link(
    request: Request,
    state: State,
    secret: str,
    login: Given = "",
    name: Given = "",
    password: Given = "",
    again: Given = "",
    code: Given = "",
) -> Response:
    """Take an account up, or another password."""
    database, settings = state
    typed = Typed(login, name, password, again, code)
    async with database.reading() as session:
        # Whoever guesses at links holds up nobody who writes.
        if await people.link(session, secret) is None:
            return render(request, "sign_in/over.html", 410)
    async with database.unit_of_work() as session:
        found = await people.link(session, secret)
        account = await _account_of(session, found)
        fits = found is not None and people.code_fits(found, code)
    if found is None:
        return render(request, "sign_in/over.html", 410)
    if not fits:
        wrong: Sequence[Fault] = [Fault("code", "核对码不对，请向安全管理员核对")]
        return _form(request, settings, found, account, secret, typed, wrong)
    try:
        wrong = await _wrong(settings, found, account, typed)
        kept = "" if wrong or found.kind == WITHOUT_PASSWORD else await passwords.hashed(password)
        if not wrong:
            return await _enter(request, database, settings, secret, typed, kept)
    except OfficeError as error:
        wrong = error.faults or [Fault("", error.detail)]
    return _form(request, settings, found, account, secret, typed, wrong)


async def _enter(
    request: Request, database: Database, settings: Settings, secret: str, typed: Typed, kept: str
) -> Response:
    async with database.unit_of_work() as session:
        # Asked again: it may have been used while the password was hashed.
        found = await people.link(session, secret)
        if found is None:
            return render(request, "sign_in/over.html", 410)
        if found.account_id is None:
            roles = frozenset({Role.ADMINISTRATOR})
            account = await people.create(session, typed.login, typed.name, roles, who=typed.name.strip())
        else:
            there = await repository.account(session, found.account_id)
            assert there is not None  # Its key holds.
            account = there
        if found.kind == WITHOUT_PASSWORD:
            account.state = "active"
        else:
            people.take_password(account, kept)
            await sessions.end_all(session, account.id, "password changed")
        found.used_at = clock.now()
        detail = f"from {network_of(address_of(request.scope))}"
        await audit.record(session, f"use link: {found.kind}", f"account:{account.id}", detail, account.name)
        return await signed_in(request, session, settings, account, "/")


async def _wrong(
    settings: Settings, found: OneTimeLink, account: Account | None, typed: Typed
) -> Sequence[Fault]:
    if found.kind == WITHOUT_PASSWORD:
        return ()
    login, name = (account.login, account.name) if account else people.named(typed.login, typed.name)
    return await wrong_password(settings, typed.password, typed.again, login, name, account)


async def _account_of(session: AsyncSession, found: OneTimeLink | None) -> Account | None:
    if found is None or found.account_id is None:
        return None
    return await session.get(Account, found.account_id)


def _form(
    request: Request,
    settings: Settings,
    found: OneTimeLink,
    account: Account | None,
    secret: str,
    typed: Typed,
    wrong: Sequence[Fault],
) -> Response:
    return render(
        request,
        "sign_in/enter.html",
        422 if wrong else 200,
        kind=found.kind,
        account=account,
        needs_code=found.code_digest is not None,
        secret=secret,
        typed=typed,
        faults=by_field(wrong),
        least=settings.password_length,
        classes=settings.password_classes,
        phrase=settings.password_phrase_length,
    )
