"""The texture of sound over a second and over three: what tells voices, music and noise apart.

Everything is computed from feature columns (features.py), so it costs nothing while a tick lasts. All measures are
relative: how loud the line is matters only where sound sinks below -55 dBm0, which counts as silent. Values of each
column are averaged over windows about every fifth column; a window reaches no further than the stretch of sound that
it lies in. Lost packets are bridged by what came before them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from sip.progress import features as f

Array = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

STEP: Final = 5
"""Columns from one look to the next: 0.1 s."""
WINDOWS: Final = (50, 150)
"""Columns: 1 s holds four syllables, 3 s a phrase or two bars of music."""

_FLOOR_DBM0: Final = -55.0
"""Quieter than this is as good as silent; G.711's own noise lies there."""
_LOST_DBM0: Final = -100.0
_BRIDGED: Final = 3
_ACTIVE_DB: Final = 20.0
_RELATIVE_FLOOR: Final = 1e-3
_LAGS: Final = (8, 12, 16, 24, 32)
"""Columns, 0.16 to 0.64 s: syllables come irregularly, beats do not."""
_BROAD: Final = ((0, 3), (3, 6), (6, 10), (10, 16))
"""Bands of 75-375, 375-725, 725-1,525 and 1,525-3,425 Hz."""

_OF_SOUND: Final = (
    "flux_db",
    "flux_100_ms_db",
    "flatness",
    "harmonicity",
    "peak_share",
    "centroid",
    "low_share",
    "low_mid_share",
    "high_mid_share",
    "high_share",
)
"""Means and deviations of these, over what is not a pause."""
_OF_STEPS: Final = ("steady_peak", "steady_peak_80_ms", "steady_pitch", "gliding_pitch", "roughness_db")
"""Means of these, over what is not a pause."""
_OF_LEVEL: Final = ("level_step_db", "level_step_80_ms_db", "quiet_share", "very_quiet_share")
"""Means of these, pauses included."""
PER_WINDOW: Final = (
    *(f"{name}_mean" for name in _OF_SOUND),
    *(f"{name}_deviation" for name in _OF_SOUND),
    *_OF_STEPS,
    *_OF_LEVEL,
    "swing_db",
    *(f"beat_{round(lag * f.COLUMN_MS)}_ms" for lag in _LAGS),
    "sounding_share",
    "filled_share",
)
MEASURES: Final[tuple[str, ...]] = tuple(
    f"{name}_{width * 20 // 1000}_s" for width in WINDOWS for name in PER_WINDOW
)
"""Names of the columns that `measures` returns."""


def bridged(columns: npt.NDArray[np.float32], levels: Array) -> npt.NDArray[np.float32]:
    """Return the columns with up to three lost ones in a row replaced by the one before them."""
    lost = levels <= _LOST_DBM0
    if not lost.any():
        return columns
    edges = np.flatnonzero(np.diff(np.concatenate(([False], lost, [False])).astype(np.int8)))
    whole = columns.copy()
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if first and after < len(columns) and after - first <= _BRIDGED:
            whole[first:after] = columns[first - 1]
    return whole


def measures(columns: npt.NDArray[np.float32]) -> Array:
    """Return [looks, MEASURES] of a stretch [n, F] that begins and ends with sound, a look at columns 0, 5, 10, ..."""
    power = columns[:, f.POWER].mean(axis=1).astype(np.float64)
    level = np.maximum(f.power_dbm0(power), _FLOOR_DBM0)
    level = level - level.mean()
    near = _moving_mean(power, WINDOWS[0])
    active = level > 10.0 * np.log10(near / max(power.mean(), 1e-14) + 1e-9) - _ACTIVE_DB
    spectral = _spectral(columns)
    sound = np.concatenate((spectral, np.square(spectral), _steps(columns)), axis=1) * active[:, None]
    products = np.stack([level * _lagged(level, lag) for lag in _LAGS], axis=1)
    flow = np.stack(
        (
            np.abs(level - _lagged(level, 1)),
            np.abs(level - _lagged(level, 4)),
            power < 0.5 * near,
            power < 0.05 * near,
            level,
            np.square(level),
        ),
        axis=1,
    )
    basis = np.concatenate((sound, flow, products, active[:, None]), axis=1)
    sums = np.concatenate((np.zeros((1, basis.shape[1])), np.cumsum(basis, axis=0)))
    at = np.arange(0, len(columns), STEP)
    return np.concatenate([_window(sums, at, width) for width in WINDOWS], axis=1)


