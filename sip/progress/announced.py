"""Announcements by what sound can prove: the same recording said twice, or a voice that only a failure tone follows.

Nobody says a sentence twice alike to the column; a recording does. A single voice sounds like any other: whether it
is a person or a recording then shows only in what surrounds it (here), in its words, or in a sample heard before.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.record import Segment

LIKENESS: Final = 0.75
"""Mean cosine of the spectra over the shared stretch from which two voices are one recording. On degraded training
voices the lowest hundredth of two playings of one recording is below 0.72 and the highest hundredth of different
phrases above it; the overlap lies in clips of one word or two (line-model.md)."""

REPEATED: Final = "repeat_likeness"
"""What a segment's `measured` holds where it was said twice."""
_SHORTEST_MS: Final = 1_800.0
"""Two playings of less may differ too much where packets are lost, and two short words too little."""
_THINNED: Final = 2
"""Columns to a step of comparison: 40 ms, far more than playings are out of step with the columns."""
_REMEMBERED: Final = 12
_LEAST_SHARED: Final = 1e-9
_SHARED: Final = 0.7
"""Of the shorter of the two."""
_QUIET_DB: Final = 25.0
_RELATIVE_FLOOR: Final = 3e-3
_FAILURES: Final = frozenset({"busy", "congestion", "unobtainable"})
_ANSWERED: Final = frozenset({"ringback", "music", "fax_ced", "fax_cng", "beep"})
_TO_TONE_MS: Final = 8_000.0
_LONGEST_MS: Final = 40_000.0
"""More voice than this is a conversation that ended in the busy tone."""

Array = npt.NDArray[np.floating]


class Repetitions:
    """Remembers the voices of one call and tells when one of them is heard again."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._heard: deque[tuple[float, Voice]] = deque(maxlen=_REMEMBERED)

    def add(self, start_ms: float, columns: npt.NDArray[np.float32]) -> tuple[float, float] | None:
        """Add a voice [n, F]; return the start of the earlier one that it repeats, and how alike they are."""
        if len(columns) * f.COLUMN_MS < _SHORTEST_MS:
            return None
        voice = Voice(_spectra(columns))
        found = None
        for earlier, other in self._heard:
            alike = likeness(other, voice)
            if alike >= LIKENESS and (found is None or alike > found[1]):
                found = earlier, alike
        self._heard.append((start_ms, voice))
        return found


class Voice:
    """One voice's spectra [steps, bands], ready to be compared with others at every shift."""

    def __init__(self, spectra: Array) -> None:
        energy = np.square(spectra).sum(axis=1, keepdims=True)
        self.steps = len(spectra)
        self.energy = float(energy.sum())
        self._rows = np.concatenate((spectra, np.sqrt(energy)), axis=1)
        self._transforms: dict[int, npt.NDArray[np.complexfloating]] = {}

    def transform(self, size: int) -> npt.NDArray[np.complexfloating]:
        """Return the Fourier transform [size // 2 + 1, bands + 1] of spectra and of the root of their energy."""
        if size not in self._transforms:
            self._transforms[size] = np.fft.rfft(self._rows, size, axis=0)
        return self._transforms[size]


def likeness(one: Voice, other: Voice) -> float:
    """Return the best mean cosine of two runs of spectra over all shifts that overlap enough, -1 to 1."""
    if one.steps > other.steps:
        one, other = other, one
    # Sums over all shifts at once are a correlation; the size keeps the two ends of a shift apart.
    size = 1 << (one.steps + other.steps - 1).bit_length()
    products = np.conj(one.transform(size)) * other.transform(size)
    both = np.stack((products[:, :-1].sum(axis=1), products[:, -1]))
    sums, shared = np.fft.irfft(both, size, axis=1)
    enough = shared >= max(_SHARED * one.energy, _LEAST_SHARED)
    return float(np.max(sums[enough] / shared[enough], initial=-1.0))


def _spectra(columns: npt.NDArray[np.float32]) -> Array:
    """Return [steps, bands]: log spectra without their mean, of length 1; zero in pauses and where packets are lost."""
    count = len(columns) // _THINNED
    bands = columns[: count * _THINNED, f.BAND].astype(np.float64).reshape(count, _THINNED, -1).sum(axis=1)
    total = bands.sum(axis=1, keepdims=True)
    logs = np.log(bands / (total + 1e-12) + _RELATIVE_FLOOR)
    logs -= logs.mean(axis=0)
    logs -= logs.mean(axis=1, keepdims=True)
    length = np.sqrt(np.square(logs).sum(axis=1, keepdims=True))
    sounding = total > total.max() * 10.0 ** (-_QUIET_DB / 10.0)
    result: Array = np.where(sounding, logs / np.maximum(length, 1e-6), 0.0)
    return result


def is_repeated(segment: Segment) -> bool:
    """Tell whether a segment is an announcement because it was said twice: a spoken 彩铃 is, too."""
    return segment.kind == "announcement" and REPEATED in (segment.measured or {})


def named_by_failure_tone(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return the segments of a file with the voices that a failure tone follows named announcements.

    Only where no ringback, music or machine comes before: without signalling nobody else can have spoken. What is known
    of a call's signalling knows better (rings.py).
    """
    result = list(segments)
    for number, tone in enumerate(result):
        if tone.kind not in _FAILURES:
            continue
        before = result[:number]
        spoken = [s for s in before if s.kind in ("speech", "announcement")]
        lasting_ms = sum(s.end_ms - s.start_ms for s in spoken)
        near = bool(spoken) and tone.start_ms - spoken[-1].end_ms <= _TO_TONE_MS
        if near and lasting_ms <= _LONGEST_MS and not any(s.kind in _ANSWERED for s in before):
            result[:number] = [
                dataclasses.replace(s, kind="announcement") if s.kind == "speech" else s for s in before
            ]
        break
    return tuple(result)
