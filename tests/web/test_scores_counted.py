"""Checks that count are counted through indices, for all units or some; what comes out is what the rows say."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.principal import Principal, enter, leave
from app.accounts.principal import Scope as Part
from app.checks.models import SpotCheck
from app.checks.proposal_codes import OUR_FAULT
from app.database import Database
from app.directory.models import DutyLine, Unit
from app.reviews import score_repository
from app.reviews.models import Case
from app.reviews.score_repository import Period, Scope

FIRST = datetime(2025, 12, 31, 16, tzinfo=UTC)
PATHS = ("1/", "1/2/", "1/3/", "1/2/4/", "1/3/5/")
CODES = ("within", "no_answer", "busy", *sorted(OUR_FAULT), None)
KINDS = ("random", "random", "random", "designated", "verification", "demo")
STATES = ("done", "done", "done", "missed", "withdrawn", "due")


async def enter_checks(session: AsyncSession, seed: int) -> None:
    """Units below each other, and checks of every kind about the ends of two months, some taken out as our fault."""
    drawn = random.Random(seed)
    for key, path in enumerate(PATHS, 1):
        session.add(
            Unit(id=key, code=f"u{key}", name=f"单位{key}", kind="other", path=path, created_at=FIRST)
        )
        await session.flush()
        session.add(DutyLine(id=key, unit_id=key, number=f"0000{key}", target=f"0000{key}"))
    await session.flush()
    for _ in range(200):
        line, at = drawn.randint(1, 5), FIRST + timedelta(days=drawn.choice((-1, 0, 0, 1, 30, 31, 40, 59)))
        kind, state, code = drawn.choice(KINDS), drawn.choice(STATES), drawn.choice(CODES)
        check = SpotCheck(
            line_id=line, unit_id=line, kind=kind, due_at=at, state=state, created_at=at, code=code,
            adverse=None if code is None else drawn.random() < 0.3, needs_review=drawn.choice((None, False, True)),
        )  # fmt: skip
        session.add(check)
        await session.flush()
        for found in () if kind == "verification" else ("no_answer", "busy")[: drawn.choice((0, 0, 0, 1, 2))]:
            cause = drawn.choice((None, "our_fault", "our_fault", "not_a_finding"))
            session.add(
                Case(
                    check_id=check.id, unit_id=line, kind=kind, code=found, happened_at=at, proposal={},
                    state="to_review" if cause is None else "revoked", end_cause=cause, opened_at=at, changed_at=at,
                )
            )  # fmt: skip


async def plainly(
    session: AsyncSession, period: Period, units: Sequence[int]
) -> tuple[Counter[int], Counter[int]]:
    """What `counted` returns, from all rows."""
    closed, spoilt = Counter[int](), Counter[int]()
    of_us = {
        case.check_id
        for case in await session.scalars(select(Case))
        if case.end_cause == "our_fault" and case.kind == "random"
    }
    for check in await session.scalars(select(SpotCheck)):
        if check.unit_id not in units or not period.first_at <= check.first_due_at < period.until:
            continue
        if check.kind == "random" and check.state == "done" and check.code is not None:
            closed[check.unit_id] += 1
            spoilt[check.unit_id] += check.code in OUR_FAULT
        spoilt[check.unit_id] += check.id in of_us
    return closed, spoilt


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_counted_is_what_the_rows_say(either: Database, seed: int) -> None:
    async with either.unit_of_work() as session:
        await enter_checks(session, seed)
    shown = set()
    for days in ((0, 31), (31, 59), (0, 400), (-400, 0)):
        period = Period(FIRST + timedelta(days=days[0]), FIRST + timedelta(days=days[1]))
        for part, seen in ((None, {1, 2, 3, 4, 5}), (Part(("1/2/",)), {2, 4}), (Part(()), set())):
            entered = enter(Principal(1, "a", "甲", frozenset(), frozenset(), part))
            try:
                async with either.reading() as session:
                    head = await session.get(Unit, 2)
                    scopes = [(Scope(), seen), (Scope(unit_ids=[1, 4]), seen & {1, 4})]
                    if head is not None:
                        scopes.append((Scope(head=head), seen & {2, 4}))
                    for scope, units in scopes:
                        expected = await plainly(session, period, sorted(units))
                        found = await score_repository.counted(session, period, scope)
                        assert (dict(found[0]), +found[1]) == (dict(expected[0]), +expected[1]), (
                            days,
                            part,
                            scope,
                        )
                        shown.add(str(expected))
            finally:
                leave(entered)
    assert len(shown) > 8
