"""A run as the clock holds it: its coming moments, in memory alone.

What is here must never be logged, stored or shown: it tells when random checks will come.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from app.planning import sealed
from app.planning.draw import commitment, draw
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


def recall(
    sealer: Sealer, run: PlanRun, epochs: Sequence[DrawEpoch], skips: Sequence[DrawSkip], handled: Set[int]
) -> LiveRun:
    """Draw the last draw of a run again; `handled`: its slots that are orders or were passed over.

    Everything that is stored in the open is checked against the seed first. Takes seconds for thousands of units.
    Raises `BrokenDrawError`.
    """
    try:
        seed = sealed.open_seed(sealer, run)
    except SealError as error:
        raise BrokenDrawError(f"the seed of run {run.number} cannot be opened with this key") from error
    try:
        inputs = [DrawInputs.from_dict(epoch.inputs) for epoch in (epochs[0], epochs[-1])]
    except (DrawInputsError, IndexError) as error:
        raise BrokenDrawError(f"the inputs of run {run.number} cannot be read") from error
    if commitment(seed, inputs[0]) != run.commitment:
        raise BrokenDrawError(f"run {run.number}: seed and first inputs are not those that were committed to")
    broken = chain_fault(run, epochs, skips)
    if broken is not None:
        raise BrokenDrawError(f"run {run.number}: {broken}")
    last = epochs[-1]
    coming = [(s.at, s.slot, s.line_id) for s in draw(seed, inputs[1]) if s.slot not in handled]
    coming.sort(reverse=True)
    return LiveRun(
        run.id, run.plan_id, run.number, last.number, last.chain, last.drawn_at, inputs[1], "", coming
    )


def chain_fault(run: PlanRun, epochs: Sequence[DrawEpoch], skips: Sequence[DrawSkip]) -> str | None:
    """Name the first draw of a run whose link does not hold; None where all do."""
    previous = run.commitment
    for number, epoch in enumerate(epochs):
        if epoch.number != number:
            return f"draw {number} is missing"
        passed = sealed.passed_over([skip for skip in skips if skip.epoch == number - 1])
        digest = digest_of(epoch)
        if digest is None or digest != epoch.inputs_sha256:
            return f"draw {number}: its inputs were changed"
        if epoch.chain != sealed.link(previous, number, epoch.drawn_at, epoch.cause, digest, passed):
            return f"draw {number}: its link in the chain does not hold"
        previous = epoch.chain
    return None


def digest_of(epoch: DrawEpoch) -> str | None:
    """The digest of a draw's stored inputs, None where they are none."""
    try:
        return DrawInputs.from_dict(epoch.inputs).digest()
    except DrawInputsError:
        return None
