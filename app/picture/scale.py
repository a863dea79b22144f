"""From moments to places on the paper, and the marks of the time axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.picture.labels import LEFT, RIGHT, WIDTH, Mark

LEAST_SPAN_MS = 5_000.0
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600)
_MOST_TICKS = 20
_LEAST_WIDTH = 1.5
_CLOCK_S = 600.0
"""From here on seconds are hard to read: the axis counts minutes and hours."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the line, from x over width."""

    x: float
    width: float
    kind: str
    start_s: float
    end_s: float
    text: str = ""
    """Words inside; empty where they do not fit."""
    title: str = ""
    """What is known of it, for whoever points at it."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the time axis."""

    x: float
    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The time axis."""

    span_ms: float

    def x(self, t_ms: float) -> float:
        """Return the place of a moment, never outside the chart."""
        share = min(max(t_ms / self.span_ms, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 2)

    def bar(self, kind: str, start_ms: float, end_ms: float, text: str = "", title: str = "") -> Bar:
        """Return the bar of a stretch, wide enough to be seen."""
        x = min(self.x(start_ms), WIDTH - RIGHT - _LEAST_WIDTH)
        width = round(max(self.x(end_ms) - x, _LEAST_WIDTH), 2)
        return Bar(x, width, kind, start_ms / 1000, end_ms / 1000, text, title)

    def mark(self, kind: str, t_ms: float) -> Mark:
        """Return the mark of a moment."""
        return Mark(self.x(t_ms), kind, t_ms / 1000)

    def ticks(self) -> tuple[Tick, ...]:
        """Return the marks of the axis, as many as can be read."""
        span_s = self.span_ms / 1000
        step: float = next((s for s in _TICKS_S if span_s / s <= _MOST_TICKS), _TICKS_S[-1])
        while span_s / step > _MOST_TICKS:
            step *= 2
        count = math.floor(span_s / step)
        clock = span_s > _CLOCK_S
        return tuple(
            Tick(self.x(n * step * 1000.0), n * step, _clock(n * step) if clock else f"{n * step:g}")
            for n in range(count + 1)
        )


def _clock(at_s: float) -> str:
    minutes, seconds = divmod(round(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
