"""What a listener has heard of one line: segments, ringback bursts, recognised tones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sip.record import Burst, Segment, SegmentKind

_TOUCHING_MS = 1.0


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
    present: tuple[tuple[float, float], ...] = ()
    """The stretches (start_ms, end_ms) in which packets came; a loss of up to 0.4 s does not part them."""
    unnamed: Burst | None = None
    """The latest burst of the exchange tone while nobody can tell yet what it will be."""


def clipped(segments: tuple[Segment, ...], from_ms: float, to_ms: float) -> tuple[Segment, ...]:
    """Return the parts of the segments between two times."""
    return tuple(
        s
        if from_ms <= s.start_ms and s.end_ms <= to_ms
        else replace(s, start_ms=max(s.start_ms, from_ms), end_ms=min(s.end_ms, to_ms))
        for s in segments
        if min(s.end_ms, to_ms) > max(s.start_ms, from_ms)
    )


def after_answer(heard: Heard, answered_ms: float, ended_ms: float) -> tuple[Segment, ...]:
    """Return the segments between the answer and the end.

    A ringback segment reaches over the pause after its last burst. Where the answer fell into it, the rest of
    the burst stays ringback and the rest of the pause is silence, as far as packets came: nothing received is
    no silence of theirs.
    """
    last_ms = max((b.end_ms for b in heard.bursts if b.start_ms < answered_ms), default=answered_ms)
    segments: list[Segment] = []
    for segment in clipped(heard.segments, answered_ms, ended_ms):
        if segment.kind == "ringback" and segment.start_ms == answered_ms:
            segments += clipped((segment,), answered_ms, last_ms)
            segments += _silent(heard, max(last_ms, answered_ms), segment)
        else:
            segments.append(segment)
    return _whole_silences(segments)


def _silent(heard: Heard, from_ms: float, pause: Segment) -> tuple[Segment, ...]:
    came = tuple(Segment("silence", start, end, pause.confidence) for start, end in heard.present)
    return clipped(came, from_ms, pause.end_ms)


def _whole_silences(segments: list[Segment]) -> tuple[Segment, ...]:
    """Join the silence of a pause to the silence that follows it at once."""
    whole: list[Segment] = []
    for segment in segments:
        last = whole[-1] if whole else segment
        if segment.kind == last.kind == "silence" and 0.0 <= segment.start_ms - last.end_ms < _TOUCHING_MS:
            confidence = min(last.confidence, segment.confidence)
            whole[-1] = Segment("silence", last.start_ms, segment.end_ms, confidence)
        else:
            whole.append(segment)
    return tuple(whole)
