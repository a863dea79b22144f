"""What of a record or an analysis goes into its picture, read without trusting it.

Records are kept for years: an old one lacks what newer ones have, and a picture has to come of both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sip.record import AUDIO_SCHEMA

_MOST = 1e10
"""Milliseconds: four months. What lies beyond is no moment of a call."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one moment to another, milliseconds."""

    start_ms: float
    end_ms: float
    members: Mapping[str, Any]
    """The JSON object that it stands in."""

    def text(self, name: str) -> str:
        """Return a member as text; empty where it has none."""
        value = self.members.get(name)
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts of a record or an analysis that are drawn."""

    facts: Mapping[str, Any]

    @property
    def is_file(self) -> bool:
        """Whether it is the analysis of a sound file."""
        return self.facts.get("schema") == AUDIO_SCHEMA

    def ms(self, name: str) -> float | None:
        """Return a moment; None where there is none."""
        return number(self.facts.get(name))

    def ring_start(self) -> float | None:
        """Return the start of the ringing; in a file that is the first burst."""
        if not self.is_file:
            return self.ms("ring_started_ms")
        bursts = self.bursts()
        return bursts[0].start_ms if bursts else None

    def end(self) -> float:
        """Return the end of all that is drawn."""
        if self.is_file:
            heard = [stretch.end_ms for stretch in (*self.segments(), *self.bursts())]
            return self.ms("duration_ms") or max(heard, default=0.0)
        return self.ms("ended_ms") or 0.0

    def bursts(self) -> list[Stretch]:
        """Return the ringback that was heard."""
        return stretches(mapping(self.facts.get("rings")).get("bursts"))

    def segments(self) -> list[Stretch]:
        """Return all segments in order of time."""
        if self.is_file:
            return stretches(self.facts.get("segments"))
        early = mapping(self.facts.get("early_media")).get("segments")
        later = mapping(self.facts.get("after_answer")).get("segments")
        return [*stretches(early), *stretches(later)]

    def announcements(self) -> list[Stretch]:
        """Return what was understood of announcements."""
        return stretches(self.facts.get("announcements"))

    def evidence(self) -> list[Stretch]:
        """Return the signs of forwarding; a sign is a moment."""
        return moments(mapping(self.facts.get("forwarding")).get("evidence"))

    def timeline(self) -> list[Stretch]:
        """Return what happened on the wire and in the phone."""
        return moments(self.facts.get("timeline"))

    def window(self) -> tuple[float, float] | None:
        """Return the two ends of the answer window; None where the answer is one moment."""
        found = self.facts.get("answered_window_ms")
        if not isinstance(found, Sequence) or isinstance(found, str) or len(found) != 2:
            return None
        first, last = number(found[0]), number(found[1])
        return None if first is None or last is None or last - first < 1.0 else (first, last)

    def level(self) -> list[tuple[float, float, int]]:
        """Return (start_ms, end_ms, dbm0) of each step in which something came."""
        track = mapping(self.facts.get("level"))
        start, step = number(track.get("start_ms")), number(track.get("step_ms"))
        levels = track.get("dbm0")
        if start is None or not step or step <= 0 or not isinstance(levels, Sequence):
            return []
        return [
            (start + n * step, start + (n + 1) * step, round(level))
            for n, level in enumerate(levels)
            if isinstance(level, int | float) and math.isfinite(level)
        ]


def number(value: Any) -> float | None:
    """Return a number that a call may hold; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MOST:
        return float(value)
    return None


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def stretches(found: Any) -> list[Stretch]:
    """Return the stretches of a JSON list that have a beginning and an end, in order of time."""
    result = []
    for members in found if isinstance(found, Sequence) else ():
        known = mapping(members)
        start, end = number(known.get("start_ms")), number(known.get("end_ms"))
        if start is not None and end is not None and end >= start:
            result.append(Stretch(start, end, known))
    return sorted(result, key=lambda stretch: stretch.start_ms)


def moments(found: Any) -> list[Stretch]:
    """Return the objects of a JSON list that have a moment, in order of time."""
    result = []
    for members in found if isinstance(found, Sequence) else ():
        known = mapping(members)
        at = number(known.get("t_ms"))
        if at is not None:
            result.append(Stretch(at, at, known))
    return sorted(result, key=lambda stretch: stretch.start_ms)
