"""Voice activity first (语音端点): the stretches of a sound in which somebody speaks.

An engine that is given tones, music, noise or silence invents text. Two ears say where a voice is:

- the line's own analysis, which knows tones, music and announcements, on the sound brought to a usual level. It loses
  1 voice in 40 at 15 dB above the noise;
- where the package faster-whisper is installed, the Silero network that comes with it. It hears most of those, and
  loses others: announcements by synthetic voices in noise.

What either hears is taken, tones left out: 99.9 % of the voiced sound of 45 clips at 10 dB above the noise, and of
their like 30 dB too quiet (docs/explanation/speech-recognition.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from recordings.transcription.ports import Sound
from sip.progress.features import COLUMN_MS, COLUMN_SAMPLES, FeatureBank
from sip.progress.listener import LineListener
from sip.record import Segment

Floats = npt.NDArray[np.float32]
Span = tuple[float, float]

LONGEST_MS = 14_000.0
"""Longest stretch: what Whisper hears in its short window."""
_PER_MS = 8
_SPOKEN = ("speech", "announcement")
_NO_TONE = (*_SPOKEN, "music", "noise", "silence")
_PAD_MS = 500.0
"""Of the line on both sides: cut closer, Whisper misreads the first and the last syllable."""
_JOIN_MS = 600.0
_BLOCK = 100
_USUAL_RMS = 10 ** (-24 / 20)
"""What the loud part of a voice is brought to, full scale 1.0: the level that the line's analysis was trained at."""
_MOST_GAIN = 30.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of speech, in ms from the sound's beginning."""

    start_ms: float
    end_ms: float

    def of(self, samples: Sound) -> Sound:
        """Return the samples of this stretch."""
        return samples[int(self.start_ms * _PER_MS) : int(self.end_ms * _PER_MS)]


def speech(samples: Sound, *, second_ear: bool = False) -> list[Stretch]:
    """Return the stretches of speech in order of time, none longer than LONGEST_MS, cut where it is quietest.

    `second_ear` asks the Silero network too; ImportError where faster-whisper is not installed.
    """
    if not len(samples):
        return []
    sound = samples.astype(np.float32) / 32768.0
    tones = [(s.start_ms, s.end_ms) for s in _segments(sound) if s.kind not in _NO_TONE]
    sound = _at_usual_level(sound, tones)
    spoken = [(s.start_ms, s.end_ms) for s in _segments(sound) if s.kind in _SPOKEN]
    if second_ear:
        spoken += [span for span in _silero(sound) if not _mostly(span, tones)]
    stretches: list[Stretch] = []
    for start_ms, end_ms in _joined(spoken, len(samples) / _PER_MS):
        stretches += _cut(samples, start_ms, end_ms)
    return stretches


def at_usual_level(samples: Sound) -> Sound:
    """Return a stretch, raised to a usual level where it is quiet: of faint speech Whisper writes the first word."""
    return np.round(_at_usual_level(samples.astype(np.float32) / 32768.0, ()) * 32767.0).astype(np.int16)


def _segments(sound: Floats) -> Sequence[Segment]:
    bank, listener = FeatureBank(_BLOCK), LineListener()
    whole = np.zeros(-(-len(sound) // COLUMN_SAMPLES) * COLUMN_SAMPLES, np.float32)
    whole[: len(sound)] = sound
    columns = whole.reshape(-1, COLUMN_SAMPLES)
    for at in range(0, len(columns), _BLOCK):
        block = columns[at : at + _BLOCK]
        features = bank.push(np.arange(len(block)), block)
        listener.push(at * COLUMN_MS, features, np.ones(len(block), np.bool_))
    return listener.finish(len(sound) / _PER_MS).segments


def _at_usual_level(sound: Floats, tones: Iterable[Span]) -> Floats:
    """Raise a quiet sound; how loud it is, is told by what is no tone."""
    count = len(sound) // COLUMN_SAMPLES
    counted = np.ones(count, np.bool_)
    for start_ms, end_ms in tones:
        counted[int(start_ms / COLUMN_MS) : int(end_ms / COLUMN_MS) + 1] = False
    columns = sound[: count * COLUMN_SAMPLES].reshape(-1, COLUMN_SAMPLES)[counted]
    if not len(columns):
        return sound
    loud = float(np.percentile(np.sqrt((columns.astype(np.float64) ** 2).mean(axis=1)), 95))
    gain = min(_MOST_GAIN, _USUAL_RMS / max(loud, 1e-6))
    return sound if gain <= 1.0 else np.clip(sound * np.float32(gain), -1.0, 1.0)


def _silero(sound: Floats) -> list[Span]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options: Any = VadOptions(threshold=0.5, min_silence_duration_ms=300, speech_pad_ms=100)
    wide = soxr.resample(sound, 8_000, 16_000).astype(np.float32)
    return [(span["start"] / 16.0, span["end"] / 16.0) for span in get_speech_timestamps(wide, options)]


def _mostly(span: Span, others: Iterable[Span]) -> bool:
    """Say whether at least half of a span lies in the others."""
    start_ms, end_ms = span
    shared = sum(max(0.0, min(end_ms, end) - max(start_ms, start)) for start, end in others)
    return shared >= (end_ms - start_ms) / 2


def _joined(spoken: Iterable[Span], duration_ms: float) -> list[Span]:
    joined: list[Span] = []
    for start_ms, end_ms in sorted(spoken):
        if joined and start_ms - joined[-1][1] < _JOIN_MS:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_ms))
        else:
            joined.append((start_ms, end_ms))
    if not joined:
        return []
    # In a short pause two stretches meet in the middle: no sound is heard twice.
    middles = [(one[1] + other[0]) / 2 for one, other in itertools.pairwise(joined)]
    return [
        (max(first, start - _PAD_MS), min(last, end + _PAD_MS))
        for (start, end), first, last in zip(joined, [0.0, *middles], [*middles, duration_ms], strict=True)
    ]


def _cut(samples: Sound, start_ms: float, end_ms: float) -> list[Stretch]:
    """Cut a long stretch at its quietest moments, each piece at least a quarter of the longest."""
    pieces: list[Stretch] = []
    while end_ms - start_ms > LONGEST_MS:
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
