"""Ring and answer facts of a call (响铃时长、声数、三声接听), from what signalling said and what was heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sip.progress.announced import is_repeated
from sip.progress.answer import find_answer, ring_start
from sip.progress.extension import after_digits
from sip.progress.facts import Limits, RingFacts, Signals
from sip.progress.features import COLUMN_MS
from sip.progress.heard import Heard, after_answer, clipped
from sip.progress.in_band import Answer
from sip.record import (
    AfterAnswer,
    Announcement,
    EarlyMedia,
    EarlyMediaKind,
    Rings,
    Segment,
    ThreeRing,
)

_PERIOD_MS = 5_000.0
"""Ringing and ringback: 1 s on, 4 s off (GB 3380-82)."""


def ring_facts(signals: Signals, heard: Heard, limits: Limits | None = None) -> RingFacts:
    """Return ring start, answer, window, rings, the three-ring label and what was heard before and after.

    `heard` is the final state of the call's listener; all times are those of the call. What a field means is
    written in the call record's reference page.
    """
    limits = limits or Limits()
    answer = find_answer(signals, heard)
    if signals.digits_sent_ms is not None:
        # The rest is about the extension.
        heard = after_digits(heard, signals.digits_sent_ms)
    started_ms = ring_start(signals, heard, answer.answered_ms)
    until_ms = signals.ended_ms if answer.answered_ms is None else answer.answered_ms
    alerted_ms = alerting_ms(signals.first_180_ms, signals.digits_sent_ms, started_ms)
    early = _early_media(heard, answer, until_ms, alerted_ms)
    took_ms, least_ms = _ring_to_answer(started_ms, answer)
    answered_ms = answer.answered_ms
    after = () if answered_ms is None else after_answer(heard, answered_ms, signals.ended_ms)
    return RingFacts(
        ring_started_ms=started_ms,
        post_dial_delay_ms=_post_dial_delay(signals, started_ms),
        answered_ms=answer.answered_ms,
        answer_source=answer.source,
        answered_window_ms=answer.window_ms,
        ring_to_answer_ms=took_ms,
        ring_to_answer_min_ms=least_ms,
        rings=_rings(heard, started_ms, until_ms, early.kind),
        three_ring=three_ring(took_ms, limits),
        near_limit=_near_limit(least_ms, took_ms, limits),
        early_media=early,
        after_answer=AfterAnswer(after),
    )


def alerting_ms(
    first_180_ms: float | None, digits_sent_ms: float | None, ring_started_ms: float | None
) -> float | None:
    """Return from when on a voice before the answer may be a spoken 彩铃: the 180; behind a switchboard, whose 180
    is its own, the ring start."""
    return first_180_ms if digits_sent_ms is None else ring_started_ms


def with_announcements(
    early: EarlyMedia,
    announcements: Iterable[Announcement],
    *,
    answered: bool,
    alerting_ms: float | None,
) -> EarlyMedia:
    """Return the early media with speech that was understood as an announcement named so, and its kind anew."""
    spoken = [a for a in announcements if a.road in ("words", "sample")]
    segments = tuple(
        replace(s, kind="announcement") if s.kind == "speech" and _is_announced(s, spoken) else s
        for s in early.segments
    )
    kind = early_media_kind(segments, answered=answered, alerting_ms=alerting_ms, announced=spoken)
    return early if (kind, segments) == (early.kind, early.segments) else EarlyMedia(kind, segments)


def _is_announced(segment: Segment, announcements: Iterable[Announcement]) -> bool:
    return any(a.start_ms < segment.end_ms and a.end_ms > segment.start_ms for a in announcements)


def three_ring(ring_to_answer_ms: float | None, limits: Limits | None = None) -> ThreeRing:
    """Return the label of the three-ring rule for this time, `not_applicable` for None."""
    limits = limits or Limits()
    if ring_to_answer_ms is None:
        return "not_applicable"
    if ring_to_answer_ms <= limits.within_ms:
        return "within"
    return "borderline" if ring_to_answer_ms <= limits.borderline_ms else "exceeded"


def rings_heard(heard: Heard, until_ms: float = float("inf")) -> Rings:
    """Return the rings whose bursts began before `until_ms`; nothing when there was none."""
    bursts = tuple(burst for burst in heard.bursts if burst.start_ms < until_ms)
    return Rings(len(bursts), "audio", bursts, _ring_plan(heard, until_ms)) if bursts else Rings()


def _ring_plan(heard: Heard, until_ms: float) -> str | None:
    """Return the tone plan of most of the ringback: each segment's name begins with it."""
    lengths: dict[str, float] = {}
    for segment in clipped(heard.segments, float("-inf"), until_ms):
        if segment.kind == "ringback" and segment.tone is not None:
            plan = segment.tone.partition(".")[0]
            lengths[plan] = lengths.get(plan, 0.0) + segment.end_ms - segment.start_ms
    return max(lengths, key=lambda plan: lengths[plan], default=None)


