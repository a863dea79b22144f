"""Repeats (复拨) as the ledger keeps them: planned when a call ends, due by the clock, closed in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.checks import stops
from app.checks.engine import Released
from app.checks.models import SpotCheck
from app.database import Database
from app.directory.models import DutyLine, UnitExemption
from app.planning.models import Plan
from app.settings import Settings
from tests.web.dial import NOON, Desk
from tests.web.fake import FakePhone, answered, unanswered


@pytest.fixture
async def desk(either: Database, either_settings: Settings, tmp_path: Path) -> AsyncIterator[Desk]:
    with Desk(either, either_settings, FakePhone(tmp_path / "data" / "recordings")).open() as opened:
        yield opened


@pytest.fixture
async def small(database: Database, settings: Settings, tmp_path: Path) -> AsyncIterator[Desk]:
    with Desk(database, settings, FakePhone(tmp_path / "data" / "recordings")).open() as opened:
        yield opened


def says(desk: Desk, line: DutyLine, outcome: str | None, **changes: Any) -> None:
    """From now on the line's calls end so; None: they are answered."""
    record = answered(line.target) if outcome is None else unanswered(line.target, outcome, **changes)
    desk.phone.records[line.target] = record


async def test_twice_unanswered_ends_an_order(desk: Desk) -> None:
    _, line = await desk.unit("1")
    says(desk, line, "no_answer", trunk="main")
    check_id = await desk.order(line)
    assert await desk.call() == 1
    check = await desk.check(check_id)
    assert (check.state, check.closed_at, check.first_due_at) == ("retry", None, NOON)
    (first,) = await desk.attempts()
    assert first.ended_at is not None
    assert timedelta(minutes=10) <= check.due_at - first.ended_at <= timedelta(minutes=13, seconds=1)
    assert await desk.pass_by(9) == 0
    assert (await desk.check(check_id)).state == "retry"
    assert await desk.pass_by(6) == 1
    check = await desk.check(check_id)
    assert (check.state, check.closed_at, check.closed_why) == ("done", desk.now, "twice_unanswered")
    assert [attempt.number for attempt in await desk.attempts()] == [1, 2]
    # The second call left by another trunk, where there is one.
    assert [order.avoid_trunk for order in desk.phone.orders] == [None, "main"]
    assert await desk.pass_by(60) == 0


async def test_missed_then_answered(desk: Desk) -> None:
    _, line = await desk.unit("1")
    says(desk, line, "no_answer")
    check_id = await desk.order(line)
    await desk.call()
    says(desk, line, None)
    assert await desk.pass_by(14) == 1
    check = await desk.check(check_id)
    assert (check.state, check.closed_why) == ("done", "settled")


async def test_engaged_three_times_within_the_hour(small: Desk) -> None:
    _, line = await small.unit("1")
    says(small, line, "busy")
    check_id = await small.order(line)
    await small.call()
    assert [await small.pass_by(14) for _ in range(3)] == [1, 1, 0]
    check = await small.check(check_id)
    assert (check.state, check.closed_why) == ("done", "cap")
    assert small.now - check.first_due_at < timedelta(hours=1)


async def test_a_failure_of_ours_asks_for_another_call_and_counts_for_nothing(small: Desk) -> None:
    _, line = await small.unit("1")
    small.phone.records[line.target] = RuntimeError("no socket")
    check_id = await small.order(line)
    await small.call()
    assert (await small.check(check_id)).state == "retry"
    says(small, line, "no_answer")
    assert await small.pass_by(14) == 1
    assert (await small.check(check_id)).state == "retry"
    assert await small.pass_by(14) == 1
    assert (await small.check(check_id)).closed_why == "twice_unanswered"


async def test_a_repeat_that_comes_too_late_is_not_dialled(desk: Desk) -> None:
    _, line = await desk.unit("1")
    says(desk, line, "no_answer")
    check_id = await desk.order(line)
    await desk.call()
    assert await desk.pass_by(60) == 0
    check = await desk.check(check_id)
    assert (check.state, check.closed_why) == ("done", "late")
    assert len(desk.phone.dialled) == 1


@pytest.mark.parametrize("what", ["stop", "exemption", "line", "plan"])
async def test_who_must_not_be_called_any_more_is_closed_with_the_call_there_was(
    small: Desk, what: str
) -> None:
    unit, line = await small.unit("1")
    says(small, line, "no_answer")
    check_id = await small.order(line)
    async with small.database.unit_of_work() as session:
        plan = Plan(name="月抽查", created_at=clock.now())
        session.add(plan)
        await session.flush()
        check = await session.get(SpotCheck, check_id)
        assert check is not None
        check.plan_id = plan.id
    await small.call()
    async with small.database.unit_of_work() as session:
        if what == "stop":
            await stops.place_stop(session, unit.id, "信访突发", "王督查")
        elif what == "exemption":
            session.add(emergency(unit.id))
        elif what == "line":
            (await session.merge(line)).active = False
        else:
            (await session.merge(plan)).state = "cancelled"
    assert await small.pass_by(14) == 0
    check = await small.check(check_id)
    expected = {"stop": "stopped", "exemption": "emergency"}.get(what, what)
    assert (check.state, check.closed_why) == ("done", expected)
    assert len(small.phone.dialled) == 1


