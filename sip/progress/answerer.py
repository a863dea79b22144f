"""Who answered, as far as sound alone can tell."""

from __future__ import annotations

from sip.progress.heard import Heard, after_answer
from sip.record import AnsweredBy, Segment

_FAX_WITHIN_MS = 10_000.0
"""A called fax machine sends CED 0.2 to 4 s after it answers (ITU-T T.30)."""
_MENU_MS = 8_000.0
"""A person stops for the other's answer; a mailbox or a menu talks on."""
_SHORTEST_SPEECH_MS = 200.0
_NOTHING_MS = 5_000.0
"""So much of their silence is a finding."""
_CRACKLE_MS = 1_000.0


def answered_by(
    heard: Heard, answered_ms: float | None, ended_ms: float, packets_received: int
) -> AnsweredBy:
    """Tell human, machine, fax and silence apart by sound alone; `packets_received` counts theirs.

    `silence` takes 5 s after the answer in which their packets came and held nothing.

    Weak evidence: a person who reads out a long text sounds like a machine, a short recorded greeting without a
    beep like a person. Speech recognition may correct it; no verdict may rest on it alone.
    """
    if answered_ms is None:
        return "unknown"
    segments = after_answer(heard, answered_ms, ended_ms)
    if any(_is_fax(segment, answered_ms) for segment in segments):
        return "fax"
    speech = [s for s in segments if s.kind in ("speech", "announcement")]
    if speech and _length(speech) >= _SHORTEST_SPEECH_MS:
        return "machine" if _machine_like(speech, segments) else "human"
    return "silence" if packets_received > 0 and _nothing_made(segments, answered_ms) else "unknown"


def _nothing_made(segments: tuple[Segment, ...], answered_ms: float) -> bool:
    """Tell whether they sent long enough and it held nothing: what did not arrive may be a fault of ours."""
    silence_ms = _length([s for s in segments if s.kind == "silence"])
    noise_ms = _length([s for s in segments if s.kind == "noise"])
    # The burst that the answer cut short is the network's.
    theirs = (s for s in segments if not (s.kind == "ringback" and s.start_ms == answered_ms))
    quiet = all(s.kind in ("silence", "noise") for s in theirs) and noise_ms < _CRACKLE_MS
    return quiet and silence_ms >= _NOTHING_MS


def _is_fax(segment: Segment, answered_ms: float) -> bool:
    return segment.kind in ("fax_ced", "fax_cng") and segment.start_ms - answered_ms <= _FAX_WITHIN_MS


def _machine_like(speech: list[Segment], segments: tuple[Segment, ...]) -> bool:
    beeped = any(s.kind == "beep" and s.start_ms >= speech[0].start_ms for s in segments)
    return beeped or max(s.end_ms - s.start_ms for s in speech) > _MENU_MS


def _length(segments: list[Segment]) -> float:
    return sum(s.end_ms - s.start_ms for s in segments)
