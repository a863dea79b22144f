"""Signing in and out, the language, and one-time links."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts import people, sessions
from app.accounts import service as audit
from app.accounts.gate import COOKIE, address_of
from app.accounts.models import Account, OneTimeLink
from app.accounts.permissions import Role
from app.directory.routing import State
from app.settings import Settings
from app.web import i18n
from app.web.pages import render

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
LANGUAGE_SECONDS = 365 * 86_400
Text = Annotated[str, Form(max_length=200)]


@router.api_route("/sign-in", methods=READ)
async def sign_in_page(request: Request, next: str = "/") -> Response:
    """The form; who is signed in already goes on."""
    if request.scope["state"]["principal"] is not None:
        return RedirectResponse(_inside(next), status_code=303)
    return render(request, "sign_in/sign_in.html", next=_inside(next), login="", problem="")


@router.post("/sign-in")
async def sign_in(
    request: Request,
    state: State,
    login: Text,
    password: Text,
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Begin a session; a wrong password keeps what was typed, and does not say which of the two was wrong."""
    database, settings = state
    async with database.unit_of_work() as session:
        found = await people.sign_in(session, settings, login, password)
        if isinstance(found, Account):
            return await _signed_in(request, session, settings, found, _inside(next))
    problem = "locked" if found.locked else "wrong"
    return render(request, "sign_in/sign_in.html", 403, next=_inside(next), login=login, problem=problem)


@router.post("/sign-out")
async def sign_out(request: Request, state: State) -> Response:
    """End the session."""
    asking = request.scope["state"]["principal"]
    if asking.session_id is not None:
        async with state[0].unit_of_work() as session:
            await sessions.end(session, asking.session_id, "signed out")
            await audit.record(session, "sign-out", f"account:{asking.account_id}")
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(COOKIE, path="/")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.post("/sign-in/language")
async def choose_language(
    request: Request, language: Text, back: Annotated[str, Form(max_length=2000)] = "/"
) -> Response:
    """Speak another language from now on, in this browser."""
    response = RedirectResponse(_inside(back), status_code=303)
    response.set_cookie(
        i18n.COOKIE, i18n.speak(language), max_age=LANGUAGE_SECONDS, path="/", httponly=True, samesite="lax"
    )
    return response


@router.api_route("/enter/{secret}", methods=READ)
async def link_page(request: Request, state: State, secret: str) -> Response:
    """What a one-time link asks for. It is used up by the form alone: a preview of the link does not."""
    async with state[0].reading() as session:
        found = await people.link(session, secret)
        account = (
            None
            if found is None or found.account_id is None
            else await session.get(Account, found.account_id)
        )
    if found is None:
        return render(request, "sign_in/over.html", 410)
    return render(
        request, "sign_in/enter.html", kind=found.kind, account=account, secret=secret, typed={}, problems=()
    )


@router.post("/enter/{secret}")
async def use_link(
    request: Request,
    state: State,
    secret: str,
    login: Text = "",
    name: Text = "",
    password: Text = "",
    again: Text = "",
) -> Response:
    """Take an account up."""
    database, settings = state
    async with database.unit_of_work() as session:
        found = await people.link(session, secret)
        if found is None:
            return render(request, "sign_in/over.html", 410)
        account = None if found.account_id is None else await session.get(Account, found.account_id)
        problems = _problems(found, login, name, password, again)
        if problems:
            return render(
                request,
                "sign_in/enter.html",
                422,
                kind=found.kind,
                account=account,
                secret=secret,
                typed={"login": login, "name": name},
                problems=problems,
            )
        if account is None:
            account = await people.create(
                session, login, name, frozenset({Role.ADMINISTRATOR}), who=name.strip()
            )
        if found.kind == "demo":
            account.state = "active"
        else:
            people.set_password(account, password)
        found.used_at = clock.now()
        await audit.record(session, f"use link: {found.kind}", f"account:{account.id}", "", account.name)
        return await _signed_in(request, session, settings, account, "/")


def _problems(found: OneTimeLink, login: str, name: str, password: str, again: str) -> list[str]:
    problems = []
    if found.kind == "first" and not (login.strip() and name.strip()):
        problems.append("请填写登录名和姓名")
    if found.kind != "demo" and len(password) < 10:
        problems.append("口令至少 10 位")
    if found.kind != "demo" and password != again:
        problems.append("两次输入的口令不一致")
    return problems


async def _signed_in(
    request: Request, session: AsyncSession, settings: Settings, account: Account, where: str
) -> Response:
    before = request.scope["state"]["principal"]
    if before is not None and before.session_id is not None:
        await sessions.end(session, before.session_id, "signed in anew")
    secret = await sessions.begin(
        session, settings, account, address_of(request.scope), request.headers.get("user-agent", "")
    )
    response = RedirectResponse(where, status_code=303)
    response.set_cookie(
        COOKIE,
        secret,
        path="/",
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies or request.url.scheme == "https",
    )
    return response


def _inside(address: str) -> str:
    """An address of this site, `/` for anything else."""
    parts = urlsplit(address)
    plain = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if plain and not parts.netloc and not parts.scheme else "/"
