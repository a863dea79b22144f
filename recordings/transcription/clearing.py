"""Steady noise of a line taken out before Whisper hears it (降噪).

Whisper base misreads a quarter of the syllables at 15 dB above the noise, and names are what it has nothing to guess
from. Each band is weighed by a Wiener gain whose signal-to-noise ratio is followed from frame to frame
(decision-directed: Ephraim and Malah 1984); the noise of a band is what its quietest frames hold.
Measured on synthesised answers (docs/reference/speech-figures.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from recordings.transcription.ports import Sound

Floats = npt.NDArray[np.float64]

_FRAME: Final = 256
_HOP: Final = 64
"""Samples at 8 kHz: 32 ms, 8 ms."""
_QUIET_SHARE: Final = 0.15
"""Share of the frames, the quietest of each band, that are taken to hold noise alone."""
_QUIET_TO_MEAN: Final = 1.9
"""Of a band's mean noise to the most that its quietest frames hold, by trial; for pure noise it would be 6."""
_SMOOTHING: Final = 0.98
_LEAST_GAIN: Final = 0.1
"""-20 dB: what is taken for noise stays to be heard, else what is left over begins to chirp."""
_TINY: Final = 1e-9


def cleared(samples: Sound) -> Sound:
    """Return the sound with its steady noise 20 dB lower, as long as it was; one without noise comes back alike."""
    if len(samples) < _FRAME:
        return samples
    window = np.hanning(_FRAME + 1)[:-1]
    padded = np.pad(samples.astype(np.float64) / 32768.0, _FRAME)
    count = (len(padded) - _FRAME) // _HOP + 1
    places = np.arange(_FRAME)[None, :] + _HOP * np.arange(count)[:, None]
    spectrum = np.fft.rfft(padded[places] * window, axis=1)
    frames = np.fft.irfft(spectrum * _gains(np.abs(spectrum) ** 2), _FRAME, axis=1) * window
    out, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for at, frame in enumerate(frames):
        out[at * _HOP : at * _HOP + _FRAME] += frame
        weight[at * _HOP : at * _HOP + _FRAME] += window**2
    sound = (out / np.maximum(weight, _TINY))[_FRAME : _FRAME + len(samples)]
    return np.clip(np.round(sound * 32768.0), -32768, 32767).astype(np.int16)


def _gains(power: Floats) -> Floats:
    """Return the gain of each band in each frame."""
    noise = np.quantile(power, _QUIET_SHARE, axis=0) * _QUIET_TO_MEAN + _TINY
    gains = np.empty_like(power)
    before = np.zeros(power.shape[1])
    for at, now in enumerate(power):
        ratio = _SMOOTHING * before / noise + (1 - _SMOOTHING) * np.maximum(now / noise - 1.0, 0.0)
        gains[at] = np.maximum(ratio / (1.0 + ratio), _LEAST_GAIN)
        before = gains[at] ** 2 * now
    return gains
