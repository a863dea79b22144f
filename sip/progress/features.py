"""One column of features for each call of a 20 ms tick: all that the listener needs, without the sound.

What a column holds, and why:

- the power of each 5 ms quarter: where sound begins and ends;
- the complex amplitude at 450 Hz of each quarter. 450 Hz makes exactly nine turns in 20 ms, so the phase
  reference runs on from column to column without any state; from quarter to quarter the phase turns by
  1.8 degrees per hertz of deviation, which gives the frequency of a burst to a tenth of a hertz and tells
  a tone from a voice;
- the strongest partial of a Hann-windowed spectrum, its share of the power, pitch and harmonicity, and the
  power in sixteen bands: enough to tell voices, music and noise apart later, over any stretch of time.

Powers are mean squares of full scale 1.0. A full-scale sine is +3.14 dBm0 in A-law (ITU-T G.711).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RATE_HZ: Final = 8_000
COLUMN_SAMPLES: Final = 160
COLUMN_MS: Final = 20.0
QUARTERS: Final = 4
QUARTER_MS: Final = COLUMN_MS / QUARTERS
TONE_HZ: Final = 450.0
"""The national call progress tone (GB 3380-82)."""
FULL_SCALE_SINE_DBM0: Final = 3.14
"""ITU-T G.711, A-law."""

BAND_EDGES_HZ: Final = (
    75,
    175,
    275,
    375,
    475,
    575,
    725,
    875,
    1075,
    1275,
    1525,
    1775,
    2075,
    2375,
    2725,
    3025,
    3425,
)
BANDS: Final = len(BAND_EDGES_HZ) - 1

FEATURES: Final[tuple[str, ...]] = (
    *(f"power_{q}" for q in range(QUARTERS)),
    *(f"tone_re_{q}" for q in range(QUARTERS)),
    *(f"tone_im_{q}" for q in range(QUARTERS)),
    "peak_hz",
    "peak_share",
    "pitch_hz",
    "harmonicity",
    *(f"band_{b}" for b in range(BANDS)),
)
"""Names of the columns of `FeatureBank.push`."""

POWER: Final = slice(0, 4)
TONE_RE: Final = slice(4, 8)
TONE_IM: Final = slice(8, 12)
PEAK_HZ: Final = 12
PEAK_SHARE: Final = 13
PITCH_HZ: Final = 14
HARMONICITY: Final = 15
BAND: Final = slice(16, 16 + BANDS)

_BIN_HZ = RATE_HZ / COLUMN_SAMPLES
_FIRST_BIN, _LAST_BIN = 2, 68
"""100 to 3,400 Hz: a constant offset reaches only bins 0 and 1, and telephony ends at 3,400 Hz."""
_BINS = np.arange(_FIRST_BIN, _LAST_BIN + 1)
_PITCH_LAGS = np.concatenate((np.arange(20, 40), np.arange(40, 81, 2)))
_TINY = 1e-14


def power_dbm0(power: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the level in dBm0 of mean-square powers; silence gives -126."""
    level: npt.NDArray[np.floating] = 10.0 * np.log10(np.maximum(power, 5e-14) * 2.0) + FULL_SCALE_SINE_DBM0
    return level


def half_came(present: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return [n]: of [n, QUARTERS], the columns of which half came. Less tells nothing of a sound that is no tone."""
    half: npt.NDArray[np.bool_] = present.sum(axis=1) >= QUARTERS // 2
    return half


def _tone_projection() -> Floats:
    """Return [160, 12]: cosine and sine amplitude at 450 Hz of each quarter, then the mean of each quarter.

    The amplitudes are least-squares fits of both at once, which removes the mirror image that a quarter of
    2.25 turns would leave, blind to a constant offset, and scaled so that the squared magnitude is the tone's
    mean-square power.
    """
    angle = 2.0 * np.pi * TONE_HZ / RATE_HZ * np.arange(COLUMN_SAMPLES)
    projection = np.zeros((COLUMN_SAMPLES, 3 * QUARTERS))
    length = COLUMN_SAMPLES // QUARTERS
    for quarter in range(QUARTERS):
        part = slice(quarter * length, (quarter + 1) * length)
        fit = np.linalg.pinv(np.stack((np.cos(angle[part]), -np.sin(angle[part])), axis=1))
        projection[part, quarter] = fit[0] / np.sqrt(2.0)
        projection[part, QUARTERS + quarter] = fit[1] / np.sqrt(2.0)
        projection[part, 2 * QUARTERS + quarter] = 1.0 / length
    projection[:, : 2 * QUARTERS] -= projection[:, : 2 * QUARTERS].mean(axis=0)
    return projection.astype(np.float32)


def _spectrum_projection() -> tuple[Floats, Floats]:
    """Return [80, bins] for the even and [79, bins] for the odd half of a column.

    A Hann-windowed Fourier transform whose squared magnitudes add up to the mean square. The window is even
    about sample 80, so cosines need only x[80 - n] + x[80 + n] and sines only the difference: half the work.
    """
    n = np.arange(COLUMN_SAMPLES)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * n / COLUMN_SAMPLES)
    window *= np.sqrt(2.0 / (COLUMN_SAMPLES * np.sum(window**2)))
    angle = 2.0 * np.pi * np.outer(n, _BINS) / COLUMN_SAMPLES
    even = (np.cos(angle) * window[:, None])[1:81]
    odd = (np.sin(angle) * window[:, None])[1:80]
    return even.astype(np.float32), odd.astype(np.float32)


def _band_sums() -> Floats:
    """Return [bins, bands] of ones and zeros."""
    centre_hz = _BINS * _BIN_HZ
    edges = np.array(BAND_EDGES_HZ)
    inside = (centre_hz[:, None] >= edges[:-1]) & (centre_hz[:, None] < edges[1:])
    sums: Floats = inside.astype(np.float32)
    return sums


def _autocorrelation() -> Floats:
    """Return [bins, lags]: from a power spectrum to the autocorrelation, the window's own taper taken out."""
    angle = 2.0 * np.pi * np.outer(_BINS, _PITCH_LAGS) / COLUMN_SAMPLES
    n = np.arange(COLUMN_SAMPLES)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * n / COLUMN_SAMPLES)
    spectrum = np.abs(np.fft.fft(window)) ** 2
    taper = np.fft.ifft(spectrum).real
    lags: Floats = (np.cos(angle) * (taper[0] / taper[_PITCH_LAGS])).astype(np.float32)
    return lags


