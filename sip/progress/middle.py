"""What numpy does for many numbers, for a handful and without its weight: a call asks for it hundreds of times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def median(values: npt.NDArray[np.floating]) -> float:
    """Return the middle one of a few values [n], the mean of the two middle ones of an even number; 0 of none."""
    ordered = sorted(values.tolist())
    half, odd = divmod(len(ordered), 2)
    if not ordered:
        return 0.0
    return float(ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2.0)


def places(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return where flags [n] are set, as `np.flatnonzero` does of more dimensions."""
    return flags.nonzero()[0]
