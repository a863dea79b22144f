"""The phone process as a process: its pipe, its death, its keeper."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import select

from app.checks.models import Attempt
from app.database import Database
from app.phone_keeper import PhoneKeeper
from app.phone_process import EXIT_TAKEN
from app.settings import Settings
from tests.web.test_ledger import add_lines, attempts, order

PROGRAM = [sys.executable, "-m", "tests.web.phone_program"]


def start(settings: Settings, *arguments: str, program: Sequence[str] = PROGRAM) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | settings.environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def wire(settings: Settings) -> list[list[str]]:
    path = settings.data_dir / "wire.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def end(process: subprocess.Popen[bytes]) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    return process.wait(timeout=20)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


async def states(database: Database) -> list[str]:
    async with database.reading() as session:
        return list((await session.scalars(select(Attempt.state).order_by(Attempt.id))).all())


async def until_states(database: Database, *wanted: str) -> None:
    async with asyncio.timeout(60):
        while await states(database) != list(wanted):
            await asyncio.sleep(0.05)


async def test_kill_in_mid_call(database: Database, settings: Settings) -> None:
    (line,) = await add_lines(database, 1)
    process = start(settings, "--hold")
    await order(database, line)
    await until_states(database, "connected")
    process.send_signal(signal.SIGKILL)
    end(process)
    assert await states(database) == ["connected"]

    process = start(settings)
    await until(lambda: len(wire(settings)) == 2)
    await until_states(database, "interrupted")
    assert wire(settings) == [["INVITE", line.target], ["BYE", f"id-{line.target}"]]
    await order(database, line)
    await until_states(database, "interrupted", "finished")
    assert end(process) == 0
    assert [method for method, _ in wire(settings)] == ["INVITE", "BYE", "INVITE"]


async def test_it_ends_with_its_pipe_and_concludes_its_calls(database: Database, settings: Settings) -> None:
    (line,) = await add_lines(database, 1)
    process = start(settings, "--hold")
    await order(database, line)
    await until_states(database, "connected")
    assert end(process) == 0
    (attempt,) = await attempts(database)
    assert (attempt.state, attempt.verdict_code) == ("interrupted", "interrupted")


async def test_a_second_one_refuses(database: Database, settings: Settings) -> None:
    process = start(settings)
    second = subprocess.run(
        PROGRAM,
        stdin=subprocess.PIPE,
        capture_output=True,
        env=os.environ | settings.environment(),
        timeout=120,
    )
    assert second.returncode == EXIT_TAKEN
    assert b"another phone process" in second.stderr
    assert end(process) == 0


async def test_the_keeper_starts_it_again(database: Database, settings: Settings) -> None:
    keeper = PhoneKeeper(settings, PROGRAM)
    keeper.start()
    try:
        await asyncio.wait_for(keeper.ready.wait(), 30)
        first = keeper.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: keeper.starts == 2)
        await asyncio.wait_for(keeper.ready.wait(), 30)
        assert keeper.pid != first
    finally:
        await keeper.stop()
    assert keeper.pid is None


def test_settings_reach_the_child(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    trunks = {"main": {"host": "192.0.2.1", "user": "u", "password": "p"}}
    given = Settings(data_dir=settings.data_dir, trunks=trunks, default_trunk="main", concurrency=7)
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    child = Settings()
    assert child.trunks == given.trunks
    assert (child.concurrency, child.url) == (7, given.url)
    assert "'p'" not in repr(given)
