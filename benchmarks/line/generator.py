"""Whole calls with truth, deterministic by seed: `Generator(SoundLibrary("test"), degraded=True).call(seed)`.

A call is put together as on real lines (`structures.py`): silence, ringback, an answer in turns; an announcement
said twice and the busy tone; music for ringback; an analogue gateway; a mailbox with its beep; a fax; an empty
room. Then the line and the network do their part (`degrade.py`). What comes out is what the media engine would hand to
`FeatureBank.push`: samples in columns of 20 ms, lost ones as zeros, and which columns came.

Truth is told in the contract's kinds. A ringback, busy or other cadenced segment includes its pauses; a voice or music
includes pauses of up to 0.6 s; noise that the degradation adds is the kind of what would be silence when it is louder
than -45 dBm0. What is said before an answer by a recording is `announcement`, everything said after one is `speech`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.line.degrade import Degradation, applied, drawn
from benchmarks.line.material import SoundLibrary
from benchmarks.line.structures import NOISE_FLOOR_DBM0, STRUCTURES, Builder
from benchmarks.line.tones import Truth
from sip.progress import FeatureBank, Heard, LineListener

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

COLUMN_MS = 20.0


@dataclass(frozen=True)
class Call:
    """One call's sound as it arrives, and the truth about it; times in milliseconds from the first sample."""

    structure: str
    samples: Floats
    """[160 n] at 8 kHz."""
    present: Bools
    """[n]: the column's packet came in time."""
    segments: tuple[Truth, ...]
    """Without gaps from 0 to the end."""
    bursts: tuple[tuple[float, float], ...]
    """Every burst of ringback, the last perhaps cut off by the answer."""
    answer_ms: float | None
    """Where the first sound of the answer begins; None: nobody answers."""
    degradation: Degradation
    sources: tuple[str, ...]
    """Speakers and tracks in it."""

    @property
    def ring_count(self) -> int:
        """Return the rings begun."""
        return len(self.bursts)

    @property
    def duration_ms(self) -> float:
        """Return the length."""
        return len(self.present) * COLUMN_MS


class Generator:
    """Makes calls of one part's sounds, clean or degraded."""

    def __init__(
        self, library: SoundLibrary, *, degraded: bool, structures: tuple[str, ...] = tuple(STRUCTURES)
    ) -> None:
        """Take sounds from `library`; of the structures of `structures.STRUCTURES` only those named."""
        self._library = library
        self._degraded = degraded
        self._names = structures
        self._weights = np.array([STRUCTURES[name].weight for name in structures])
        self._weights = self._weights / self._weights.sum()

    def call(self, seed: int, structure: str | None = None, degradation: Degradation | None = None) -> Call:
        """Return the call of this seed: the same seed, library and degradation give the same samples."""
        rng = np.random.default_rng((seed, self._degraded))
        name = structure or str(rng.choice(self._names, p=self._weights))
        what = degradation or drawn(rng, self._degraded)
        builder = Builder(self._library, rng, what)
        STRUCTURES[name].build(builder)
        samples, came = applied(builder.samples(), what, rng)
        stretch = 1.0 + what.drift_ppm * 1e-6
        return Call(
            structure=name,
            samples=samples,
            present=came,
            segments=_whole(builder.segments, stretch, len(came) * COLUMN_MS, what),
            bursts=tuple((first * stretch, after * stretch) for first, after in builder.bursts),
            answer_ms=None if builder.answer_ms is None else builder.answer_ms * stretch,
            degradation=what,
            sources=tuple(builder.sources),
        )

    def calls(self, count: int, first_seed: int = 0) -> Iterator[Call]:
        """Yield `count` calls of the seeds from `first_seed` on."""
        for seed in range(first_seed, first_seed + count):
            yield self.call(seed)


def columns_of(call: Call) -> Floats:
    """Return the feature columns [n, F] of a call."""
    count = len(call.present)
    return FeatureBank(count).push(np.arange(count), call.samples.reshape(count, -1))


def listened(call: Call, block: int = 10) -> Heard:
    """Return what a listener finally heard of a call that is pushed to it in blocks, as the engine does."""
    listener = LineListener()
    columns = columns_of(call)
    for at in range(0, len(columns), block):
        listener.push(at * COLUMN_MS, columns[at : at + block], call.present[at : at + block])
    return listener.finish(call.duration_ms)


def _whole(segments: list[Truth], stretch: float, end_ms: float, what: Degradation) -> tuple[Truth, ...]:
    """Fill the gaps with silence, or with noise where the line hisses, and join what is alike."""
    noisy = what.noise_dbm0 > NOISE_FLOOR_DBM0
    whole: list[Truth] = []
    at = 0.0
    for segment in [*segments, Truth("silence", end_ms / stretch, end_ms / stretch)]:
        first, after = segment.start_ms * stretch, segment.end_ms * stretch
        if first > at:
            whole.append(Truth("silence", at, first))
        if after > first:
            whole.append(Truth(segment.kind, first, after))
        at = max(at, after)
    joined: list[Truth] = []
    for piece in whole:
        kind = "noise" if noisy and piece.kind == "silence" else piece.kind
        if joined and joined[-1].kind == kind:
            joined[-1] = Truth(kind, joined[-1].start_ms, piece.end_ms)
        else:
            joined.append(Truth(kind, piece.start_ms, piece.end_ms))
    return tuple(joined)
