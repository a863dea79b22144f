"""What a stretch of sound is: speech, music, noise, or a single tone (fax, howler, beep), by rules.

Speech comes in syllables: its level swings by more than 5 dB, a good part of it lies far below its mean, and
its spectrum changes from one 20 ms column to the next. Music holds its notes and its level. Noise does neither
and fills all bands alike. The three measures of `_speech_score` were chosen, and their centres and scales set,
on real Mandarin speech, synthetic announcements, two tracks of music and synthetic chords after A-law;
`benchmarks/line_analysis.py` gives the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.plan import TonePlan
from sip.record import SegmentKind

SOUND_FLOOR_DBM0 = -45.0
"""Quieter is silence."""

_WINDOW = 75
"""Columns, 1.5 s: some six syllables."""
_SMOOTH = 100
_SHORTEST_CHANGE = 50
"""A change of kind within a stretch must last 1 s."""
_FEW = 60
"""Columns; in less than 1.2 s there are too few syllables for the swing of the level to show."""
_PURE_SHARE = 0.85
_PURE_STEP_HZ = 15.0
_SHORTEST_PURE = 8
_BEEP_HZ = (400.0, 2200.0)
_BEEP_MS = (180.0, 1220.0)
_QUIET_DB = 10.0
_NOISE_EDGE = 8
"""Columns; less noise before a voice is not worth telling apart."""
_NOISE_FLATNESS = 0.25
_NOISE_SWING_DB = 1.5
_LOST_DBM0 = -100.0

Array = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stretch, [first, after) in columns, with its kind."""

    first: int
    after: int
    kind: SegmentKind
    confidence: float


def classify(columns: npt.NDArray[np.float32], plan: TonePlan) -> list[Piece]:
    """Return the pieces of a stretch of sound [n, F] that begins and ends with sound, in order, without overlap."""
    levels = f.power_dbm0(columns[:, f.POWER].mean(axis=1))
    pieces = _single_tones(columns, levels, plan)
    rest: list[Piece] = []
    bounds = [0, *(edge for piece in pieces for edge in (piece.first, piece.after)), len(columns)]
    for first, after in zip(bounds[::2], bounds[1::2], strict=True):
        rest += _voices(columns, levels, first, after)
    return sorted([*pieces, *rest], key=lambda piece: piece.first)


def _single_tones(columns: npt.NDArray[np.float32], levels: Array, plan: TonePlan) -> list[Piece]:
    """Return the steady single tones: those of the plan, beeps, and long ones of no meaning (noise)."""
    peak = columns[:, f.PEAK_HZ]
    pure = (columns[:, f.PEAK_SHARE] > _PURE_SHARE) & (levels > SOUND_FLOOR_DBM0)
    joined = pure[1:] & pure[:-1] & (np.abs(np.diff(peak)) < _PURE_STEP_HZ)
    found = []
    for first, last in _runs(joined):
        after = last + 1
        if after - first >= _SHORTEST_PURE:
            hertz = float(np.median(peak[first:after]))
            kind = _tone_kind(hertz, first, after, levels, plan)
            if kind is not None:
                found.append(Piece(first, after, kind, 0.6 if kind == "noise" else 0.9))
    return found


def _tone_kind(hertz: float, first: int, after: int, levels: Array, plan: TonePlan) -> SegmentKind | None:
    lasting_ms = (after - first) * f.COLUMN_MS
    # The columns of its two edges belong to a tone only in part.
    edges_ms = f.COLUMN_MS
    for signal in plan.signals:
        if signal.matches(hertz, lasting_ms) or signal.matches(hertz, lasting_ms + edges_ms):
            return signal.kind
    around = np.concatenate((levels[max(first - 4, 0) : max(first - 1, 0)], levels[after + 1 : after + 4]))
    alone = not len(around) or float(around.max()) < float(levels[first:after].mean()) - _QUIET_DB
    if not alone:
        return None
    if _BEEP_MS[0] <= lasting_ms + edges_ms and lasting_ms <= _BEEP_MS[1]:
        return "beep" if _BEEP_HZ[0] <= hertz <= _BEEP_HZ[1] else None
    return "noise" if lasting_ms > _BEEP_MS[1] else None


def _voices(columns: npt.NDArray[np.float32], levels: Array, first: int, after: int) -> list[Piece]:
    """Return the pieces of speech, music and noise in [first, after)."""
    loud = np.flatnonzero(levels[first:after] > SOUND_FLOOR_DBM0)
    if len(loud) < 3:
        return []
    first, after = first + int(loud[0]), first + int(loud[-1]) + 1
    part, level = columns[first:after], levels[first:after]
    score, noisy = _speech_score(part, level)
    labels = np.where(noisy, 2, np.where(score > 0.0, 0, 1))
    kinds: tuple[SegmentKind, ...] = ("speech", "music", "noise")
    pieces = []
    for begin, end in _steady_runs(labels):
        label = int(labels[begin])
        sure = float(np.clip(0.6 + 0.12 * np.abs(score[begin:end]).mean(), 0.5, 0.99))
        pieces.append(Piece(first + begin, first + end, kinds[label], 0.8 if label == 2 else round(sure, 2)))
    flatness = np.exp(np.log(part[:, f.BAND] + np.float32(1e-9)).mean(axis=1)) / (
        part[:, f.BAND].mean(axis=1) + 1e-9
    )
    bare = [bare for piece in pieces for bare in _bared(piece, levels, flatness, first)]
    return _sharpened(bare, levels)


