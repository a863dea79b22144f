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

_SPECTRAL: Final = len(_OF_SOUND)
_FLOW: Final = 2 * _SPECTRAL + len(_OF_STEPS)
"""Where in the basis, the array that is summed, the measures begin that count pauses too."""
_ACTIVE: Final = _FLOW + len(_OF_LEVEL) + 2 + len(_LAGS)
"""Its last column: what is not a pause."""
_SOUND_LAGS: Final = (1, 5)
_LEVEL_LAGS: Final = np.array((1, 4, *_LAGS))
_WIDTHS: Final = np.array(WINDOWS, np.float64)
_HALVES: Final = np.array(WINDOWS) // 2
_BAND_NUMBERS: Final = np.arange(f.BANDS, dtype=np.float64)


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
    """Return [looks, MEASURES] of a stretch [n, F] that begins and ends with sound, a look at columns 0, 5, 10, ...

    Most stretches are short, so what costs is how often numpy is called: all goes into one array that is summed once.
    """
    count = len(columns)
    at = np.arange(count)
    basis = np.empty((count, _ACTIVE + 1))
    power = (np.add.reduce(columns[:, f.POWER], axis=1) / np.float32(f.QUARTERS)).astype(np.float64)
    level = np.maximum(f.power_dbm0(power), _FLOOR_DBM0)
    level -= np.add.reduce(level) / count
    near = _moving_mean(power, at, WINDOWS[0])
    usual = max(float(np.add.reduce(power)) / count, 1e-14)
    active = basis[:, _ACTIVE]
    active[:] = level > 10.0 * np.log10(near / usual + 1e-9) - _ACTIVE_DB
    _put_spectral(columns, at, basis)
    np.square(basis[:, :_SPECTRAL], out=basis[:, _SPECTRAL : 2 * _SPECTRAL])
    _put_steps(columns, at, basis)
    basis[:, :_FLOW] *= active[:, None]
    before = level[np.maximum(at[:, None] - _LEVEL_LAGS, 0)]
    flow = basis[:, _FLOW:_ACTIVE]
    np.abs(level[:, None] - before[:, :2], out=flow[:, :2])
    flow[:, 2] = power < 0.5 * near
    flow[:, 3] = power < 0.05 * near
    flow[:, 4] = level
    np.square(level, out=flow[:, 5])
    np.multiply(level[:, None], before[:, 2:], out=flow[:, 6:])
    sums = np.zeros((count + 1, basis.shape[1]))
    np.add.accumulate(basis, axis=0, out=sums[1:])
    return _windows(sums, at[::STEP])


def _windows(sums: Array, at: npt.NDArray[np.integer]) -> Array:
    """Return [looks, MEASURES] from the running sums; both windows are computed at once, one below the other."""
    half = np.repeat(_HALVES, len(at))
    every = np.concatenate((at, at))
    first = np.maximum(every - half, 0)
    after = np.minimum(every + half + 1, len(sums) - 1)
    total = sums[after] - sums[first]
    count = (after - first).astype(np.float64)[:, None]
    found = np.empty((len(every), len(PER_WINDOW)))
    share = total[:, :_FLOW] / np.maximum(total[:, -1:], 1.0)
    mean = found[:, :_SPECTRAL]
    mean[:] = share[:, :_SPECTRAL]
    deviation = found[:, _SPECTRAL : 2 * _SPECTRAL]
    np.subtract(share[:, _SPECTRAL : 2 * _SPECTRAL], np.square(mean), out=deviation)
    np.sqrt(np.maximum(deviation, 0.0, out=deviation), out=deviation)
    found[:, 2 * _SPECTRAL : _FLOW] = share[:, 2 * _SPECTRAL :]
    flow = total[:, _FLOW:-1] / count
    rest = found[:, _FLOW:]
    rest[:, :4] = flow[:, :4]
    square = np.square(flow[:, 4:5])
    variance = np.maximum(flow[:, 5:6] - square, 0.0)
    rest[:, 4:5] = np.sqrt(variance)
    rest[:, 5:-2] = (flow[:, 6:] - square) / (variance + 1.0)
    rest[:, -2:-1] = total[:, -1:] / count
    rest[:, -1:] = count / np.repeat(_WIDTHS, len(at))[:, None]
    return np.concatenate((found[: len(at)], found[len(at) :]), axis=1)


def _put_spectral(columns: npt.NDArray[np.float32], at: npt.NDArray[np.integer], basis: Array) -> None:
    """Put `_OF_SOUND` of each column into the first columns of the basis."""
    bands = columns[:, f.BAND].astype(np.float64)
    shares = bands / (np.add.reduce(bands, axis=1, keepdims=True) + 1e-12)
    logs = 10.0 * np.log10(shares + _RELATIVE_FLOOR)
    for place, lag in enumerate(_SOUND_LAGS):
        change = np.abs(logs - logs[np.maximum(at - lag, 0)])
        np.divide(np.add.reduce(change, axis=1), f.BANDS, out=basis[:, place])
    even = np.exp(np.add.reduce(np.log(shares + 1e-6), axis=1) / f.BANDS)
    np.multiply(even, f.BANDS, out=basis[:, 2])
    basis[:, 3] = columns[:, f.HARMONICITY]
    basis[:, 4] = columns[:, f.PEAK_SHARE]
    basis[:, 5] = shares @ _BAND_NUMBERS
    for place, (first, after) in enumerate(_BROAD, 6):
        np.add.reduce(shares[:, first:after], axis=1, out=basis[:, place])


def _put_steps(columns: npt.NDArray[np.float32], at: npt.NDArray[np.integer], basis: Array) -> None:
    """Put `_OF_STEPS` of each column behind what is of sound."""
    peak = columns[:, f.PEAK_HZ].astype(np.float64)
    pitch = np.log(np.maximum(columns[:, f.PITCH_HZ], np.float32(50.0)).astype(np.float64))
    voiced = columns[:, f.HARMONICITY] > 0.6
    before = np.maximum(at - 1, 0)
    turn = np.abs(pitch - pitch[before])
    quarters = 10.0 * np.log10(columns[:, f.POWER].astype(np.float64) + 1e-9)
    rough = np.abs(quarters[:, 1:] - quarters[:, :-1])
    steps = basis[:, 2 * _SPECTRAL : _FLOW]
    steps[:, 0] = np.abs(peak - peak[before]) < 12.0
    steps[:, 1] = np.abs(peak - peak[np.maximum(at - 4, 0)]) < 12.0
    steps[:, 2] = voiced & (turn < 0.005)
    steps[:, 3] = voiced & (turn > 0.005) & (turn < 0.15)
    np.divide(np.add.reduce(rough, axis=1), f.QUARTERS - 1, out=steps[:, 4])


def _moving_mean(values: Array, at: npt.NDArray[np.integer], width: int) -> Array:
    sums = np.zeros(len(values) + 1)
    np.add.accumulate(values, out=sums[1:])
    first, after = np.maximum(at - width // 2, 0), np.minimum(at + width // 2 + 1, len(values))
    return np.asarray((sums[after] - sums[first]) / (after - first))
