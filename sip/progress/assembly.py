"""From labelled bursts and stretches of sound to the segments of the contract, in order and without overlap."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from sip.progress.onset import Change
from sip.progress.plan import Tone, TonePlan
from sip.progress.tones import ToneBurst
from sip.record import Segment, SegmentKind

Labelled = tuple[ToneBurst, Tone | None]
Onset = Callable[[Sequence[tuple[float, float]], float], Change | None]
"""Of rings and a moment: where between them the line's sound changes; None where that is not remembered."""

_UNDECIDED_MS = 1_000.0
"""An unnamed burst may still turn out to be the first of a busy tone."""
_SIGNALS = frozenset({"fax_cng", "fax_ced", "howler", "beep"})
"""Kinds that single tones alone give: what a classifier of sounds calls so is only part of its stretch."""
_BEEP_MS = (180.0, 1_220.0)
_SHORTEST_MS = 60.0
_SHORTEST_TONE_MS = 100.0
_EDGE_MS = 15.0
_DRAWN_MS = 300.0
"""A sound that begins so little after the line's change began with it."""
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
    signals: Sequence[Segment] = (),
    onset: Onset | None = None,
) -> tuple[Segment, ...]:
    """Return the segments until `now_ms`.

    `came` are the [start, end] between which sound came at all, `signals` the tones beside the exchange's: both
    kinds of tones take their place from what else a stretch of `sounds` was heard as.
    """
    trains = _trains(bursts, sounds, plan)
    signals = [s for s in signals if not any(_shared(s, burst) > 0.0 for burst, _ in bursts)]
    sounds = [s for s in sounds if s.kind not in _SIGNALS]
    if onset is not None:
        sounds = _from_onsets(trains, [burst for burst, _ in bursts], sounds, now_ms, onset)
    tones = sorted([*_tone_segments(trains, [*sounds, *signals], now_ms, plan), *signals], key=_start)
    rest = [*sounds, *_unnamed(bursts, sounds, now_ms, plan)]
    heard = _without_interludes(_joined(sorted([*tones, *_outside(rest, tones)], key=_start)))
    heard = _exclusive(_real_beeps(heard))
    undecided = [(burst.start_ms, burst.end_ms) for burst, label in bursts[-2:] if label is None]
    return tuple(sorted([*heard, *_silences(heard, undecided, came)], key=_start))


def _start(segment: Segment) -> float:
    return segment.start_ms


def _shared(segment: Segment, burst: ToneBurst) -> float:
    return min(segment.end_ms, burst.end_ms) - max(segment.start_ms, burst.start_ms)


def _trains(
    bursts: Sequence[Labelled], sounds: Sequence[Segment], plan: TonePlan
) -> list[tuple[Tone, list[ToneBurst]]]:
    """Return the trains of bursts of one tone that nothing but its pauses parts."""
    trains: list[tuple[Tone, list[ToneBurst]]] = []
    for burst, tone in bursts:
        if tone is None:
            continue
        if trains and trains[-1][0] is tone and _continues(trains[-1][1][-1], burst, tone, sounds, plan):
            trains[-1][1].append(burst)
        else:
            trains.append((tone, [burst]))
    return trains


def _from_onsets(
    trains: Sequence[tuple[Tone, list[ToneBurst]]],
    bursts: Sequence[ToneBurst],
    sounds: Sequence[Segment],
    now_ms: float,
    onset: Onset,
) -> list[Segment]:
    """Return the sounds, those after ringback beginning where the line departs from the sound of its pauses.

    What a classifier hears as a stretch may begin with the line's hiss or a click, or leave out a quiet beginning.
    """
    result = list(sounds)
    for tone, train in trains:
        last = train[-1]
        if tone.kind != "ringback" or last.open:
            continue
        following = next((b.start_ms - _EDGE_MS for b in bursts if b.start_ms > last.start_ms), now_ms)
        found = onset([(burst.start_ms, burst.end_ms) for burst in train], min(following, now_ms))
        if found is None:
            continue
        until_ms = last.end_ms + _pause(tone) if found.onset_ms is None else found.onset_ms
        result = _begun_at(found, _until(found, last.end_ms, min(following, until_ms), result))
    return result


def _until(found: Change, from_ms: float, until_ms: float, sounds: list[Segment]) -> list[Segment]:
    """Return the sounds without what of them is the line's own sound between two moments."""
    result = []
    for sound in sounds:
        if sound.end_ms <= from_ms + 1.0 or sound.start_ms >= until_ms:
            result.append(sound)
        elif found.onset_ms is None:
            if not found.known and sound.kind != "noise":
                result.append(sound)
        elif sound.end_ms > until_ms:
            result.append(replace(sound, start_ms=max(until_ms, from_ms)))
    return result


def _begun_at(found: Change, sounds: list[Segment]) -> list[Segment]:
    """Return the sounds with the first after an onset drawn to it, or with noise in between."""
    if found.onset_ms is None:
        return sounds
    onset_ms = found.onset_ms
    at = next((i for i, sound in enumerate(sounds) if sound.end_ms > onset_ms), len(sounds))
    next_ms = sounds[at].start_ms if at < len(sounds) else float("inf")
    if next_ms - onset_ms <= 0.0:
        return sounds
    if next_ms - onset_ms <= _DRAWN_MS:
        return [*sounds[:at], replace(sounds[at], start_ms=onset_ms), *sounds[at + 1 :]]
    quiet = Segment("noise", onset_ms, min(found.end_ms, next_ms), 0.6)
    return [*sounds[:at], quiet, *sounds[at:]]


