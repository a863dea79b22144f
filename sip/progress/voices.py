"""Speech, music and noise within a stretch of sound that holds no tone: where each begins and ends.

First the line's own hiss is taken out where it lies bare: as even as hiss, as flat, and no louder than in the
pauses. What is left is measured ten times a second (texture.py), told apart by the trained model (segment_model.py),
and smoothed by the most likely path: a change of kind has to pay for itself, so a drum does not become a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.middle import places
from sip.progress.segment_model import KINDS, default_model
from sip.progress.texture import MEASURES, STEP, bridged, measures
from sip.record import SegmentKind

SOUND_FLOOR_DBM0: Final = -45.0
"""Quieter is silence."""

_HISS_RANGE_DB: Final = 4.0
_HISS_BELOW_DB: Final = 8.0
"""What lies so little below the rest may be anything: the model decides."""
_HISS_RUN: Final = 30
"""Columns: 0.6 s, as long as the silence that parts two stretches."""
_HISS_EDGE: Final = 8
"""Columns; less hiss before a voice is not worth telling apart."""
_HISS_FLATNESS: Final = 0.25
_HISS_SWING_DB: Final = 1.5
_LOST_DBM0: Final = -100.0
_SWITCH: Final = 7.0
"""Price of a change of kind from one look to the next, in natural logarithms of probability."""
_SWITCH_AT_GAP: Final = 2.5
"""The same where hiss lies between."""
_LEAST_LOG: Final = -3.5
"""One look alone never says that a kind is less likely than this."""
_NEAR: Final = 30
"""Columns about a change of kind within which its pause is looked for: half a window."""
_PAUSE_DB: Final = 8.0
_SHOWN: Final = {
    "swing_db": "swing_db_1_s",
    "flux_db": "flux_db_mean_1_s",
    "quiet_share": "quiet_share_1_s",
    "harmonicity": "harmonicity_mean_1_s",
    "flatness": "flatness_mean_1_s",
    "peak_share": "peak_share_mean_1_s",
    "steady_pitch_share": "steady_pitch_1_s",
    "gliding_pitch_share": "gliding_pitch_1_s",
}
"""What the page shows of the measures, under shorter names."""
_SHOWN_AT: Final = np.array([MEASURES.index(name) for name in _SHOWN.values()])

Array = npt.NDArray[np.floating]
Columns = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stretch, [first, after) in columns, with its kind."""

    first: int
    after: int
    kind: SegmentKind
    confidence: float
    measured: Mapping[str, float] | None = None


def voices(columns: Columns, levels: Array, first: int, after: int) -> list[Piece]:
    """Return the pieces of speech, music and noise in columns [first, after) of a stretch, in order."""
    loud = places(levels[first:after] > SOUND_FLOOR_DBM0)
    if len(loud) < 3:
        return []
    first, after = first + int(loud[0]), first + int(loud[-1]) + 1
    hiss = _bare_hiss(columns[first:after], levels[first:after])
    pieces = [_hiss_piece(columns, levels, first + begin, first + end) for begin, end in hiss]
    bounds = [first, *(edge for piece in pieces for edge in (piece.first, piece.after)), after]
    parts = [(begin, end) for begin, end in zip(bounds[::2], bounds[1::2], strict=True) if end - begin >= 3]
    return sorted([*pieces, *_told(columns, levels, parts)], key=lambda piece: piece.first)


def _bare_hiss(part: Columns, level: Array) -> list[tuple[int, int]]:
    """Return the runs [first, after) where only the line's hiss is heard."""
    came = level > _LOST_DBM0
    heard = np.sort(level[came])
    quiet, loud = (_percentile(heard, 0.05), _percentile(heard, 0.95)) if len(heard) else (0.0, 0.0)
    if quiet < SOUND_FLOOR_DBM0 - _HISS_RANGE_DB or loud - quiet < _HISS_BELOW_DB:
        return []
    bands = part[:, f.BAND]
    flatness = np.exp(np.log(bands + np.float32(1e-9)).mean(axis=1)) / (bands.mean(axis=1) + 1e-9)
    like = (level < quiet + _HISS_RANGE_DB) | ~came
    runs = []
    for begin, end in zip(*_edges(like), strict=True):
        least = _HISS_EDGE if begin == 0 or end == len(level) else _HISS_RUN
        if end - begin >= least and _line_noise(level[begin:end], flatness[begin:end]):
            runs.append((begin, end))
    return runs


def _percentile(ranked: Array, share: float) -> float:
    """Return what `np.percentile` does of sorted values, at a tenth of its cost for the few that a stretch has."""
    place = (len(ranked) - 1) * share
    below = int(place)
    low, high = float(ranked[below]), float(ranked[min(below + 1, len(ranked) - 1)])
    part = place - below
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1.0 - part)


