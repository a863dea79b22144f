"""What a stretch of sound is: a single tone (fax, howler, beep) by its frequency, the rest by voices.py."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.middle import places
from sip.progress.plan import TonePlan
from sip.progress.voices import SOUND_FLOOR_DBM0, Piece, voices
from sip.record import SegmentKind

__all__ = ["SOUND_FLOOR_DBM0", "Piece", "classify"]

_PURE_SHARE = 0.85
_PURE_STEP_HZ = 15.0
_SHORTEST_PURE = 8
_BEEP_HZ = (400.0, 2200.0)
_BEEP_MS = (180.0, 1220.0)
_QUIET_DB = 10.0

Array = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


def classify(columns: npt.NDArray[np.float32], plan: TonePlan) -> list[Piece]:
    """Return the pieces of a stretch of sound [n, F] that begins and ends with sound, in order, without overlap."""
    levels = f.power_dbm0(np.add.reduce(columns[:, f.POWER], axis=1) / np.float32(f.QUARTERS))
    pieces = _single_tones(columns, levels, plan)
    rest: list[Piece] = []
    bounds = [0, *(edge for piece in pieces for edge in (piece.first, piece.after)), len(columns)]
    for first, after in zip(bounds[::2], bounds[1::2], strict=True):
        rest += voices(columns, levels, first, after)
    return sorted([*pieces, *rest], key=lambda piece: piece.first)


def _single_tones(columns: npt.NDArray[np.float32], levels: Array, plan: TonePlan) -> list[Piece]:
    """Return the steady single tones: those of the plan, beeps, and long ones of no meaning (noise)."""
    peak = columns[:, f.PEAK_HZ]
    pure = (columns[:, f.PEAK_SHARE] > _PURE_SHARE) & (levels > SOUND_FLOOR_DBM0)
    joined = pure[1:] & pure[:-1] & (np.abs(peak[1:] - peak[:-1]) < _PURE_STEP_HZ)
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


def _runs(flags: Bools) -> list[tuple[int, int]]:
    """Return [first, after) of each run of True."""
    padded = np.concatenate(([False], flags, [False]))
    edges = places(padded[1:] != padded[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