def _window(sums: Array, at: npt.NDArray[np.integer], width: int) -> Array:
    """Return [looks, PER_WINDOW] from the running sums."""
    first = np.maximum(at - width // 2, 0)
    after = np.minimum(at + width // 2 + 1, len(sums) - 1)
    total = sums[after] - sums[first]
    count = (after - first).astype(np.float64)[:, None]
    sounding = np.maximum(total[:, -1:], 1.0)
    spectral = len(_OF_SOUND)
    mean = total[:, :spectral] / sounding
    deviation = np.sqrt(np.maximum(total[:, spectral : 2 * spectral] / sounding - np.square(mean), 0.0))
    steps = total[:, 2 * spectral : 2 * spectral + len(_OF_STEPS)] / sounding
    flow = total[:, 2 * spectral + len(_OF_STEPS) : -1] / count
    level = flow[:, 4:5]
    variance = np.maximum(flow[:, 5:6] - np.square(level), 0.0)
    beats = (flow[:, 6:] - np.square(level)) / (variance + 1.0)
    return np.concatenate(
        (mean, deviation, steps, flow[:, :4], np.sqrt(variance), beats, total[:, -1:] / count, count / width),
        axis=1,
    )


def _spectral(columns: npt.NDArray[np.float32]) -> Array:
    bands = columns[:, f.BAND].astype(np.float64)
    total = bands.sum(axis=1, keepdims=True) + 1e-12
    shares = bands / total
    logs = 10.0 * np.log10(shares + _RELATIVE_FLOOR)
    flatness = np.exp(np.log(shares + 1e-6).mean(axis=1)) * shares.shape[1]
    broad = [shares[:, first:after].sum(axis=1) for first, after in _BROAD]
    return np.stack(
        (
            np.abs(logs - _lagged(logs, 1)).mean(axis=1),
            np.abs(logs - _lagged(logs, 5)).mean(axis=1),
            flatness,
            columns[:, f.HARMONICITY],
            columns[:, f.PEAK_SHARE],
            shares @ np.arange(shares.shape[1]),
            *broad,
        ),
        axis=1,
    )


def _steps(columns: npt.NDArray[np.float32]) -> Array:
    peak = columns[:, f.PEAK_HZ].astype(np.float64)
    pitch = np.log(np.maximum(columns[:, f.PITCH_HZ], 50.0).astype(np.float64))
    voiced = columns[:, f.HARMONICITY] > 0.6
    turn = np.abs(pitch - _lagged(pitch, 1))
    quarters = 10.0 * np.log10(columns[:, f.POWER].astype(np.float64) + 1e-9)
    return np.stack(
        (
            np.abs(peak - _lagged(peak, 1)) < 12.0,
            np.abs(peak - _lagged(peak, 4)) < 12.0,
            voiced & (turn < 0.005),
            voiced & (turn > 0.005) & (turn < 0.15),
            np.abs(np.diff(quarters, axis=1)).mean(axis=1),
        ),
        axis=1,
    ).astype(np.float64)


def _lagged(values: Array, lag: int) -> Array:
    """Return what was `lag` columns before; the first value where nothing was."""
    if lag >= len(values):
        return np.broadcast_to(values[:1], values.shape)
    return np.concatenate((np.repeat(values[:1], lag, axis=0), values[:-lag]))


def _moving_mean(values: Array, width: int) -> Array:
    sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    at = np.arange(len(values))
    first, after = np.maximum(at - width // 2, 0), np.minimum(at + width // 2 + 1, len(values))
    return np.asarray((sums[after] - sums[first]) / (after - first))
