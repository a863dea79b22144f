"""Every request has an id, a line in the log and a place in the figures: by route, never by address or query.

The outermost middleware: what others refuse is counted too. The line says who asked (the account's key), by which
route, with which answer, and how long it took. Bodies, queries and header values are no part of it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.gate import paths_of

log = structlog.get_logger(__name__)
HEADER = "X-Request-ID"
QUIET = ("/healthz", "/readyz", "/metrics", "/static")
"""Asked so often that their lines would bury the others; at level debug they stand too."""
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
GONE_AWAY = 499
"""Noted for whoever left before there was an answer."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestFigures:
    """How long requests took, by method, route and class of the answer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "dutyring_http_request_seconds",
            "Seconds from a request to the end of its answer.",
            ("method", "route", "status"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        known = method if method in METHODS else "other"
        self.seconds.labels(known, route, f"{status // 100}xx").observe(seconds)


class RequestLog:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; note its end, however it ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key = secrets.token_hex(8)
        began = time.perf_counter()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = key
            await send(message)

        with structlog.contextvars.bound_contextvars(request=key):
            try:
                await self._app(scope, receive, send_on)
            except asyncio.CancelledError:
                status = status or GONE_AWAY
                raise
            finally:
                _note(scope, status or 500, time.perf_counter() - began)


def _note(scope: Scope, status: int, seconds: float) -> None:
    route, method = route_of(scope), scope["method"]
    scope["app"].state.figures.note(method, route, status, seconds)
    asking = scope.get("state", {}).get("principal")
    tell = log.debug if route in QUIET and status < 500 else log.info
    tell(
        "request",
        method=method if method in METHODS else "other",
        route=route,
        status=status,
        ms=round(seconds * 1000, 1),
        account=None if asking is None else asking.account_id,
    )


def route_of(scope: Scope) -> str:
    """The path of the route as it is written with its parameters; `none` for an address that leads nowhere."""
    if scope["path"].startswith("/static/"):
        return "/static"
    app = scope["app"]
    known: Mapping[Any, str] | None = getattr(app.state, "paths", None)
    if known is None:
        known = app.state.paths = paths_of(app)
    return known.get(getattr(scope.get("route"), "endpoint", None), "none")
