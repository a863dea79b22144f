"""How we take leave of somebody who has answered: one closing sentence, then the BYE.

It is said at the regular end of the talk, so that it ends when the talk time does, and when somebody stops the call.
Whoever only rings hears nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sip.media import SAMPLE_RATE_HZ

TAIL_MS = 200.0
"""From the last sample of the closing to the BYE: what is on its way may still be heard."""


class Parting:
    """The closing of one call. Times are milliseconds of the call."""

    def __init__(self, closing: npt.NDArray[np.int16] | None, wanted: asyncio.Event | None) -> None:
        self._closing = closing if closing is not None and len(closing) else None
        self._wanted = wanted
        self._over_ms: float | None = None

    @property
    def watched(self) -> bool:
        """Whether anybody may stop the call in this way."""
        return self._wanted is not None

    @property
    def wanted(self) -> bool:
        """Whether somebody has stopped the call."""
        return self._wanted is not None and self._wanted.is_set()

    @property
    def length_ms(self) -> float:
        """What the closing takes, with what follows it."""
        return 0.0 if self._closing is None else len(self._closing) * 1000 / SAMPLE_RATE_HZ + TAIL_MS

    @property
    def begun(self) -> bool:
        """Whether the closing is being said, or has been."""
        return self._over_ms is not None

    def due_ms(self, limit_ms: float) -> float:
        """Return when it begins, where the talk may last until `limit_ms`."""
        return limit_ms - self.length_ms

    def say(self, now_ms: float, play: Callable[[npt.NDArray[np.int16]], None]) -> float:
        """Say the closing, once; return when it is over."""
        if self._over_ms is None:
            self._over_ms = now_ms + self.length_ms
            if self._closing is not None:
                play(self._closing)
        return self._over_ms

    async def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` once somebody stops the call."""
        if self._wanted is not None:
            await self._wanted.wait()
            wake()
