"""From labelled bursts and stretches of sound to the segments of the contract, in order and without overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sip.progress.plan import TonePlan
from sip.progress.tones import ToneBurst
from sip.record import Segment, SegmentKind

Labelled = tuple[ToneBurst, SegmentKind | None]

_UNDECIDED_MS = 1_000.0
"""An unnamed burst may still turn out to be the first of a busy tone."""
_SHORTEST_MS = 60.0
_SHORTEST_TONE_MS = 100.0
_SHORTEST_SILENCE_MS = 100.0
_NEAR_MS = 300.0
_JOIN_MS = 600.0
_INTERLUDE_MS = 1_500.0
_BEEP_AFTER_SPEECH_MS = 30_000.0


def assemble(
    bursts: Sequence[Labelled],
    sounds: Sequence[Segment],
    came: Iterable[Sequence[float]],
    now_ms: float,
    plan: TonePlan,
) -> tuple[Segment, ...]:
    """Return the segments until `now_ms`; `came` are the [start, end] between which sound came at all."""
    tones = _tone_segments(bursts, sounds, now_ms, plan)
    rest = [*sounds, *_unnamed(bursts, sounds, now_ms)]
    heard = _without_interludes(_joined(sorted([*tones, *_outside(rest, tones)], key=_start)))
    heard = _exclusive(_real_beeps(heard))
    undecided = [(burst.start_ms, burst.end_ms) for burst, label in bursts[-2:] if label is None]
    return tuple(sorted([*heard, *_silences(heard, undecided, came)], key=_start))


def _start(segment: Segment) -> float:
    return segment.start_ms


def _tone_segments(
    bursts: Sequence[Labelled], sounds: Sequence[Segment], now_ms: float, plan: TonePlan
) -> list[Segment]:
    """Return one segment for each train of equal bursts, the pauses between them included."""
    trains: list[list[ToneBurst]] = []
    kinds: list[SegmentKind] = []
    for burst, label in bursts:
        if label is None:
            continue
        if trains and kinds[-1] == label and _continues(trains[-1][-1], burst, label, sounds, plan):
            trains[-1].append(burst)
        else:
            trains.append([burst])
            kinds.append(label)
    limits = [*(train[0].start_ms for train in trains[1:]), now_ms][: len(trains)]
    segments = []
    for kind, train, following in zip(kinds, trains, limits, strict=True):
        end_ms = _train_end(kind, train, min(following, now_ms), sounds, plan)
        confidence = 0.99 if len(train) > 2 else 0.97 if len(train) == 2 else 0.85
        segments.append(Segment(kind, train[0].start_ms, end_ms, confidence))
    return segments


def _pause(kind: SegmentKind, plan: TonePlan) -> float:
    cadence = plan.cadence(kind)
    return max(cadence.on_off_ms[1::2], default=0.0) if cadence else 0.0


def _train_end(
    kind: SegmentKind, train: list[ToneBurst], limit_ms: float, sounds: Sequence[Segment], plan: TonePlan
) -> float:
    """The last pause belongs to the tone, until the next sound or as long as a pause may last."""
    last = train[-1]
    if last.open:
        return last.end_ms
    end_ms = min(limit_ms, last.end_ms + (1.0 + plan.cadence_tolerance) * _pause(kind, plan))
    hiss = _noisy_line(train, sounds)
    for sound in sounds:
        if last.end_ms - 1.0 <= sound.start_ms < end_ms and not (hiss and sound.kind == "noise"):
            end_ms = max(sound.start_ms, last.end_ms)
    return end_ms


def _noisy_line(train: list[ToneBurst], sounds: Sequence[Segment]) -> bool:
    """Tell whether noise was there already before or between the bursts: then it is no sign of an answer."""
    return any(
        sound.kind == "noise"
        and sound.start_ms < train[-1].start_ms
        and sound.end_ms > train[0].start_ms - 500.0
        for sound in sounds
    )


def _continues(
    last: ToneBurst, burst: ToneBurst, kind: SegmentKind, sounds: Sequence[Segment], plan: TonePlan
) -> bool:
    """Tell whether a burst belongs to the train of the last: no pause too long, nothing but noise between."""
    if burst.start_ms - last.end_ms > plan.longest(_pause(kind, plan)):
        return False
    between = (s for s in sounds if last.end_ms - 1.0 <= s.start_ms and s.end_ms <= burst.start_ms + 1.0)
    return all(sound.kind == "noise" for sound in between)


def _unnamed(bursts: Sequence[Labelled], sounds: Sequence[Segment], now_ms: float) -> list[Segment]:
    """Return the bursts that are nothing of the plan: a beep, or nothing one could name."""
    found = []
    for burst, label in bursts:
        if label is not None or burst.open or burst.on_ms < _SHORTEST_TONE_MS:
            continue
        if now_ms - burst.end_ms < _UNDECIDED_MS:
            continue
        beside = [s for s in sounds if _distance(s, burst) < _NEAR_MS and s.kind in ("speech", "music")]
        kind: SegmentKind = "beep" if 180.0 <= burst.on_ms <= 1_220.0 else "noise"
        if beside and not (burst.from_quiet and burst.into_quiet):
            kind = beside[0].kind
        found.append(Segment(kind, burst.start_ms, burst.end_ms, 0.6))
    return found


def _distance(segment: Segment, burst: ToneBurst) -> float:
    return max(segment.start_ms - burst.end_ms, burst.start_ms - segment.end_ms, 0.0)


def _outside(segments: Iterable[Segment], tones: Sequence[Segment]) -> list[Segment]:
    """Return what of the segments lies outside the tones."""
    left = []
    for segment in segments:
        parts = [(segment.start_ms, segment.end_ms)]
        for tone in tones:
            parts = [
                part
                for start, end in parts
                for part in ((start, min(end, tone.start_ms)), (max(start, tone.end_ms), end))
                if part[1] - part[0] > 0.0
            ]
        whole = parts == [(segment.start_ms, segment.end_ms)]
        left += [
            replace(segment, start_ms=start, end_ms=end)
            for start, end in parts
            if whole or end - start >= _SHORTEST_MS
        ]
    return left


def _joined(segments: Iterable[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for segment in segments:
        last = joined[-1] if joined else None
        same = last is not None and last.kind == segment.kind and segment.kind in ("speech", "music", "noise")
        if last is not None and same and segment.start_ms - last.end_ms <= _JOIN_MS:
            end_ms = max(last.end_ms, segment.end_ms)
            joined[-1] = replace(last, end_ms=end_ms, confidence=max(last.confidence, segment.confidence))
        else:
            joined.append(segment)
    return joined


def _without_interludes(segments: list[Segment]) -> list[Segment]:
    """A moment of music that sounds like speech, with music on both sides, is music; and the other way round."""
    result = list(segments)
    for i in range(1, len(result) - 1):
        before, here, after = result[i - 1 : i + 2]
        voices = {"speech", "music"}
        if before.kind == after.kind and {before.kind, here.kind} == voices:
            close = here.start_ms - before.end_ms < _JOIN_MS and after.start_ms - here.end_ms < _JOIN_MS
            if close and here.end_ms - here.start_ms < _INTERLUDE_MS:
                result[i] = replace(here, kind=before.kind)
    return _joined(result)


def _real_beeps(segments: list[Segment]) -> list[Segment]:
    """A beep follows speech; a short tone out of nothing has no name."""
    result = []
    spoken_ms = float("-inf")
    for segment in segments:
        if segment.kind == "speech":
            spoken_ms = segment.end_ms
        if segment.kind == "beep" and segment.start_ms - spoken_ms > _BEEP_AFTER_SPEECH_MS:
            segment = Segment("noise", segment.start_ms, segment.end_ms, 0.5)
        result.append(segment)
    return result


def _exclusive(segments: Iterable[Segment]) -> list[Segment]:
    """What lies under an earlier segment is cut off."""
    result: list[Segment] = []
    for segment in segments:
        start_ms = max(segment.start_ms, result[-1].end_ms) if result else segment.start_ms
        if segment.end_ms - start_ms >= 1.0:
            result.append(replace(segment, start_ms=start_ms))
    return result


def _silences(
    segments: Sequence[Segment], undecided: Iterable[tuple[float, float]], came: Iterable[Sequence[float]]
) -> list[Segment]:
    """Return where packets came and held nothing."""
    taken = sorted([*((s.start_ms, s.end_ms) for s in segments), *undecided])
    silences = []
    for start_ms, end_ms in came:
        at_ms = start_ms
        for first_ms, after_ms in [*taken, (end_ms, end_ms)]:
            until_ms = min(first_ms, end_ms)
            if until_ms - at_ms >= _SHORTEST_SILENCE_MS:
                silences.append(Segment("silence", at_ms, until_ms, 0.95))
            at_ms = max(at_ms, min(after_ms, end_ms))
    return silences
