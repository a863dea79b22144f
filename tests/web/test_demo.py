"""The fictional county and its table."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app.checks import service
from app.checks.dispatcher import Dispatcher
from app.checks.models import Attempt
from app.checks.rules import CODES
from app.checks.service import rules_of
from app.commands.demo import demo_settings
from app.commands.serve import address_of, listen
from app.database import Database
from app.demo import (
    UNITS,
    Board,
    ForeignUnitsError,
    Result,
    fill,
    mismatches,
    moving_table,
    place_all,
    progress,
    put_rules_in_force,
    result_table,
    results,
)
from app.directory import repository as directory
from app.directory import service as entries
from app.reviews.models import Case
from app.rules.models import RuleActivation
from app.settings import Settings
from sip.simulator import BEHAVIOURS
from tests.web.fake import FakePhone, diverted


def test_the_county_is_a_county_of_simulated_lines() -> None:
    assert len(UNITS) >= 24
    assert len({unit.code for unit in UNITS}) == len({unit.number for unit in UNITS}) == len(UNITS)
    for unit in UNITS:
        assert unit.extension in BEHAVIOURS
        assert unit.expected
        assert set(unit.expected) <= CODES.keys()
        assert unit.number.startswith("0000-")


def test_the_county_covers_every_kind_of_outcome() -> None:
    outcomes = {BEHAVIOURS[unit.extension].expect.outcome for unit in UNITS}
    assert outcomes == {behaviour.expect.outcome for behaviour in BEHAVIOURS.values()}


async def test_a_second_start_keeps_what_is_there(database: Database) -> None:
    async with database.unit_of_work() as session:
        assert await fill(session) == len(UNITS)
    async with database.unit_of_work() as session:
        assert await fill(session) == 0
        assert await directory.count_units(session) == len(UNITS)


async def test_no_line_of_a_real_directory_is_called_for_a_demo(database: Database) -> None:
    async with database.unit_of_work() as session:
        unit = await entries.add_unit(session, "real", "某县应急管理局")
        await entries.add_line(session, unit, "0915-6320000")
    with pytest.raises(ForeignUnitsError, match="DUTYRING_DATA_DIR"):
        async with database.unit_of_work() as session:
            await fill(session)


async def test_a_round_and_its_table(database: Database, settings: Settings, tmp_path: Path) -> None:
    async with database.unit_of_work() as session:
        await fill(session)
        for _ in range(2):
            await put_rules_in_force(session, rules_of(settings))
        check_ids = await place_all(session)
    async with database.reading() as session:
        before = await results(session, check_ids)
    assert not any(result.done for result in before)
    assert len(mismatches(before)) == len(UNITS)

    phone = FakePhone(settings.recordings_dir, records={"181": diverted("181")})
    dispatcher = Dispatcher(database, phone, settings)
    while await dispatcher.place_due():
        await dispatcher.idle()
    async with database.reading() as session:
        found = await results(session, check_ids)
    assert all(result.done for result in found)
    right = {result.unit.extension for result in found if result.as_expected}
    # Every line was answered in 6 s here, but for 181: only those that are to be `within` are right.
    assert right == {unit.extension for unit in UNITS if "within" in unit.expected} | {"181"}
    output = io.StringIO()
    Console(file=output, width=80).print(result_table(found))
    text = output.getvalue()
    assert all(unit.name.removeprefix("云溪县") in text for unit in UNITS)
    assert "呼叫转移" in text
    async with database.reading() as session:
        assert len((await session.scalars(select(RuleActivation))).all()) == 1
        # The rules bind the county, so there is something for a supervisor to decide.
        assert (await session.scalars(select(Case.code))).all() == ["forwarded"]
    assert "…" not in text


async def test_each_round_adds_its_own_checks(database: Database) -> None:
    async with database.unit_of_work() as session:
        await fill(session)
        first = await place_all(session)
        second = await place_all(session)
    assert len(first) == len(second) == len(UNITS)
    assert not set(first) & set(second)


def test_the_demo_dials_through_the_simulator_alone(settings: Settings) -> None:
    given = demo_settings(settings, "127.0.0.1", 5099)
    assert given.trunks["demo"].host == "127.0.0.1"
    assert given.default_trunk == "demo"
    assert given.max_ring_s >= service.rules_of(given).least_ring_s


def test_a_taken_port_is_told(settings: Settings) -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert address_of(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", port)


def result(state: str, ringing_since: datetime | None = None, **columns: Any) -> Result:
    return Result(UNITS[1], Attempt(state=state, **columns), ringing_since)


def test_where_a_line_stands() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert progress(Result(UNITS[0], None), since) == "waiting"
    assert progress(result("claimed"), since) == progress(result("dialling"), since) == "dialling"
    for seconds, count in ((0, 1), (4.9, 1), (5.1, 2), (44, 9)):
        assert progress(result("ringing", since), since + timedelta(seconds=seconds)) == f"ringing {count}"
    assert progress(result("ringing", since), None) == "ringing"
    assert progress(result("connected", since), since) == "connected"
    answered = result("finished", since, outcome="answered", answered_by="human", verdict_code="within")
    assert progress(answered, since) == "human, 三声内接听"
    assert progress(result("failed", verdict_code="our_side"), since) == "failed, 我方故障"


async def test_the_moving_table_has_a_row_for_each_line(database: Database, settings: Settings) -> None:
    async with database.unit_of_work() as session:
        await fill(session)
        check_ids = await place_all(session)
    phone = FakePhone(settings.recordings_dir, hold=asyncio.Event())
    dispatcher = Dispatcher(database, phone, settings)
    while await dispatcher.place_due():
        pass
    while phone.at_once < len(UNITS):
        await asyncio.sleep(0.01)
    async with database.reading() as session:
        found = await results(session, check_ids)
    now = datetime.now(UTC)
    text = printed(moving_table(found, now, len(UNITS)))
    assert text.count("connected") + text.count("ringing 1") + text.count("dialling") == len(UNITS)
    assert "0 of 29 lines done" in text
    phone.hold.set()
    await dispatcher.idle()
    async with database.reading() as session:
        found = await results(session, check_ids)
    assert "29 of 29 lines done" in printed(moving_table(found, now, len(UNITS)))
    half = [found[0], *(Result(unit, None) for unit in UNITS[1:])]
    short = printed(moving_table(half, now, 10))
    assert short.count("waiting") == 10


async def test_the_ledger_tells_since_when_it_rings(database: Database) -> None:
    async with database.unit_of_work() as session:
        await fill(session)
        check_ids = await place_all(session)
        attempt = await service.claim(session, check_ids[0], "test")
        assert attempt is not None
        await service.journal(session, attempt.id, {"state": "ringing"})
        await service.journal(session, attempt.id, {"state": "connected"})
    async with database.reading() as session:
        found = await results(session, check_ids)
    assert found[0].ringing_since is not None
    assert found[1].ringing_since is None


def test_elsewhere_than_on_a_terminal_each_change_is_a_line() -> None:
    output = io.StringIO()
    now = datetime.now(UTC)
    with Board(Console(file=output, width=40)).showing() as board:
        for found in ([Result(UNITS[1], None)], [result("ringing", now)], [result("ringing", now)]):
            board.show(found, now)
            board.show(found, now + timedelta(seconds=9))
        board.show([result("finished", outcome="busy", verdict_code="busy")], now)
    name = f"{UNITS[1].name} (line {UNITS[1].extension})"
    assert output.getvalue().splitlines() == [f"{name}: ringing", f"{name}: busy, 占线"]


def test_on_a_terminal_the_table_moves_and_goes() -> None:
    output = io.StringIO()
    now = datetime.now(UTC)
    console = Console(file=output, width=100, height=40, force_terminal=True, legacy_windows=False)
    with Board(console).showing() as board:
        board.show([result("ringing", now)], now)
        board.show([result("ringing", now)], now + timedelta(seconds=6))
    assert "ringing 1" in output.getvalue()
    assert "ringing 2" in output.getvalue()


def printed(table: Table) -> str:
    output = io.StringIO()
    Console(file=output, width=100).print(table)
    return output.getvalue()