def _bared(piece: Piece, levels: Array, flatness: Array, first: int) -> list[Piece]:
    """Cut the line's noise off both ends of a voice or of music: there it is as quiet as in the pauses, and flat."""
    level = levels[piece.first : piece.after]
    if piece.kind == "noise" or len(level) < 2 * _NOISE_EDGE:
        return [piece]
    # Lost packets are no pauses of the line.
    quiet, loud = np.percentile(level[level > _LOST_DBM0], (5, 95))
    louder = np.flatnonzero(level > quiet + _QUIET_DB / 2)
    if quiet < SOUND_FLOOR_DBM0 - _QUIET_DB or loud - quiet < _QUIET_DB or not len(louder):
        return [piece]
    flat = flatness[piece.first - first : piece.after - first]
    begin, end = int(louder[0]), int(louder[-1]) + 1
    if not _line_noise(level[:begin], flat[:begin]):
        begin = 0
    if not _line_noise(level[end:], flat[end:]):
        end = len(level)
    bounds = [piece.first, piece.first + begin, piece.first + end, piece.after]
    kinds: tuple[SegmentKind, ...] = ("noise", piece.kind, "noise")
    return [
        Piece(start, stop, kind, piece.confidence if kind == piece.kind else 0.7)
        for kind, start, stop in zip(kinds, bounds[:-1], bounds[1:], strict=True)
        if stop > start
    ]


def _line_noise(level: Array, flatness: Array) -> bool:
    """Tell the even hiss of a line from a breath or a fading consonant."""
    came = level > SOUND_FLOOR_DBM0 - _QUIET_DB
    if np.count_nonzero(came) < max(_NOISE_EDGE, len(level) // 2):
        return False
    return float(level[came].std()) < _NOISE_SWING_DB and float(flatness[came].mean()) > _NOISE_FLATNESS


def _speech_score(part: npt.NDArray[np.float32], level: Array) -> tuple[Array, Bools]:
    """Return for each column how speech-like its surroundings are (0: undecided), and whether they are noise."""
    loud = level > SOUND_FLOOR_DBM0
    weight = _moving_sum(loud, _WINDOW)
    bands = part[:, f.BAND]
    logs = 10.0 * np.log10(bands + np.float32(1e-9))

    def average(values: Array) -> Array:
        mean: Array = _moving_sum(np.where(loud, values, 0.0), _WINDOW) / np.maximum(weight, 1.0)
        return mean

    # The mean is taken out first: the swing is a small difference of large squares.
    centred = level - level[loud].mean()
    mean = average(centred)
    swing = np.sqrt(np.maximum(average(np.square(centred)) - np.square(mean), 0.0))
    step = np.zeros(len(part))
    step[1:] = np.abs(np.diff(logs, axis=0)).mean(axis=1)
    flux = average(step)
    power = part[:, f.POWER].mean(axis=1).astype(np.float64)
    width = _moving_sum(np.ones(len(part)), _WINDOW)
    low = _moving_sum(power < 0.5 * _moving_sum(power, _WINDOW) / width, _WINDOW) / width
    flatness = average(np.exp(np.log(bands + np.float32(1e-9)).mean(axis=1)) / (bands.mean(axis=1) + 1e-9))
    harmony = average(part[:, f.HARMONICITY].astype(np.float64))
    noisy = ((flatness > 0.4) & (swing < 2.0)) | ((harmony < 0.45) & (swing < 3.0))
    score = (swing - 5.0) / 1.5 + (flux - 4.3) / 0.7 + (low - 0.3) / 0.12
    if len(part) < _FEW:
        score = score + 3.0
        noisy = (flatness > 0.35) & (harmony < 0.5)
    smooth = _moving_sum(np.clip(score, -6.0, 6.0), _SMOOTH) / _moving_sum(np.ones(len(part)), _SMOOTH)
    return smooth, noisy


def _sharpened(pieces: list[Piece], levels: Array) -> list[Piece]:
    """Move a change from noise to a louder sound to the column where it becomes louder."""
    for i in range(1, len(pieces)):
        before, piece = pieces[i - 1], pieces[i]
        if before.kind != "noise":
            continue
        begin, end = max(before.first, piece.first - _WINDOW), min(piece.after, piece.first + _WINDOW)
        threshold = float(np.median(levels[before.first : max(begin, before.first + 5)])) + 6.0
        louder = np.flatnonzero(levels[begin:end] > threshold)
        if len(louder):
            at = begin + int(louder[0])
            pieces[i - 1] = Piece(before.first, at, before.kind, before.confidence)
            pieces[i] = Piece(at, piece.after, piece.kind, piece.confidence)
    return [piece for piece in pieces if piece.after > piece.first]


def _steady_runs(labels: npt.NDArray[np.integer]) -> list[tuple[int, int]]:
    """Return the runs of equal labels; one too short for a change takes (in place) the label before it."""
    while True:
        edges = (np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist()
        runs = list(zip([0, *edges], [*edges, len(labels)], strict=True))
        short = next((run for run in runs if run[1] - run[0] < _SHORTEST_CHANGE), None)
        if short is None or len(runs) == 1:
            return runs
        labels[short[0] : short[1]] = labels[short[0] - 1] if short[0] else labels[short[1]]


def _moving_sum(values: npt.NDArray[np.generic], width: int) -> Array:
    """Return the sum over the `width` values around each, fewer at the ends."""
    total = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    at = np.arange(len(values))
    half = width // 2
    return np.asarray(total[np.minimum(at + half + 1, len(values))] - total[np.maximum(at - half, 0)])


def _runs(flags: Bools) -> list[tuple[int, int]]:
    """Return [first, after) of each run of True."""
    padded = np.concatenate(([False], flags, [False]))
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
