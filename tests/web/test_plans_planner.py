"""The planner on real databases: moments come due at their second, once, and are drawn anew where they cannot be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app import clock
from app.accounts.models import AuditEvent
from app.checks import alarms, stops
from app.checks.models import OfficeAlarm, SpotCheck
from app.database import Database
from app.directory.models import DutyLine, UnitExemption
from app.planning import designated, repository, service, verify
from app.planning.clockwork import Planner
from app.planning.designated import Designation
from app.planning.live_run import LiveRun
from app.settings import Settings
from tests.web.planning_office import (
    MORNING,
    HandClock,
    api,
    causes,
    close_all,
    enter_lines,
    enter_plan,
    enter_prompts,
    go_on,
    moments,
    orders,
    set_holiday,
    skips,
    start_plan,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
END = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[HandClock]:
    """A clock of the test's own, and seeds that are the same each time the tests are run."""
    seeds = count(1)
    monkeypatch.setattr("app.planning.sealed.new_seed", lambda: sha256(bytes([next(seeds)])).digest())
    found = HandClock()
    with clock.running(found):
        yield found


@pytest.fixture
async def office(database: Database, settings: Settings) -> Database:
    """Four units and approved prompts."""
    await enter_lines(database, 4)
    await enter_prompts(database, settings)
    return database


@pytest.fixture
async def either_office(either: Database, either_settings: Settings) -> Database:
    """The same in a database of each kind."""
    await enter_lines(either, 4)
    await enter_prompts(either, either_settings)
    return either


async def started(database: Database, settings: Settings, **changes: object) -> tuple[int, int]:
    plan_id = await enter_plan(database, **{"last_day": "2026-03-15"} | changes)
    run = await start_plan(database, settings, plan_id)
    return plan_id, run.id


async def verified(database: Database) -> tuple[str, ...]:
    async with database.reading() as session:
        stored = await verify.gather(session)
        found = [await verify.verify_run(session, item) for item in stored]
        whole = await verify.verify_whole(session, stored)
    return (*whole, *(fault for report in found for fault in report.faults))


async def test_each_moment_comes_due_at_its_second_and_once(
    either_office: Database, either_settings: Settings, hand: HandClock
) -> None:
    plan_id, run_id = await started(either_office, either_settings)
    slots = await moments(either_office, either_settings, run_id)
    assert len(slots) >= 8
    planner, twin = Planner(either_office, either_settings), Planner(either_office, either_settings)
    for number, slot in enumerate(slots):
        hand.at = slot.at - SECOND
        assert await planner.tick(hand.at) == 0
        hand.at = slot.at + timedelta(milliseconds=300)
        entered = [await each.tick(hand.at) for each in ((planner, twin) if number % 2 else (twin, planner))]
        assert entered == [1, 0]
        if number == 3:
            # The process dies: the next one draws the same moments from the sealed seed.
            planner = Planner(either_office, either_settings)
            assert await planner.tick(hand.at) == 0
        await close_all(either_office, hand)
    found = await orders(either_office)
    assert [(o.line_id, o.first_due_at, o.slot, o.epoch) for o in found] == [
        (s.line_id, s.at, s.slot, 0) for s in slots
    ]
    assert {(o.kind, o.state, o.plan_id, o.run_id) for o in found} == {("random", "done", plan_id, run_id)}
    assert await skips(either_office) == []
    hand.at = END
    await planner.tick(hand.at)
    async with either_office.reading() as session:
        run = await repository.run(session, run_id)
        plan = await repository.plan(session, plan_id)
    assert run is not None
    assert plan is not None
    assert (plan.state, plan.running, run.ended_why) == ("finished", False, "period over")
    assert run.seed is not None
    assert await verified(either_office) == ()
    assert await planner.tick(hand.at + HOUR) == 0


