"""`draw verify`: whether every run did what it had committed to, from what is stored alone.

Of a run whose seed is revealed everything is repeated: the commitment, the chain of its draws, each draw from the seed,
and each order against the moment it was drawn for. Every moment that lay in a draw's reign (from its first moment to
that of the next draw, or to the run's end) must be an order, or written down as passed over and why. Of a run that is
still sealed the chain and what is stored in the open are checked; its seed is opened for nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import SpotCheck
from app.planning import ledger, repository
from app.planning.draw import NotDrawableError, commitment, draw
from app.planning.draw_inputs import DrawInputs, DrawInputsError
from app.planning.draw_random import SEED_BYTES
from app.planning.live_run import chain_fault, digest_of
from app.planning.models import DrawEpoch, DrawSkip, PlanRun
from app.planning.sealed import last_link, passed_over

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """All that is stored of a run."""

    run: PlanRun
    epochs: Sequence[DrawEpoch]
    skips: Sequence[DrawSkip]
    orders: Sequence[SpotCheck]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What was found of a run."""

    plan_id: int
    number: int
    sealed: bool
    """Whether its seed is not revealed yet: its moments cannot be repeated so far."""
    epochs: int
    orders: int
    passed_over: int
    faults: tuple[str, ...] = field(default=())
    """One sentence for each thing that does not hold."""

    @property
    def name(self) -> str:
        """How lines about it begin."""
        return f"plan {self.plan_id} run {self.number}"


async def gather(session: AsyncSession, plan_id: int | None = None) -> list[RunEvidence]:
    """Read what is stored of every run, or of those of one plan."""
    return [
        RunEvidence(
            run,
            await repository.epochs(session, run.id),
            await repository.skips(session, run.id),
            await ledger.orders_of(session, run.id),
        )
        for run in await repository.all_runs(session, plan_id)
    ]


def verify_numbers(found: Sequence[RunEvidence]) -> tuple[str, ...]:
    """Name the runs of a plan that are missing: each start is counted from 1."""
    faults = []
    by_plan: dict[int, list[int]] = {}
    for item in found:
        by_plan.setdefault(item.run.plan_id, []).append(item.run.number)
    for plan_id, numbers in sorted(by_plan.items()):
        missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
        faults += [f"plan {plan_id} run {number}: is missing" for number in missing]
    return tuple(faults)


def verify_run(found: RunEvidence) -> RunReport:
    """Check all of a run. Pure, but takes seconds for thousands of units and many draws."""
    run = found.run
    sealed = run.revealed_at is None and run.seed is None
    faults = [*_open_faults(found), *(() if sealed else _revealed_faults(found))]
    return RunReport(
        run.plan_id,
        run.number,
        sealed,
        len(found.epochs),
        len(found.orders),
        len(found.skips),
        tuple(dict.fromkeys(faults)),
    )


def _open_faults(found: RunEvidence) -> Iterator[str]:
    """What does not hold as far as everybody can see."""
    run = found.run
    if not _DIGEST.fullmatch(run.commitment):
        yield "its commitment is no SHA-256"
    if not found.epochs:
        yield "it has no draw"
        return
    if run.revealed_at is not None and run.seed is None:
        yield "its seed is said to be revealed, and is not there"
    broken = chain_fault(run, found.epochs, found.skips)
    if broken is not None:
        yield broken
    if run.started_at != found.epochs[0].drawn_at:
        yield "it was started at another moment than its first draw was made"
    for before, after in zip(found.epochs, found.epochs[1:], strict=False):
        if after.drawn_at < before.drawn_at:
            yield f"draw {after.number} is dated before draw {before.number}"
    numbers = {epoch.number for epoch in found.epochs}
    for order in found.orders:
        if order.epoch not in numbers or order.slot is None:
            yield f"order {order.id} names no draw of this run"
        if order.plan_id != run.plan_id:
            yield f"order {order.id} stands under another plan"
    for skip in found.skips:
        if skip.epoch not in numbers:
            yield f"passed over: slot {skip.slot} of draw {skip.epoch} names no draw of this run"
        if skip.noted_at < skip.at:
            yield f"draw {skip.epoch} slot {skip.slot} was noted as passed over before its moment"


