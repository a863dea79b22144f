"""The trained model that tells speech, music and noise apart: a small network over the measures of texture.py.

Its weights (`models/segments.npz`) come out of `tools/train_line_model.py`; what it learned from, and how often it is
right, stands in docs/reference/line-model.md. It needs nothing but numpy.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sip.progress.texture import MEASURES
from sip.record import SegmentKind

KINDS: Final[tuple[SegmentKind, ...]] = ("speech", "music", "noise")
"""Order of the model's probabilities."""
WEIGHTS: Final = Path(__file__).parent / "models" / "segments.npz"

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class SegmentModel:
    """Layers of a network: measures are centred and scaled, each layer but the last ends in a rectifier."""

    mean: Array
    scale: Array
    weights: tuple[Array, ...]
    offsets: tuple[Array, ...]

    def log_probabilities(self, measured: Array) -> Array:
        """Return [looks, KINDS], natural logarithms, of [looks, MEASURES]."""
        value = np.clip((measured - self.mean) / self.scale, -6.0, 6.0).astype(np.float32)
        for weight, offset in zip(self.weights[:-1], self.offsets[:-1], strict=True):
            value = np.maximum(value @ weight + offset, 0.0)
        score = value @ self.weights[-1] + self.offsets[-1]
        score = score - score.max(axis=1, keepdims=True)
        result: Array = score - np.log(np.exp(score).sum(axis=1, keepdims=True))
        return result


def load_model(path: Path = WEIGHTS) -> SegmentModel:
    """Read weights; raises OSError when there are none and ValueError when they are for other measures."""
    with np.load(path) as stored:
        if tuple(stored["measures"].tolist()) != MEASURES or tuple(stored["kinds"].tolist()) != KINDS:
            raise ValueError(f"{path} was trained on other measures: run tools/train_line_model.py")
        layers = range(int(stored["layers"]))
        return SegmentModel(
            mean=stored["mean"],
            scale=stored["scale"],
            weights=tuple(stored[f"weight_{layer}"] for layer in layers),
            offsets=tuple(stored[f"offset_{layer}"] for layer in layers),
        )


@functools.cache
def default_model() -> SegmentModel:
    """Return the model that ships."""
    return load_model()
