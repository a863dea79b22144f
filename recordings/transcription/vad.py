"""Voice activity first (语音端点): the stretches of a sound in which somebody speaks.

The line's own analysis says what is speech or an announcement and what a tone, music, noise or silence: an engine that
is given those invents text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recordings.transcription.ports import Sound
from sip.progress.features import COLUMN_MS, COLUMN_SAMPLES, FeatureBank
from sip.progress.listener import LineListener
from sip.record import Segment

_SPOKEN = ("speech", "announcement")
_PAD_MS = 300.0
_JOIN_MS = 600.0
LONGEST_MS = 14_000.0
"""Longest stretch: what Whisper hears in its short window."""
_BLOCK = 100


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of speech, in ms from the sound's beginning."""

    start_ms: float
    end_ms: float


def speech(samples: Sound) -> list[Stretch]:
    """Return the stretches of speech in order of time, none longer than LONGEST_MS, cut where it is quietest."""
    duration_ms = len(samples) / 8.0
    spoken = ((s.start_ms, s.end_ms) for s in _segments(samples) if s.kind in _SPOKEN)
    stretches: list[Stretch] = []
    for start_ms, end_ms in _joined(spoken, duration_ms):
        stretches += _cut(samples, start_ms, end_ms)
    return stretches


def _segments(samples: Sound) -> Sequence[Segment]:
    bank, listener = FeatureBank(_BLOCK), LineListener()
    whole = np.zeros(-(-len(samples) // COLUMN_SAMPLES) * COLUMN_SAMPLES, np.float32)
    whole[: len(samples)] = samples.astype(np.float32) / 32768.0
    columns = whole.reshape(-1, COLUMN_SAMPLES)
    for at in range(0, len(columns), _BLOCK):
        block = columns[at : at + _BLOCK]
        listener.push(at * COLUMN_MS, bank.push(np.arange(len(block)), block), np.ones(len(block), np.bool_))
    return listener.finish(len(samples) / 8.0).segments


def _joined(spoken: Iterable[tuple[float, float]], duration_ms: float) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start_ms, end_ms in sorted(spoken):
        if joined and start_ms - joined[-1][1] < _JOIN_MS:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_ms))
        else:
            joined.append((start_ms, end_ms))
    padded: list[tuple[float, float]] = []
    for start_ms, end_ms in joined:
        # The pad is at most half of a pause, so that no sound is heard twice.
        least = padded[-1][1] if padded else 0.0
        padded.append((max(least, start_ms - _PAD_MS), min(duration_ms, end_ms + _PAD_MS)))
    return padded


def _cut(samples: Sound, start_ms: float, end_ms: float) -> list[Stretch]:
    """Cut a long stretch at its quietest moments, each piece between half the longest and the longest."""
    pieces: list[Stretch] = []
    while end_ms - start_ms > LONGEST_MS:
        # Neither piece gets so short that its words lose what stands around them.
        latest = min(start_ms + LONGEST_MS, end_ms - LONGEST_MS / 4)
        at_ms = _quietest(samples, start_ms + LONGEST_MS / 2, latest)
        pieces.append(Stretch(start_ms, at_ms))
        start_ms = at_ms
    return [*pieces, Stretch(start_ms, end_ms)]


def _quietest(samples: Sound, from_ms: float, to_ms: float) -> float:
    first = int(from_ms / COLUMN_MS)
    part = samples[first * COLUMN_SAMPLES : int(to_ms / COLUMN_MS) * COLUMN_SAMPLES].astype(np.float64)
    power = (part.reshape(-1, COLUMN_SAMPLES) ** 2).mean(axis=1)
    # Over 200 ms: a stop inside a word is quiet too, but shorter.
    smooth = np.convolve(power, np.full(10, 0.1), mode="same")
    return (first + int(smooth.argmin()) + 0.5) * COLUMN_MS
