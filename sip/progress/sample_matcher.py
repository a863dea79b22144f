"""Hears the samples of a library again in one call, while it lasts.

Three steps. (1) The bits of each lively column are looked up in the library's index, as they are and with the bits
turned that noise turns most easily; each place found is compared over the last 0.64 s, and what agrees there is a
candidate: this sample, begun at this column. (2) When a candidate's sample should have ended, all of it is compared:
as a whole, and in windows of a third of a second, so that recordings which differ in one word are told apart.
(3) A sample that holds waits while another may still turn out to be the one: a longer one that begins alike, or one
of the same stretch that agrees better.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from sip.progress import fingerprint as fp
from sip.progress.features import COLUMN_MS, FEATURES
from sip.progress.samples import LOOK_BACK, Print, Sample, SampleHeard, SampleLibrary, look_back, packed
from sip.progress.stretches import worst_window

MOST_WRONG: Final = 0.11
"""Bit error rate over the whole sample up to which it is the sample. Measured on sounds for training, with 1,000
samples: the worst line gives 0.05, the closest other recording in ten hours 0.16, and in most of them 0.2 and more."""
MOST_WRONG_WINDOW: Final = 0.29
"""The same over any window: between what loss and noise do to a third of a second and what another word does."""
LEAST_HEARD: Final = 0.85
"""Share of the sample's weighted bits that must have come."""
_LIKELY_WRONG = 0.25
"""Bit error rate over the last `LOOK_BACK` columns that makes a candidate, where so many bits were compared:"""
_LIKELY_COMPARED = 100
_THIN_WRONG = 0.12
"""The same where fewer were, but `_THIN_COMPARED`: sounds that change in bursts."""
_THIN_COMPARED = 50
_LIVELY = 6
"""Weighted bits of a column that is looked up."""
_BATCH = 16
"""Columns that are looked up together: a third of a second."""
_EVERY = 2
"""Neighbouring columns share most of their smoothing: every second is looked up."""
_MOST_CANDIDATES = 256
_NEAR = 3
"""Candidates of one sample that begin within so many columns are one."""
_CLEARLY = 0.04
"""Bit error rates that differ by less come from the line and not from the samples."""
_LONGER = 16
"""Columns by which one of two samples goes on where the other has ended; less comes from how they were marked."""
_TURNS = np.array([[t & 1, t >> 1 & 1, t >> 2 & 1] for t in range(8)], np.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """How a sample agrees with the line where it stands."""

    sample: Sample
    first: int
    """Column of the line at which the sample begins."""
    columns: int
    offset_ms: float
    wrong: float
    heard: float
    mismatches: fp.Counts
    """Of each column compared, how many weighted bits differ."""
    compared: fp.Counts

    @property
    def after(self) -> int:
        return self.first + self.columns

    @property
    def holds(self) -> bool:
        return self.heard >= LEAST_HEARD and self.agrees

    @property
    def agrees(self) -> bool:
        """Whether what was compared is the sample's, whole and in each window."""
        return self.wrong <= MOST_WRONG and worst_window(self.mismatches, self.compared) <= MOST_WRONG_WINDOW

    def overlaps(self, other: _Fit) -> bool:
        """Whether both lie on the same stretch: half of the shorter one is of the other."""
        common = min(self.after, other.after) - max(self.first, other.first)
        return common * 2 > min(self.columns, other.columns)


class SampleMatcher:
    """Hears one line; push its columns in order. Memory is bounded by the longest sample."""

    def __init__(self, library: SampleLibrary) -> None:
        self._library = library
        self._by_sample: dict[int, list[Print]] = {}
        for item in library.prints:
            self._by_sample.setdefault(item.sample.id, []).append(item)
        self._stream = fp.PrintStream()
        self._origin_ms: float | None = None
        self._count = 0
        """Columns of which prints were made."""
        self._batch: list[tuple[fp.Columns, fp.Bools]] = []
        self._batched = 0
        self._bits = np.zeros(0, np.uint16)
        self._known = np.zeros(0, np.uint16)
        self._base = 0
        """The line's column that the first row of the history is."""
        self._asked = 0
        """Columns that were looked up already."""
        self._doubts = np.zeros((0, 3), np.uint16)
        self._weights = np.zeros(0, np.uint8)
        self._candidates: dict[tuple[int, int], None] = {}
        """Sample and first column, in the order in which they were found."""
        self._waiting: list[_Fit] = []
        self._told: deque[_Fit] = deque(maxlen=64)

    def push(self, start_ms: float, features: fp.Columns, present: fp.Bools) -> list[SampleHeard]:
        """Add columns [n, F] of 20 ms that begin at `start_ms`; `present` [n]: sound came for the column.

        Returns the samples that were heard to their end by now, each once. A start after the end of what was pushed
        leaves a gap; one before it is an error of the caller: the columns follow on.
        """
        if not len(features) or not self._library.prints:
            return []
        if self._origin_ms is None:
            self._origin_ms = start_ms
        heard: list[SampleHeard] = []
        missing = round((start_ms - self._origin_ms) / COLUMN_MS) - self._count - self._batched
        if missing > 0:
            self._take_batch()
            heard = self._miss(missing)
        self._batch.append((features, present))
        self._batched += len(features)
        if self._batched < _BATCH:
            return heard
        self._take_batch()
        return heard + self._advance()

    def finish(self) -> list[SampleHeard]:
        """Return what is still to be told at the end of the line."""
        if self._origin_ms is None:
            return []
        self._take_batch()
        return self._conclude()

    @property
    def may_follow(self) -> bool:
        """Whether some sample is being heard at this moment, or was and waits for what tells it from another."""
        return bool(self._candidates or self._waiting)

    @property
    def remembered(self) -> int:
        """How many columns of the line are kept."""
        return len(self._bits)

    # -- the line's history ----------------------------------------------------------------------------------------

    def _take_batch(self) -> None:
        """Make prints of what was pushed: a few columns at a time would cost more than they weigh."""
        if not self._batch:
            return
        features, present = (np.concatenate(parts) for parts in zip(*self._batch, strict=True))
        self._batch, self._batched = [], 0
        self._take(self._stream.push(features, present), len(features))

    def _miss(self, missing: int) -> list[SampleHeard]:
        """Nothing came for so many columns. Over a long gap no sample reaches: the line begins anew behind it."""
        if missing <= self._library.longest:
            nothing = np.zeros((missing, len(FEATURES)), np.float32)
            self._take(self._stream.push(nothing, np.zeros(missing, np.bool_)), missing)
            return []
        heard = self._conclude()
        self._count += missing
        self._base = self._asked = self._count
        self._stream = fp.PrintStream()
        self._bits, self._known = self._bits[:0], self._known[:0]
        self._doubts, self._weights = self._doubts[:0], self._weights[:0]
        return heard

    def _take(self, prints: fp.Prints, columns: int) -> None:
        self._count += columns
        self._bits = np.concatenate((self._bits, prints.bits))
        known = np.where(prints.known, np.uint16(0xFFFF), np.uint16(0))
        self._known = np.concatenate((self._known, known))
        self._doubts = np.concatenate((self._doubts, prints.doubts))
        self._weights = np.concatenate((self._weights, prints.weights))

    def _forget(self) -> None:
        """Drop what no sample can need any more."""
        keep = self._library.longest + LOOK_BACK + 4 * _BATCH
        drop = len(self._bits) - keep
        if drop > keep:
            self._bits, self._known = self._bits[drop:], self._known[drop:]
            self._doubts, self._weights = self._doubts[drop:], self._weights[drop:]
            self._base += drop

    # -- what is heard -----------------------------------------------------------------------------------------------

    def _advance(self) -> list[SampleHeard]:
        self._look_up()
        found = self._settled(self._base + len(self._bits))
        heard = self._told_of([*self._waiting, *found], rivals=True)
        self._forget()
        return heard

    def _conclude(self) -> list[SampleHeard]:
        """Compare and tell all that is left, for nothing follows."""
        self._take(self._stream.finish(), 0)
        heard = self._advance()
        return heard + self._told_of([*self._settled(None), *self._waiting], rivals=False)

    def _look_up(self) -> None:
        """Find candidates that agree with the newest columns."""
        end = self._base + len(self._bits)
        at = np.arange(self._asked, end) - self._base
        self._asked = end
        at = at[(self._weights[at] >= _LIVELY) & ((at + self._base) % _EVERY == 0)]
        if not len(at):
            return
        turned = (self._doubts[at][:, None, :] * _TURNS).sum(axis=2, dtype=np.uint16)
        keys = (self._bits[at][:, None] ^ turned).ravel()
        places, asked = self._library.find(keys)
        here = at[asked // len(_TURNS)]
        # Columns before the first that is looked at are unknown.
        first = max(int(at[0]) - LOOK_BACK, 0)
        lead = np.zeros(max(LOOK_BACK - int(at[0]), 0), np.uint16)
        words = packed(np.concatenate((lead, self._bits[first:])))
        known = packed(np.concatenate((lead, self._known[first:])))
        wrong, compared = look_back(self._library, places, words, known, here - first + len(lead))
        most = np.where(compared >= _LIKELY_COMPARED, _LIKELY_WRONG, _THIN_WRONG)
        likely = (wrong <= most) & (compared >= _THIN_COMPARED)
        for place, column in zip(places[likely].tolist(), here[likely].tolist(), strict=True):
            item = self._library.prints[self._library.owner[place]]
            begun = column + self._base - (place - item.first)
            self._propose(item.sample.id, begun)
        while len(self._candidates) > _MOST_CANDIDATES:
            del self._candidates[next(iter(self._candidates))]

    def _propose(self, sample_id: int, first: int) -> None:
        """Take a candidate, unless one beside it is there: both are compared at neighbouring columns too."""
        if not any((sample_id, first + shift) in self._candidates for shift in (-1, 0, 1)):
            self._candidates[sample_id, first] = None

    def _settled(self, end: int | None) -> list[_Fit]:
        """Compare the candidates whose sample should have ended before column `end`; None: all of them."""
        found: list[_Fit] = []
        for sample_id, first in sorted(self._candidates):
            columns = len(self._by_sample[sample_id][0].bits)
            if end is not None and first + columns - fp.EDGE > end:
                continue
            del self._candidates[sample_id, first]
            fit = self._best_fit(self._by_sample[sample_id], first)
            if fit.holds and not self._repeated(fit, found):
                found.append(fit)
        return found

    def _repeated(self, fit: _Fit, found: list[_Fit]) -> bool:
        """Whether the same hearing is known already; the better of two new ones stays."""
        for other in (*self._told, *self._waiting):
            if other.sample.id == fit.sample.id and abs(other.first - fit.first) < fit.columns // 2:
                return True
        for index, other in enumerate(found):
            if other.sample.id == fit.sample.id and abs(other.first - fit.first) < fit.columns // 2:
                if fit.wrong < other.wrong:
                    found[index] = fit
                return True
        return False

    def _best_fit(self, phases: list[Print], first: int) -> _Fit:
        """Return how a sample agrees at the best place beside `first`."""
        best = self._best_beside(phases, first)
        while (better := self._best_beside(phases, best.first)).wrong < best.wrong:
            best = better
        return best

    def _best_beside(self, phases: list[Print], first: int, until: int | None = None) -> _Fit:
        fits = [self._fit(item, first + shift, until) for item in phases for shift in (-1, 0, 1)]
        return min(fits, key=lambda fit: fit.wrong)

    def _fit(self, item: Print, first: int, until: int | None = None) -> _Fit:
        """Compare a print with the line from column `first` on, up to column `until`."""
        columns = len(item.bits)
        begin = min(max(first - self._base, 0), len(self._bits))
        after = min(first + columns if until is None else until, self._base + len(self._bits)) - self._base
        skipped = begin + self._base - first
        mine = slice(begin, max(after, begin))
        theirs = slice(skipped, skipped + mine.stop - mine.start)
        weight = item.strong[theirs] & self._known[mine]
        wrong = np.bitwise_count((item.bits[theirs] ^ self._bits[mine]) & weight)
        compared = np.bitwise_count(weight)
        total = int(compared.sum())
        whole = int(np.bitwise_count(item.strong if until is None else item.strong[theirs]).sum())
        return _Fit(
            item.sample,
            first,
            columns,
            item.offset_ms,
            wrong=int(wrong.sum()) / total if total else 1.0,
            heard=total / whole if whole else 0.0,
            mismatches=wrong,
            compared=compared,
        )

    # -- which one it was ----------------------------------------------------------------------------------------------

    def _told_of(self, fits: list[_Fit], *, rivals: bool) -> list[SampleHeard]:
        """Tell of the samples that no other can take the stretch from; keep the rest waiting."""
        fits = _winners(fits)
        self._waiting = [fit for fit in fits if rivals and self._rivalled(fit)]
        heard: list[SampleHeard] = []
        for fit in sorted(fits, key=lambda fit: fit.first):
            if fit in self._waiting:
                continue
            if any(fit.overlaps(told) for told in self._told):
                continue
            self._told.append(fit)
            heard.append(self._heard(fit))
        return heard

    def _rivalled(self, fit: _Fit) -> bool:
        """Whether another sample of which more is to come agrees with the line as far as it has come."""
        end = self._base + len(self._bits)
        for sample_id, first in self._candidates:
            phases = self._by_sample[sample_id]
            if sample_id == fit.sample.id or first > fit.first + fit.columns // 2:
                continue
            so_far = self._best_beside(phases, first, end)
            if so_far.agrees:
                return True
        return False

    def _heard(self, fit: _Fit) -> SampleHeard:
        # The print's first column begins `offset_ms` into the stretch.
        start_ms = (self._origin_ms or 0.0) + fit.first * COLUMN_MS - fit.offset_ms
        confidence = min(max(1.0 - 2.0 * fit.wrong, 0.0), 1.0)
        return SampleHeard(fit.sample, start_ms, start_ms + fit.sample.length_ms, confidence, fit.wrong)


def _winners(fits: list[_Fit]) -> list[_Fit]:
    """Of samples on the same stretch leave the one that it is."""
    kept: list[_Fit] = []
    for fit in fits:
        rivals = [other for other in kept if fit.overlaps(other)]
        if all(_is_better(fit, other) for other in rivals):
            kept = [other for other in kept if other not in rivals] + [fit]
    return kept


def _is_better(one: _Fit, other: _Fit) -> bool:
    """Whether a stretch is rather `one`: what agrees better, but of equally good ones the longer.

    A recording that only begins as the other agrees with the line no worse than it.
    """
    longer = one.columns - other.columns
    if abs(longer) > _LONGER and abs(one.wrong - other.wrong) <= _CLEARLY:
        return longer > 0
    return one.wrong < other.wrong
