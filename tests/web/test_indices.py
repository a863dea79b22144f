"""Lists are read through their indices, whatever is bound to their statements; looked up in the plans of SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from app.accounts import audit_repository
from app.accounts.principal import Principal, enter, leave
from app.accounts.principal import Scope as Part
from app.bench.lists import NEWEST
from app.checks import repository as checks
from app.database import Database, upgrade
from app.evidence import repository as recordings
from app.evidence.repository import RecordingFilter
from app.planning import coverage
from app.reviews import score_repository
from app.reviews.score_repository import Period, Scope
from app.settings import Settings


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Database]:
    upgrade(settings)
    async with Database(settings.url) as opened:
        yield opened


@contextmanager
def plans(database: Database) -> Iterator[list[str]]:
    """How SQLite goes about each statement, one line for each of its steps."""
    found: list[str] = []

    def look(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.extend(row[3] for row in cursor.fetchall())

    event.listen(database.engine.sync_engine, "before_cursor_execute", look)
    yield found
    event.remove(database.engine.sync_engine, "before_cursor_execute", look)


async def test_coverage_looks_into_the_index_of_a_line(office: Database) -> None:
    for required in (1, 2, 30):
        for missing in (True, False):
            with plans(office) as found:
                async with office.reading() as session:
                    await coverage.page(session, 2026, required, ZoneInfo("Asia/Shanghai"), missing=missing)
            of_checks = [step for step in found if "spot_checks" in step]
            assert of_checks
            assert all("ix_spot_checks_counted (line_id=?" in step for step in of_checks), of_checks


async def test_what_is_due_is_found_by_its_index(office: Database) -> None:
    wanted = RecordingFilter(due_at=NEWEST, since=NEWEST - timedelta(days=900))
    with plans(office) as found:
        async with office.reading() as session:
            await recordings.page(session, wanted, NEWEST, None, 51)
    assert any("ix_recordings_due" in step for step in found), found
    assert not any(step.startswith("SCAN recordings") for step in found), found


async def test_what_cases_hold_is_found_without_a_row_of_calls_or_recordings(office: Database) -> None:
    with plans(office) as found:
        async with office.reading() as session:
            await recordings.page(session, RecordingFilter(held=True), NEWEST, None, 51)
    assert any("COVERING INDEX ix_attempts_of_check (check_id=?" in step for step in found), found
    assert any("COVERING INDEX ix_recordings_kept (attempt_id=?" in step for step in found), found


async def test_checks_of_all_units_are_counted_without_a_row_of_theirs(office: Database) -> None:
    with plans(office) as found:
        async with office.reading() as session:
            await score_repository.counted(session, Period(NEWEST - timedelta(days=365), NEWEST), Scope())
    of_units = "COVERING INDEX ix_spot_checks_of_unit (unit_id=? AND first_due_at>? AND first_due_at<?)"
    assert any(of_units in step for step in found), found


async def test_what_was_refused_is_found_by_its_index(office: Database) -> None:
    with plans(office) as found:
        async with office.reading() as session:
            await audit_repository.page(session, audit_repository.Filter(refused=True), None, 101)
    assert any("ix_audit_events_refused" in step for step in found), found


async def test_calls_under_way_are_counted_by_their_index_in_a_part_of_the_tree(office: Database) -> None:
    asking = Principal(1, "a", "甲", frozenset(), frozenset(), Part(("1/",)))
    with plans(office) as found:
        entered = enter(asking)
        try:
            async with office.reading() as session:
                assert await checks.live_count(session) == 0
        finally:
            leave(entered)
    assert any("uq_attempts_live_line" in step for step in found if "attempts" in step), found
    assert not any("ix_attempts_of_unit" in step for step in found), found
