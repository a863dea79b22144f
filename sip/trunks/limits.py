"""Caps of a trunk, enforced in the phone itself: no plan, page or command can go beyond them."""

from __future__ import annotations

from dataclasses import dataclass

Quota = tuple[int, float]
"""At most so many calls in so many seconds (a sliding window)."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What a trunk bears. None: no limit."""

    concurrency: int | None = 2
    """Calls at one time."""
    calls_per_s: float | None = 1.0
    """Refill of the token bucket."""
    burst: int = 1
    """Size of the bucket: calls that may leave at once after a pause."""
    per_called: Quota | None = (6, 3600.0)
    """To one number: (count, window_s)."""
    per_caller: Quota | None = None
    """From one identity of ours: (count, window_s)."""

    def __post_init__(self) -> None:
        """Refuse values that would admit no call ever; raises `ValueError`."""
        for name in ("concurrency", "calls_per_s", "burst"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} takes a number above 0, not {value!r}")
        for name in ("per_called", "per_caller"):
            quota = getattr(self, name)
            if quota is not None and not (quota[0] > 0 and quota[1] > 0):
                raise ValueError(f"{name} takes a count and seconds above 0, not {quota!r}")

    @classmethod
    def unlimited(cls) -> Caps:
        """No caps at all."""
        return cls(None, None, 1, None, None)