def early_media_kind(
    segments: tuple[Segment, ...],
    *,
    answered: bool,
    alerting_ms: float | None,
    announced: Sequence[Announcement] = (),
) -> EarlyMediaKind:
    """Return the kind that dominates by its length; silence only where there is nothing else.

    A voice of which it is `announced` what it said is no spoken 彩铃.
    """
    lengths: dict[EarlyMediaKind, float] = {}
    for segment in segments:
        understood = segment.kind == "announcement" and _is_announced(segment, announced)
        kind = "announcement" if understood else _meaning(segment, answered, alerting_ms)
        lengths[kind] = lengths.get(kind, 0.0) + segment.end_ms - segment.start_ms
    if len(lengths) > 1:
        lengths.pop("silence", None)
    return max(lengths, key=lambda kind: lengths[kind], default="none")


def _meaning(segment: Segment, answered: bool, alerting_ms: float | None) -> EarlyMediaKind:
    if segment.kind == "music":
        return "crbt"
    if segment.kind != "speech" and not is_repeated(segment):
        return segment.kind
    if not answered:
        return "announcement"
    # A voice while it rings that ends in an answer is a spoken 彩铃, and those are said again and again.
    ringing = alerting_ms is not None and segment.end_ms > alerting_ms
    return "crbt" if ringing else "announcement" if is_repeated(segment) else "speech"


def _post_dial_delay(signals: Signals, started_ms: float | None) -> float | None:
    """The time from dialling to ringing; behind a switchboard what is dialled last are the digits."""
    if started_ms is None or signals.digits_sent_ms is None:
        return started_ms
    return max(started_ms - signals.digits_sent_ms, 0.0)


def _early_media(heard: Heard, answer: Answer, until_ms: float, alerted_ms: float | None) -> EarlyMedia:
    # The column in which the answer falls may hold the first sound after it: that is no early media.
    if heard.first_ms is None or heard.first_ms + COLUMN_MS > until_ms:
        return EarlyMedia()
    segments = clipped(heard.segments, float("-inf"), until_ms)
    if answer.answered_ms is None:
        return unanswered_media(segments)
    return EarlyMedia(early_media_kind(segments, answered=True, alerting_ms=alerted_ms), segments)


def unanswered_media(segments: tuple[Segment, ...]) -> EarlyMedia:
    """Return the early media of a call that nobody answered: a voice is an announcement's."""
    kind = early_media_kind(segments, answered=False, alerting_ms=None)
    named = tuple(replace(s, kind="announcement") if s.kind == "speech" else s for s in segments)
    return EarlyMedia(kind, named)


def _ring_to_answer(started_ms: float | None, answer: Answer) -> tuple[float | None, float | None]:
    """Return the time from ring start to the answer, and to the beginning of the answer window."""
    if started_ms is None or answer.answered_ms is None or answer.window_ms is None:
        return None, None
    return max(answer.answered_ms - started_ms, 0.0), max(answer.window_ms[0] - started_ms, 0.0)


def _near_limit(least_ms: float | None, took_ms: float | None, limits: Limits) -> bool:
    if least_ms is None or took_ms is None:
        return False
    return any(
        abs(took_ms - limit) <= limits.near_ms or least_ms <= limit <= took_ms
        for limit in (limits.within_ms, limits.borderline_ms)
    )


def _rings(heard: Heard, started_ms: float | None, until_ms: float, kind: EarlyMediaKind) -> Rings:
    """Count the rings begun: heard ones, else by the clock; behind 彩铃 nobody can tell."""
    if started_ms is None:
        return Rings()
    heard_rings = rings_heard(heard, until_ms)
    if heard_rings.count:
        return heard_rings
    if kind == "crbt":
        return Rings()
    failure_ms = min((tone.start_ms for tone in heard.recognised), default=until_ms)
    ringing_ms = max(min(failure_ms, until_ms) - started_ms, 0.0)
    return Rings(int(ringing_ms // _PERIOD_MS) + 1, "cadence")
