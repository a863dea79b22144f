"""The gate: who asks is found out before any route sees a request, and every route asks for a permission.

`Gate` (ASGI) finds out who asks; without a session or token nothing but the open ways and signing in is answered, and
no body is read. `authorise` runs as a dependency of every route: it asks the table of doors, and for a CSRF token where
a browser's cookie stands behind a request that changes something.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app import clock
from app.accounts import doors, principal, secrets, sessions
from app.accounts import service as audit
from app.accounts.principal import Principal
from app.api.problems import problem
from app.database import Database
from app.settings import Settings

COOKIE = "dutyring_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Over HTTPS alone: a browser takes this name from nobody but this very host."""
FOR_TOKENS = re.compile(r"/api/|/recordings/\d+\Z")
"""Where a program asks: the API, and the sound of a recording. Tokens open no page."""
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
SIGN_IN = "/sign-in"
UNASKED = ("/healthz", "/readyz", "/metrics")
"""Answered without looking up who asks, so that they tell of a database that is away."""
OPEN_PATHS = (*UNASKED, SIGN_IN, "/sign-in/language")
OPEN_BELOW = ("/static/", "/enter/")
"""`/enter/...` are the one-time links."""
SAFE = ("GET", "HEAD", "OPTIONS")
REFUSAL_S = 60.0
"""How often one and the same refusal is put on record: a page that asks each second leaves no line each second."""
MOST_REFUSALS = 10_000


class Doorkeeper(Protocol):
    """Finds out who asks."""

    async def who(self, scope: Scope) -> Principal | None:
        """Return who asks; None for somebody unknown."""


class AccountDoorkeeper:
    """Knows people by the session of their browser, and programs by `Authorization: Bearer`."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings

    async def who(self, scope: Scope) -> Principal | None:
        """Return who asks; None for somebody unknown."""
        headers = Headers(scope=scope)
        address = address_of(scope)
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and FOR_TOKENS.match(scope["path"]):
            return await self._of_token(secret.strip(), address)
        secret = Request(scope).cookies.get(cookie_name(self._settings), "")
        if not secret:
            return None
        async with self._database.reading() as session:
            found = await sessions.of_cookie(session, self._settings, secret, address)
        if found is None:
            return None
        asking, seen_at = found
        if asking.session_id is not None and clock.now() - seen_at > sessions.SEEN_EVERY:
            async with self._noting() as session:
                await sessions.seen(session, asking.session_id)
        return asking

    async def _of_token(self, secret: str, address: str) -> Principal | None:
        async with self._database.reading() as session:
            found = await sessions.of_token(session, secret, address)
        if found is None:
            return None
        asking, used_at = found
        if asking.token_id is not None and (used_at is None or clock.now() - used_at > sessions.SEEN_EVERY):
            async with self._noting() as session:
                await sessions.used(session, asking.token_id)
        return asking

    @contextlib.asynccontextmanager
    async def _noting(self) -> AsyncIterator[AsyncSession]:
        # A database that is busy for long does not keep a page from being read.
        with contextlib.suppress(OperationalError):
            async with self._database.unit_of_work() as session:
                yield session


def cookie_name(settings: Settings) -> str:
    """The name of the session's cookie."""
    return SECURE_COOKIE if settings.secure_cookies else COOKIE


class Gate:
    """ASGI middleware: nobody unknown gets further than signing in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with who asks, or send the browser to sign in."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        keeper: Doorkeeper = scope["app"].state.doorkeeper
        path: str = scope["path"]
        nobody = path in UNASKED or path.startswith("/static/")
        asking = None if nobody else await keeper.who(scope)
        scope.setdefault("state", {})["principal"] = asking
        entered = principal.enter(asking)
        try:
            await self._pass(scope, receive, send, asking)
        finally:
            principal.leave(entered)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, asking: Principal | None) -> None:
        path: str = scope["path"]
        if asking is not None or path in OPEN_PATHS or path.startswith(OPEN_BELOW):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await _sent_away(scope)(scope, receive, send)


def _sent_away(scope: Scope) -> Response:
    headers = Headers(scope=scope)
    if scope["path"].startswith("/api/"):
        response: Response = problem(
            401, "sign in, or give a token: Authorization: Bearer ...", "not signed in"
        )
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    if headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": SIGN_IN})
    query = scope["query_string"].decode("ascii", "replace")
    back = scope["path"] + (f"?{query}" if query else "")
    wanted = scope["method"] in SAFE and back != "/"
    return RedirectResponse(f"{SIGN_IN}?next={quote(back, safe='')}" if wanted else SIGN_IN, status_code=303)


def address_of(scope: Scope) -> str:
    """Return the address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def paths_of(app: FastAPI) -> Mapping[Any, str]:
    """The path of every route of a service, as it is written with its parameters, by endpoint.

    Raises ValueError for an endpoint with two paths: each way is to have a door of its own.
    """
    found: dict[Any, str] = {}
    for context in iter_route_contexts(app.routes):
        endpoint, path = getattr(context, "endpoint", None), getattr(context, "path", None)
        if endpoint is None or path is None:
            continue
        if found.setdefault(endpoint, path) != path:
            raise ValueError(f"{found[endpoint]} and {path} have one endpoint")
    return found


def _way_of(request: Request) -> str:
    known: Mapping[Any, str] | None = getattr(request.app.state, "paths", None)
    if known is None:
        known = request.app.state.paths = paths_of(request.app)
    return known.get(getattr(request.scope.get("route"), "endpoint", None), "")


async def authorise(request: Request) -> None:
    """Let a request through to its route. Raises 403 for a door that is shut to who asks."""
    asking: Principal | None = request.scope["state"]["principal"]
    path = _way_of(request)
    way = f"{'GET' if request.method == 'HEAD' else request.method} {path}"
    if way in doors.OPEN or path in OPEN_PATHS or path.startswith(OPEN_BELOW):
        return
    needed = doors.asked(request.method, path)
    if asking is None or needed is None or needed not in asking.permissions:
        await _put_on_record(request, asking, way)
        raise HTTPException(403, "your role does not open this")
    if asking.scope is not None and needed in doors.WHOLE_OFFICE:
        await _put_on_record(request, asking, way)
        raise HTTPException(403, principal.WHOLE_OFFICE_ONLY)
    if asking.session_id is not None and request.method not in SAFE:
        await _of_this_site(request, asking)


async def _put_on_record(request: Request, asking: Principal | None, way: str) -> None:
    """Leave an audit line of somebody who came to a door that is shut to them; one a minute for each door."""
    if asking is None:
        return
    told: dict[tuple[int, str], float] | None = getattr(request.app.state, "refusals", None)
    now_s = time.monotonic()
    if told is None or len(told) > MOST_REFUSALS:
        told = request.app.state.refusals = {}
    if now_s - told.get((asking.account_id, way), -REFUSAL_S) < REFUSAL_S:
        return
    told[asking.account_id, way] = now_s
    database: Database = request.app.state.database
    async with database.unit_of_work() as session:
        await audit.record(session, "refused", f"way:{way}", request.url.path[:200], done=False)


async def _of_this_site(request: Request, asking: Principal) -> None:
    """Raise 403 unless a page of this session asks."""
    token = request.headers.get(CSRF_HEADER, "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not token and kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        field = (await request.form()).get(CSRF_FIELD, "")
        token = field if isinstance(field, str) else ""
    if not secrets.csrf_fits(asking.csrf_secret, token):
        # A file that came with the form.
        await request.close()
        raise HTTPException(
            403, "this form is not of your session: go back, load the page again, and send it again"
        )
