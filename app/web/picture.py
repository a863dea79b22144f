"""The picture of a call: where rings, answer, limits and sounds lie on one time line.

Pure geometry in the units of the SVG's view box; the template draws it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.checks import wording
from app.checks.rules import Rules
from app.web.labels import LEFT, RIGHT, WIDTH, Label, Mark, lay_out

LEAST_SPAN_MS = 5_000.0
RING_ON_MS, RING_PERIOD_MS = 1_000.0, 5_000.0
"""National cadence: 1 s on, 4 s off (GB 3380-82)."""
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_MOST_TICKS = 20
_LEAST_WIDTH = 1.5
_CHARACTER = 12.0
"""Width of one Chinese character of a label in a bar."""
_HEARD = frozenset({"noise", "silence"})
"""Sounds that alone are not worth a picture."""
CHART_HEIGHT = 100.0


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
class Picture:
    """All that is drawn."""

    rings: tuple[Bar, ...]
    assumed: bool
    """The rings are counted by the national cadence, not heard."""
    sounds: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    limits: tuple[Mark, ...]
    labels: tuple[Label, ...]
    """The words over limits, answer and end, laid out so that none covers another or another's line."""
    window: Bar | None
    """Where the answer lies somewhere in; None when it is one moment."""
    lawful: Bar | None
    """From ring start to the limit."""
    ticks: tuple[Mark, ...]
    top: float
    """Upper edge of the chart, below the labels."""
    crossed_s: float | None
    """Seconds from our CANCEL to an answer that crossed it; None when none did."""
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT

    @property
    def bottom(self) -> float:
        """Lower edge of the chart."""
        return self.top + CHART_HEIGHT


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
        return Mark(self.x(t_ms), kind, t_ms / 1000)


def worth_drawing(facts: Mapping[str, Any]) -> bool:
    """Whether a call has a shape: it rang, was answered, or something was heard."""
    early = (facts.get("early_media") or {}).get("segments") or []
    shaped = (facts.get("ring_started_ms"), facts.get("answered_ms"))
    return any(t is not None for t in shaped) or any(s["kind"] not in _HEARD for s in early)


def ring_seconds(most_ms: float | None, least_ms: float | None, rules: Rules) -> str:
    """Write the ringing to an answer in seconds, a span where the answer's moment is one; empty if unknown."""
    if most_ms is None:
        return ""
    limits_s = (rules.within_s, rules.limit_s, rules.finding_s)
    most = wording.seconds(most_ms, *limits_s)
    least = most if least_ms is None else wording.seconds(min(least_ms, most_ms), *limits_s)
    return most if least == most else f"{least}–{most}"


def draw(facts: Mapping[str, Any], rules: Rules) -> Picture:
    """Lay out one call from its stored facts, with the limits of the rules that judged it."""
    ring_start: float | None = facts.get("ring_started_ms")
    limits = _limits(ring_start, rules)
    ended = facts.get("ended_ms") or 0.0
    shown = [(kind, t_ms) for kind, t_ms in limits if t_ms <= max(ended, LEAST_SPAN_MS) * 1.6]
    # Right of the last limit there is room for its words.
    scale = _Scale(max([ended * 1.03, LEAST_SPAN_MS, *(t_ms * 1.13 for _, t_ms in shown)]))
    rings, assumed = _rings(facts, scale)
    marks = _marks(facts, scale)
    limit_marks = tuple(scale.mark(kind, t_ms) for kind, t_ms in shown)
    labels, top = lay_out([(mark, _text(mark, facts, rules)) for mark in (*marks, *limit_marks)])
    lawful_end = dict(limits).get("limit")
    return Picture(
        rings=rings,
        assumed=assumed,
        sounds=_sounds(facts, scale),
        marks=marks,
        limits=limit_marks,
        labels=labels,
        window=_window(facts, scale),
        lawful=None
        if ring_start is None or lawful_end is None
        else scale.bar("lawful", ring_start, lawful_end),
        ticks=_ticks(scale),
        top=top,
        crossed_s=_crossed_s(facts),
    )


def _limits(ring_start: float | None, rules: Rules) -> list[tuple[str, float]]:
    if ring_start is None:
        return []
    seconds = (("within", rules.within_s), ("limit", rules.limit_s), ("finding", rules.finding_s))
    return [(kind, ring_start + limit_s * 1000) for kind, limit_s in seconds]


def _text(mark: Mark, facts: Mapping[str, Any], rules: Rules) -> str:
    match mark.kind:
        case "within":
            return f"三声止 {rules.within_s:g} 秒"
        case "limit":
            return f"折算限 {rules.limit_s:g} 秒"
        case "finding":
            return f"拟认定线 {rules.finding_s:g} 秒"
        case "answer":
            rang = ring_seconds(facts.get("ring_to_answer_ms"), facts.get("ring_to_answer_min_ms"), rules)
            return f"接听，响铃 {rang} 秒" if rang else "接听"
        case "end":
            return "结束"
    return ""


def _crossed_s(facts: Mapping[str, Any]) -> float | None:
    """How long after our CANCEL the answer came, when it came all the same."""
    answered = facts.get("answered_ms")
    cancelled = next(
        (
            entry["t_ms"]
            for entry in facts.get("timeline") or []
            if entry.get("event") == "sent" and entry.get("method") == "CANCEL"
        ),
        None,
    )
    if answered is None or cancelled is None or answered < cancelled:
        return None
    return float(answered - cancelled) / 1000


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
