"""From the dispatcher's calls to the case: an order is called, called again, closed and judged by what is in force."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from app.checks.models import StoredProposal, StoredVerdict
from app.database import Database
from app.reviews.models import Case
from app.settings import Settings
from tests.web.dial import Desk
from tests.web.fake import FakePhone, answered
from tests.web.orders import activate, missed


@pytest.fixture
async def desk(database: Database, settings: Settings, tmp_path: Path) -> AsyncIterator[Desk]:
    with Desk(database, settings, FakePhone(tmp_path / "data" / "recordings")).open() as opened:
        yield opened


async def test_two_calls_that_nobody_answers_become_a_case(desk: Desk) -> None:
    async with desk.database.unit_of_work() as session:
        await activate(session, "baoji-2022")
    unit, line = await desk.unit("1")
    async with desk.database.unit_of_work() as session:
        (await session.merge(unit)).category = "county"
    desk.phone.records[line.target] = missed()
    check_id = await desk.order(line)
    await desk.call()
    async with desk.database.reading() as session:
        assert (await session.scalars(select(StoredProposal))).all() == []
    assert await desk.pass_by(14) == 1
    check = await desk.check(check_id)
    async with desk.database.reading() as session:
        (case,) = (await session.scalars(select(Case))).all()
    assert (check.state, check.code, check.adverse) == ("done", "no_answer", True)
    assert (case.code, case.check_id, case.state) == ("no_answer", check_id, "to_review")
    assert [call["number"] for call in case.proposal["attempts"]] == [1, 2]


async def test_the_offices_own_limits_read_the_call_and_judge_the_order(desk: Desk) -> None:
    async with desk.database.unit_of_work() as session:
        await activate(session, "baoji-2022", limits={"finding_s": 30})
    _, line = await desk.unit("1")
    desk.phone.records[line.target] = answered(line.target, 24_000.0)
    await desk.order(line)
    await desk.call()
    async with desk.database.reading() as session:
        (verdict,) = (await session.scalars(select(StoredVerdict))).all()
        (proposal,) = (await session.scalars(select(StoredProposal))).all()
    assert (verdict.code, verdict.content["limits"]["finding_s"]) == ("slow_review", 30.0)
    assert (proposal.code, proposal.content["limits"]["finding_s"]) == ("slow_review", 30.0)
