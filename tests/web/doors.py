"""Doorkeepers of the tests: who asks without a session of their own."""

from __future__ import annotations

from urllib.parse import unquote

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import Scope

from app.accounts.permissions import Permission, Role
from app.accounts.principal import Principal

ACTOR = "X-DutyRing-Actor"
"""Header by which a test names the person who asks, percent-encoded."""


class NamedDoorkeeper:
    """Takes whoever a header names for somebody who may do everything, and nobody for `local`.

    It is for tests of what lies behind the doors. The doors themselves are tested with accounts: tests/web/people.py.
    """

    async def who(self, scope: Scope) -> Principal | None:
        """Return who the header names."""
        name = unquote(Headers(scope=scope).get(ACTOR, "local"))
        if not name:
            return None
        return Principal(0, "test", name, frozenset(Role), frozenset(Permission), address="127.0.0.1")


def let_in(app: FastAPI) -> FastAPI:
    """Give a service this doorkeeper."""
    app.state.doorkeeper = NamedDoorkeeper()
    return app
