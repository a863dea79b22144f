"""What happens too often to be logged each time."""

from __future__ import annotations

import logging
import time

PAUSE_S = 10.0
"""Between two lines of one kind."""


class Tally:
    """Logs the first of its kind at once, then one line for all that came since: a flood must not fill the disk."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        """What happens, in the plural."""
        self._since = 0
        self._told_at: float | None = None
        self.count = 0
        """How often it has happened."""

    def note(self, detail: str) -> None:
        """Take note of one."""
        self.count += 1
        self._since += 1
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= PAUSE_S:
            self._log.info("%s: %d, the last one: %s", self._what, self._since, detail)
            self._told_at, self._since = now, 0
