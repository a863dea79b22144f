"""The trained model that tells speech, music and noise apart: small networks over the measures of texture.py.

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

_LEAST_CHANCE: Final = 1e-9

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Network:
    """Layers one after the other; each but the last ends in a rectifier."""

    weights: tuple[Array, ...]
    offsets: tuple[Array, ...]

    def probabilities(self, value: Array) -> Array:
        """Return [looks, KINDS] of scaled measures."""
        for weight, offset in zip(self.weights[:-1], self.offsets[:-1], strict=True):
            value = np.maximum(value @ weight + offset, 0.0)
        score = value @ self.weights[-1] + self.offsets[-1]
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        result: Array = odds / odds.sum(axis=1, keepdims=True)
        return result


@dataclass(frozen=True)
class SegmentModel:
    """A committee of networks over centred and scaled measures; the mean of what they say counts."""

    mean: Array
    scale: Array
    networks: tuple[Network, ...]

    def log_probabilities(self, measured: Array) -> Array:
        """Return [looks, KINDS], natural logarithms, of [looks, MEASURES]."""
        scaled = np.clip((measured - self.mean) / self.scale, -6.0, 6.0).astype(np.float32)
        chances = sum(network.probabilities(scaled) for network in self.networks) / len(self.networks)
        result: Array = np.log(chances + _LEAST_CHANCE)
        return result


def load_model(path: Path = WEIGHTS) -> SegmentModel:
    """Read weights; raises OSError when there are none and ValueError when they are for other measures."""
    with np.load(path) as stored:
        if tuple(stored["measures"].tolist()) != MEASURES or tuple(stored["kinds"].tolist()) != KINDS:
            raise ValueError(f"{path} was trained on other measures: run tools/train_line_model.py")
        layers = range(int(stored["layers"]))
        networks = tuple(
            Network(
                tuple(stored[f"{number}_weight_{layer}"] for layer in layers),
                tuple(stored[f"{number}_offset_{layer}"] for layer in layers),
            )
            for number in range(int(stored["networks"]))
        )
        return SegmentModel(stored["mean"], stored["scale"], networks)


@functools.cache
def default_model() -> SegmentModel:
    """Return the model that ships."""
    return load_model()
