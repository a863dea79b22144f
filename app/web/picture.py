"""The picture of a call: where rings, answer, limits and sounds lie on one time line.

Pure geometry in the units of the SVG's view box; the template draws it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.checks.rules import Rules

WIDTH = 1000.0
LEFT, RIGHT = 64.0, 16.0
LEAST_SPAN_MS = 5_000.0
RING_ON_MS, RING_PERIOD_MS = 1_000.0, 5_000.0
"""National cadence: 1 s on, 4 s off (GB 3380-82)."""
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_MOST_TICKS = 20
_LEAST_WIDTH = 1.5
_CHARACTER = 12.0
"""Width of one Chinese character of a label."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the line, from x over width."""

    x: float
    width: float
    kind: str
    start_s: float
    end_s: float
    wide: bool
    """Whether a label fits in."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment."""

    x: float
    kind: str
    at_s: float
    anchor: str
    """`start` or `end`: on which side of the line its label stands."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn."""

    rings: tuple[Bar, ...]
    assumed: bool
    """The rings are counted by the national cadence, not heard."""
    sounds: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    limits: tuple[Mark, ...]
    window: Bar | None
    """Where the answer lies somewhere in; None when it is one moment."""
    lawful: Bar | None
    """From ring start to the limit."""
    ticks: tuple[Mark, ...]
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


@dataclass(frozen=True, slots=True)
class _Scale:
    span_ms: float

    def x(self, t_ms: float) -> float:
        share = min(max(t_ms / self.span_ms, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 2)

    def bar(self, kind: str, start_ms: float, end_ms: float) -> Bar:
        x = self.x(start_ms)
        width = round(max(self.x(end_ms) - x, _LEAST_WIDTH), 2)
        return Bar(x, width, kind, start_ms / 1000, end_ms / 1000, width >= 4 * _CHARACTER)

    def mark(self, kind: str, t_ms: float) -> Mark:
        x = self.x(t_ms)
        return Mark(x, kind, t_ms / 1000, "end" if x > WIDTH * 0.85 else "start")


def draw(facts: Mapping[str, Any], rules: Rules) -> Picture:
    """Lay out one call from its stored facts."""
    ring_start: float | None = facts.get("ring_started_ms")
    limits_s = () if ring_start is None else (rules.within_s, rules.limit_s)
    limits_ms = [(ring_start or 0.0) + limit_s * 1000 for limit_s in limits_s]
    ended = facts.get("ended_ms") or 0.0
    shown = [limit for limit in limits_ms if limit <= max(ended, LEAST_SPAN_MS) * 1.6]
    scale = _Scale(max([ended, LEAST_SPAN_MS, *shown]) * 1.03)
    rings, assumed = _rings(facts, scale)
    return Picture(
        rings=rings,
        assumed=assumed,
        sounds=_sounds(facts, scale),
        marks=_marks(facts, scale),
        limits=tuple(
            scale.mark(f"{limit_s:g}", limit)
            for limit_s, limit in zip(limits_s, limits_ms, strict=True)
            if limit in shown
        ),
        window=_window(facts, scale),
        lawful=scale.bar("lawful", ring_start, limits_ms[-1]) if ring_start is not None else None,
        ticks=_ticks(scale),
    )


def _rings(facts: Mapping[str, Any], scale: _Scale) -> tuple[tuple[Bar, ...], bool]:
    rings = facts.get("rings") or {}
    bursts = rings.get("bursts") or []
    if bursts:
        return tuple(scale.bar("ring", burst["start_ms"], burst["end_ms"]) for burst in bursts), False
    start = facts.get("ring_started_ms")
    if start is None or rings.get("source") != "cadence":
        return (), False
    end = facts.get("answered_ms") or facts.get("ended_ms") or start
    begins = [start + n * RING_PERIOD_MS for n in range(rings.get("count") or 0)]
    return tuple(scale.bar("ring", t, min(t + RING_ON_MS, end)) for t in begins if t < end), True


def _sounds(facts: Mapping[str, Any], scale: _Scale) -> tuple[Bar, ...]:
    early = (facts.get("early_media") or {}).get("segments") or []
    later = (facts.get("after_answer") or {}).get("segments") or []
    return tuple(scale.bar(s["kind"], s["start_ms"], s["end_ms"]) for s in (*early, *later))


def _marks(facts: Mapping[str, Any], scale: _Scale) -> tuple[Mark, ...]:
    moments = (
        ("ring_start", facts.get("ring_started_ms")),
        ("answer", facts.get("answered_ms")),
        ("end", facts.get("ended_ms")),
    )
    return tuple(scale.mark(kind, t_ms) for kind, t_ms in moments if t_ms is not None)


def _window(facts: Mapping[str, Any], scale: _Scale) -> Bar | None:
    window = facts.get("answered_window_ms")
    if not window or window[1] - window[0] < 1:
        return None
    return scale.bar("window", window[0], window[1])


def _ticks(scale: _Scale) -> tuple[Mark, ...]:
    step = next((s for s in _TICKS_S if scale.span_ms / 1000 / s <= _MOST_TICKS), _TICKS_S[-1])
    count = math.floor(scale.span_ms / 1000 / step)
    return tuple(scale.mark("tick", n * step * 1000.0) for n in range(count + 1))
