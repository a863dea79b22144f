"""The service as the tests make it: one for each database, the routes worked out once for all of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastapi import FastAPI

from app.accounts.gate import AccountDoorkeeper
from app.main import create_app
from app.settings import Settings
from tests.web.doors import NamedDoorkeeper


@lru_cache(maxsize=1)
def _first() -> FastAPI:
    """A service that answers nothing; what FastAPI works out of its routes serves every other one."""
    return create_app(Settings(phone_process=False))


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    return _first().openapi()


def own_doors(settings: Settings) -> FastAPI:
    """As `make_app`, with the doorkeeper of the product: accounts, sessions, tokens."""
    app = make_app(settings)
    app.state.doorkeeper = AccountDoorkeeper(app.state.database, settings)
    return app


def make_app(settings: Settings) -> FastAPI:
    """`create_app`, without the second that each service takes to work out its routes and its description, and with a
    doorkeeper that lets everybody in.

    Neither depends on settings, and the routes find their service in the request. Services that run as processes
    (browser tests, test_compose) have routes of their own.
    """
    app = create_app(settings)
    app.router.routes[:] = _first().router.routes
    app.openapi = _document  # type: ignore[method-assign]
    app.state.doorkeeper = NamedDoorkeeper()
    return app
