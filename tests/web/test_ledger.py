"""The attempt ledger and the dispatcher, with a small working phone behind the port."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from app.checks import repository, service
from app.checks.dispatcher import Dispatcher
from app.checks.engine import LedgerEngine
from app.checks.models import Attempt, CallFacts, SpotCheck, StoredVerdict
from app.checks.timekeeper import Timekeeper
from app.database import Database
from app.directory import service as directory
from app.directory.models import DutyLine
from app.phone_process import PhoneTakenError, make_clock, only_one
from app.settings import Settings
from tests.web.fake import FakePhone, answered, diverted, unanswered, write_tone


async def add_lines(database: Database, count: int) -> list[DutyLine]:
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        return [
            await directory.add_line(session, unit, f"0000-55501{n:02}", f"sip:{n}@127.0.0.1:5062")
            for n in range(1, count + 1)
        ]


async def order(database: Database, *lines: DutyLine) -> list[int]:
    async with database.unit_of_work() as session:
        return [(await service.order_now(session, line, "指定抽查")).id for line in lines]


async def attempts(database: Database) -> list[Attempt]:
    async with database.reading() as session:
        return list((await session.scalars(select(Attempt).order_by(Attempt.id))).all())


async def check_states(database: Database) -> list[str]:
    async with database.reading() as session:
        return list((await session.scalars(select(SpotCheck.state).order_by(SpotCheck.id))).all())


@pytest.fixture
def phone(tmp_path: Path) -> FakePhone:
    return FakePhone(tmp_path / "data" / "recordings")


async def test_a_due_check_is_called_once_and_its_facts_are_stored(
    either: Database, either_settings: Settings, phone: FakePhone
) -> None:
    (line,) = await add_lines(either, 1)
    (check_id,) = await order(either, line)
    dispatcher = Dispatcher(either, phone, either_settings)
    assert await dispatcher.place_due() == 1
    await dispatcher.idle()
    assert await dispatcher.place_due() == 0
    assert phone.dialled == ["sip:1@127.0.0.1:5062"]
    async with either.reading() as session:
        check = await repository.check(session, check_id)
    assert check is not None
    attempt = check.attempts[0]
    assert (check.state, attempt.state, attempt.verdict_code) == ("done", "finished", "within")
    assert attempt.facts is not None
    assert attempt.facts.content["schema"] == "dutyring.call/1"
    assert attempt.facts.content["call_id"] == attempt.call_id
    assert attempt.recording is not None
    assert attempt.recording.duration_ms == attempt.facts.content["ended_ms"]
    assert [event.state for event in attempt.events] == ["claimed", "dialling", "connected", "finished"]
    assert attempt.verdicts[0].content["code"] == "within"


async def test_the_attempt_is_committed_before_anything_is_sent(
    either: Database, either_settings: Settings, phone: FakePhone
) -> None:
    seen: list[list[str]] = []

    class Watching(FakePhone):
        async def place(self, order, journal):
            seen.append([row.state for row in await attempts(either)])
            return await super().place(order, journal)

    (line,) = await add_lines(either, 1)
    await order(either, line)
    dispatcher = Dispatcher(either, Watching(phone.folder), either_settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    assert seen == [["claimed"]]


async def test_one_live_attempt_per_line_whoever_claims(either: Database) -> None:
    (line,) = await add_lines(either, 1)
    check_ids = await order(either, *[line] * 10)

    async def claim(check_id: int) -> bool:
        try:
            async with either.unit_of_work() as session:
                return await service.claim(session, check_id, f"owner-{check_id}") is not None
        except IntegrityError:
            return False

    won = await asyncio.gather(*(claim(check_id) for check_id in check_ids))
    assert sum(won) == 1
    assert (await check_states(either)).count("due") == 9


async def test_one_check_is_claimed_by_one_process(either: Database) -> None:
    (line,) = await add_lines(either, 1)
    (check_id,) = await order(either, line)

    async def claim(owner: str) -> bool:
        async with either.unit_of_work() as session:
            return await service.claim(session, check_id, owner) is not None

    results = await asyncio.gather(*(claim(f"owner-{n}") for n in range(8)), return_exceptions=True)
    assert [result for result in results if result is True] == [True]
    assert len(await attempts(either)) == 1


async def test_the_table_itself_refuses_a_second_live_attempt(either: Database) -> None:
    (line,) = await add_lines(either, 1)
    first, second = await order(either, line, line)
    async with either.unit_of_work() as session:
        await service.claim(session, first, "a")
    copy = text(
        "INSERT INTO attempts (check_id, number, line_id, unit_id, target, state, owner, claimed_at) "
        "SELECT :check, 1, line_id, unit_id, target, :state, owner, claimed_at FROM attempts"
    )
    for state in ("claimed", "dialling", "ringing", "connected"):
        with pytest.raises(IntegrityError):
            async with either.unit_of_work() as session:
                await session.execute(copy, {"check": second, "state": state})
    async with either.unit_of_work() as session:
        await session.execute(copy, {"check": second, "state": "finished"})


async def test_two_orders_of_a_line_are_called_one_after_the_other(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    one, two = await add_lines(database, 2)
    await order(database, one, one, two)
    phone.hold = asyncio.Event()
    dispatcher = Dispatcher(database, phone, settings)
    assert await dispatcher.place_due() == 2
    assert await dispatcher.place_due() == 0
    phone.hold.set()
    await dispatcher.idle()
    assert await dispatcher.place_due() == 1
    await dispatcher.idle()
    assert sorted(phone.dialled) == [one.target, one.target, two.target]
    assert await check_states(database) == ["done"] * 3


async def test_concurrency_is_limited(database: Database, settings: Settings, phone: FakePhone) -> None:
    await order(database, *await add_lines(database, 7))
    phone.hold = asyncio.Event()
    limited = settings.model_copy(update={"concurrency": 3})
    dispatcher = Dispatcher(database, phone, limited)
    assert await dispatcher.place_due() == 3
    assert await dispatcher.place_due() == 0
    while len(phone.dialled) < 3:
        await asyncio.sleep(0.01)
    phone.hold.set()
    while await dispatcher.place_due() or "due" in await check_states(database):
        await dispatcher.idle()
    await dispatcher.idle()
    assert phone.most_at_once == 3
    assert len(phone.dialled) == 7


async def test_a_failure_of_our_own_is_no_finding(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    one, two = await add_lines(database, 2)
    phone.records = {one.target: RuntimeError("no socket"), two.target: diverted(two.target)}
    await order(database, one, two)
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    failed, forwarded = await attempts(database)
    assert (failed.state, failed.verdict_code, failed.needs_review) == ("failed", "our_side", False)
    assert failed.error is not None
    assert "no socket" in failed.error
    assert (forwarded.verdict_code, forwarded.needs_review) == ("forwarded", True)


async def test_a_media_engine_that_died_interrupts_the_call(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    (line,) = await add_lines(database, 1)
    lost = answered(line.target, 30_000.0, interrupted=True, our_failure=True, errors=("media engine lost",))
    phone.records = {line.target: lost}
    await order(database, line)
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    (attempt,) = await attempts(database)
    assert (attempt.state, attempt.verdict_code, attempt.error) == (
        "interrupted",
        "interrupted",
        "media engine lost",
    )
    assert await dispatcher.recover() == 0
    assert phone.byes == []


async def test_exemption_of_the_day_reaches_the_verdict(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    one, two = await add_lines(database, 2)
    today = datetime.now(settings.zone).date()
    async with database.unit_of_work() as session:
        await directory.exempt(session, one, "forwarding", today, "夜间准予转移")
        past = today - timedelta(days=9)
        await directory.exempt(session, two, "forwarding", past, "已过期", last_day=today - timedelta(days=1))
    phone.records = {line.target: diverted(line.target) for line in (one, two)}
    await order(database, one, two)
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    assert [attempt.verdict_code for attempt in await attempts(database)] == ["within", "forwarded"]


async def test_a_dead_process_leaves_interrupted_attempts_and_nothing_is_redialled(
    either: Database, either_settings: Settings, phone: FakePhone
) -> None:
    one, two = await add_lines(either, 2)
    await order(either, one, two)
    async with either.unit_of_work() as session:
        first = await service.claim(session, 1, "dead")
        await service.claim(session, 2, "dead")
        assert first is not None
        await service.journal(session, first.id, {"state": "connected", "call_id": "left-behind"})
    name = service.recording_name(first)
    phone.repaired = {name: write_tone(phone.folder, name, 2500.0)}
    dispatcher = Dispatcher(either, phone, either_settings)
    assert await dispatcher.recover() == 2
    assert phone.byes == [{"state": "connected", "call_id": "left-behind"}]
    assert await dispatcher.place_due() == 0
    assert phone.dialled == []
    left = await attempts(either)
    assert [(row.state, row.verdict_code, row.needs_review) for row in left] == [
        ("interrupted", "interrupted", False)
    ] * 2
    assert left[0].released_at is not None
    async with either.reading() as session:
        check = await repository.check(session, 1)
    assert check is not None
    assert check.attempts[0].recording is not None
    assert check.attempts[0].recording.repaired
    # The line can be called again, by a new order.
    await order(either, one)
    assert await dispatcher.place_due() == 1
    await dispatcher.idle()
    assert phone.dialled == [one.target]
    assert await Dispatcher(either, phone, either_settings).recover() == 0
    assert len(phone.byes) == 1


async def test_a_far_end_that_was_not_told_is_told_by_the_next_start(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    (line,) = await add_lines(database, 1)
    await order(database, line)
    async with database.unit_of_work() as session:
        attempt = await service.claim(session, 1, "dead")
        assert attempt is not None
        await service.journal(session, attempt.id, {"state": "connected", "call_id": "x"})
    async with database.unit_of_work() as session:
        for row in await repository.live_of_others(session, "second"):
            await service.interrupt(session, row, None, settings)
    # The second process died here, before its BYE.
    assert await Dispatcher(database, phone, settings).recover() == 0
    assert [bye["call_id"] for bye in phone.byes] == ["x"]


async def test_stopping_concludes_the_calls_under_way(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    await order(database, *await add_lines(database, 2))
    phone.hold = asyncio.Event()
    dispatcher = Dispatcher(database, phone, settings)
    running = asyncio.create_task(dispatcher.run())
    while len(phone.dialled) < 2:
        await asyncio.sleep(0.01)
    await dispatcher.stop()
    await running
    async with database.reading() as session:
        checks = [await repository.check(session, check_id) for check_id in (1, 2)]
    for attempt in (check.attempts[0] for check in checks if check is not None):
        assert (attempt.state, attempt.verdict_code) == ("interrupted", "interrupted")
        assert attempt.facts is not None
        assert attempt.facts.content["outcome"] == "cancelled"
        assert attempt.recording is not None
        assert not attempt.recording.repaired
        (finding,) = attempt.verdicts[0].content["findings"]
        assert finding["detail"] == "本机拨测程序停止，本次拨测到此为止"
        assert attempt.released_at is not None
    # They hung up by themselves: the next start has nobody to tell and nothing to conclude.
    assert await Dispatcher(database, phone, settings).recover() == 0
    assert phone.byes == []


async def test_what_an_operator_stopped_is_cancelled(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    (line,) = await add_lines(database, 1)
    phone.records = {line.target: unanswered(line.target, "cancelled", ended_by="us")}
    await order(database, line)
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    (attempt,) = await attempts(database)
    assert (attempt.state, attempt.verdict_code) == ("finished", "cancelled")


async def test_a_phone_that_does_not_hang_up_is_cut_off(
    database: Database, settings: Settings, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.checks.dispatcher.HANG_UP_PATIENCE_S", 0.05)
    monkeypatch.setattr(phone, "stop", lambda: None)
    await order(database, *await add_lines(database, 2))
    phone.hold = asyncio.Event()
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    async with asyncio.timeout(20.0):
        while phone.at_once < 2:
            await asyncio.sleep(0.01)
    await dispatcher.stop()
    cut = await attempts(database)
    assert {(row.state, row.verdict_code) for row in cut} == {("interrupted", "interrupted")}
    # Nobody knows whether the far ends were told: the next start tells them.
    assert await Dispatcher(database, phone, settings).recover() == 0
    assert {bye["call_id"] for bye in phone.byes} == {row.call_id for row in cut}


async def test_an_attempt_is_concluded_once(database: Database, settings: Settings) -> None:
    (line,) = await add_lines(database, 1)
    await order(database, line)
    async with database.unit_of_work() as session:
        attempt = await service.claim(session, 1, "a")
        assert attempt is not None
    async with database.unit_of_work() as session:
        await service.finish(session, attempt.id, unanswered(line.target, "busy"), settings)
    with pytest.raises(ValueError, match="already finished"):
        async with database.unit_of_work() as session:
            await service.fail(session, attempt.id, "late", settings)
    async with database.reading() as session:
        for model in (CallFacts, StoredVerdict):
            assert await session.scalar(select(func.count()).select_from(model)) == 1


async def test_an_emergency_number_that_reached_the_table_is_withdrawn_not_dialled(
    database: Database, settings: Settings, phone: FakePhone
) -> None:
    (line,) = await add_lines(database, 1)
    async with database.unit_of_work() as session:
        await session.execute(text("UPDATE duty_lines SET target = 'tel:+86110'"))
    await order(database, line)
    dispatcher = Dispatcher(database, phone, settings)
    assert await dispatcher.place_due() == 0
    assert await check_states(database) == ["withdrawn"]
    assert await attempts(database) == []
    assert phone.dialled == []


async def test_the_clock_releases_a_plan_and_counts_what_is_too_late(either: Database) -> None:
    now = datetime.now(UTC)
    lines = await add_lines(either, 4)
    moments = [now - timedelta(hours=2), now - timedelta(seconds=5), now, now + timedelta(hours=1)]
    async with either.unit_of_work() as session:
        plan = await service.add_plan(session, "国庆夜间", zip(lines, moments, strict=True))
    async with either.unit_of_work() as session:
        assert await service.release_due(session, now, grace_s=300) == (2, 1)
    assert await check_states(either) == ["missed", "due", "due", "planned"]
    async with either.unit_of_work() as session:
        (await session.merge(plan)).running = False
    async with either.unit_of_work() as session:
        assert await service.release_due(session, now + timedelta(hours=1), grace_s=300) == (0, 0)


async def test_the_scheduler_runs_the_release(database: Database, settings: Settings) -> None:
    lines = await add_lines(database, 1)
    async with database.unit_of_work() as session:
        await service.add_plan(session, "即时", [(lines[0], datetime.now(UTC))])
    engine = LedgerEngine(database, settings, "clock")
    woken = asyncio.Event()
    clock = make_clock(Timekeeper(database, engine, woken.set), settings)
    clock.start()
    try:
        async with asyncio.timeout(10):
            while await check_states(database) != ["due"]:
                await asyncio.sleep(0.05)
    finally:
        clock.shutdown(wait=False)
    # Whoever waits for something to call is told at once.
    assert woken.is_set()


def test_only_one_phone_process_on_a_folder(settings: Settings) -> None:
    with (
        only_one(settings),
        pytest.raises(PhoneTakenError, match="another phone process"),
        only_one(settings),
    ):
        pass
    with only_one(settings):
        pass
