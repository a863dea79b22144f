"""Sealed seeds, and the chain that ties every draw of a run to its commitment.

A run begins with 32 random bytes. What is stored in the open is a commitment to them and to the first inputs; the seed
itself lies sealed under the key of this installation until the run is over. Each draw extends a chain: its link is the
SHA-256 over the link before (of the first: the commitment), its own number, moment, cause and inputs, and the drawn
moments that had passed without a call by then. Nothing in it can be changed, slipped in or taken out unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.planning.draw_inputs import DrawInputs
from app.planning.draw_random import SEED_BYTES
from app.planning.models import DrawEpoch, DrawSkip, PlanRun
from app.sealing import Sealer, SealError

Passed = tuple[int, int, int, int, str]
"""A moment that passed without a call: epoch, slot, line, second since 1970, why."""


def new_seed() -> bytes:
    """Return a seed that nobody knows."""
    return secrets.token_bytes(SEED_BYTES)


def purpose(plan_id: int, number: int) -> str:
    """What the seed of a run is sealed for: it cannot be passed off as another run's."""
    return f"plan-run:{plan_id}:{number}"


def seal_seed(sealer: Sealer, seed: bytes, plan_id: int, number: int) -> str:
    """Return the sealed seed of a run."""
    return sealer.seal(seed, purpose(plan_id, number))


def open_seed(sealer: Sealer, run: PlanRun) -> bytes:
    """Return the seed of a run. Raises `SealError`."""
    seed = sealer.open(run.sealed_seed, purpose(run.plan_id, run.number))
    if len(seed) != SEED_BYTES:
        raise SealError(f"the seed of run {run.number} of plan {run.plan_id} has a wrong length")
    return seed


def passed_over(skips: Sequence[DrawSkip]) -> list[Passed]:
    """Return moments that passed without a call as the chain writes them, in their order."""
    return sorted((s.epoch, s.slot, s.line_id, int(s.at.timestamp()), s.why) for s in skips)


def link(
    previous: str,
    number: int,
    drawn_at: datetime,
    cause: str,
    inputs_sha256: str,
    passed: Sequence[Passed] = (),
) -> str:
    """Return the chain's link of a draw, in hex. `passed`: what passed without a call in the draw before it."""
    content: dict[str, Any] = {
        "cause": cause,
        "drawn_at": drawn_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "inputs_sha256": inputs_sha256,
        "number": number,
        "passed": [list(item) for item in passed],
        "previous": previous,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def last_link(
    previous: str, number: int, ended_at: datetime, ended_why: str, passed: Sequence[Passed]
) -> str:
    """Return the link that ends the chain of a run, over its end and what passed without a call in its last draw."""
    return link(previous, number + 1, ended_at, ended_why, "", passed)


def new_epoch(
    run_id: int,
    previous: str,
    inputs: DrawInputs,
    cause: str,
    drawn_at: datetime,
    passed: Sequence[Passed] = (),
) -> DrawEpoch:
    """Return the row of a draw, chained to what went before."""
    digest = inputs.digest()
    return DrawEpoch(
        run_id=run_id,
        number=inputs.epoch,
        drawn_at=drawn_at,
        cause=cause,
        inputs=inputs.to_dict(),
        inputs_sha256=digest,
        chain=link(previous, inputs.epoch, drawn_at, cause, digest, passed),
    )
