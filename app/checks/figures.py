"""Sums over calls for the pages: read through the index on the moment of a call, so their time goes by the period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.principal import limits
from app.checks.models import IS_LIVE, Attempt
from app.directory.models import Unit

Span = tuple[datetime, datetime]
"""From the first moment to before the second."""
OURS = ("our_side", "cancelled", "interrupted")
"""Verdicts of calls that say nothing of the unit."""


@dataclass(frozen=True, slots=True)
class RingFigures:
    """How random checks were answered in a period: their first calls that say something of the unit."""

    within: int = 0
    """Three rings by the strict reading (三声内)."""
    borderline: int = 0
    """By the lenient one alone (临界)."""
    exceeded: int = 0
    no_answer: int = 0
    unknown: int = 0
    """Answered without a ring time, engaged, forwarded, ...: they are not in the rate."""
    by_second: Mapping[int, int] = field(default_factory=dict)
    """Answered calls by whole seconds from ring start to the answer."""

    @property
    def n(self) -> int:
        """Calls that the rate is of: those that were answered in a known time, and those that nobody answered."""
        return self.within + self.borderline + self.exceeded + self.no_answer

    @property
    def rate(self) -> float | None:
        """Share that was answered before a fourth ring; None where there is nothing to count."""
        return (self.within + self.borderline) / self.n if self.n else None

    @property
    def strict_rate(self) -> float | None:
        """Share that was answered before the third ring ended."""
        return self.within / self.n if self.n else None


async def ring_figures(session: AsyncSession, span: Span) -> RingFigures:
    """How random checks of a period were answered. Repeats are left out: an order counts by its first call."""
    seconds = Attempt.ring_to_answer_ms / 1000.0
    # PostgreSQL rounds where SQLite cuts off.
    whole = cast(seconds if session.get_bind().dialect.name == "sqlite" else func.floor(seconds), Integer)
    query = (
        select(Attempt.three_ring, Attempt.outcome, whole.label("second"), func.count().label("calls"))
        .where(
            Attempt.claimed_at >= span[0],
            Attempt.claimed_at < span[1],
            Attempt.kind == "random",
            Attempt.number == 1,
            Attempt.verdict_code.not_in(OURS),
        )
        .group_by(Attempt.three_ring, Attempt.outcome, "second")
    )
    counts = dict.fromkeys(("within", "borderline", "exceeded", "no_answer", "unknown"), 0)
    by_second: dict[int, int] = {}
    for row in await session.execute(query):
        if row.three_ring in ("within", "borderline", "exceeded"):
            counts[row.three_ring] += row.calls
            if row.second is not None:
                by_second[row.second] = by_second.get(row.second, 0) + row.calls
        else:
            counts["no_answer" if row.outcome == "no_answer" else "unknown"] += row.calls
    return RingFigures(**counts, by_second=by_second)


async def verdicts(session: AsyncSession, span: Span) -> Sequence[tuple[str | None, int]]:
    """Calls of a period by the code of their verdict, None: under way, the most frequent first."""
    query = (
        select(Attempt.verdict_code, func.count().label("calls"))
        .where(Attempt.claimed_at >= span[0], Attempt.claimed_at < span[1])
        .group_by(Attempt.verdict_code)
    )
    rows = [(row.verdict_code, row.calls) for row in await session.execute(query)]
    return sorted(rows, key=lambda row: (-row[1], row[0] or ""))


async def live_states(session: AsyncSession, below: str = "") -> Mapping[str, int]:
    """Calls under way that the reader sees, by their state, of all units or of those below a path.

    Those that have not left yet are left out. The scope is looked at here: put into the query, it leads a planner
    through every call that these units ever had.
    """
    query = (
        select(Attempt.state, Unit.path)
        .join(Unit, Unit.id == Attempt.unit_id)
        .where(IS_LIVE, Attempt.state != "claimed")
        .execution_options(every_unit=True)
    )
    scope = limits()
    heads = None if scope is None else tuple(scope.paths)
    found: dict[str, int] = {}
    for row in await session.execute(query):
        if row.path.startswith(below) and (heads is None or row.path.startswith(heads)):
            found[row.state] = found.get(row.state, 0) + 1
    return found
