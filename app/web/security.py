"""Headers that every answer carries."""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
HTTPS_ALONE = "max-age=31536000"
"""For a year, and for this host alone: others below its name are not ours to decide on."""


def style_nonce() -> str:
    """Return the nonce of one answer, for a library that brings a style element of its own."""
    return secrets.token_urlsafe(18)


def let_style(response: Response, nonce: str) -> Response:
    """Let the style elements with this nonce stand on one page. Its scripts are bound as ever."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
        "style-src 'self'", f"style-src 'self' 'nonce-{nonce}'"
    )
    return response


class SecurityHeaders:
    """ASGI middleware that adds the headers; what is no static file is not kept by any cache.

    A page that lets one style of a library stand (`let_style`) keeps its own policy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                static = scope["path"].startswith("/static/")
                if scope["app"].state.settings.secure_cookies:
                    headers["Strict-Transport-Security"] = HTTPS_ALONE
                headers["Cache-Control"] = "no-cache" if static else "private, no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)
