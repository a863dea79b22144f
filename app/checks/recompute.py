"""Judges orders of a period by another rule set, to compare. No case is touched, and what holds keeps holding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import proposal_repository as repository
from app.checks.closing import content_of
from app.checks.gathering import gather
from app.checks.models import Attempt, SpotCheck, StoredProposal
from app.checks.proposal import Proposal, propose
from app.checks.rules import rules_of
from app.directory import repository as directory
from app.errors import BadInputError, Fault, NotFoundError
from app.rules.force import RulesInForce
from app.settings import Settings

MOST_ORDERS = 200
"""Of one comparison; a longer period goes on from its `next`."""
FOR_COMPARISON = "对照，未启用"
"""Stands for the local document of rules that are only compared."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which orders are compared."""

    first: datetime
    until: datetime
    """[first, until) by the orders' first moments."""
    unit_id: int | None = None
    """Head of a subtree."""
    after: tuple[datetime, int] | None = None
    limit: int = MOST_ORDERS


@dataclass(frozen=True, slots=True)
class Difference:
    """One order that the other rules see otherwise."""

    check_id: int
    unit_id: int
    first_due_at: datetime
    code: str
    adverse: bool
    """Under the rules that were in force."""
    other_code: str
    other_adverse: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it."""

    label: str
    compared: int
    differences: tuple[Difference, ...]
    changes: dict[str, int]
    """`code -> other code` with how many orders, of those compared."""
    unjudged: int
    """Closed orders that no rules in force ever judged: of an earlier version, left out."""
    next: tuple[datetime, int] | None
    """Where to go on."""
    rows: tuple[StoredProposal, ...] = ()
    """What `keep` stores."""


async def compare(session: AsyncSession, rules: RulesInForce, asked: Asked, settings: Settings) -> Comparison:
    """Judge closed orders by these rules beside those that were in force. Nothing is written: that is for `keep`.

    Raises `NotFoundError` for an unknown unit, `BadInputError` for a period that is none.
    """
    if asked.until <= asked.first:
        raise BadInputError("the period ends before it begins", [Fault("last", "lies before `first`")])
    units = await _units(session, asked.unit_id)
    found = await repository.closed_orders(
        session, asked.first, asked.until, units, asked.after, asked.limit + 1
    )
    orders = found[: asked.limit]
    keys = [check.id for check in orders]
    held = await repository.in_force(session, keys)
    calls: dict[int, list[Attempt]] = {}
    for attempt in await repository.attempts(session, keys):
        calls.setdefault(attempt.check_id, []).append(attempt)
    told: list[Difference] = []
    rows: list[StoredProposal] = []
    changes: Counter[str] = Counter()
    for check in orders:
        known = held.get(check.id)
        if known is None:
            continue
        other, row = await _other(session, check, calls.get(check.id, []), rules, settings)
        rows.append(row)
        changes[f"{known.code} -> {other.code}"] += 1
        told += _difference(check, known, other)
    last = orders[-1] if len(found) > asked.limit else None
    return Comparison(
        label=rules.label(rules_of(settings)),
        compared=sum(changes.values()),
        differences=tuple(told),
        changes=dict(changes.most_common()),
        unjudged=len(orders) - sum(changes.values()),
        next=None if last is None else (last.first_due_at, last.id),
        rows=tuple(rows),
    )


async def keep(session: AsyncSession, found: Comparison) -> int:
    """Store what a comparison said, in a unit of work of its own that is short; return how many rows are new.

    What these rules said of an order before stays as it is.
    """
    keys = [row.check_id for row in found.rows]
    known = await repository.judged_by(session, keys, found.label)
    new = [row for row in found.rows if row.check_id not in known]
    session.add_all(new)
    await session.flush()
    return len(new)


async def _units(session: AsyncSession, unit_id: int | None) -> frozenset[int] | None:
    if unit_id is None:
        return None
    units = await directory.subtree_ids(session, unit_id)
    if not units:
        raise NotFoundError(f"there is no unit {unit_id}")
    return units


async def _other(
    session: AsyncSession,
    check: SpotCheck,
    attempts: Sequence[Attempt],
    rules: RulesInForce,
    settings: Settings,
) -> tuple[Proposal, StoredProposal]:
    limits = rules_of(settings)
    gathered = await gather(session, check, attempts, rules.limits(limits), settings.zone)
    proposal = propose(gathered.order, rules, limits)
    row = StoredProposal(
        check_id=check.id,
        rule_set=proposal.label,
        in_force=False,
        code=proposal.code,
        content=content_of(proposal, gathered),
        judged_at=clock.now(),
    )
    return proposal, row


def _difference(check: SpotCheck, known: StoredProposal, other: Proposal) -> list[Difference]:
    adverse = bool(known.content.get("adverse"))
    if (known.code, adverse) == (other.code, other.adverse):
        return []
    return [
        Difference(
            check.id,
            check.unit_id,
            check.first_due_at,
            known.code,
            adverse,
            other.code,
            other.adverse,
        )
    ]
