"""Ringing that began late for this line: the time of dialling held against the line's own earlier calls.

A forwarded call is set up twice, so its post-dial delay is longer. What is long for one line is usual for another:
the measure is the line's own history on the same trunk, the median plus three times the median absolute deviation.
Networks are slow for many reasons, so this is never more than a hint that asks for an ear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

LEAST_CALLS = 3
"""Fewer earlier calls are no history."""
SURE_CALLS = 8
"""From so many on the median deviation itself is known well enough for `medium`."""
DEVIATIONS = 3.0
LEAST_EXCESS_MS = 2_000.0
"""Above the median, whatever the deviation: on a steady line a few hundred milliseconds are the network's."""


@dataclass(frozen=True, slots=True)
class LateRinging:
    """A post-dial delay that stands out from the line's history."""

    delay_ms: float
    median_ms: float
    limit_ms: float
    calls: int
    """How many earlier calls it is held against."""


def late_ringing(delay_ms: float | None, history_ms: Sequence[float]) -> LateRinging | None:
    """Return the delay with its limit where it is over it; None where it is not, or where there is no history.

    `history_ms` are the post-dial delays of earlier calls to this line by the same trunk, in any order.
    """
    if delay_ms is None or len(history_ms) < LEAST_CALLS:
        return None
    middle_ms = median(history_ms)
    deviation_ms = median(abs(earlier - middle_ms) for earlier in history_ms)
    limit_ms = middle_ms + max(DEVIATIONS * deviation_ms, LEAST_EXCESS_MS)
    if delay_ms <= limit_ms:
        return None
    return LateRinging(delay_ms, middle_ms, limit_ms, len(history_ms))