def _tone_segments(
    trains: Sequence[tuple[Tone, list[ToneBurst]]], sounds: Sequence[Segment], now_ms: float, plan: TonePlan
) -> list[Segment]:
    """Return one segment for each train of equal bursts, the pauses between them included."""
    limits = [*(train[0].start_ms for _, train in trains[1:]), now_ms][: len(trains)]
    segments = []
    for (tone, train), following in zip(trains, limits, strict=True):
        end_ms = _train_end(tone, train, min(following, now_ms), sounds, plan)
        cycles = len(train) / max(len(tone.on_off_ms) // 2, 1)
        confidence = 0.99 if cycles > 2 else 0.97 if cycles == 2 else 0.85
        measured = _measured(tone, train)
        segments.append(Segment(tone.kind, train[0].start_ms, end_ms, confidence, tone.full_name, measured))
    return segments


def _measured(tone: Tone, train: list[ToneBurst]) -> dict[str, float]:
    """Return what the tone was told by; of a tone with several bursts a period the long ones and their pauses."""
    whole = [burst for burst in train if not burst.open] or train
    longest = max(whole, key=lambda burst: burst.on_ms)
    figures = {
        "frequency_hz": round(longest.frequency_hz, 1),
        "level_dbm0": round(longest.level_dbm0, 1),
        "on_ms": round(_middle([burst.on_ms for burst in whole if burst.on_ms >= 0.7 * longest.on_ms]), 1),
        "cycles": round(len(train) / max(len(tone.on_off_ms) // 2, 1), 2),
    }
    if longest.second_hz:
        figures["second_hz"] = round(longest.second_hz, 1)
    pauses = [after.start_ms - burst.end_ms for burst, after in itertools.pairwise(train)]
    if pauses:
        least_ms = 0.7 * max(pauses)
        figures["off_ms"] = round(_middle([pause for pause in pauses if pause >= least_ms]), 1)
    return figures


def _middle(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def _pause(tone: Tone) -> float:
    return max(tone.on_off_ms[1::2], default=0.0)


def _train_end(
    tone: Tone, train: list[ToneBurst], limit_ms: float, sounds: Sequence[Segment], plan: TonePlan
) -> float:
    """The last pause belongs to the tone, until the next sound or as long as a pause may last."""
    last = train[-1]
    if last.open:
        return last.end_ms
    end_ms = min(limit_ms, last.end_ms + (1.0 + plan.cadence_tolerance) * _pause(tone))
    for sound in sounds:
        if last.end_ms - 1.0 <= sound.start_ms < end_ms:
            end_ms = max(sound.start_ms, last.end_ms)
    return end_ms


def _continues(
    last: ToneBurst, burst: ToneBurst, tone: Tone, sounds: Sequence[Segment], plan: TonePlan
) -> bool:
    """Tell whether a burst belongs to the train of the last: no pause too long, nothing but noise between."""
    if burst.start_ms - last.end_ms > plan.longest(_pause(tone)):
        return False
    between = (s for s in sounds if last.end_ms - 1.0 <= s.start_ms and s.end_ms <= burst.start_ms + 1.0)
    return all(sound.kind == "noise" for sound in between)


def _unnamed(
    bursts: Sequence[Labelled], sounds: Sequence[Segment], now_ms: float, plan: TonePlan
) -> list[Segment]:
    """Return the bursts that are nothing of the plan: a beep, or nothing one could name."""
    found = []
    for burst, label in bursts:
        if label is not None or burst.open or burst.on_ms < _SHORTEST_TONE_MS:
            continue
        if now_ms - burst.end_ms < _UNDECIDED_MS:
            continue
        beside = [s for s in sounds if _distance(s, burst) < _NEAR_MS and s.kind in ("speech", "music")]
        kind: SegmentKind = "beep" if _BEEP_MS[0] <= burst.on_ms <= _BEEP_MS[1] else "noise"
        if beside and not (burst.from_quiet and burst.into_quiet):
            kind = beside[0].kind
        name = next((t.full_name for t in plan.signals if t.kind == kind and not t.on_off_ms), None)
        measured = {
            "frequency_hz": round(burst.frequency_hz, 1),
            "level_dbm0": round(burst.level_dbm0, 1),
            "on_ms": round(burst.on_ms, 1),
            "cycles": 1.0,
        }
        found.append(Segment(kind, burst.start_ms, burst.end_ms, 0.6, name, measured))
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
            segment if whole else replace(segment, start_ms=start, end_ms=end)
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
        if segment.kind in ("speech", "announcement"):
            spoken_ms = segment.end_ms
        stray = segment.kind == "beep" and segment.start_ms - spoken_ms > _BEEP_AFTER_SPEECH_MS
        if stray and not _regular(segment):
            segment = replace(segment, kind="noise", confidence=0.5, tone=None)
        result.append(segment)
    return result


def _regular(segment: Segment) -> bool:
    """Tell whether a beep is one of a train: a reminder tone sounds by itself."""
    return segment.tone is not None and segment.confidence > 0.9


def _exclusive(segments: Iterable[Segment]) -> list[Segment]:
    """What lies under an earlier segment is cut off."""
    result: list[Segment] = []
    for segment in segments:
        start_ms = max(segment.start_ms, result[-1].end_ms) if result else segment.start_ms
        if segment.end_ms - start_ms >= 1.0:
            result.append(segment if start_ms == segment.start_ms else replace(segment, start_ms=start_ms))
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