async def test_nobody_learns_a_coming_moment(
    office: Database, settings: Settings, hand: HandClock, capfd: pytest.CaptureFixture[str]
) -> None:
    plan_id, run_id = await started(office, settings)
    slots = await moments(office, settings, run_id)
    planner = Planner(office, settings)
    await planner.tick(hand.at)
    async with api(settings, office) as client:
        told = [
            (await client.get(f"/api/v1/plans{path}")).text
            for path in (
                "",
                f"/{plan_id}",
                f"/{plan_id}/draw",
                f"/{plan_id}/draw/1/slots",
                f"/{plan_id}/draw/1/inputs/0",
            )
        ]
        await client.post(f"/api/v1/plans/{plan_id}/pause", json={"reason": "x"})
        told.append((await client.get(f"/api/v1/plans/{plan_id}/preview")).text)
    async with office.reading() as session:
        told += [f"{row.detail} {row.subject}" for row in await session.scalars(select(AuditEvent))]
        run = await repository.run(session, run_id)
        assert run is not None
        assert (run.seed, run.revealed_at) == (None, None)
        told.append(run.sealed_seed)
    told.append(repr(planner._runs))
    told += capfd.readouterr()
    text = "\n".join(told)
    for slot in slots:
        local = slot.at.astimezone(settings.zone)
        for written in (
            str(int(slot.at.timestamp())),
            slot.at.strftime("%Y-%m-%dT%H:%M:%S"),
            f"{local:%m-%d %H:%M:%S}",
        ):
            assert written not in text
    assert await orders(office) == []


