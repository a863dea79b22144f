"""What the audit trail says of starts, draws and seeds, and whether the rows still say the same.

The chain of a run shows that nothing within it was changed. That a run is gone altogether, that its last draw was
taken back, or that a seed was sealed again shows only beside the trail, and beside what is kept outside.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.planning.models import DrawEpoch, PlanRun

_ACTIONS = ("plan_start", "draw_again", "reveal_seed")
_START = re.compile(r"run (\d{1,9}), .*commitment ([0-9a-f]{64})$")
_AGAIN = re.compile(r"run (\d{1,9}), draw (\d{1,9}), chain ([0-9a-f]{64}): ")
_REVEAL = re.compile(r"run (\d{1,9}), .*seed ([0-9a-f]{64})(?:, last link ([0-9a-f]{64}))?$")
RunKey = tuple[int, int]
"""Plan, and number of the start."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the trail says of one run."""

    commitments: list[str] = field(default_factory=list)
    draws: list[tuple[int, str]] = field(default_factory=list)
    """Number and link of each draw after the first."""
    seeds: list[tuple[str, str | None]] = field(default_factory=list)
    """Seed and last link, each time that it was revealed."""


async def read(session: AsyncSession, plan_id: int | None = None) -> Mapping[RunKey, Told]:
    """Read the trail of every plan, or of one."""
    found: defaultdict[RunKey, Told] = defaultdict(Told)
    for line in await audit.of_actions(session, _ACTIONS, None if plan_id is None else f"plan:{plan_id}"):
        plan = line.subject.removeprefix("plan:")
        if not plan.isdecimal():
            continue
        if match := _START.match(line.detail):
            found[int(plan), int(match[1])].commitments.append(match[2])
        elif match := _AGAIN.match(line.detail):
            found[int(plan), int(match[1])].draws.append((int(match[2]), match[3]))
        elif match := _REVEAL.match(line.detail):
            found[int(plan), int(match[1])].seeds.append((match[2], match[3]))
    return dict(found)


def faults(run: PlanRun, epochs: Sequence[DrawEpoch], told: Told) -> Iterator[str]:
    """Name what a run and its draws say otherwise than the trail."""
    if told.commitments != [run.commitment]:
        yield "the audit trail does not hold one start with this commitment"
    stored = Counter((epoch.number, epoch.chain) for epoch in epochs if epoch.number)
    for number, _ in sorted((Counter(told.draws) - stored).keys()):
        yield f"draw {number} of the audit trail is not there, or has another link"
    for number, _ in sorted((stored - Counter(told.draws)).keys()):
        yield f"draw {number} is not in the audit trail"
    revealed = [] if run.revealed_at is None and run.seed is None else [run.seed]
    if [seed for seed, _ in told.seeds] != revealed:
        yield "its seed was not revealed once, as the audit trail has it"
    elif any(link is not None and link != run.last_link for _, link in told.seeds):
        yield "its last link is not that of the audit trail"
