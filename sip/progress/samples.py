"""Samples of announcements: recordings marked once by an operator, and the library in which they are looked up.

A carrier plays the same recording to every caller. `SampleLibrary` keeps the prints (`sip.progress.fingerprint`) of
those stretches that somebody marked, with an index from the bits of a column to the places at which they stand;
`sip.progress.sample_matcher` hears them again in running calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from sip.progress import fingerprint as fp
from sip.progress.features import COLUMN_MS
from sip.progress.stretches import PhasePrint, alike
from sip.record import AnnouncementMeaning, LineState, OtherMeaning

Places = npt.NDArray[np.int64]
Long = npt.NDArray[np.uint64]

MEANINGS: Final[tuple[AnnouncementMeaning, ...]] = (*get_args(LineState), *get_args(OtherMeaning))
LINE_STATES: Final[frozenset[str]] = frozenset(get_args(LineState))
"""Meanings that say what the line, or our own, is doing: nobody will answer."""
LONGEST_S: Final = 60.0
"""A longer stretch is no announcement; it bounds the memory of every call."""
LOOK_BACK = 32
"""Columns by which a place found in the index is looked at."""
_LEAST_WEIGHT = 5
"""A column with fewer weighted bits stands in no index: pauses and tones look alike everywhere."""
_WORD = 4
"""Columns to a 64-bit word."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A stretch of sound that was marked, and what it says."""

    id: int
    meaning: AnnouncementMeaning
    label: str
    phases: tuple[PhasePrint, ...]
    """The same stretch, cut into columns from 0, 1/n, 2/n ... of a column on."""
    length_ms: float
    mobile: bool = False
    """Only a mobile network says this of a line."""
    trunk: str | None = None
    """Heard on this trunk alone; None: on any."""

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("a sample has the prints of one phase at least")

    @property
    def ends_call(self) -> bool:
        """Whether nobody will answer once this was said."""
        return self.meaning in LINE_STATES


@dataclass(frozen=True, slots=True)
class SampleHeard:
    """A sample heard on a line. Times are those of the pushed columns."""

    sample: Sample
    start_ms: float
    end_ms: float
    confidence: float
    """0 to 1, from the share of bits that agree."""
    error_rate: float
    """Share of weighted bits that differ."""


@dataclass(frozen=True, slots=True)
class Print:
    """One phase of one sample in the library."""

    sample: Sample
    offset_ms: float
    """Where its first column begins in the stretch."""
    bits: fp.Words
    strong: fp.Words
    first: int
    """Place of its first column in the library's arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleLibrary:
    """An immutable snapshot of samples, ready to be looked up.

    All prints stand behind each other in a few arrays, `LOOK_BACK` empty columns before each, so that the columns
    before a place never belong to another print.
    """

    samples: tuple[Sample, ...] = ()
    prints: tuple[Print, ...] = field(init=False, repr=False)
    longest: int = field(init=False)
    """Columns of the longest print."""
    owner: npt.NDArray[np.int32] = field(init=False, repr=False)
    """The print that a place belongs to."""
    words: Long = field(init=False, repr=False)
    """At each place the bits of the four columns up to it."""
    weights: Long = field(init=False, repr=False)
    _places: Places = field(init=False, repr=False)
    _starts: Places = field(init=False, repr=False)
    _of_trunks: dict[str | None, SampleLibrary] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        prints, bits, strong, owner = _laid_out(self.samples)
        indexed = np.flatnonzero(np.bitwise_count(strong) >= _LEAST_WEIGHT)
        order = indexed[np.argsort(bits[indexed], kind="stable")]
        starts = np.searchsorted(bits[order], np.arange((1 << fp.BITS) + 1))
        put = object.__setattr__
        put(self, "prints", prints)
        put(self, "longest", max((len(p.bits) for p in prints), default=0))
        put(self, "owner", owner)
        put(self, "words", packed(bits))
        put(self, "weights", packed(strong))
        put(self, "_places", order)
        put(self, "_starts", starts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def memory_bytes(self) -> int:
        """How much the arrays of the index take."""
        arrays = (self.owner, self.words, self.weights, self._places, self._starts)
        return sum(array.nbytes for array in arrays)

    def find(self, keys: fp.Words) -> tuple[Places, Places]:
        """Return where columns with exactly the bits of `keys` [n] stand: places, and which key found each."""
        first, after = self._starts[keys], self._starts[keys.astype(np.int64) + 1]
        counts = after - first
        asked = np.repeat(np.arange(len(keys)), counts)
        run = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return self._places[first[asked] + run], asked

    def same_as(self, phases: tuple[PhasePrint, ...]) -> Sample | None:
        """Return the sample that is this very recording, if there is one."""
        return next((sample for sample in self.samples if alike(phases, sample.phases)), None)

    def of_trunk(self, trunk: str | None) -> SampleLibrary:
        """Return the samples that hold for a trunk; itself where that is all of them."""
        if all(sample.trunk in (None, trunk) for sample in self.samples):
            return self
        if trunk not in self._of_trunks:
            held = tuple(sample for sample in self.samples if sample.trunk in (None, trunk))
            self._of_trunks[trunk] = SampleLibrary(held)
        return self._of_trunks[trunk]


def packed(bits: fp.Words) -> Long:
    """Return at each column the 16-bit words of it and the three before it in one word; nothing stands before all."""
    wide = np.concatenate((np.zeros(_WORD - 1, np.uint16), bits)).astype(np.uint64)
    words = np.zeros(len(bits), np.uint64)
    for lag in range(_WORD):
        words |= wide[_WORD - 1 - lag : len(wide) - lag] << np.uint64(16 * lag)
    return words


def look_back(
    library: SampleLibrary, places: Places, words: Long, known: Long, at: Places
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Compare `LOOK_BACK` columns up to places of the library with those up to columns `at` of a line.

    `words` and `known` are `packed` of the line's bits and of what is known of them. Returns the share of bits that
    differ and how many were compared, one of each per place.
    """
    wrong = np.zeros(len(places), np.int64)
    compared = np.zeros(len(places), np.int64)
    for lag in range(0, LOOK_BACK, _WORD):
        weight = library.weights[places - lag] & known[at - lag]
        wrong += np.bitwise_count((library.words[places - lag] ^ words[at - lag]) & weight)
        compared += np.bitwise_count(weight)
    return wrong / np.maximum(compared, 1), compared


def _laid_out(
    samples: Iterable[Sample],
) -> tuple[tuple[Print, ...], fp.Words, fp.Words, npt.NDArray[np.int32]]:
    """Return the prints of the samples, and their columns behind each other with gaps before each."""
    prints: list[Print] = []
    bits, strong, owner = [], [], []
    gap = np.zeros(LOOK_BACK, np.uint16)
    at = 0
    for sample in samples:
        step_ms = COLUMN_MS / len(sample.phases)
        for number, phase in enumerate(sample.phases):
            prints.append(
                Print(sample, number * step_ms, phase.bits, phase.strong, at + LOOK_BACK),
            )
            bits += [gap, phase.bits]
            strong += [gap, phase.strong]
            owner.append(np.full(LOOK_BACK + len(phase.bits), len(prints) - 1, np.int32))
            at += LOOK_BACK + len(phase.bits)
    nothing = np.zeros(0, np.uint16)
    return (
        tuple(prints),
        np.concatenate([nothing, *bits]),
        np.concatenate([nothing, *strong]),
        np.concatenate([np.zeros(0, np.int32), *owner]),
    )