async def test_what_passed_while_nothing_ran_is_drawn_anew_and_never_in_a_burst(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    _, run_id = await started(office, settings)
    slots = await moments(office, settings, run_id)
    planner = Planner(office, settings)
    await go_on(planner, office, hand, slots[2].at + SECOND)
    made = len(await orders(office))
    # Down until the week's Saturday morning.
    back = datetime(2026, 3, 14, 0, 0, 1, tzinfo=UTC)
    missed = [slot for slot in slots[made:] if slot.at < back]
    assert missed
    hand.at = back
    planner = Planner(office, settings)
    assert await planner.tick(hand.at) == 0
    passed = await skips(office)
    assert {(s.line_id, s.at, s.why) for s in passed} >= {(s.line_id, s.at, "missed") for s in missed}
    assert len(await orders(office)) == made
    assert await causes(office, run_id) == ["start", f"missed:{len(passed)}"]
    anew = await moments(office, settings, run_id, 1)
    assert all(slot.at > back for slot in anew)
    owed = {s.line_id for s in missed} - {
        o.line_id for o in await orders(office) if o.first_due_at > datetime(2026, 3, 8, 16, tzinfo=UTC)
    }
    assert owed <= {slot.line_id for slot in anew if slot.at < datetime(2026, 3, 15, 16, tzinfo=UTC)}
    await go_on(planner, office, hand, END + 2 * HOUR)
    assert await verified(office) == ()


async def test_a_paused_plan_calls_nobody_and_draws_anew_when_it_goes_on(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    plan_id, run_id = await started(office, settings)
    slots = await moments(office, settings, run_id)
    planner = Planner(office, settings)
    await planner.tick(hand.at)
    async with office.unit_of_work() as session:
        await service.pause(session, plan_id, "会议", "boss")
    hand.at = slots[0].at
    assert await planner.tick(hand.at) == 0
    assert [s.why for s in await skips(office)] == ["paused"]
    async with office.unit_of_work() as session:
        await service.resume(session, plan_id, "会毕", "boss")
    hand.forward(minutes=20)
    await planner.tick(hand.at)
    assert await causes(office, run_id) == ["start", "paused:1"]
    entered = await go_on(planner, office, hand, END + 2 * HOUR)
    assert entered >= 8
    assert await verified(office) == ()


async def test_caps_count_designated_checks_and_the_check_is_drawn_anew(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    _, run_id = await started(office, settings)
    slot = (await moments(office, settings, run_id))[0]
    planner = Planner(office, settings)
    hand.at = slot.at - timedelta(minutes=30)
    await planner.tick(hand.at)
    async with office.unit_of_work() as session:
        await designated.order(session, settings, Designation("汛期", line_id=slot.line_id), "boss")
    await close_all(office, hand)
    hand.at = slot.at
    assert await planner.tick(hand.at) == 0
    assert [(s.slot, s.why) for s in await skips(office)] == [(slot.slot, "cap")]
    hand.at = max(hand.at, MORNING) + timedelta(hours=2, minutes=1)
    await planner.tick(hand.at)
    assert "cap:1" in (await causes(office, run_id))[1]
    # The designated check is none that the plan guarantees.
    anew = await moments(office, settings, run_id, 1)
    assert slot.line_id in {s.line_id for s in anew if s.at < datetime(2026, 3, 8, 16, tzinfo=UTC)}


async def test_stops_and_emergencies_keep_moments_from_being_called(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    _, run_id = await started(office, settings)
    first, *_ = await moments(office, settings, run_id)
    planner = Planner(office, settings)
    async with office.unit_of_work() as session:
        stop = await stops.place_stop(session, None, "演习", "boss")
    hand.at = first.at
    assert await planner.tick(hand.at) == 0
    async with office.unit_of_work() as session:
        await stops.lift_stop(session, stop.id, "完毕", "boss")
        line = await session.get(DutyLine, first.line_id)
        assert line is not None
        session.add(
            UnitExemption(
                unit_id=line.unit_id, line_id=None, kind="emergency", first_at=hand.at, last_at=None,
                reason="山洪", entered_by="boss", entered_at=hand.at,
            )
        )  # fmt: skip
    assert [s.why for s in await skips(office)] == ["stopped"]
    hand.forward(minutes=1)
    await planner.tick(hand.at)
    assert (await causes(office, run_id))[-1] == "exemptions"
    number = len(await causes(office, run_id)) - 1
    assert first.line_id not in {s.line_id for s in await moments(office, settings, run_id, number)}
    async with office.reading() as session:
        alarm = await session.scalar(select(OfficeAlarm).where(OfficeAlarm.kind == "coverage_short"))
    assert alarm is not None
    assert "caps" in alarm.detail or "no window" in alarm.detail
    entered = await go_on(planner, office, hand, END + 2 * HOUR)
    assert entered >= 6
    assert first.line_id not in {o.line_id for o in await orders(office)}
    assert await verified(office) == ()


async def test_changes_of_lines_and_calendar_redraw_the_remainder_only(
    either_office: Database, either_settings: Settings, hand: HandClock
) -> None:
    _, run_id = await started(either_office, either_settings)
    slots = await moments(either_office, either_settings, run_id)
    planner = Planner(either_office, either_settings)
    await go_on(planner, either_office, hand, datetime(2026, 3, 8, 14, 0, tzinfo=UTC))
    made = [o.id for o in await orders(either_office)]
    async with either_office.unit_of_work() as session:
        for day in range(9, 13):
            set_holiday(session, date(2026, 3, day), hand())
        line = await session.get(DutyLine, slots[0].line_id)
        assert line is not None
        line.active = False
    # The very second of a moment that the change closed: the change is seen first.
    closed = next(s for s in slots if s.at.astimezone(either_settings.zone).date() >= date(2026, 3, 9))
    hand.at = closed.at
    entered = await planner.tick(hand.at)
    reasons = (await causes(either_office, run_id))[-1]
    assert set(reasons.split(",")) >= {"calendar", "lines"}
    if closed.at.astimezone(either_settings.zone).date() <= date(2026, 3, 12):
        assert entered == 0
        assert [s.why for s in await skips(either_office)][-1] == "calendar"
    assert [o.id for o in await orders(either_office)][: len(made)] == made
    await go_on(planner, either_office, hand, END + 2 * HOUR)
    later = [o for o in await orders(either_office) if o.id not in made]
    days = {o.first_due_at.astimezone(either_settings.zone).date() for o in later if o.first_due_at}
    assert not days & {date(2026, 3, day) for day in range(9, 13)}
    assert line.id not in {o.line_id for o in later}
    assert {o.line_id for o in later} == {s.line_id for s in slots} - {line.id}
    assert await verified(either_office) == ()


async def test_a_number_that_is_not_verified_gets_a_verification_call_first(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    async with office.unit_of_work() as session:
        line = await session.get(DutyLine, 1)
        assert line is not None
        line.verification = "pending"
    _, run_id = await started(office, settings)
    planner = Planner(office, settings)
    slot = next(s for s in await moments(office, settings, run_id) if s.line_id == 1)
    await go_on(planner, office, hand, slot.at)
    call = (await orders(office))[-1]
    assert (call.line_id, call.kind, call.slot, call.first_due_at) == (1, "verification", slot.slot, slot.at)
    async with office.unit_of_work() as session:
        line = await session.get(DutyLine, 1)
        assert line is not None
        line.verification = "verified"
    await close_all(office, hand)
    await go_on(planner, office, hand, hand.at + timedelta(hours=2, minutes=1))
    assert "verification:1" in (await causes(office, run_id))[-1]
    await go_on(planner, office, hand, END + 2 * HOUR)
    assert [o.kind for o in await orders(office) if o.line_id == 1][:3] == [
        "verification",
        "random",
        "random",
    ]
    assert await verified(office) == ()


async def test_calls_that_were_our_own_fault_are_owed_still(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    _, run_id = await started(office, settings)
    planner = Planner(office, settings)
    slot = (await moments(office, settings, run_id))[0]
    await go_on(planner, office, hand, slot.at, code="our_side")
    hand.forward(hours=2, minutes=1)
    await planner.tick(hand.at)
    assert "uncounted:1" in (await causes(office, run_id))[-1]
    anew = await moments(office, settings, run_id, 1)
    assert slot.line_id in {s.line_id for s in anew if s.at < datetime(2026, 3, 8, 16, tzinfo=UTC)}


async def test_nothing_is_entered_by_a_wrong_clock(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    _, run_id = await started(office, settings)
    first, second, *_ = await moments(office, settings, run_id)
    planner = Planner(office, settings)
    async with office.unit_of_work() as session:
        await alarms.raise_alarm(session, "clock_off", "", "1.4 s")
    hand.at = first.at
    assert await planner.tick(hand.at) == 0
    assert await skips(office) == []
    async with office.unit_of_work() as session:
        await alarms.clear_alarm(session, "clock_off")
    hand.forward(seconds=40)
    assert await planner.tick(hand.at) == 1
    async with office.unit_of_work() as session:
        await alarms.raise_alarm(session, "clock_off", "", "1.4 s")
    hand.at = second.at
    assert await planner.tick(hand.at) == 0
    hand.forward(seconds=settings.misfire_grace_s + 1)
    assert await planner.tick(hand.at) == 0
    assert await skips(office) == []
    async with office.unit_of_work() as session:
        await alarms.clear_alarm(session, "clock_off")
    assert await planner.tick(hand.at) == 0
    assert [(s.slot, s.why) for s in await skips(office)] == [(second.slot, "clock")]


async def test_a_clock_that_jumps_ahead_and_back_loses_no_moment_and_reveals_no_seed(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    """Else a wrong clock for a second would let a whole plan pass, or keep it silent until that time comes."""
    plan_id, run_id = await started(office, settings)
    coming = await moments(office, settings, run_id)
    planner = Planner(office, settings)
    assert await planner.tick(hand.at) == 0
    async with office.unit_of_work() as session:
        await alarms.raise_alarm(session, "clock_off", "", "jumped")
    for ahead in (timedelta(days=3), timedelta(days=90)):
        assert await planner.tick(MORNING + ahead) == 0
    assert (await skips(office), await causes(office, run_id)) == ([], ["start"])
    async with office.unit_of_work() as session:
        assert (await service.get(session, plan_id)).state == "running"
        assert [run.seed for run in await repository.runs(session, [plan_id])] == [None]
        await alarms.clear_alarm(session, "clock_off")
    await go_on(planner, office, hand, END)
    assert [(o.line_id, o.first_due_at) for o in await orders(office)] == [(s.line_id, s.at) for s in coming]
    assert await verified(office) == ()


async def test_a_draw_that_takes_long_goes_on_beside_the_ticks(
    database: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_lines(database, 3)
    await enter_prompts(database, settings)
    _, run_id = await started(database, settings)
    slot = (await moments(database, settings, run_id))[0]
    planner = Planner(database, settings, patience_s=0)
    hand.at = slot.at
    assert await planner.tick(hand.at) == 0
    while planner.next_at() is None and not await orders(database):
        await asyncio.sleep(0.01)
        await planner.tick(hand.forward(seconds=1))
    (order,) = await orders(database)
    assert (order.slot, order.first_due_at) == (slot.slot, slot.at)


async def test_a_seed_that_cannot_be_opened_is_an_alarm_and_calls_nobody(
    database: Database, settings: Settings, hand: HandClock
) -> None:
    await enter_lines(database, 2)
    await enter_prompts(database, settings)
    _, run_id = await started(database, settings)
    _, other_id = await started(database, settings)
    slots = await moments(database, settings, other_id)
    async with database.unit_of_work() as session:
        run = await repository.run(session, run_id)
        assert run is not None
        kept, run.commitment = run.commitment, "0" * 64
    planner = Planner(database, settings)
    hand.at = slots[0].at
    assert await planner.tick(hand.at) == 1
    assert {o.run_id for o in await orders(database)} == {other_id}
    async with database.unit_of_work() as session:
        (alarm,) = await alarms.standing(session, "draw_broken")
        assert alarm.subject == "plan:1"
        assert "committed" in alarm.detail
        run = await repository.run(session, run_id)
        assert run is not None
        run.commitment = kept
    hand.forward(minutes=11)
    await planner.tick(hand.at)
    async with database.reading() as session:
        assert await alarms.standing(session, "draw_broken") == []


async def test_a_cancelled_plan_reveals_its_seed_and_may_be_started_again(
    office: Database, settings: Settings, hand: HandClock
) -> None:
    plan_id, run_id = await started(office, settings)
    slots = await moments(office, settings, run_id)
    planner = Planner(office, settings)
    hand.at = slots[0].at
    await planner.tick(hand.at)
    async with office.unit_of_work() as session:
        await service.cancel(session, plan_id, "重新安排", "boss")
    hand.forward(seconds=5)
    again = await start_plan(office, settings, plan_id)
    assert again.number == 2
    # The order of the first run is still open: its seed stays sealed.
    hand.forward(minutes=1)
    await planner.tick(hand.at)
    async with office.reading() as session:
        first = await repository.run(session, run_id)
        assert first is not None
        assert first.seed is None
    await close_all(office, hand)
    hand.forward(minutes=1)
    await planner.tick(hand.at)
    async with office.reading() as session:
        first = await repository.run(session, run_id)
        assert first is not None
        assert first.seed is not None
        assert first.ended_why == "cancelled: 重新安排"
    async with api(settings, office) as client:
        told = (await client.get(f"/api/v1/plans/{plan_id}")).json()
    assert (told["state"], told["starts"]) == ("running", 2)
    assert [run["seed"] is None for run in told["runs"]] == [False, True]
    await go_on(planner, office, hand, END + 2 * HOUR)
    assert await verified(office) == ()
    async with office.reading() as session:
        of_first = await session.scalars(select(SpotCheck).where(SpotCheck.run_id == run_id))
        assert len(of_first.all()) == 1
    assert json.dumps(told).count(first.seed) == 1


async def test_what_passed_just_before_a_plan_is_cancelled_is_accounted_for(
    office: Database, settings: Settings, hand: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is cancelled while the planner is about to enter a moment, and the first try to end the run fails."""
    plan_id, run_id = await started(office, settings)
    first, *_ = await moments(office, settings, run_id)
    planner = Planner(office, settings)
    await planner.tick(hand.at)
    hand.at = first.at + SECOND
    notice = planner._notice_changes

    async def cancelled_meanwhile(live: Sequence[LiveRun], now: datetime) -> list[LiveRun]:
        found = await notice(live, now)
        async with office.unit_of_work() as session:
            await service.cancel(session, plan_id, "取消", "boss")
        return found

    def fails(*_: object) -> str:
        raise OperationalError("", {}, Exception("disk full"))

    with monkeypatch.context() as patched:
        patched.setattr(planner, "_notice_changes", cancelled_meanwhile)
        patched.setattr("app.planning.sealed.last_link", fails)
        with pytest.raises(OperationalError):
            await planner.tick(hand.at)
    hand.forward(minutes=1)
    await planner.tick(hand.at)
    assert [(s.slot, s.why) for s in await skips(office)] == [(first.slot, "cancelled")]
    assert await verified(office) == ()


def test_morning_is_a_workday() -> None:
    assert MORNING.weekday() == 2
