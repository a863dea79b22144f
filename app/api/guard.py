"""What no route has to care for: writes from elsewhere on the web, bodies too large, of another type, or not storable.

JSON may hold what no database stores or no answer can repeat: NaN, a NUL, half a surrogate pair. It is refused here, so
that it reaches no route, whatever types the members of its models have.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem
from app.errors import Fault

if TYPE_CHECKING:
    from fastapi import FastAPI

API = "/api/"
MOST_BYTES = 2**20
"""Of a JSON body."""
MOST_FILE_BYTES = 64 * 2**20
"""Of a file; its route may take less."""
MOST_FORM_BYTES = 2**20
"""Of a form of a page without files; those with files may be as large as files of the API."""
MOST_UNKNOWN_BYTES = 2**16
"""Of what somebody sends who has not signed in: a name and a password."""
BODY_IDLE_S = 30.0
"""How long nothing more of a body may come: a connection that sends a byte now and then is no upload."""
SAFE = ("GET", "HEAD", "OPTIONS")
HERE = ("same-origin", "none")
"""`Sec-Fetch-Site` of a request that one of our pages or the person at the browser made."""


@dataclass(frozen=True, slots=True)
class _Operation:
    methods: frozenset[str]
    pattern: re.Pattern[str]
    takes: tuple[str, ...]
    """Media types of its body."""


class RequestGuard:
    """ASGI middleware that answers what no route should see."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._operations: list[_Operation] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem."""
        try:
            await self._guarded(scope, receive, send)
        except TooSlowError:
            # Whoever waits for the body has begun no answer.
            await too_slow()(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _is_from_elsewhere(headers):
            refusal = problem(403, "a page of another site asked for this; ask from here", "not allowed")
            await refusal(scope, receive, send)
            return
        if not scope["path"].startswith(API):
            await self._at_most(_most_of_page(scope, headers), scope, receive, send, headers)
            return
        takes = self._takes(scope)
        if takes and not any(_is_json(kind) for kind in takes):
            await self._at_most(MOST_FILE_BYTES, scope, receive, send, headers)
            return
        await self._with_body(scope, receive, send, headers, bool(takes))

    async def _at_most(self, most: int, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        """Pass a form or file on whose size is counted as it comes; one that is told too large is not read at all."""
        told = headers.get("content-length", "0")
        if told.isdecimal() and len(told) < 20 and int(told) > most:
            refusal = _too_large(most)
            refusal.headers["Connection"] = "close"
            await refusal(scope, receive, send)
            return
        await self._app(scope, _counted(_in_time(receive), most), send)

    async def _with_body(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, takes_json: bool
    ) -> None:
        body = await _read(_in_time(receive), MOST_BYTES)
        refusal = _too_large(MOST_BYTES) if body is None else None
        if body and takes_json:
            if not _is_json(headers.get("content-type", "")):
                refusal = problem(415, "the body must be JSON: Content-Type: application/json")
            else:
                refusal = _unfit(body)
        if refusal is not None:
            if body is None:
                refusal.headers["Connection"] = "close"
            await refusal(scope, receive, send)
            return
        await self._app(scope, _again(body or b"", receive), send)

    def _takes(self, scope: Scope) -> tuple[str, ...]:
        """The media types that the operation declares for its body; none where there is no such operation."""
        if self._operations is None:
            self._operations = _operations(scope["app"])
        for operation in self._operations:
            if scope["method"] in operation.methods and operation.pattern.fullmatch(scope["path"]):
                return operation.takes
        return ()


def _operations(app: FastAPI) -> list[_Operation]:
    return [
        _Operation(
            frozenset({method.upper()}),
            re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path))),
            tuple(described.get("requestBody", {}).get("content", {})),
        )
        for path, methods in app.openapi()["paths"].items()
        for method, described in methods.items()
        if method.upper() not in SAFE
    ]


def _is_from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that a page of another origin made this request."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in HERE
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body; None when it is larger than that."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, then what comes after it."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


class TooLargeError(Exception):
    """A file is larger than any that is taken."""


def _most_of_page(scope: Scope, headers: Headers) -> int:
    """How large a form may be that is sent to a page."""
    if scope.get("state", {}).get("principal") is None:
        return MOST_UNKNOWN_BYTES
    files = headers.get("content-type", "").lower().startswith("multipart/form-data")
    return MOST_FILE_BYTES if files else MOST_FORM_BYTES


class TooSlowError(Exception):
    """Nothing more of a body came for too long."""


def _in_time(receive: Receive) -> Receive:
    """Wait for each piece of a body, but not for ever; what comes after the body may take its time."""
    ended = False

    async def receive_in_time() -> Message:
        nonlocal ended
        if ended:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), BODY_IDLE_S)
        except TimeoutError as error:
            raise TooSlowError from error
        ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_in_time


def _counted(receive: Receive, most: int) -> Receive:
    count = 0

    async def receive_counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > most:
            raise TooLargeError
        return message

    return receive_counted


def _too_large(most: int) -> JSONResponse:
    size = f"{most // 2**20} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
    return problem(413, f"the body is larger than {size}")


def too_large() -> JSONResponse:
    """The answer to `TooLargeError`."""
    return _too_large(MOST_FILE_BYTES)


def too_slow() -> JSONResponse:
    """The answer to `TooSlowError`."""
    refusal = problem(408, f"nothing came for {BODY_IDLE_S:.0f} seconds")
    refusal.headers["Connection"] = "close"
    return refusal


def _unfit(body: bytes) -> JSONResponse | None:
    """The answer to a body that is no JSON, or holds what cannot be stored; None for a good one."""
    try:
        content = json.loads(body, parse_constant=_no_constant)
        where = _unstorable(content, "body")
    except (ValueError, RecursionError) as error:
        return problem(
            400, "the body is no JSON", faults=[Fault("body", str(error)[:200] or "nested too deep")]
        )
    if where is None:
        return None
    message = "holds what cannot be stored: a NUL, half a surrogate pair, or a number without end"
    return problem(
        422, "a member cannot be stored", "what was given cannot be right", [Fault(where, message)]
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _unstorable(value: Any, where: str) -> str | None:
    """Name the first text in a JSON value that no database stores."""
    if isinstance(value, str):
        return where if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value) else None
    if isinstance(value, float):
        # 1e999 is JSON and reads as infinity.
        return None if math.isfinite(value) else where
    parts: Mapping[str, Any] = {}
    if isinstance(value, dict):
        if any(_unstorable(name, where) for name in value):
            return where
        parts = {f"{where}.{name}": part for name, part in value.items()}
    elif isinstance(value, list):
        parts = {f"{where}.{number}": part for number, part in enumerate(value)}
    return next((found for name, part in parts.items() if (found := _unstorable(part, name))), None)
