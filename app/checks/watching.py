"""What is watched while calls last: that they are still ours, and that nobody has stopped them, all or one."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import structlog

from app.checks import by_hand, queue, service, stops
from app.checks.engine import BEAT_S, TaskEngine
from app.checks.models import Attempt
from app.checks.ports import CallPlacer
from app.checks.targets import alerts
from app.database import Database

log = structlog.get_logger(__name__)
LOOK_S = 0.2
"""How often it is looked whether a stop came: what rings must be let go within a second."""


class CallWatch:
    """Watches the calls of one dispatcher; `live` is the dispatcher's own, by attempt."""

    def __init__(
        self, database: Database, engine: TaskEngine, placer: CallPlacer, live: Mapping[int, Attempt]
    ) -> None:
        self._database = database
        self._engine = engine
        self._placer = placer
        self._live = live

    async def keep_leases(self) -> None:
        """Give a sign of life for the calls under way; end those that are no longer ours. Runs until cancelled."""
        while True:
            await asyncio.sleep(BEAT_S)
            ours = tuple(self._live)
            if not ours:
                continue
            try:
                held = await asyncio.shield(self._engine.renew(ours))
            except Exception:
                # The lease outlasts several beats; a watch that ended would watch nothing any more.
                log.exception("leases could not be renewed")
                continue
            for attempt_id in set(ours) - held:
                attempt = self._live.get(attempt_id)
                if attempt is not None:
                    log.error("attempt is no longer ours: its call is ended", attempt=attempt_id)
                    self._placer.stop_call(service.recording_name(attempt))

    async def keep_stops(self) -> None:
        """End calls under way that an emergency stop covers, or that somebody hangs up. Runs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._live:
                continue
            try:
                await self.stop_covered(tuple(self._live))
            except Exception:
                # Whatever it was: a watch that ended would let no call under way be stopped any more.
                log.exception("emergency stops could not be looked up")

    async def stop_covered(self, attempt_ids: Collection[int]) -> None:
        """End those of these calls that an emergency stop covers, or that somebody hangs up."""
        async with self._database.reading() as session:
            covered = set(await by_hand.to_hang_up(session, attempt_ids))
            if await stops.standing(session):
                covered |= {
                    attempt_id
                    for attempt_id, line_id, unit_id in await queue.live_lines(session, attempt_ids)
                    if await stops.stopped_line(session, line_id, unit_id) is not None
                }
        for attempt_id in covered:
            attempt = self._live.get(attempt_id)
            if attempt is not None:
                self._placer.stop_call(service.recording_name(attempt))

    async def journal(self, attempt: Attempt, snapshot: dict[str, Any]) -> None:
        """Write down the dialog; a stop that came before an INVITE leaves keeps it from leaving."""
        await self._engine.journal(attempt.id, snapshot)
        if not alerts(snapshot):
            # Later the watch sees it as soon; a look that fails must not spoil a call that is under way.
            await self.stop_covered((attempt.id,))
