"""Signing in and out, and the language."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import repository, sessions, signing_in
from app.accounts import service as audit
from app.accounts.gate import address_of, cookie_name
from app.accounts.signing_in import Refused, Try
from app.directory.routing import State
from app.errors import UnavailableError
from app.web import i18n
from app.web.pages import render
from app.web.sign_in.entering import inside, signed_in

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
LANGUAGE_SECONDS = 365 * 86_400
Text = Annotated[str, Form(max_length=200)]
Address = Annotated[str, Form(max_length=2000)]


@router.api_route("/sign-in", methods=READ)
async def sign_in_page(request: Request, state: State, next: str = "/") -> Response:
    """The form; who is signed in already goes on."""
    if request.scope["state"]["principal"] is not None:
        return RedirectResponse(inside(next), status_code=303)
    return _form(request, state, next=inside(next))


@router.post("/sign-in")
async def sign_in(
    request: Request, state: State, login: Text = "", password: Text = "", next: Address = "/"
) -> Response:
    """Begin a session; what was typed is kept, and nothing says which of the two was wrong."""
    database, settings = state
    given = Try(login, password, address_of(request.scope))
    where = inside(next)
    try:
        found = await signing_in.sign_in(database, settings, request.app.state.sign_in_limits, given)
    except UnavailableError:
        response = _form(request, state, 503, next=where, login=login, problem="busy")
        response.headers["Retry-After"] = "5"
        return response
    if isinstance(found, Refused):
        if not found.wait_s:
            return _form(request, state, 403, next=where, login=login, problem="wrong")
        seconds = math.ceil(found.wait_s)
        response = _form(request, state, 429, next=where, login=login, problem="wait", seconds=seconds)
        response.headers["Retry-After"] = str(seconds)
        return response
    if found.change_secret:
        return RedirectResponse(f"/enter/{found.change_secret}", status_code=303)
    async with database.unit_of_work() as session:
        account = await repository.account(session, found.account_id)
        assert account is not None  # None is ever deleted.
        return await signed_in(request, session, settings, account, where)


def _form(
    request: Request,
    state: State,
    status: int = 200,
    *,
    next: str,
    login: str = "",
    problem: str = "",
    seconds: int = 0,
) -> Response:
    settings = state[1]
    return render(
        request,
        "sign_in/sign_in.html",
        status,
        next=next,
        login=login,
        problem=problem,
        seconds=seconds,
        most=settings.sign_in_failures,
        minutes=f"{settings.lock_minutes:g}",
    )


@router.post("/sign-out")
async def sign_out(request: Request, state: State) -> Response:
    """End the session; the browser forgets what it kept of the pages."""
    database, settings = state
    asking = request.scope["state"]["principal"]
    if asking.session_id is not None:
        async with database.unit_of_work() as session:
            await sessions.end(session, asking.session_id, "signed out")
            await audit.record(session, "sign-out", f"account:{asking.account_id}")
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(
        cookie_name(settings), path="/", httponly=True, samesite="strict", secure=settings.secure_cookies
    )
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.post("/sign-in/language")
async def choose_language(request: Request, language: Text, back: Address = "/") -> Response:
    """Speak another language from now on, in this browser."""
    response = RedirectResponse(inside(back), status_code=303)
    response.set_cookie(
        i18n.COOKIE, i18n.speak(language), max_age=LANGUAGE_SECONDS, path="/", httponly=True, samesite="lax"
    )
    return response
