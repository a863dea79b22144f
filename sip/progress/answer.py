"""Where the ringing ended: by the 200, or, behind an analogue gateway, where the ringback stops and a voice begins.

A gateway answers with a 200 at once and lets the exchange's ringback go on in band. The sign of it is a whole
ringback burst that begins after the 200 before anything else is heard. In a normal call ringback just stops at
the 200; what the network still had under way is a fraction of a burst, not a new one.

A line that rang before its 200 goes on ringing in step, so the new burst comes within one period. A 200 out of
nothing tells less: the gateway may still be dialling, and its first burst may be 15 s away. While the call lasts,
such a 200 is in doubt until something is heard that a person or a machine made, for 6 s at the most; and no
call counts as answered while a burst runs that may yet turn out to be ringback.
"""

from __future__ import annotations

from dataclasses import replace

from sip.progress.extension import after_digits, extension_answer, extension_ring_start
from sip.progress.facts import AnswerState, Signals
from sip.progress.heard import Heard, RecognisedTone
from sip.progress.in_band import (
    MADE_BY_SOMEONE,
    SHORTEST_SIGN_MS,
    Answer,
    in_band_answer,
    is_color_ring,
    mistaken,
    other_sounds,
)
from sip.progress.outcome import TONE_OUTCOMES
from sip.record import Burst

_WHOLE_BURST_MS = 400.0
"""A shorter burst after the 200 is what was still under way."""
_NEXT_BURST_MS = 6_000.0
"""On a line that rang before the 200, ringback goes on within one pause (4.8 s at the longest) and some delay."""
_FIRST_BURST_MS = 15_000.0
"""After a 200 out of nothing a gateway first dials, and the exchange takes its time to ring."""
_FAILURE_WITHIN_MS = 5_000.0
_DOUBT_MS = 6_000.0
"""So long a 200 out of nothing with no sound yet may be a gateway's. `--max-talk` runs from the answer, so a
late decision costs a longer call and nothing else."""
_TRANSFER_MS = 4_000.0
"""So long a voice after the digits may be the switchboard's (正在转接, 请稍候): ringback would follow."""
_NO_SOUND_MS = 1_200.0
"""So long it waits for the first packet after such a 200."""
_ONSET_MS = 20.0
"""A column: an onset may be told so much too early."""
_TOGETHER_MS = 1_000.0
"""180 and first ringback burst further apart than this: the later one counts, in favour of the unit."""


def find_answer(signals: Signals, heard: Heard) -> Answer:
    """Decide when the call was answered, from all that was heard until now.

    After digits to a switchboard it is its extension that has to answer.
    """
    connected_ms = signals.connected_ms
    if connected_ms is None or signals.outcome_answered is False:
        return Answer()
    if signals.digits_sent_ms is not None:
        return extension_answer(signals.digits_sent_ms, heard)
    from_ms = _line_from_ms(signals, heard, connected_ms)
    rang = _rang_before(signals, heard, connected_ms)
    ringing = _in_band_ringing(connected_ms, from_ms, heard, rang)
    if ringing is not None:
        return in_band_answer(ringing, heard)
    if not rang and _only_failure(heard, connected_ms, from_ms):
        return Answer()
    return Answer(connected_ms, "signalling", (connected_ms, connected_ms))


def ring_start(signals: Signals, heard: Heard, answered_ms: float | None) -> float | None:
    """Return the ring start: the earlier of the first 180 and the first ringback burst or 彩铃 onset.

    Where ringback is what is heard first and it lies more than 1 s from the 180, the later of the two counts.
    """
    until_ms = signals.ended_ms if answered_ms is None else answered_ms
    if signals.digits_sent_ms is not None:
        return extension_ring_start(signals.digits_sent_ms, heard, until_ms)
    signalled_ms = signals.first_180_ms
    if signalled_ms is not None and signalled_ms > until_ms:
        signalled_ms = None
    burst_ms = min((b.start_ms for b in heard.bursts if b.start_ms < until_ms), default=None)
    tunes = (s.start_ms for s in heard.segments if s.start_ms < until_ms and is_color_ring(s, until_ms))
    tune_ms = None if signals.trunk_music and signalled_ms is not None else next(tunes, None)
    starts = [at_ms for at_ms in (signalled_ms, burst_ms, tune_ms) if at_ms is not None]
    ringback_first = burst_ms is not None and (tune_ms is None or burst_ms < tune_ms)
    if signalled_ms is None or burst_ms is None or not ringback_first:
        return min(starts, default=None)
    apart = abs(signalled_ms - burst_ms) > _TOGETHER_MS
    return max(signalled_ms, burst_ms) if apart else min(signalled_ms, burst_ms)


def answer_state(signals: Signals, heard: Heard) -> AnswerState:
    """Return where the call stands; call it every few hundred milliseconds with `ended_ms` = now.

    A 200 after ringing is the answer at once. A 200 out of nothing, with no sound after it, becomes one when it
    is 6 s old, and at once when 0.3 s of voice, music, fax or noise is heard. The state may be taken back: a
    call counts as answered by its 200 until in-band ringback shows otherwise, so clocks must always run by
    the latest state.
    """
    answer = find_answer(signals, heard)
    started_ms = ring_start(signals, heard, answer.answered_ms)
    if answer.answered_ms is not None and not _doubtful(answer, signals, heard):
        return AnswerState("answered", started_ms, answer.answered_ms, answer.source)
    since_ms = started_ms if started_ms is not None else signals.digits_sent_ms
    return AnswerState("waiting" if started_ms is None else "ringing", started_ms, since_ms=since_ms)


