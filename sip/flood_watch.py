"""Notices that somebody floods our SIP ports: an alarm for the operator, who alone can close the firewall."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from sip.core import Event, Malformed, Stray

MANY: Final = 500
"""So many packets that belong to no call, within `WINDOW_S`, are a flood."""
WINDOW_S: Final = 10.0
FEW: Final = 50
"""Fewer than these in `CALM_S` end it."""
CALM_S: Final = 60.0
_SOURCES: Final = 64
"""Addresses told apart; a flood may come from more of them than anybody can read."""

OnFlood = Callable[[str | None], None]
"""Told what is going on when a flood begins, None when it is over."""


class FloodWatch:
    """Counts what belongs to no call, over all sockets of a phone. Costs a few additions for each packet."""

    def __init__(self, on_flood: OnFlood, *, window_s: float = WINDOW_S, calm_s: float = CALM_S) -> None:
        self._on_flood = on_flood
        self._window_s, self._calm_s = window_s, calm_s
        self._count = 0
        self._began = -window_s
        self._sources: Counter[str] = Counter()
        self._look: asyncio.TimerHandle | None = None

    def note(self, event: Event) -> None:
        """Take note of an event that belongs to no call; runs in the event loop."""
        if not isinstance(event, Stray | Malformed):
            return
        now = time.monotonic()
        if self._look is None and now - self._began >= self._window_s:
            self._begin(now)
        self._count += 1
        host = event.source.host
        if host in self._sources or len(self._sources) < _SOURCES:
            self._sources[host] += 1
        if self._look is None and self._count >= MANY:
            self._on_flood(self._told(now))
            self._begin(now)
            self._look = asyncio.get_running_loop().call_later(self._calm_s, self._is_it_over)

    def close(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()

    def _begin(self, now: float) -> None:
        self._count, self._began = 0, now
        self._sources.clear()

    def _told(self, now: float) -> str:
        busiest, packets = self._sources.most_common(1)[0]
        span_s = max(now - self._began, 1.0)
        return f"{self._count / span_s:.0f} packets a second, {100 * packets // self._count} % of them from {busiest}"

    def _is_it_over(self) -> None:
        over = self._count < FEW
        self._look = None if over else asyncio.get_running_loop().call_later(self._calm_s, self._is_it_over)
        self._begin(time.monotonic())
        if over:
            self._on_flood(None)
