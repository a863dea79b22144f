"""An answer within the sound: ringback stops and another sound begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sip.progress.heard import Heard
from sip.progress.outcome import TONE_OUTCOMES
from sip.record import AnswerSource, Burst, Segment

_MISTAKEN_MS = 1_000.0
"""A shorter sound with more ringback behind it was a crackle, not an answer."""
_PERIOD_MS = 6_000.0
_BREATH_MS = 1_000.0
"""A breath, or a hand on the receiver, comes so long before the voice."""
_SHORTEST_BREATH_MS = 100.0
_SHORTEST_NOISE_MS = 300.0
SHORTEST_SIGN_MS = 300.0
"""So much sound from the other end settles a doubt."""
MADE_BY_SOMEONE = frozenset({"speech", "music", "announcement", "beep", "fax_ced", "fax_cng"})
_MUSIC_MS = 800.0
"""Shorter music is no 彩铃."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer as far as it is known; `answered_ms` None: nobody answered."""

    answered_ms: float | None = None
    source: AnswerSource | None = None
    window_ms: tuple[float, float] | None = None
    in_band: bool = False
    """Ringback goes on after the 200."""


def in_band_answer(ringing: list[Burst], heard: Heard) -> Answer:
    """Return the answer after these bursts: where the first other sound begins; none where a failure tone is first."""
    started_ms = ringing[0].start_ms
    failure_ms = min(
        (
            tone.start_ms
            for tone in heard.recognised
            if tone.kind in TONE_OUTCOMES and tone.start_ms > started_ms
        ),
        default=float("inf"),
    )
    for sound in other_sounds(heard, started_ms):
        if sound.start_ms >= failure_ms:
            break
        if not mistaken(sound, heard.bursts):
            onset_ms = _onset(sound, heard.segments)
            ended = [burst.end_ms for burst in ringing if burst.start_ms < onset_ms]
            window = (min(max(ended), onset_ms), onset_ms)
            return Answer(onset_ms, "in_band", window, in_band=True)
    return Answer(in_band=True)


def _onset(sound: Segment, segments: Iterable[Segment]) -> float:
    """Return where a sound began, the noise that led up to it included: a room, a breath."""
    onset_ms = sound.start_ms
    for segment in reversed([s for s in segments if s.kind != "silence" and s.start_ms < onset_ms]):
        lasting_ms = segment.end_ms - segment.start_ms
        if (
            segment.kind != "noise"
            or onset_ms - segment.end_ms > _BREATH_MS
            or lasting_ms < _SHORTEST_BREATH_MS
        ):
            break
        onset_ms = segment.start_ms
    return onset_ms


def other_sounds(heard: Heard, after_ms: float) -> Iterable[Segment]:
    """Yield what a person or a machine at the other end may have made, begun after `after_ms`, in order."""
    for segment in heard.segments:
        if segment.start_ms < after_ms:
            continue
        long_noise = segment.kind == "noise" and segment.end_ms - segment.start_ms >= _SHORTEST_NOISE_MS
        if segment.kind in MADE_BY_SOMEONE or long_noise:
            yield segment


def mistaken(sound: Segment, bursts: Iterable[Burst]) -> bool:
    """A short sound, or mere noise, with ringback going on behind it is no answer."""
    short = sound.kind == "noise" or sound.end_ms - sound.start_ms < _MISTAKEN_MS
    return short and any(0.0 <= burst.start_ms - sound.end_ms < _PERIOD_MS for burst in bursts)


def is_color_ring(segment: Segment, until_ms: float) -> bool:
    """Tell whether a stretch of sound before `until_ms` is music long enough for a 彩铃."""
    lasting_ms = min(segment.end_ms, until_ms) - segment.start_ms
    return segment.kind == "music" and lasting_ms >= _MUSIC_MS
