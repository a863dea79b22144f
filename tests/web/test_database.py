"""Migrations and the unit of work, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError, StatementError

from app.accounts import service as audit
from app.accounts.models import AuditEvent
from app.database import Base, Database, _blocking_url, current, downgrade, upgrade
from app.directory import service as directory
from app.phone_process import only_one
from app.settings import Settings

SEARCH = ("transcript_search", "ix_transcript_pieces_sought")
"""The full-text index: tables on SQLite, an index over an expression on PostgreSQL. No model knows it."""


def tables(settings: Settings) -> set[str]:
    engine = create_engine(_blocking_url(settings.url))
    try:
        found = set(inspect(engine).get_table_names()) - {"alembic_version"}
        return {name for name in found if not name.startswith(SEARCH)}
    finally:
        engine.dispose()


def test_migrations_up_down_and_up_again(empty_settings: Settings) -> None:
    assert current(empty_settings) is None
    head = upgrade(empty_settings)
    assert head is not None
    assert tables(empty_settings) == set(Base.metadata.tables)
    assert upgrade(empty_settings) == head
    assert downgrade(empty_settings, "base") is None
    assert tables(empty_settings) == set()
    assert upgrade(empty_settings) == head


def test_migrations_give_the_tables_of_the_models(empty_settings: Settings) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    upgrade(empty_settings)
    engine = create_engine(_blocking_url(empty_settings.url))
    with engine.connect() as connection:
        options = {"include_name": lambda name, *_: not (name or "").startswith(SEARCH)}
        difference = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    engine.dispose()
    assert difference == []


async def test_times_come_back_aware_and_naive_ones_are_refused(either: Database) -> None:
    there = datetime(2026, 11, 22, 20, 27, 13, 482000, tzinfo=timezone(timedelta(hours=8)))
    async with either.unit_of_work() as session:
        event = AuditEvent(at=there, who="local", action="play", subject="recording:1", detail="")
        session.add(event)
    async with either.reading() as session:
        found = (await audit.of_subject(session, "recording:1"))[0]
    assert found.at == there
    assert found.at.tzinfo is UTC
    with pytest.raises(StatementError, match="needs its zone"):
        async with either.unit_of_work() as session:
            session.add(AuditEvent(at=there.replace(tzinfo=None), who="x", action="y", subject="z"))


async def test_a_failed_unit_of_work_leaves_nothing(either: Database) -> None:
    async def write_and_fail() -> None:
        async with either.unit_of_work() as session:
            await audit.record(session, "play", "recording:2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write_and_fail()
    async with either.reading() as session:
        assert await audit.count_of(session, "recording:2") == 0


async def test_many_writers_wait_for_each_other(either: Database) -> None:
    async def read_then_write(number: int) -> None:
        async with either.unit_of_work() as session:
            count = await audit.count_of(session, "recording:3")
            await audit.record(session, "play", "recording:3", f"{number} after {count}")

    await asyncio.gather(*(read_then_write(number) for number in range(30)))
    async with either.reading() as session:
        assert await audit.count_of(session, "recording:3") == 30


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_cancelled_unit_of_work_gives_the_write_lock_back(either: Database) -> None:
    """At once, though errors hold on to its cursors: the phone process collects its garbage seldom."""

    async def count_twice(number: int) -> None:
        async with either.unit_of_work() as session:
            for _ in range(2):
                await audit.record(session, "cut", f"recording:{number}")
                await audit.of_subject(session, f"recording:{number}")

    gc.disable()
    try:
        for number in range(40):
            work = asyncio.create_task(count_twice(number))
            await asyncio.sleep(number * 0.0002)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            async with either.unit_of_work() as session:
                await audit.record(session, "whole", "recording:whole")
                # Both of its rows, or none.
                assert await audit.count_of(session, f"recording:{number}") in (0, 2)
    finally:
        gc.enable()
    async with either.reading() as session:
        assert await audit.count_of(session, "recording:whole") == 40


async def test_what_is_stored_is_its_owners_alone(settings: Settings) -> None:
    before = os.umask(0o022)
    try:
        upgrade(settings)
        with only_one(settings):
            pass
        async with Database(settings.url) as database, database.unit_of_work() as session:
            await audit.record(session, "play", "recording:4")
            await session.flush()
            found = {path.name: rights(path) for path in settings.data_dir.iterdir()}
    finally:
        os.umask(before)
    assert rights(settings.data_dir) == 0o700
    assert {"dutyring.sqlite3", "dutyring.sqlite3-wal", "phone.lock", "migrate.lock"} <= found.keys()
    assert set(found.values()) == {0o600}


def test_a_database_that_everybody_could_read_is_closed_and_a_given_folder_left(settings: Settings) -> None:
    settings.data_dir.mkdir(mode=0o750)
    settings.data_dir.chmod(0o750)
    path = settings.data_dir / "dutyring.sqlite3"
    path.touch(mode=0o644)
    path.chmod(0o644)
    upgrade(settings)
    assert rights(path) == 0o640
    assert rights(settings.data_dir) == 0o750


async def test_foreign_keys_hold_and_errors_quote_no_values(either: Database) -> None:
    with pytest.raises(IntegrityError) as refused:
        async with either.unit_of_work() as session:
            await session.execute(
                text(
                    "INSERT INTO duty_lines (unit_id, name, number, target, active) "
                    "VALUES (999, :secret, '1', '1', true)"
                ),
                {"secret": "0917-3260001"},
            )
    assert "parameters hidden" in str(refused.value)


async def test_a_line_has_one_target_and_never_an_emergency_number(either: Database) -> None:
    async with either.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        await directory.add_line(session, unit, "0000-5550101", "sip:62@127.0.0.1:5062")
    for target in ("110", "sip:119@127.0.0.1", "tel:+86-120"):
        with pytest.raises(ValueError, match="emergency"):
            async with either.unit_of_work() as session:
                await directory.add_line(session, unit, "0000-5550102", target)
    with pytest.raises(IntegrityError):
        async with either.unit_of_work() as session:
            await directory.add_line(session, unit, "0000-5550103", "sip:62@127.0.0.1:5062")
