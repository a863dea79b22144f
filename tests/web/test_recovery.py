"""What a start of the phone process makes good: far ends nobody told, sound nobody attached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DataError

from app.checks import repository, service
from app.checks.dispatcher import Dispatcher
from app.checks.models import Attempt
from app.database import Database
from app.errors import BadInputError
from app.settings import Settings
from sip.core import LocalProtocolError
from sip.record import RecordingInfo
from tests.web.fake import FakePhone, answered, write_tone
from tests.web.test_ledger import add_lines, attempts, order


@dataclass
class Troubled(FakePhone):
    """A phone whose network or disk does not work yet."""

    trouble: Exception | None = None
    disk_full: bool = False

    async def recover(self, snapshot: dict[str, Any]) -> None:
        if self.trouble is not None:
            raise self.trouble
        await super().recover(snapshot)

    async def repair(self, names: Sequence[str]) -> Mapping[str, RecordingInfo]:
        return {} if self.disk_full else await super().repair(names)


@pytest.fixture
def phone(tmp_path: Path) -> Troubled:
    return Troubled(tmp_path / "data" / "recordings")


async def left_behind(database: Database) -> Attempt:
    """A call that a killed process left in mid-talk."""
    (line,) = await add_lines(database, 1)
    await order(database, line)
    async with database.unit_of_work() as session:
        attempt = await service.claim(session, 1, "dead")
        assert attempt is not None
        await service.journal(session, attempt.id, {"state": "connected", "call_id": "left-behind"})
    return attempt


async def released(database: Database) -> bool:
    (attempt,) = await attempts(database)
    return attempt.released_at is not None


async def test_a_far_end_is_told_by_the_start_that_has_a_network(
    either: Database, either_settings: Settings, phone: Troubled
) -> None:
    await left_behind(either)
    phone.trouble = OSError("network is unreachable")
    assert await Dispatcher(either, phone, either_settings).recover() == 1
    assert not await released(either)
    phone.trouble = None
    assert await Dispatcher(either, phone, either_settings).recover() == 0
    assert await released(either)
    assert [bye["call_id"] for bye in phone.byes] == ["left-behind"]
    assert await Dispatcher(either, phone, either_settings).recover() == 0
    assert len(phone.byes) == 1


async def test_a_snapshot_that_names_nobody_is_not_tried_for_ever(
    database: Database, settings: Settings, phone: Troubled
) -> None:
    await left_behind(database)
    phone.trouble = LocalProtocolError("not a snapshot")
    assert await Dispatcher(database, phone, settings).recover() == 1
    assert await released(database)


async def test_a_call_that_failed_on_our_side_in_mid_talk_is_ended_by_the_next_start(
    either: Database, either_settings: Settings, phone: Troubled
) -> None:
    (line,) = await add_lines(either, 1)
    phone.records = {line.target: RuntimeError("lost our head")}
    await order(either, line)
    dispatcher = Dispatcher(either, phone, either_settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    assert [row.state for row in await attempts(either)] == ["failed"]
    assert phone.byes == []
    assert await Dispatcher(either, phone, either_settings).recover() == 0
    assert [bye["call_id"] for bye in phone.byes] == [f"id-{line.target}"]


async def test_sound_that_could_not_be_repaired_at_first_is_attached_later(
    either: Database, either_settings: Settings, phone: Troubled
) -> None:
    attempt = await left_behind(either)
    name = service.recording_name(attempt)
    phone.repaired = {name: write_tone(phone.folder, name, 2500.0)}
    phone.disk_full = True
    assert await Dispatcher(either, phone, either_settings).recover() == 1
    phone.disk_full = False
    for _ in range(2):
        assert await Dispatcher(either, phone, either_settings).recover() == 0
        async with either.reading() as session:
            check = await repository.check(session, 1)
        assert check is not None
        recording = check.attempts[0].recording
        assert recording is not None
        assert (recording.path, recording.repaired) == (f"{name}.flac", True)
        assert check.attempts[0].state == "interrupted"


async def test_only_attempts_without_sound_are_asked_for(
    database: Database, settings: Settings, phone: Troubled
) -> None:
    asked: list[str] = []

    class Asked(Troubled):
        async def repair(self, names: Sequence[str]) -> Mapping[str, RecordingInfo]:
            asked.extend(names)
            return await super().repair(names)

    one, two = await add_lines(database, 2)
    witness = Asked(phone.folder, records={one.target: answered(one.target), two.target: RuntimeError("x")})
    await order(database, one, two)
    dispatcher = Dispatcher(database, witness, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    await asyncio.wait_for(Dispatcher(database, witness, settings).recover(), 20)
    _, failed = await attempts(database)
    assert asked == [service.recording_name(failed)]


async def test_rules_that_fail_lose_no_facts_and_the_next_start_judges_again(
    either: Database, either_settings: Settings, phone: Troubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = await add_lines(either, 1)
    await order(either, line)
    with monkeypatch.context() as broken:

        async def fail(*_: object) -> None:
            raise DataError("INSERT", {}, ValueError("value too long"))

        async def unreadable(*_: object) -> None:
            raise BadInputError("clause 3 takes an article")

        broken.setattr("app.checks.closing.close", fail)
        broken.setattr("app.checks.conclusions.in_force", unreadable)
        dispatcher = Dispatcher(either, phone, either_settings)
        await dispatcher.place_due()
        await dispatcher.idle()
    async with either.reading() as session:
        check = await repository.check(session, 1)
    assert check is not None
    assert (check.state, check.code, check.attempts[0].state) == ("done", None, "finished")
    assert check.attempts[0].facts is not None
    await Dispatcher(either, phone, either_settings).recover()
    async with either.reading() as session:
        check = await repository.check(session, 1)
    assert check is not None
    assert check.code is not None