def emergency(unit_id: int) -> UnitExemption:
    return UnitExemption(
        unit_id=unit_id,
        kind="emergency",
        first_at=clock.now(),
        reason="抢险",
        entered_by="李值守",
        entered_at=clock.now(),
    )


async def test_the_first_call_of_who_must_not_be_called_is_withdrawn(desk: Desk) -> None:
    """No attempt is written, so there is nothing that could look like a missed call."""
    stopped_unit, stopped_line = await desk.unit("1")
    exempted_unit, exempted_line = await desk.unit("2")
    _, denied_line = await desk.unit("3")
    desk.phone.forbidden = frozenset({denied_line.target})
    ids = [await desk.order(line) for line in (stopped_line, exempted_line, denied_line)]
    async with desk.database.unit_of_work() as session:
        await stops.place_stop(session, stopped_unit.id, "试机", "王督查")
        session.add(emergency(exempted_unit.id))
    assert await desk.call() == 0
    found = [await desk.check(check_id) for check_id in ids]
    assert [(check.state, check.closed_why) for check in found] == [
        ("withdrawn", "stopped"),
        ("withdrawn", "emergency"),
        ("withdrawn", "never_dialled"),
    ]
    assert await desk.attempts() == []


async def test_a_handover_and_the_night_are_kept(small: Desk) -> None:
    """At 23:52 a repeat would lie in the night; at 11:40 it would lie beside the handover of 12:00."""
    _, line = await small.unit("1", handover_times=["12:00"])
    says(small, line, "no_answer")
    small.now = NOON - timedelta(minutes=20)
    check_id = await small.order(line)
    await small.call()
    check = await small.check(check_id)
    assert NOON + timedelta(minutes=15) <= check.due_at <= NOON + timedelta(minutes=18, seconds=1)
    _, other = await small.unit("2")
    says(small, other, "no_answer")
    small.now = NOON.replace(hour=15, minute=52)
    check_id = await small.order(other)
    await small.call()
    assert (await small.check(check_id)).closed_why == "night"


async def test_what_had_to_wait_does_not_slide_into_the_night_or_a_handover(small: Desk) -> None:
    """A busy phone may call minutes late, but not at a time that nobody may be called at."""
    _, line = await small.unit("1")
    says(small, line, "no_answer")
    small.now = NOON.replace(hour=15, minute=45)
    repeat = await small.order(line)
    await small.call()
    _, other = await small.unit("2", handover_times=["00:30"])
    _, meant = await small.unit("3")
    small.now = NOON.replace(hour=15, minute=57)
    first = await small.order(other)
    async with small.database.unit_of_work() as session:
        check = await session.get(SpotCheck, repeat)
        assert check is not None
        check.due_at = small.now
    assert await small.engine.release(small.now) == Released(1, 0)
    small.now = NOON.replace(hour=16, minute=0)
    at_night = await small.order(meant)
    assert await small.call() == 1
    found = [await small.check(check_id) for check_id in (repeat, first, at_night)]
    assert [(check.state, check.closed_why) for check in found] == [
        ("done", "late"),
        ("missed", "late"),
        ("done", "settled"),
    ]
    _, guarded = await small.unit("4", handover_times=["12:00", "soon"])
    small.now = NOON - timedelta(minutes=16)
    check_id = await small.order(guarded)
    small.now += timedelta(minutes=2)
    assert await small.call() == 0
    assert (await small.check(check_id)).state == "missed"


@pytest.mark.parametrize("kind", ["demo", "verification"])
async def test_some_orders_are_called_once(small: Desk, kind: str) -> None:
    _, line = await small.unit("1")
    says(small, line, "no_answer")
    check_id = await small.order(line, kind=kind)
    await small.call()
    check = await small.check(check_id)
    assert (check.state, check.closed_at) == ("done", small.now)


async def test_a_number_is_verified_by_a_voice_and_given_up_after_three_calls(desk: Desk) -> None:
    _, line = await desk.unit("1")
    _, wrong = await desk.unit("2")
    async with desk.database.unit_of_work() as session:
        for row in (line, wrong):
            (await session.merge(row)).verification = "pending"
    says(desk, wrong, "unobtainable", sip_status=404, sip_reason="Not Found")
    for number in range(3):
        if number == 0:
            await desk.order(line, kind="verification")
        await desk.order(wrong, kind="verification")
        assert await desk.call() == (2 if number == 0 else 1)
        desk.now += timedelta(minutes=30)
    async with desk.database.reading() as session:
        found = [await session.get(DutyLine, row.id) for row in (line, wrong)]
    assert [row.verification for row in found if row] == ["verified", "failed"]


async def test_a_plan_says_how_often(small: Desk) -> None:
    _, line = await small.unit("1")
    says(small, line, "no_answer")
    check_id = await small.order(line)
    async with small.database.unit_of_work() as session:
        plan = Plan(name="单次", created_at=clock.now(), content={"retry": {"most_calls": 1}})
        session.add(plan)
        await session.flush()
        check = await session.get(SpotCheck, check_id)
        assert check is not None
        check.plan_id = plan.id
    await small.call()
    assert (await small.check(check_id)).closed_why == "cap"
