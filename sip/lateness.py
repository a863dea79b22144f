"""How long what others tell this process waits until it is read.

A process with more to do than it has processor for reads later and later. From half a second on the far sides send
their messages again (T1, RFC 3261 section 17), which makes more to read still: no further call may be begun then.
"""

from __future__ import annotations

import time
from typing import Final

TOO_LATE_S: Final = 0.5
"""T1: by now a far side has sent again what it had no answer to."""


class Lateness:
    """The longest waits of the last seconds, told apart from one stall: that is over when it is noticed."""

    def __init__(self) -> None:
        self._second = 0
        """The one that is being filled."""
        self._waits_s = [0.0, 0.0, 0.0]
        """The longest wait of this second and of the two before it."""

    def note(self, since_s: float) -> None:
        """Something is read now that came at this monotonic time."""
        now = self._turn()
        self._waits_s[0] = max(self._waits_s[0], now - since_s)

    @property
    def lasting_s(self) -> float:
        """How long something has waited in each of two seconds in a row, the last that is over among them."""
        self._turn()
        now_s, last_s, before_s = self._waits_s
        return min(last_s, max(now_s, before_s))

    def _turn(self) -> float:
        """Begin a new second where the last is over; returns the time."""
        now = time.monotonic()
        for _ in range(min(3, int(now) - self._second)):
            self._waits_s = [0.0, *self._waits_s[:2]]
        self._second = int(now)
        return now
