"""What is stopped now, for the head of every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Receive, Scope, Send

from app.accounts.principal import Principal
from app.checks import stops
from app.checks.figures import live_states
from app.checks.models import EmergencyStop
from app.database import Database
from app.directory.models import Unit

log = structlog.get_logger(__name__)
NO_PAGES = ("/api/", "/static/", "/recordings/", "/live/stream", "/healthz", "/readyz", "/metrics")
"""Ways that answer no page with a head; so does what ends in `/sound`."""


@dataclass(frozen=True, slots=True)
class StopView:
    """One stop, standing or lifted."""

    id: int
    whom: str | None
    """Name of the unit at the head of what is stopped; None: every unit."""
    reason: str
    placed_at: datetime
    placed_by: str
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None


async def views(session: AsyncSession, rows: Sequence[EmergencyStop]) -> list[StopView]:
    """Stops with the names of their units; those of units that the reader does not see are left out."""
    heads = {row.unit_id for row in rows if row.unit_id is not None}
    query = select(Unit.id, Unit.name).where(Unit.id.in_(heads))
    names = {row[0]: row[1] for row in await session.execute(query)} if heads else {}
    return [
        StopView(
            row.id,
            None if row.unit_id is None else names[row.unit_id],
            row.reason,
            row.placed_at,
            row.placed_by,
            row.lifted_at,
            row.lifted_by,
            row.lift_reason,
        )
        for row in rows
        if row.unit_id is None or row.unit_id in names
    ]


async def standing(session: AsyncSession) -> list[StopView]:
    """The stops that hold and that the reader sees."""
    return await views(session, await stops.standing(session))


async def under_way(session: AsyncSession, head: Unit | None = None) -> int:
    """How many calls are under way, of all units or of one and those below it."""
    return sum((await live_states(session, "" if head is None else head.path)).values())


class KnowStops:
    """ASGI middleware behind the gate: pages know what is stopped, whatever they are about."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look up what is stopped for a page, and pass the request on."""
        path = scope.get("path", "")
        if scope["type"] == "http" and not (path.startswith(NO_PAGES) or path.endswith("/sound")):
            reader: Principal | None = scope.get("state", {}).get("principal")
            if reader is not None:
                scope["state"]["stops"] = await self._look(scope["app"].state.database)
        await self._app(scope, receive, send)

    async def _look(self, database: Database) -> list[StopView] | None:
        """None where nobody can tell: a page that says so is better than none."""
        try:
            async with database.reading() as session:
                return await standing(session)
        except SQLAlchemyError:
            log.exception("emergency stops could not be looked up")
            return None
