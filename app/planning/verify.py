"""`draw verify`: whether every run did what it had committed to, from what is stored alone.

Of a run whose seed is revealed everything is repeated: the commitment, the chain of its draws, each draw from the seed,
and each order against the moment it was drawn for. Every moment that lay in a draw's reign (from its first moment to
that of the next draw, or to the run's end) must be an order, or written down as passed over and why. Of a run that is
still sealed the chain and what is stored in the open are checked; its seed is opened for nobody.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import SpotCheck
from app.planning import ledger, repository, trail
from app.planning.draw import NotDrawableError, commitment, draw
from app.planning.draw_inputs import DrawInputs, DrawInputsError
from app.planning.draw_random import SEED_BYTES
from app.planning.live_run import chain_fault
from app.planning.models import DrawEpoch, DrawSkip, PlanRun
from app.planning.sealed import last_link, passed_over
from app.planning.trail import Told

_DRAWN_KINDS = ("random", "verification")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """All that is stored of a run; the inputs of its draws, which are large, are read one after the other."""

    run: PlanRun
    epochs: Sequence[DrawEpoch]
    skips: Sequence[DrawSkip]
    orders: Sequence[SpotCheck]
    uncalled: frozenset[int]
    """Keys of those that are said to be done and have no call."""
    told: Told
    """What the audit trail says of it."""


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
    told = await trail.read(session, plan_id)
    return [
        RunEvidence(
            run,
            await repository.epoch_heads(session, run.id),
            await repository.skips(session, run.id),
            await ledger.orders_of(session, run.id),
            await ledger.uncalled(session, run.id),
            told.get((run.plan_id, run.number), Told()),
        )
        for run in await repository.all_runs(session, plan_id)
    ]


async def verify_whole(
    session: AsyncSession, found: Sequence[RunEvidence], plan_id: int | None = None
) -> tuple[str, ...]:
    """Name what no run shows: starts that are missing, and checks that count as drawn and were not."""
    there = {(item.run.plan_id, item.run.number) for item in found}
    expected = set(await trail.read(session, plan_id))
    # Each start is counted from 1.
    expected |= {(plan, number) for plan, last in there for number in range(1, last)}
    faults = [f"plan {plan} run {number}: is missing" for plan, number in sorted(expected - there)]
    for order_id, plan in await ledger.undrawn(session, plan_id):
        of = "" if plan is None else f"plan {plan}: "
        faults.append(f"{of}order {order_id} counts as random and was not drawn")
    return tuple(faults)


async def verify_run(session: AsyncSession, found: RunEvidence) -> RunReport:
    """Check all of a run. Takes seconds for thousands of units and many draws."""
    run = found.run
    sealed = run.revealed_at is None and run.seed is None
    faults = list(_open_faults(found))
    seed = None if sealed else _seed(run)
    if not sealed and seed is None:
        faults.append(f"its seed is no {SEED_BYTES} bytes in hex")
    digests: dict[int, str | None] = {}
    before: tuple[DrawEpoch, DrawInputs] | None = None
    for epoch in found.epochs:
        inputs = _read(await repository.inputs_of(session, run.id, epoch.number))
        digests[epoch.number] = None if inputs is None else inputs.digest()
        if seed is None:
            continue
        if epoch.number == 0 and (inputs is None or commitment(seed, inputs) != run.commitment):
            faults.append("seed and first inputs are not what was committed to")
        if before is not None:
            until = None if inputs is None else inputs.from_at
            faults += await asyncio.to_thread(_epoch_faults, found, seed, *before, until)
        before = None
        if inputs is None or inputs.epoch != epoch.number:
            faults.append(f"draw {epoch.number}: its inputs cannot be read, or are another draw's")
        else:
            before = epoch, inputs
    if seed is not None and before is not None:
        faults += await asyncio.to_thread(_epoch_faults, found, seed, *before, None)
    broken = chain_fault(run, found.epochs, found.skips, lambda epoch: digests[epoch.number])
    faults += [] if broken is None else [broken]
    if not sealed and found.epochs and _last_link(found) != run.last_link:
        faults.append(
            "the last link of its chain does not hold: its end or what passed without a call was changed"
        )
    counts = len(found.epochs), len(found.orders), len(found.skips)
    return RunReport(run.plan_id, run.number, sealed, *counts, tuple(dict.fromkeys(faults)))


def _read(content: Mapping[str, Any]) -> DrawInputs | None:
    try:
        return DrawInputs.from_dict(content)
    except DrawInputsError:
        return None


def _open_faults(found: RunEvidence) -> Iterator[str]:
    """What does not hold as far as everybody can see, the chain apart."""
    run = found.run
    if not _DIGEST.fullmatch(run.commitment):
        yield "its commitment is no SHA-256"
    if not found.epochs:
        yield "it has no draw"
        return
    if run.revealed_at is not None and run.seed is None:
        yield "its seed is said to be revealed, and is not there"
    yield from trail.faults(run, found.epochs, found.told)
    if run.started_at != found.epochs[0].drawn_at:
        yield "it was started at another moment than its first draw was made"
    for before, after in zip(found.epochs, found.epochs[1:], strict=False):
        if after.drawn_at < before.drawn_at:
            yield f"draw {after.number} is dated before draw {before.number}"
    numbers = {epoch.number for epoch in found.epochs}
    for order in found.orders:
        if order.epoch not in numbers or order.slot is None:
            yield f"order {order.id} names no draw of this run"
        if order.kind not in _DRAWN_KINDS:
            yield f"order {order.id} is called {order.kind}; what is drawn is random or a verification"
        if order.id in found.uncalled:
            yield f"order {order.id} is done and has no call"
        if order.plan_id != run.plan_id:
            yield f"order {order.id} stands under another plan"
    for skip in found.skips:
        if skip.epoch not in numbers:
            yield f"passed over: slot {skip.slot} of draw {skip.epoch} names no draw of this run"
        if skip.noted_at < skip.at:
            yield f"draw {skip.epoch} slot {skip.slot} was noted as passed over before its moment"


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


def _epoch_faults(
    found: RunEvidence, seed: bytes, epoch: DrawEpoch, inputs: DrawInputs, until: int | None
) -> list[str]:
    return list(_compared(found, seed, epoch.number, inputs, until))


def _compared(
    found: RunEvidence, seed: bytes, number: int, inputs: DrawInputs, until: int | None
) -> Iterator[str]:
    """Compare a draw, made again, with its orders and what was passed over."""
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