def failure_tone(signals: Signals, heard: Heard, answered_ms: float | None) -> RecognisedTone | None:
    """Return the tone before the answer that says how the call ends, None without one.

    After digits to a switchboard only what followed them speaks of the extension.
    """
    if signals.digits_sent_ms is not None:
        heard = after_digits(heard, signals.digits_sent_ms)
    for tone in heard.recognised:
        if tone.kind in TONE_OUTCOMES and (answered_ms is None or tone.start_ms < answered_ms):
            return tone
    return None


def _doubtful(answer: Answer, signals: Signals, heard: Heard) -> bool:
    """Tell whether the 200 may be a gateway's: wait for ringback to be named, or for a voice."""
    connected_ms = signals.connected_ms
    if signals.digits_sent_ms is not None and answer.answered_ms is not None:
        unrung = ring_start(signals, heard, answer.answered_ms) is None
        return unrung and signals.ended_ms - answer.answered_ms < _TRANSFER_MS
    if connected_ms is None or answer.source != "signalling" or _outcome_tones(heard, connected_ms):
        return False
    rang = _rang_before(signals, heard, connected_ms)
    from_ms = _line_from_ms(signals, heard, connected_ms)
    if heard.unnamed is not None:
        # A shorter one may be the rest of the ringing before the 200.
        shortest_ms = _WHOLE_BURST_MS if rang else 0.0
        guess = replace(heard, bursts=(*heard.bursts, heard.unnamed))
        if _in_band_ringing(connected_ms, from_ms, guess, rang, shortest_ms) is not None:
            return True
    since_ms = signals.ended_ms - connected_ms
    if rang or since_ms >= _DOUBT_MS:
        return False
    if since_ms >= _NO_SOUND_MS and not any(end_ms > connected_ms for _, end_ms in heard.present):
        # Not one packet: there is no gateway's sound to wait for.
        return False
    return not any(
        (s.kind in MADE_BY_SOMEONE or s.kind == "noise")
        and s.end_ms - max(s.start_ms, connected_ms) >= SHORTEST_SIGN_MS
        for s in heard.segments
    )


def _outcome_tones(heard: Heard, connected_ms: float) -> list[float]:
    """Return the onsets of the recognised tones after the 200 that say an outcome."""
    return [
        t.start_ms for t in heard.recognised if t.kind in TONE_OUTCOMES and t.start_ms >= connected_ms - 100.0
    ]


def _line_from_ms(signals: Signals, heard: Heard, connected_ms: float) -> float:
    """Return from when on sound is that of the line which the 200 tells of.

    Messages and sound take different ways, and a lost 200 comes again half a second later. Where nobody had announced
    any sound before the 200, what was heard earlier has overtaken it.
    """
    if signals.early_sound or heard.first_ms is None:
        return connected_ms
    return min(connected_ms, heard.first_ms - _ONSET_MS)


def _rang_before(signals: Signals, heard: Heard, connected_ms: float) -> bool:
    """Tell whether the line rang before its 200; otherwise that came out of nothing."""
    if signals.first_180_ms is not None and signals.first_180_ms <= connected_ms:
        return True
    return ring_start(signals, heard, _line_from_ms(signals, heard, connected_ms)) is not None


def _in_band_ringing(
    connected_ms: float, from_ms: float, heard: Heard, rang: bool, shortest_ms: float = _WHOLE_BURST_MS
) -> list[Burst] | None:
    """Return the bursts from the first whole one after the 200 on, None where ringback stopped with the 200.

    `from_ms`: the 200, or the sound that overtook it; such a burst has to go on after the 200 as long as any other: it
    may be the last of ringing whose announcement was lost. `rang`: the line was ringing before the 200.
    """
    later = [b for b in heard.bursts if b.start_ms >= from_ms]
    at = next(
        (i for i, b in enumerate(later) if b.end_ms - max(b.start_ms, connected_ms) >= shortest_ms), None
    )
    within_ms = _NEXT_BURST_MS if rang else _FIRST_BURST_MS
    if at is None or later[at].start_ms - connected_ms > within_ms:
        return None
    first_ms = later[at].start_ms
    spoken = (s for s in other_sounds(heard, from_ms) if s.start_ms < first_ms)
    if any(not mistaken(sound, heard.bursts) for sound in spoken):
        return None
    return later[at:]


def _only_failure(heard: Heard, connected_ms: float, from_ms: float) -> bool:
    """A 200 out of nothing with a failure tone as the first sound is a gateway passing on the exchange's no.

    Only a tone that says an outcome does that: dial tone and howler take no answer away.
    """
    tones = _outcome_tones(heard, from_ms)
    if not tones or min(tones) - connected_ms > _FAILURE_WITHIN_MS:
        return False
    return not any(sound.start_ms < min(tones) for sound in other_sounds(heard, from_ms))
