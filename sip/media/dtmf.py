"""Digits received as RTP events (RFC 4733)."""

from __future__ import annotations

import struct
from typing import Final

from sip.record import DtmfDigit

_EVENT: Final = struct.Struct("!BBH")
_DIGITS: Final = "0123456789*#ABCD"
"""RFC 4733 section 3.2, table 3."""
_CLOCK_PER_MS: Final = 8
_SILENT_MS: Final = 200.0
"""An event whose end packets were all lost is over after so long (its updates come every 20 to 50 ms)."""

_APART_MS: Final = 60.0
"""Where sound of its timestamp would lie, and its arrival less its duration: further apart, one of them is wrong."""


class DigitReceiver:
    """Turns the packets of events into digits, each reported once."""

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._digit = ""
        self._start_ms = 0.0
        self._duration_ms = 0.0
        self._last_ms = 0.0
        self._reported: int | None = None

    def packet(
        self, timestamp: int, payload: bytes, at_ms: float, placed_ms: float | None = None
    ) -> list[DtmfDigit]:
        """Take one event packet; return the digits that ended with it.

        `placed_ms` is where sound of its timestamp lies: there the digit begins, if that can be.
        """
        if len(payload) < _EVENT.size:
            return []
        event, flags, duration = _EVENT.unpack_from(payload)
        if event >= len(_DIGITS) or timestamp == self._reported:
            return []
        ended = self._finish() if timestamp != self._timestamp else []
        duration_ms = duration / _CLOCK_PER_MS
        if self._timestamp is None:
            self._timestamp, self._digit, self._duration_ms = timestamp, _DIGITS[event], 0.0
            self._start_ms = at_ms - duration_ms
            if placed_ms is not None and abs(placed_ms - self._start_ms) <= _APART_MS:
                self._start_ms = placed_ms
        self._duration_ms = max(self._duration_ms, duration_ms)
        self._last_ms = at_ms
        if flags & 0x80:
            ended += self._finish()
        return ended

    def expire(self, now_ms: float) -> list[DtmfDigit]:
        """Return the digit whose end was lost, once it has been silent long enough."""
        if self._timestamp is None or now_ms - self._last_ms < _SILENT_MS:
            return []
        return self._finish()

    def _finish(self) -> list[DtmfDigit]:
        if self._timestamp is None:
            return []
        self._reported, self._timestamp = self._timestamp, None
        return [DtmfDigit(self._digit, self._start_ms, self._duration_ms)]