def _revealed_faults(found: RunEvidence) -> Iterator[str]:
    seed = _seed(found.run)
    if seed is None:
        yield f"its seed is no {SEED_BYTES} bytes in hex"
        return
    if not found.epochs:
        return
    if _last_link(found) != found.run.last_link:
        yield "the last link of its chain does not hold: its end or what passed without a call was changed"
    inputs = _inputs(found.epochs)
    if inputs[0] is None or commitment(seed, inputs[0]) != found.run.commitment:
        yield "seed and first inputs are not what was committed to"
    for index, epoch in enumerate(found.epochs):
        here = inputs[index]
        if here is None or here.epoch != epoch.number:
            yield f"draw {epoch.number}: its inputs cannot be read, or are another draw's"
            continue
        following = inputs[index + 1] if index + 1 < len(inputs) else None
        until = None if following is None else following.from_at
        yield from _epoch_faults(found, seed, epoch, here, until)


def _last_link(found: RunEvidence) -> str | None:
    run, last = found.run, found.epochs[-1]
    if run.ended_at is None:
        return None
    passed = passed_over([skip for skip in found.skips if skip.epoch == last.number])
    return last_link(last.chain, last.number, run.ended_at, run.ended_why, passed)


def _seed(run: PlanRun) -> bytes | None:
    try:
        seed = bytes.fromhex(run.seed or "")
    except ValueError:
        return None
    return seed if len(seed) == SEED_BYTES else None


def _inputs(epochs: Sequence[DrawEpoch]) -> list[DrawInputs | None]:
    found: list[DrawInputs | None] = []
    for epoch in epochs:
        try:
            found.append(DrawInputs.from_dict(epoch.inputs) if digest_of(epoch) else None)
        except DrawInputsError:
            found.append(None)
    return found


def _epoch_faults(
    found: RunEvidence, seed: bytes, epoch: DrawEpoch, inputs: DrawInputs, until: int | None
) -> Iterator[str]:
    """Compare a draw, made again, with its orders and what was passed over."""
    number = epoch.number
    try:
        slots = {slot.slot: slot for slot in draw(seed, inputs)}
    except NotDrawableError as error:
        yield f"draw {number} cannot be repeated: {error}"
        return
    seen: set[int] = set()
    for order in (order for order in found.orders if order.epoch == number and order.slot is not None):
        slot = slots.get(order.slot or 0)
        seen.add(order.slot or 0)
        if slot is None:
            yield f"order {order.id}: draw {number} has no slot {order.slot}"
        elif slot.line_id != order.line_id:
            yield f"order {order.id}: drawn for line {slot.line_id}, it calls line {order.line_id}"
        elif order.first_due_at is None or slot.at != order.first_due_at:
            yield f"order {order.id}: drawn for {_told(slot.at)}, it is of {_told(order.first_due_at)}"
        if order.created_at < (order.first_due_at or order.created_at):
            yield f"order {order.id} was entered before its moment"
    for skip in (skip for skip in found.skips if skip.epoch == number):
        slot = slots.get(skip.slot)
        if skip.slot in seen:
            yield f"draw {number} slot {skip.slot} is an order and passed over"
        seen.add(skip.slot)
        if slot is None or slot.line_id != skip.line_id or slot.at != skip.at:
            yield f"draw {number} slot {skip.slot}: what is noted as passed over was not drawn so"
    end = datetime.fromtimestamp(until, UTC) if until is not None else found.run.ended_at
    for slot in slots.values():
        if slot.slot not in seen and (end is None or slot.at < end):
            yield (
                f"draw {number} slot {slot.slot}: line {slot.line_id} at {_told(slot.at)} is neither an order "
                "nor accounted for"
            )


def _told(at: datetime | None) -> str:
    return "no moment" if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
