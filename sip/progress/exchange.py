"""All bursts of exchange tones of one call, single ones and pairs, in order of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.pairs import PairTracker
from sip.progress.plan import Tone, TonePlan
from sip.progress.tones import ToneBurst, ToneTracker


class ExchangeTones:
    """Finds the bursts in one call's columns, pushed in order and without gaps."""

    def __init__(self, plan: TonePlan, tones: Sequence[Tone]) -> None:
        """Start with an empty stream; `tones`: those that are listened for."""
        self._single = ToneTracker(plan, tones)
        self._pairs = PairTracker(plan, tones)
        self._changes = -1
        self._bursts: list[ToneBurst] = []

    @property
    def changes(self) -> int:
        """Grows whenever `bursts` changes."""
        return self._single.changes + self._pairs.changes

    @property
    def bursts(self) -> list[ToneBurst]:
        """Bursts not yet forgotten, oldest first. What single tones seemed to stand within a pair are none."""
        if not self._pairs.bursts:
            return self._single.bursts
        if self._changes != self.changes:
            pairs = self._pairs.bursts
            single = [b for b in self._single.bursts if not any(_overlap(b, pair) for pair in pairs)]
            self._bursts = sorted([*single, *pairs], key=lambda burst: burst.start_ms)
            self._changes = self.changes
        return self._bursts

    def push(self, start_ms: float, columns: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> None:
        """Add columns [n, F] and which of their quarters [n, QUARTERS] came; `start_ms` counts for the first only."""
        z = (columns[:, f.TONE_RE] + np.complex64(1j) * columns[:, f.TONE_IM]).reshape(-1)
        p = columns[:, f.POWER].reshape(-1)
        lost = ~present.reshape(-1)
        if lost.any():
            z, p = np.where(lost, np.complex64(0), z), np.where(lost, np.float32(0), p)
        self._single.push(start_ms, z, p, lost)
        self._pairs.push(start_ms, z, p)

    def finish(self) -> None:
        """End the stream: what is open ends with it."""
        self._single.finish()
        self._pairs.finish()

    def forget(self, count: int) -> None:
        """Drop the oldest `count` bursts."""
        if not count:
            return
        last_ms = self.bursts[count - 1].start_ms
        for tracker in (self._single, self._pairs):
            before = len(tracker.bursts)
            tracker.bursts[:] = [burst for burst in tracker.bursts if burst.start_ms > last_ms]
            tracker.changes += before - len(tracker.bursts)
        self._changes = -1


def _overlap(single: ToneBurst, pair: ToneBurst) -> bool:
    return single.start_ms < pair.end_ms and single.end_ms > pair.start_ms