def _line_noise(level: Array, flatness: Array) -> bool:
    """Tell the even hiss of a line from a breath or a fading consonant."""
    came = level > _LOST_DBM0
    if np.count_nonzero(came) < max(_HISS_EDGE, len(level) // 2):
        return False
    return float(level[came].std()) < _HISS_SWING_DB and float(flatness[came].mean()) > _HISS_FLATNESS


def _hiss_piece(columns: Columns, levels: Array, first: int, after: int) -> Piece:
    level = levels[first:after]
    level = level[level > _LOST_DBM0]
    bands = columns[first:after, f.BAND].mean(axis=0)
    shown = {
        "level_dbm0": float(level.mean()),
        "swing_db": float(level.std()),
        "flatness": float(np.exp(np.log(bands + 1e-9).mean()) / (bands.mean() + 1e-9)),
    }
    return Piece(first, after, "noise", 0.9, {name: round(value, 2) for name, value in shown.items()})


def _told(columns: Columns, levels: Array, parts: list[tuple[int, int]]) -> list[Piece]:
    """Return the pieces of the parts by the model and the most likely path through all of them."""
    if not parts:
        return []
    measured = [measures(bridged(columns[begin:end], levels[begin:end])) for begin, end in parts]
    logs = default_model().log_probabilities(np.concatenate(measured))
    prices = np.full(len(logs), _SWITCH)
    prices[np.cumsum([len(part) for part in measured])[:-1]] = _SWITCH_AT_GAP
    path = _likeliest(np.maximum(logs, _LEAST_LOG), prices)
    pieces: list[Piece] = []
    at = 0
    for (begin, end), part in zip(parts, measured, strict=True):
        looks = slice(at, at + len(part))
        pieces += _pieces(begin, end, levels, path[looks], logs[looks], part)
        at += len(part)
    return pieces


def _likeliest(logs: Array, prices: Array) -> npt.NDArray[np.intp]:
    """Return the kind at each look on the likeliest path, where a change before look i costs `prices[i]` (Viterbi)."""
    best: list[float] = logs[0].tolist()
    came_from: list[list[int]] = []
    for row, price in zip(logs[1:].tolist(), prices[1:].tolist(), strict=True):
        top = best.index(max(best))
        changed = best[top] - price
        came_from.append([kind if value >= changed else top for kind, value in enumerate(best)])
        best = [(value if value >= changed else changed) + log for value, log in zip(best, row, strict=True)]
    path = [best.index(max(best))]
    for sources in reversed(came_from):
        path.append(sources[path[-1]])
    return np.array(path[::-1])


def _pieces(
    begin: int, end: int, levels: Array, path: npt.NDArray[np.intp], logs: Array, measured: Array
) -> list[Piece]:
    """Return one piece for each run of a kind in [begin, end), its ends moved into the pause beside them."""
    changes = (places(path[1:] != path[:-1]) + 1).tolist()
    cuts = [begin]
    for change in changes:
        cuts.append(max(_at_pause(levels, begin + change * STEP, begin, end), cuts[-1]))
    cuts.append(end)
    pieces = []
    for number, (first, after) in enumerate(zip([0, *changes], [*changes, len(path)], strict=True)):
        kind = int(path[first])
        chance = np.exp(logs[first:after]).mean(axis=0)
        shown = dict(zip(_SHOWN, measured[first:after, _SHOWN_AT].mean(axis=0).tolist(), strict=True))
        shown |= {f"p_{name}": float(value) for name, value in zip(KINDS, chance, strict=True)}
        sure = float(np.clip(chance[kind], 0.4, 0.99))
        rounded = {name: round(value, 3) for name, value in shown.items()}
        if cuts[number + 1] > cuts[number]:
            pieces.append(Piece(cuts[number], cuts[number + 1], KINDS[kind], round(sure, 2), rounded))
    return pieces


def _at_pause(levels: Array, at: int, begin: int, end: int) -> int:
    """Return the column near `at` where the next sound begins, if there is a pause; else `at`."""
    first, after = max(begin + 1, at - _NEAR), min(end - 1, at + _NEAR)
    near = levels[first:after]
    if len(near) < 3:
        return at
    lowest = int(near.argmin())
    usual = float(np.median(near))
    if near[lowest] > usual - _PAUSE_DB:
        return at
    # The pause may reach further than what is near.
    louder = places(levels[first + lowest : min(first + lowest + 2 * _NEAR, end)] > usual - _PAUSE_DB)
    return first + lowest + (int(louder[0]) if len(louder) else 0)


def _edges(flags: Bools) -> tuple[list[int], list[int]]:
    """Return where the runs of True begin and end."""
    padded = np.concatenate(([False], flags, [False]))
    edges = places(padded[1:] != padded[:-1])
    return edges[::2].tolist(), edges[1::2].tolist()
