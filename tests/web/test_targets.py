"""Targets of an attempt in the ledger: one row for each INVITE, one open at a time, one alert at most."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.checks import repository, service
from app.checks.dispatcher import Dispatcher
from app.checks.models import Attempt, AttemptTarget
from app.checks.ports import CallOrder, Journal
from app.checks.targets import SecondAlertError
from app.database import Database
from app.settings import Settings
from sip.record import CallRecord
from tests.web.apps import make_app
from tests.web.fake import FakePhone, answered
from tests.web.test_ledger import add_lines, attempts, order


def said(number: int, trunk: str, state: str = "Calling", **more: Any) -> dict[str, Any]:
    """What the phone writes down of one target."""
    return {
        "position": number - 1,
        "trunk": trunk,
        "state": state,
        "call_id": f"call-{number}",
        "request_uri": f"sip:0917555{number}@{trunk}.example",
        "dialogs": [],
        **more,
    }


async def targets(database: Database) -> list[AttemptTarget]:
    async with database.reading() as session:
        return list((await session.scalars(select(AttemptTarget).order_by(AttemptTarget.id))).all())


async def claimed(database: Database) -> Attempt:
    (line,) = await add_lines(database, 1)
    (check_id,) = await order(database, line)
    async with database.unit_of_work() as session:
        attempt = await service.claim(session, check_id, "dead")
    assert attempt is not None
    return attempt


async def tell(database: Database, attempt: Attempt, snapshot: dict[str, Any]) -> None:
    async with database.unit_of_work() as session:
        await service.journal(session, attempt.id, snapshot)


@dataclass
class TwoTrunks(FakePhone):
    """Its first trunk gives nothing but a 100; its second one answers."""

    seen: list[list[tuple[str, bool]]] = field(default_factory=list)
    """The ledger as it stood when each INVITE left: each target's trunk, and whether it is open."""
    database: Database | None = None

    async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
        assert self.database is not None
        for number, trunk in enumerate(("main", "backup"), 1):
            await journal(said(number, trunk))
            rows = await targets(self.database)
            self.seen.append([(row.trunk or "", row.ended_at is None) for row in rows])
            self.dialled.append(trunk)
        await journal(said(2, "backup", "Answered", dialogs=[{"remote_tag": "x"}]))
        return replace(answered(order.target), call_id="call-2")


