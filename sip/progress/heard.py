"""What a listener has heard of one line: segments, ringback bursts, recognised tones."""

from __future__ import annotations

from dataclasses import dataclass

from sip.record import Burst, Segment, SegmentKind


@dataclass(frozen=True, slots=True)
class RecognisedTone:
    """A call progress tone that is certain: two full cycles, or as much as the plan asks for."""

    kind: SegmentKind
    start_ms: float
    """Where the tone began."""
    at_ms: float
    """When it was certain: the end of its second cycle."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything heard until `until_ms`, in order of time; times are those given to `LineListener.push`."""

    segments: tuple[Segment, ...] = ()
    bursts: tuple[Burst, ...] = ()
    """Ringback only. A burst in progress ends at `until_ms`."""
    until_ms: float = 0.0
    recognised: tuple[RecognisedTone, ...] = ()
    first_ms: float | None = None
    """Start of the first column that held sound of a packet; None: no packet came at all."""


def clipped(segments: tuple[Segment, ...], from_ms: float, to_ms: float) -> tuple[Segment, ...]:
    """Return the parts of the segments between two times."""
    return tuple(
        Segment(s.kind, max(s.start_ms, from_ms), min(s.end_ms, to_ms), s.confidence)
        for s in segments
        if min(s.end_ms, to_ms) > max(s.start_ms, from_ms)
    )
