"""The phone's side of the live board: tells how its calls stand, and hurries the sound of those that are heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Protocol, runtime_checkable

import structlog

from app import clock
from app.checks import live_board
from app.checks.live_board import Seen
from app.settings import Settings
from sip.live import LiveCall

log = structlog.get_logger(__name__)
LOOK_S = 0.2
"""How often it is looked who listens."""
TELL_EVERY = 2
"""The board is written at every second look."""


@runtime_checkable
class LivePhone(Protocol):
    """What the desk needs of a phone; one that has none of it is not watched."""

    def live_calls(self) -> Mapping[str, LiveCall]:
        """How the calls under way stand, by the name of their recording."""
        ...

    def hasten(self, recording_name: str, hasty: bool) -> None:
        """Have the sound of a call written down more often, or as usual."""
        ...


class LiveDesk:
    """Tells of the calls of one phone."""

    def __init__(self, phone: LivePhone, settings: Settings) -> None:
        self._phone, self._settings = phone, settings
        self._hasty: frozenset[str] = frozenset()
        self._told = True
        """Whether something stands on the board, or may: an earlier process's."""

    async def run(self) -> None:
        """Tell until cancelled; then nothing is on the board."""
        looks = 0
        try:
            while True:
                try:
                    await self.look(tell=looks % TELL_EVERY == 0)
                except Exception:
                    # Whatever it was: calls go on without a board, and the next look may succeed.
                    log.exception("the live board could not be written")
                looks += 1
                await asyncio.sleep(LOOK_S)
        finally:
            with contextlib.suppress(OSError):
                live_board.publish(self._settings, {})

    async def look(self, *, tell: bool = True) -> None:
        """Look once who listens, and write the board where there is something to tell."""
        calls = self._phone.live_calls()
        if calls or self._hasty:
            await self._hurry(calls)
        if not tell or not (calls or self._told):
            return
        now = clock.now().timestamp()
        board = {name: _seen(call, now) for name, call in calls.items()}
        await asyncio.to_thread(live_board.publish, self._settings, board)
        self._told = bool(calls)

    async def _hurry(self, calls: Mapping[str, LiveCall]) -> None:
        wanted = await asyncio.to_thread(live_board.heard_now, self._settings)
        hasty = frozenset(name for name in calls if PurePosixPath(name).name in wanted)
        for name in hasty - self._hasty:
            self._phone.hasten(name, True)
        for name in self._hasty - hasty:
            self._phone.hasten(name, False)
        self._hasty = hasty


def _seen(call: LiveCall, now: float) -> Seen:
    began_at = now - call.age_ms / 1000
    return Seen(
        phase=call.phase,
        began_at=round(began_at, 3),
        ring_from=_moment(began_at, call.ring_started_ms),
        rings=call.rings,
        early=call.early,
        answered_at=_moment(began_at, call.answered_ms),
    )


def _moment(began_at: float, at_ms: float | None) -> float | None:
    return None if at_ms is None else round(began_at + at_ms / 1000, 3)
