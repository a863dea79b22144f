"""The spectrogram as a picture: white is silence, deep blue is loud, so that it prints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.picture.png import Colour, data_address, write_png
from app.picture.scale import Scale
from sip.progress import Spectrogram

_SHADES = 48
_WHITE, _MIDDLE, _DARK = np.array((255, 255, 255)), np.array((111, 149, 203)), np.array((12, 30, 66))


@dataclass(frozen=True, slots=True)
class Heat:
    """The image and where it lies."""

    x: float
    width: float
    address: str
    """A `data:` address of the PNG."""


def heat_of(spectrogram: Spectrogram, scale: Scale) -> Heat | None:
    """Return the image of a spectrogram, low frequencies at the bottom; None where there is no sound."""
    levels = spectrogram.levels()
    if not levels.size:
        return None
    pixels = np.rint(levels[::-1] * (_SHADES - 1)).astype(np.uint8)
    x = scale.x(0.0)
    width = round(scale.x(levels.shape[1] * spectrogram.step_ms) - x, 2)
    return Heat(x, max(width, 1.0), data_address(write_png(pixels, _palette())))


def _palette() -> tuple[Colour, ...]:
    colours = []
    for share in np.linspace(0.0, 1.0, _SHADES):
        if share < 0.5:
            mixed = _WHITE + (_MIDDLE - _WHITE) * share * 2.0
        else:
            mixed = _MIDDLE + (_DARK - _MIDDLE) * (share - 0.5) * 2.0
        red, green, blue = (round(part) for part in mixed)
        colours.append((red, green, blue))
    return tuple(colours)
