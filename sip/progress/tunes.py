"""Music before the answer that is heard alike on lines of several units is our trunk's and not theirs (彩铃).

`EarlySound` keeps the prints of what one call gave before its answer; `TuneBook` remembers the newest tunes of each
trunk and says on how many lines of different owners a tune was heard. A tune need not begin at its beginning: music
on hold goes round and is joined anywhere, so prints are compared at every place where some of their bits agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sip.progress import fingerprint as fp
from sip.progress.features import COLUMN_MS
from sip.progress.samples import Sample, SampleLibrary
from sip.progress.stretches import PhasePrint
from sip.record import EarlyMedia

OWNERS: Final = 3
"""On so many units' lines a tune is nobody's but our trunk's: two may have the same tune by chance or by contract."""
KEPT: Final = 40
"""Tunes of each trunk that are remembered."""
LEAST_S: Final = 3.0
"""A tune that was heard for a shorter time cannot be told from another."""
LONGEST_S: Final = 12.0
"""Of a longer one the beginning is enough."""
_REMEMBERED_S = 40.0
_BATCH = 50
_SAME_WRONG = 0.22
"""Bit error rate of a tune with itself through two lines whose columns are up to 10 ms apart; others have 0.4 up."""
_LEAST_BITS = 250
_LIVELY = 5
"""Weighted bits of a column that is looked up."""
_VOTES = 3
"""Columns that must agree in every bit at one place for it to be compared."""
_MOST_PLACES = 60


@dataclass(frozen=True, slots=True, eq=False)
class Tune:
    """What a trunk gave before an answer."""

    trunk: str
    owner: str
    """Whose line it was: what stands for the unit, or the number."""
    prints: PhasePrint
    heard_at: float
    """POSIX seconds."""


class EarlySound:
    """The prints of one call's first sound; bounded, and of no weight to the call."""

    def __init__(self) -> None:
        self._stream = fp.PrintStream()
        self._batch: list[tuple[fp.Columns, fp.Bools]] = []
        self._batched = 0
        self._prints: list[fp.Prints] = []
        self._origin_ms: float | None = None
        self._count = 0

    def push(self, start_ms: float, features: fp.Columns, present: fp.Bools) -> None:
        """Add columns as `LineListener.push` takes them; nothing before the first that came, nothing after 40 s."""
        if self._count * COLUMN_MS >= _REMEMBERED_S * 1000 or not len(features):
            return
        if self._origin_ms is None:
            if not present.any():
                return
            self._origin_ms = start_ms
        if round((start_ms - self._origin_ms) / COLUMN_MS) > self._count:
            # What follows a gap in the columns would stand at the wrong time.
            return
        self._count += len(features)
        self._batch.append((features, present))
        self._batched += len(features)
        if self._batched >= _BATCH:
            self._take()

    def tune(self, early: EarlyMedia) -> PhasePrint | None:
        """Return the prints of the music or speech in it that lasted long enough to be known again."""
        sounds = [s for s in early.segments if s.kind in ("music", "speech")]
        if early.kind != "crbt" or not sounds or self._origin_ms is None:
            return None
        self._take()
        first = max(round((sounds[0].start_ms - self._origin_ms) / COLUMN_MS), 0)
        after = round((sounds[-1].end_ms - self._origin_ms) / COLUMN_MS)
        after = min(after, first + round(LONGEST_S * 1000 / COLUMN_MS))
        bits = np.concatenate([prints.bits for prints in self._prints])[first:after]
        strong = np.concatenate([prints.strong for prints in self._prints])[first:after]
        if len(bits) * COLUMN_MS < LEAST_S * 1000:
            return None
        return PhasePrint(bits, strong)

    def _take(self) -> None:
        if self._batch:
            features, present = (np.concatenate(parts) for parts in zip(*self._batch, strict=True))
            self._batch, self._batched = [], 0
            self._prints.append(self._stream.push(features, present))


class TuneBook:
    """The tunes that were heard on each trunk lately."""

    def __init__(self, tunes: Iterable[Tune] = ()) -> None:
        self._tunes: dict[str, list[Tune]] = {}
        for tune in tunes:
            self._keep(tune)

    def note(self, tune: Tune) -> frozenset[str]:
        """Remember a tune; returns whose lines it was heard on, this one's owner among them."""
        known = self._tunes.get(tune.trunk, [])
        owners = {tune.owner, *(known[index].owner for index in _same(tune.prints, known))}
        self._keep(tune)
        return frozenset(owners)

    def _keep(self, tune: Tune) -> None:
        kept = self._tunes.setdefault(tune.trunk, [])
        kept.append(tune)
        del kept[:-KEPT]


def _same(prints: PhasePrint, known: Sequence[Tune]) -> set[int]:
    """Return which of the known tunes have a stretch in common with these prints."""
    library = SampleLibrary(
        tuple(
            Sample(number, "other", tune.owner, (tune.prints,), len(tune.prints.bits) * COLUMN_MS)
            for number, tune in enumerate(known)
        )
    )
    if not len(library):
        return set()
    lively = np.flatnonzero(np.bitwise_count(prints.strong) >= _LIVELY)
    places, asked = library.find(prints.bits[lively])
    owners = library.owner[places].astype(np.int64)
    firsts = np.array([item.first for item in library.prints])
    shifts = places - firsts[owners] - lively[asked]
    found: set[int] = set()
    pairs, votes = np.unique(np.stack((owners, shifts)), axis=1, return_counts=True)
    tried: dict[int, int] = {}
    for index in np.argsort(-votes):
        owner, shift = int(pairs[0, index]), int(pairs[1, index])
        if votes[index] < _VOTES:
            break
        tried[owner] = tried.get(owner, 0) + 1
        if owner in found or tried[owner] > _MOST_PLACES:
            continue
        if _agree(prints, known[owner].prints, shift):
            found.add(owner)
    return found


def _agree(one: PhasePrint, other: PhasePrint, shift: int) -> bool:
    """Whether the stretch that both have in common, column 0 of one at column `shift` of the other, is the same."""
    first, other_first = max(-shift, 0), max(shift, 0)
    common = min(len(one.bits) - first, len(other.bits) - other_first)
    if common * COLUMN_MS < LEAST_S * 1000:
        return False
    mine, theirs = one.part(first, first + common), other.part(other_first, other_first + common)
    weight = mine.strong & theirs.strong
    compared = int(np.bitwise_count(weight).sum())
    wrong = int(np.bitwise_count((mine.bits ^ theirs.bits) & weight).sum())
    return compared >= _LEAST_BITS and wrong <= _SAME_WRONG * compared
