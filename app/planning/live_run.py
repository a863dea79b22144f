"""A run as the clock holds it: its coming moments, in memory alone.

What is here must never be logged, stored or shown: it tells when random checks will come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.planning import sealed
from app.planning.draw import NotDrawableError, commitment, draw
from app.planning.draw_inputs import DrawInputs, DrawInputsError
from app.planning.models import DrawEpoch, DrawSkip, PlanRun
from app.sealing import Sealer, SealError


class BrokenDrawError(ValueError):
    """What is stored of a run does not hold together; the text says what, and nothing of its moments."""


@dataclass(slots=True)
class LiveRun:
    """The present draw of a run and those of its moments that are still to come, the next one last."""

    run_id: int
    plan_id: int
    number: int
    epoch: int
    chain: str
    drawn_at: datetime
    inputs: DrawInputs
    stamp: str
    """Of the directory and calendar with which it was last compared; empty: not yet."""
    _coming: list[tuple[datetime, int, int]] = field(repr=False)

    def due(self, now: datetime) -> list[Slot]:
        """Take the moments that have come by now, the earliest first. Their order is to be entered or passed over."""
        found = []
        while self._coming and self._coming[-1][0] <= now:
            at, slot, line_id = self._coming.pop()
            found.append(Slot(self.run_id, self.plan_id, self.epoch, slot, line_id, at))
        return found

    def is_due(self, now: datetime) -> bool:
        """Whether a moment has come."""
        return bool(self._coming) and self._coming[-1][0] <= now

    @property
    def next_at(self) -> datetime | None:
        """The next moment: for a simulated year, whose clock it moves."""
        return self._coming[-1][0] if self._coming else None

    def give_back(self, slots: Sequence[Slot]) -> None:
        """Put moments back that could not be entered."""
        self._coming += [(slot.at, slot.slot, slot.line_id) for slot in slots]
        self._coming.sort(reverse=True)

    @property
    def ends_at(self) -> int:
        """The second since 1970 with which its last window ends."""
        return max((piece.end for piece in self.inputs.pieces), default=self.inputs.from_at)


@dataclass(frozen=True, slots=True)
class Slot:
    """A drawn moment that has come."""

    run_id: int
    plan_id: int
    epoch: int
    slot: int
    line_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a run: its draws without their inputs, but for the first and the last one's."""

    run: PlanRun
    epochs: Sequence[DrawEpoch]
    skips: Sequence[DrawSkip]
    handled: Set[int]
    """Slots of the last draw that are orders or were passed over."""
    first: Mapping[str, Any]
    last: Mapping[str, Any]


def recall(sealer: Sealer, stored: Stored) -> LiveRun:
    """Draw the last draw of a run again, after what is stored in the open was checked against the seed.

    Takes seconds for thousands of units. Raises `BrokenDrawError`.
    """
    run, epochs = stored.run, stored.epochs
    try:
        seed = sealed.open_seed(sealer, run)
    except SealError as error:
        raise BrokenDrawError(f"the seed of run {run.number} cannot be opened with this key") from error
    try:
        first = DrawInputs.from_dict(stored.first)
        last = DrawInputs.from_dict(stored.last) if len(epochs) > 1 else first
    except DrawInputsError as error:
        raise BrokenDrawError(f"the inputs of run {run.number} cannot be read") from error
    if commitment(seed, first) != run.commitment:
        raise BrokenDrawError(f"run {run.number}: seed and first inputs are not those that were committed to")
    # The inputs in between were drawn from once and are looked at by `dutyring draw verify`.
    digests = {epoch.number: epoch.inputs_sha256 for epoch in epochs}
    digests |= {0: first.digest(), epochs[-1].number: last.digest()}
    broken = chain_fault(run, epochs, stored.skips, lambda epoch: digests[epoch.number])
    if broken is not None:
        raise BrokenDrawError(f"run {run.number}: {broken}")
    try:
        drawn = draw(seed, last)
    except NotDrawableError as error:
        raise BrokenDrawError(f"draw {epochs[-1].number} of run {run.number} cannot be repeated") from error
    coming = [(s.at, s.slot, s.line_id) for s in drawn if s.slot not in stored.handled]
    coming.sort(reverse=True)
    here = epochs[-1]
    return LiveRun(run.id, run.plan_id, run.number, here.number, here.chain, here.drawn_at, last, "", coming)


def chain_fault(
    run: PlanRun,
    epochs: Sequence[DrawEpoch],
    skips: Sequence[DrawSkip],
    digest_of: Callable[[DrawEpoch], str | None],
) -> str | None:
    """Name the first draw of a run whose link does not hold; None where all do.

    `digest_of` gives the digest of a draw's inputs, None where they cannot be read.
    """
    previous = run.commitment
    by_epoch: dict[int, list[DrawSkip]] = {}
    for skip in skips:
        by_epoch.setdefault(skip.epoch, []).append(skip)
    for number, epoch in enumerate(epochs):
        if epoch.number != number:
            return f"draw {number} is missing"
        passed = sealed.passed_over(by_epoch.get(number - 1, []))
        digest = digest_of(epoch)
        if digest is None or digest != epoch.inputs_sha256:
            return f"draw {number}: its inputs were changed"
        if epoch.chain != sealed.link(previous, number, epoch.drawn_at, epoch.cause, digest, passed):
            return f"draw {number}: its link in the chain does not hold"
        previous = epoch.chain
    return None
