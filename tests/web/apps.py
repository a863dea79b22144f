"""The service as the tests make it: one for each database, the routes worked out once for all of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings


@lru_cache(maxsize=1)
def _first() -> FastAPI:
    """A service that answers nothing; what FastAPI works out of its routes serves every other one."""
    return create_app(Settings(phone_process=False))


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    return _first().openapi()


def make_app(settings: Settings) -> FastAPI:
    """`create_app`, without the second that each service takes to work out its routes and its description.

    Neither depends on settings, and the routes find their service in the request. test_service, test_pages and
    test_upgrade ask services of their own.
    """
    app = create_app(settings)
    app.router.routes[:] = _first().router.routes
    app.openapi = _document  # type: ignore[method-assign]
    return app