async def test_each_target_is_a_row_before_its_invite_leaves(
    either: Database, either_settings: Settings, tmp_path: Path
) -> None:
    (line,) = await add_lines(either, 1)
    await order(either, line)
    phone = TwoTrunks(tmp_path, database=either)
    dispatcher = Dispatcher(either, phone, either_settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    assert phone.seen == [[("main", True)], [("main", False), ("backup", True)]]
    first, second = await targets(either)
    assert (first.position, first.outcome, first.alerted) == (1, "passed_on", False)
    assert first.uri == "sip:09175551@main.example"
    assert (second.position, second.outcome, second.alerted) == (2, "answered", True)
    assert (second.call_id, second.sip_status) == ("call-2", 200)
    assert None not in (first.ended_at, first.released_at, second.ended_at, second.released_at)
    (attempt,) = await attempts(either)
    assert (attempt.state, attempt.call_id) == ("finished", "call-2")
    # They ended in good order: no later start has anybody to tell.
    assert await Dispatcher(either, phone, either_settings).recover() == 0
    assert phone.byes == []


@pytest.mark.parametrize("state", ["Proceeding", "ringing", "connected"])
async def test_a_target_that_alerted_is_the_last_one(either: Database, state: str) -> None:
    attempt = await claimed(either)
    await tell(either, attempt, said(1, "main"))
    dialogs = [{"remote_tag": "a"}] if state == "Proceeding" else []
    await tell(either, attempt, said(1, "main", state, dialogs=dialogs))
    with pytest.raises(SecondAlertError):
        await tell(either, attempt, said(2, "backup"))
    (only,) = await targets(either)
    assert (only.alerted, only.ended_at) == (True, None)


async def test_a_refused_target_is_not_dialled_and_the_call_fails_on_our_side(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    class Overeager(FakePhone):
        async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
            await journal(said(1, "main", "ringing"))
            await journal(said(2, "backup"))
            self.dialled.append("backup")
            return answered(order.target)

    (line,) = await add_lines(database, 1)
    await order(database, line)
    phone = Overeager(tmp_path)
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    assert phone.dialled == []
    (attempt,) = await attempts(database)
    assert (attempt.state, attempt.verdict_code, attempt.needs_review) == ("failed", "our_side", False)


async def test_a_target_that_is_over_is_never_opened_again(either: Database) -> None:
    attempt = await claimed(either)
    await tell(either, attempt, said(1, "main"))
    await tell(either, attempt, said(2, "backup"))
    await tell(either, attempt, said(1, "main", "connected"))
    first, second = await targets(either)
    assert (first.outcome, first.alerted, second.ended_at) == ("passed_on", False, None)


async def test_the_table_itself_holds_one_open_target_and_one_alert(either: Database) -> None:
    attempt = await claimed(either)
    await tell(either, attempt, said(1, "main", "ringing"))
    copy = (
        "INSERT INTO attempt_targets (attempt_id, position, uri, started_at, alerted, ended_at) "
        "SELECT attempt_id, :position, uri, started_at, {alerted}, {ended} FROM attempt_targets"
    )
    for position, alerted, ended in (
        (2, "false", "NULL"),
        (2, "true", "started_at"),
        (1, "false", "started_at"),
    ):
        with pytest.raises(IntegrityError):
            async with either.unit_of_work() as session:
                await session.execute(text(copy.format(alerted=alerted, ended=ended)), {"position": position})
    async with either.unit_of_work() as session:
        await session.execute(text(copy.format(alerted="false", ended="started_at")), {"position": 2})


async def test_every_target_that_a_dead_process_left_is_told_and_none_is_redialled(
    either: Database, either_settings: Settings, tmp_path: Path
) -> None:
    attempt = await claimed(either)
    await tell(either, attempt, said(1, "main"))
    await tell(either, attempt, said(2, "backup"))
    await tell(either, attempt, said(2, "backup", "connected"))
    phone = FakePhone(tmp_path)
    dispatcher = Dispatcher(either, phone, either_settings)
    assert await dispatcher.recover() == 1
    assert sorted(bye["call_id"] for bye in phone.byes) == ["call-1", "call-2"]
    first, second = await targets(either)
    assert (first.outcome, second.outcome) == ("passed_on", "interrupted")
    assert None not in (first.released_at, second.released_at, second.ended_at)
    assert await dispatcher.place_due() == 0
    assert phone.dialled == []
    (row,) = await attempts(either)
    assert (row.state, row.verdict_code) == ("interrupted", "interrupted")
    assert row.released_at is not None
    assert await Dispatcher(either, phone, either_settings).recover() == 0
    assert len(phone.byes) == 2


async def test_a_target_that_could_not_be_told_is_told_by_the_next_start_alone(
    either: Database, either_settings: Settings, tmp_path: Path
) -> None:
    class Deaf(FakePhone):
        deaf = True

        async def recover(self, snapshot: dict[str, Any]) -> None:
            if self.deaf and snapshot["call_id"] == "call-1":
                raise OSError("network is unreachable")
            await super().recover(snapshot)

    attempt = await claimed(either)
    await tell(either, attempt, said(1, "main"))
    await tell(either, attempt, said(2, "backup", "connected"))
    phone = Deaf(tmp_path)
    assert await Dispatcher(either, phone, either_settings).recover() == 1
    assert [row.released_at is not None for row in await targets(either)] == [False, True]
    phone.deaf = False
    assert await Dispatcher(either, phone, either_settings).recover() == 0
    assert [bye["call_id"] for bye in phone.byes] == ["call-2", "call-1"]
    assert all(row.released_at is not None for row in await targets(either))


async def test_an_attempt_of_a_version_without_targets_is_told_too(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    attempt = await claimed(database)
    await tell(database, attempt, said(1, "main", "connected"))
    async with database.unit_of_work() as session:
        await session.execute(text("DELETE FROM attempt_targets"))
    phone = FakePhone(tmp_path)
    assert await Dispatcher(database, phone, settings).recover() == 1
    assert [bye["call_id"] for bye in phone.byes] == ["call-1"]


async def test_targets_stand_in_the_api(database: Database, settings: Settings, tmp_path: Path) -> None:
    (line,) = await add_lines(database, 1)
    (check_id,) = await order(database, line)
    dispatcher = Dispatcher(database, TwoTrunks(tmp_path, database=database), settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    app = make_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        told = (await client.get(f"/api/v1/checks/{check_id}")).json()
    await app.state.database.close()
    assert [(row["position"], row["trunk"], row["outcome"]) for row in told["attempts"][0]["targets"]] == [
        (1, "main", "passed_on"),
        (2, "backup", "answered"),
    ]
    async with database.reading() as session:
        check = await repository.check(session, check_id)
    assert check is not None
    assert [row.trunk for row in check.attempts[0].targets] == ["main", "backup"]


async def test_a_kill_between_two_targets_leaves_both_in_the_ledger(
    either: Database, either_settings: Settings, tmp_path: Path
) -> None:
    """The process ends between the row of the second target and its INVITE: nothing is dialled for it later."""

    class Killed(FakePhone):
        async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
            await journal(said(1, "main"))
            await journal(said(2, "backup"))
            await asyncio.Event().wait()
            raise AssertionError("not reached")

    (line,) = await add_lines(either, 1)
    await order(either, line)
    dead = Dispatcher(either, Killed(tmp_path), either_settings)
    await dead.place_due()
    while len(await targets(either)) < 2:
        await asyncio.sleep(0.01)
    phone = FakePhone(tmp_path)
    assert await Dispatcher(either, phone, either_settings).recover() == 1
    assert phone.dialled == []
    assert sorted(bye["call_id"] for bye in phone.byes) == ["call-1", "call-2"]
    assert [row.state for row in await attempts(either)] == ["interrupted"]
    await asyncio.wait_for(dead.stop(), 20)
