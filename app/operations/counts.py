"""Calls counted over all time without reading all of them each time.

What is over never changes again, so everything below the first call under way is counted once and kept; each look adds
what has come. A new process counts all of it anew, which takes a few seconds for a million calls.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import IS_LIVE, Attempt

RING_BUCKETS_S = (3.0, 5.0, 8.0, 11.0, 13.0, 15.0, 20.0, 30.0, 45.0, 60.0)
"""Within three rings 11 s, borderline 15 s, proposed as too late from 20 s on."""


@dataclass
class Counted:
    """Calls that are over."""

    by_outcome: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By state and outcome."""
    by_bucket: Counter[int] = field(default_factory=Counter)
    """Answered calls by the place of their seconds of ringing among the buckets."""
    ring_s: float = 0.0

    def plus(self, other: Counted) -> Counted:
        """Both together."""
        return Counted(
            self.by_outcome + other.by_outcome, self.by_bucket + other.by_bucket, self.ring_s + other.ring_s
        )


class CallCounter:
    """Counts the calls of one database."""

    def __init__(self) -> None:
        self._kept = Counted()
        self._below = 0
        """Calls with a lower key are in `_kept`."""
        self._turn = asyncio.Lock()

    async def look(self, session: AsyncSession) -> Counted:
        """Count every call that is over."""
        async with self._turn:
            newest = await session.scalar(select(func.max(Attempt.id))) or 0
            # `+ 0`: else the least key is sought from the oldest row on; of the few that live there is an index.
            live = await session.scalar(select(func.min(Attempt.id + 0)).where(IS_LIVE))
            until = newest + 1 if live is None else live
            if until > self._below:
                self._kept = self._kept.plus(await _count(session, self._below, until))
                self._below = until
            return self._kept.plus(await _count(session, self._below, newest + 1))


async def _count(session: AsyncSession, first: int, until: int) -> Counted:
    if first >= until:
        return Counted()
    span = (Attempt.id >= first, Attempt.id < until, ~IS_LIVE)
    found = Counted()
    outcomes = select(Attempt.state, Attempt.outcome, func.count()).where(*span)
    for state, outcome, number in await session.execute(outcomes.group_by(Attempt.state, Attempt.outcome)):
        found.by_outcome[(state, outcome or "none")] += number
    ring = Attempt.ring_to_answer_ms
    places = [(ring <= limit * 1000, place) for place, limit in enumerate(RING_BUCKETS_S)]
    bucket = case(*places, else_=len(RING_BUCKETS_S))
    rung = select(bucket, func.count(), func.sum(ring)).where(*span, ring.is_not(None)).group_by(bucket)
    for place, number, ms in await session.execute(rung):
        found.by_bucket[place] += number
        found.ring_s += ms / 1000
    return found