class FeatureBank:
    """Turns one tick's sound of many calls into feature columns, in one pass of numpy.

    Columns depend on their own 20 ms alone, so a lost packet harms nothing after it and a reused row
    inherits nothing.
    """

    def __init__(self, capacity: int) -> None:
        """Make a bank for rows 0 to `capacity` - 1."""
        self.capacity = capacity
        self._tone = _tone_projection()
        self._even, self._odd = _spectrum_projection()
        self._band_sums = _band_sums()
        self._autocorrelation = _autocorrelation()
        self._pitch_hz = (RATE_HZ / _PITCH_LAGS).astype(np.float32)

    def reset(self, row: int) -> None:
        """Prepare `row` for another call; raises IndexError for a row outside the bank."""
        if not 0 <= row < self.capacity:
            raise IndexError(f"row {row} is outside 0..{self.capacity - 1}")

    def push(self, rows: npt.NDArray[np.integer], pcm: Floats) -> Floats:
        """Return one column per call: `rows` [n], `pcm` [n, 160] of full scale 1.0, result [n, F].

        Raises ValueError when the shapes do not fit. Samples that are not finite count as zero.
        """
        if pcm.ndim != 2 or pcm.shape[1] != COLUMN_SAMPLES or len(rows) != len(pcm):
            raise ValueError(f"pcm must be [{len(rows)}, {COLUMN_SAMPLES}], not {list(pcm.shape)}")
        out = np.zeros((len(pcm), len(FEATURES)), dtype=np.float32)
        if not len(pcm):
            return out
        sound = pcm
        if not np.isfinite(pcm.sum()):
            sound = np.nan_to_num(pcm, nan=0.0, posinf=0.0, neginf=0.0).clip(-1.0, 1.0)
        projected = sound @ self._tone
        out[:, TONE_RE.start : TONE_IM.stop] = projected[:, : 2 * QUARTERS]
        out[:, POWER] = _quarter_powers(sound, projected[:, 2 * QUARTERS :])
        self._spectral(self._spectrum(sound), out)
        return out

    def _spectrum(self, sound: Floats) -> Floats:
        folded = np.empty((len(sound), 80), dtype=np.float32)
        mirrored = sound[:, :80:-1]
        np.add(sound[:, 1:80], mirrored, out=folded[:, :79])
        folded[:, 79] = sound[:, 80]
        spectrum: Floats = np.square(folded @ self._even)
        spectrum += np.square((sound[:, 1:80] - mirrored) @ self._odd)
        return spectrum

    def _spectral(self, spectrum: Floats, out: Floats) -> None:
        total = spectrum.sum(axis=1) + np.float32(_TINY)
        out[:, PEAK_HZ], out[:, PEAK_SHARE] = _strongest_partial(spectrum, total)
        lags = spectrum @ self._autocorrelation
        best = lags.argmax(axis=1)
        out[:, PITCH_HZ] = np.where(total > 2 * _TINY, self._pitch_hz[best], np.float32(0.0))
        out[:, HARMONICITY] = lags[np.arange(len(lags)), best] / total
        out[:, BAND] = spectrum @ self._band_sums


def _quarter_powers(sound: Floats, means: Floats) -> Floats:
    """Return the mean square of each quarter about the column's own mean."""
    flat = sound.reshape(-1, COLUMN_SAMPLES // QUARTERS)
    squares = np.einsum("ij,ij->i", flat, flat).reshape(-1, QUARTERS) / np.float32(flat.shape[1])
    offset = means.mean(axis=1, keepdims=True)
    powers: Floats = np.maximum(squares - offset * (2.0 * means - offset), 0.0)
    return powers


def _strongest_partial(spectrum: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Return frequency and share of power of the strongest partial.

    Under a Hann window the ratio of the two largest neighbouring magnitudes gives the place between them.
    """
    every = np.arange(len(spectrum))
    peak = spectrum[:, 1:-1].argmax(axis=1) + 1
    centre, below, above = spectrum[every, peak], spectrum[every, peak - 1], spectrum[every, peak + 1]
    upper = above > below
    ratio = np.sqrt(np.where(upper, above, below) / (centre + np.float32(_TINY)))
    shift = (2.0 * ratio - 1.0) / (ratio + 1.0)
    frequency = (peak + _FIRST_BIN + np.where(upper, shift, -shift)) * _BIN_HZ
    outer = spectrum[every, np.where(upper, np.minimum(peak + 2, spectrum.shape[1] - 1), peak - 2)]
    share = (centre + below + above + outer) / total
    silent = total <= 2 * _TINY
    return (
        np.where(silent, 0.0, frequency).astype(np.float32),
        np.where(silent, 0.0, np.minimum(share, 1.0)).astype(np.float32),
    )
