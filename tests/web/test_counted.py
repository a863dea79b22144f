"""Whether a check counts is written beside it by whoever judges its calls; a recording carries the unit of its call."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sqlalchemy import select

from app.checks.models import Attempt, Recording, SpotCheck
from app.database import Database
from tests.web.planning_office import enter_lines

AT = datetime(2026, 5, 1, 3, tzinfo=UTC)


async def counts(database: Database) -> bool:
    async with database.reading() as session:
        return bool(await session.scalar(select(SpotCheck.counts)))


async def judged(database: Database, number: int, code: str) -> None:
    async with database.unit_of_work() as session:
        attempt = await session.scalar(select(Attempt).where(Attempt.number == number))
        assert attempt is not None
        attempt.verdict_code = code


async def enter_calls(database: Database) -> int:
    """Enter a random check with two calls that nobody has judged; return the key of its unit."""
    ((unit, line),) = await enter_lines(database, 1)
    async with database.unit_of_work() as session:
        check = SpotCheck(line_id=line.id, kind="random", due_at=AT, state="done", created_at=AT)
        session.add(check)
        await session.flush()
        for number in (1, 2):
            call = Attempt(
                check_id=check.id, number=number, line_id=line.id, unit_id=unit.id, target="0000", state="finished",
                owner="test", claimed_at=AT,
            )  # fmt: skip
            session.add(call)
        await session.flush()
        session.add(
            Recording(
                attempt_id=call.id, path="x", sha256="ab" * 32, duration_ms=1.0, channels=2, sample_rate=8000,
                created_at=AT,
            )
        )  # fmt: skip
        return unit.id


async def test_a_check_counts_as_long_as_a_call_says_something_of_the_unit(either: Database) -> None:
    unit_id = await enter_calls(either)
    assert not await counts(either)
    for number, code, expected in (
        (1, "our_side", False), (2, "within", True), (1, "interrupted", True), (2, "cancelled", False),
        (1, "forwarded", True),
    ):  # fmt: skip
        await judged(either, number, code)
        assert await counts(either) is expected, (number, code)
    async with either.reading() as session:
        assert await session.scalar(select(Recording.unit_id)) == unit_id


async def test_two_calls_judged_at_the_same_time_are_both_seen(either: Database) -> None:
    await enter_calls(either)
    async with either.unit_of_work() as session:
        first = await session.scalar(select(Attempt).where(Attempt.number == 1))
        assert first is not None
        first.verdict_code = "within"
        await session.flush()
        # The other one waits for this unit of work, on either database, and ends after it.
        other = asyncio.create_task(judged(either, 2, "our_side"))
        await asyncio.wait([other], timeout=0.3)
        assert not other.done()
    await other
    assert await counts(either)
