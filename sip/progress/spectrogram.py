"""A spectrogram of bounded size: what the ear hears, for the eye of whoever checks a finding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sip.progress.features import COLUMN_MS, COLUMN_SAMPLES, FULL_SCALE_SINE_DBM0

MOST_COLUMNS = 2_000
BINS = 128
"""0 to 4 kHz in steps of 31.25 Hz."""
LOWEST_DBM0, HIGHEST_DBM0 = -70.0, -15.0
"""Shown as nothing and as full: below lies the noise of G.711, above nothing gets any darker."""
_WINDOW = 2 * BINS
_BEFORE = _WINDOW - COLUMN_SAMPLES

Floats = npt.NDArray[np.float32]


class Spectrogram:
    """Push the sound of 8 kHz in columns of 20 ms; ask for `levels` at the end.

    Where there are more than `MOST_COLUMNS` columns, neighbours are put together again and again: the memory
    stays the same for seconds and for hours.
    """

    def __init__(self) -> None:
        window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_WINDOW) / _WINDOW)
        # A sine of amplitude 1 between two bins reaches about 1.0.
        self._window = (window * 2.0 / window.sum()).astype(np.float32)
        self._rest = np.zeros(_BEFORE, np.float32)
        self._sums = np.zeros((MOST_COLUMNS, BINS), np.float32)
        self._per = 1
        """Windows that are put together in each column."""
        self._windows = 0

    @property
    def step_ms(self) -> float:
        """How long a column lasts."""
        return self._per * COLUMN_MS

    def push(self, sound: Floats) -> None:
        """Add sound [n, 160] of full scale 1.0, each row the 20 ms after the row before."""
        samples = np.concatenate((self._rest, sound.reshape(-1)))
        self._rest = samples[len(samples) - _BEFORE :]
        frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::COLUMN_SAMPLES]
        power = np.abs(np.fft.rfft(frames * self._window, axis=1)[:, :BINS]) ** 2
        total = self._windows + len(power)
        while -(-total // self._per) > MOST_COLUMNS:
            halved = self._sums.reshape(-1, 2, BINS).sum(axis=1)
            self._sums[: len(halved)], self._sums[len(halved) :] = halved, 0.0
            self._per *= 2
        columns = np.arange(self._windows, total) // self._per
        first = np.flatnonzero(np.diff(columns, prepend=-1))
        self._sums[columns[first]] += np.add.reduceat(power.astype(np.float32), first, axis=0)
        self._windows = total

    def levels(self) -> Floats:
        """Return [BINS, columns], low frequencies first: 0.0 at or below LOWEST_DBM0, 1.0 at or above HIGHEST_DBM0."""
        count = -(-self._windows // self._per)
        windows = np.full((count, 1), self._per, np.float32)
        if count:
            windows[-1] = self._windows - (count - 1) * self._per
        mean = self._sums[:count] / windows
        dbm0 = 10.0 * np.log10(np.maximum(mean, 1e-12)) + FULL_SCALE_SINE_DBM0
        shares: Floats = np.clip((dbm0 - LOWEST_DBM0) / (HIGHEST_DBM0 - LOWEST_DBM0), 0.0, 1.0)
        return shares.T.astype(np.float32)
