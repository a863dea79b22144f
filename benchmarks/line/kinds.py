"""How often each second of a call gets the right kind: the listener and every peer against the generator's truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.line.generator import Call, listened
from sip.progress.announced import named_by_failure_tone


class Stretch(Protocol):
    """A truth or a segment."""

    @property
    def kind(self) -> str: ...
    @property
    def start_ms(self) -> float: ...
    @property
    def end_ms(self) -> float: ...


Hearing = Callable[[Call], Sequence[Stretch]]


@dataclass
class Figures:
    """Seconds by (truth, heard), and what the rings were."""

    seconds: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Whole seconds, each by the kind that fills most of it."""
    time: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The same weighed by time, so that a boundary of 50 ms too late counts 50 ms."""
    calls: int = 0
    miscounted: int = 0
    """Calls with another number of rings than was made."""

    def f1(self) -> dict[str, float]:
        """Return the F1 of each kind that the truth holds, by whole seconds."""
        return _f1(self.seconds)

    def macro_f1(self) -> float:
        """Return the mean F1 of the kinds that the truth holds."""
        scores = self.f1()
        return sum(scores.values()) / max(len(scores), 1)

    def macro_f1_by_time(self) -> float:
        """Return the same weighed by time."""
        scores = _f1(self.time)
        return sum(scores.values()) / max(len(scores), 1)

    def mistakes(self) -> list[tuple[str, str, int]]:
        """Return (truth, heard, seconds) of what was wrong, the most frequent first."""
        wrong = [(truth, heard, n) for (truth, heard), n in self.seconds.items() if truth != heard]
        return sorted(wrong, key=lambda row: -row[2])


def _f1(table: Counter[tuple[str, str]]) -> dict[str, float]:
    truths = Counter[str]()
    heards = Counter[str]()
    for (truth, heard), amount in table.items():
        truths[truth] += amount
        heards[heard] += amount
    return {
        kind: 2.0 * table[kind, kind] / (truths[kind] + heards[kind])
        for kind in sorted(truths)
        if kind != "none"
    }


def heard_by_us(call: Call) -> Sequence[Stretch]:
    """Return the segments as `dutyring analyze` gives them for a file."""
    return named_by_failure_tone(listened(call).segments)


def measure(calls: Iterable[Call]) -> Figures:
    """Return the figures of the listener."""
    figures = Figures()
    for call in calls:
        heard = listened(call)
        figures.calls += 1
        figures.miscounted += len(heard.bursts) != call.ring_count
        compare(figures, call, named_by_failure_tone(heard.segments))
    return figures


def compare(figures: Figures, call: Call, heard: Sequence[Stretch]) -> None:
    """Add one call's seconds."""
    for second in range(int(call.duration_ms // 1000.0)):
        window = second * 1000.0, second * 1000.0 + 1000.0
        figures.seconds[most(call.segments, *window), most(heard, *window)] += 1
    for truth in call.segments:
        left = truth.end_ms - truth.start_ms
        for segment in heard:
            shared = min(truth.end_ms, segment.end_ms) - max(truth.start_ms, segment.start_ms)
            if shared > 0.0:
                figures.time[truth.kind, segment.kind] += round(shared)
                left -= shared
        figures.time[truth.kind, "none"] += max(round(left), 0)


def most(stretches: Sequence[Stretch], from_ms: float, to_ms: float) -> str:
    """Return the kind that fills most of the time; `none` where nothing lies."""
    filled = Counter[str]()
    for stretch in stretches:
        shared = min(stretch.end_ms, to_ms) - max(stretch.start_ms, from_ms)
        if shared > 0.0:
            filled[stretch.kind] += round(shared)
    return max(filled, key=lambda kind: filled[kind], default="none")
