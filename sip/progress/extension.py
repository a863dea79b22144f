"""Behind a switchboard (总机转分机): the ringing and the answer of the extension whose digits were sent after the 200.

What was heard before the digits is the switchboard's: its ringing, its menu. After them:

- Ringback, or music (彩铃), is the extension's ringing; the ring start is its beginning. The answer is where it stops
  and another sound begins, as behind an analogue gateway. An announcement before the ringing (正在转接) is no answer,
  nor is the menu that talks on.
- Without any ringing a voice that begins after the digits is taken for the answer: somebody, or something, took the
  call, but how long it rang cannot be told, so `three_ring` is `not_applicable`. Ringback that comes later takes
  that answer back.
- Without either nobody answered.
"""

from __future__ import annotations

from dataclasses import replace

from sip.progress.heard import Heard
from sip.progress.in_band import SHORTEST_SIGN_MS, Answer, in_band_answer, is_color_ring
from sip.progress.outcome import TONE_OUTCOMES
from sip.record import Segment

_EARLY_MS = 1_000.0
"""A switchboard that knows how long its extensions are rings before the last digits (a final #) are out."""
_VOICES = frozenset({"speech", "announcement", "fax_ced"})
"""What answers without ringing. A beep may be the switchboard's receipt for the digits, music its waiting loop."""


def after_digits(heard: Heard, digits_sent_ms: float) -> Heard:
    """Return what began after the digits; ringback may begin a little before the last of them."""
    early_ms = digits_sent_ms - _EARLY_MS
    unnamed = heard.unnamed
    return replace(
        heard,
        segments=tuple(
            s for s in heard.segments if s.start_ms >= (early_ms if s.kind == "ringback" else digits_sent_ms)
        ),
        bursts=tuple(b for b in heard.bursts if b.start_ms >= early_ms),
        recognised=tuple(t for t in heard.recognised if t.start_ms >= early_ms),
        unnamed=unnamed if unnamed is not None and unnamed.start_ms >= early_ms else None,
    )


def extension_ring_start(digits_sent_ms: float, heard: Heard, until_ms: float) -> float | None:
    """Return the first ringback burst or 彩铃 onset after the digits and before `until_ms`."""
    later = after_digits(heard, digits_sent_ms)
    starts = [b.start_ms for b in later.bursts] + [
        s.start_ms for s in later.segments if is_color_ring(s, until_ms)
    ]
    return min((at_ms for at_ms in starts if at_ms < until_ms), default=None)


def extension_answer(digits_sent_ms: float, heard: Heard) -> Answer:
    """Return when the extension answered, as far as it is known."""
    later = after_digits(heard, digits_sent_ms)
    if later.bursts:
        return in_band_answer(list(later.bursts), later)
    tunes = [s for s in later.segments if is_color_ring(s, s.end_ms)]
    from_ms = tunes[-1].end_ms if tunes else digits_sent_ms
    failure_ms = min((t.start_ms for t in later.recognised if t.kind in TONE_OUTCOMES), default=float("inf"))
    voice = next((s for s in later.segments if _answers(s, from_ms) and s.start_ms < failure_ms), None)
    if voice is None or (later.unnamed is not None and later.unnamed.start_ms < voice.start_ms):
        # A tone that nobody can name yet may be the first ringback.
        return Answer()
    return Answer(voice.start_ms, "in_band", (min(from_ms, voice.start_ms), voice.start_ms), in_band=True)


def _answers(segment: Segment, from_ms: float) -> bool:
    long_enough = segment.end_ms - segment.start_ms >= SHORTEST_SIGN_MS
    return segment.kind in _VOICES and segment.start_ms >= from_ms - 1.0 and long_enough
