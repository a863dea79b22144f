"""The tone plan (信号音): which tone means what, as data. `plans/cn.toml` is the one that ships."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sip.record import SegmentKind

MEASUREMENT_SLACK_MS = 12.0
"""Added to both sides of a cadence's tolerance: two edges of 5 ms each, and a little."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """A call progress tone of the plan's common frequency, on and off in turn."""

    kind: SegmentKind
    on_off_ms: tuple[float, ...]
    """Empty for a continuous tone."""
    minimum_ms: float = 0.0
    """A continuous tone is one after this long."""

    @property
    def on_ms(self) -> float:
        """First on period; 0 for a continuous tone."""
        return self.on_off_ms[0] if self.on_off_ms else 0.0

    @property
    def off_ms(self) -> float:
        """Last off period; 0 for a continuous tone."""
        return self.on_off_ms[-1] if self.on_off_ms else 0.0


@dataclass(frozen=True, slots=True)
class SignalTone:
    """A tone known by its own frequency: fax, howler."""

    kind: SegmentKind
    frequency_hz: float
    tolerance_hz: float
    minimum_ms: float
    maximum_ms: float
    """Infinite when the plan sets none."""

    def matches(self, frequency_hz: float, duration_ms: float) -> bool:
        """Tell whether a steady tone of this frequency and length is this signal."""
        near = abs(frequency_hz - self.frequency_hz) <= self.tolerance_hz
        return near and self.minimum_ms <= duration_ms <= self.maximum_ms


@dataclass(frozen=True, slots=True)
class TonePlan:
    """All tones of a country with the tolerances they are accepted in."""

    name: str
    tone_hz: float
    frequency_tolerance_hz: float
    cadence_tolerance: float
    floor_dbm0: float
    bridge_ms: float
    cycles: int
    cadences: tuple[Cadence, ...]
    signals: tuple[SignalTone, ...]

    def cadence(self, kind: SegmentKind) -> Cadence | None:
        """Return the cadence of this kind, None when the plan has none."""
        return next((c for c in self.cadences if c.kind == kind), None)

    def fits(self, measured_ms: float, nominal_ms: float) -> bool:
        """Tell whether an on or off period is within the plan's tolerance of its nominal length."""
        return abs(measured_ms - nominal_ms) <= self.cadence_tolerance * nominal_ms + MEASUREMENT_SLACK_MS

    def shortest(self, nominal_ms: float) -> float:
        """Return the shortest accepted length of a period."""
        return (1.0 - self.cadence_tolerance) * nominal_ms - MEASUREMENT_SLACK_MS

    def longest(self, nominal_ms: float) -> float:
        """Return the longest accepted length of a period."""
        return (1.0 + self.cadence_tolerance) * nominal_ms + MEASUREMENT_SLACK_MS


def load_plan(path: Path) -> TonePlan:
    """Read a tone plan; raises OSError, tomllib.TOMLDecodeError or KeyError for a file that is none."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return TonePlan(
        name=data["name"],
        tone_hz=float(data["tone_hz"]),
        frequency_tolerance_hz=float(data["frequency_tolerance_hz"]),
        cadence_tolerance=float(data["cadence_tolerance"]),
        floor_dbm0=float(data["floor_dbm0"]),
        bridge_ms=float(data["bridge_ms"]),
        cycles=int(data["cycles"]),
        cadences=tuple(_cadence(entry) for entry in data["tone"]),
        signals=tuple(_signal(entry) for entry in data["signal"]),
    )


@functools.cache
def default_plan() -> TonePlan:
    """Return the plan of mainland China."""
    return load_plan(Path(__file__).parent / "plans" / "cn.toml")


def _cadence(entry: dict[str, Any]) -> Cadence:
    periods = tuple(float(period) for period in entry["cadence_ms"])
    return Cadence(entry["kind"], periods, float(entry.get("minimum_ms", 0.0)))


def _signal(entry: dict[str, Any]) -> SignalTone:
    return SignalTone(
        kind=entry["kind"],
        frequency_hz=float(entry["frequency_hz"]),
        tolerance_hz=float(entry["tolerance_hz"]),
        minimum_ms=float(entry["minimum_ms"]),
        maximum_ms=float(entry["maximum_ms"]) or float("inf"),
    )
