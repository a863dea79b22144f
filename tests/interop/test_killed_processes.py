"""SIGKILL of any process in mid-call, with the real phone and a real far end.

On the next start the attempt is `interrupted`, the far end is hung up, what was recorded plays, nothing is dialled
again, and the line can be called anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
import soundfile
from sqlalchemy import select

from app.checks import service
from app.checks.models import Attempt, Recording
from app.database import Database, upgrade
from app.directory import service as directory
from app.directory.models import DutyLine
from app.settings import Settings
from sip.simulator import Answer, Behaviour, Expectation, HangUp, Play, Provisional, Simulator, Wait

pytestmark = [pytest.mark.timeout(120)]

RINGS_LONG = Behaviour(
    "700",
    "rings-long",
    "长时间振铃",
    (Wait(0.2), Provisional(180, sdp=True), Play("ringback", loop=True), Wait(60), Answer(), HangUp()),
    Expectation("no_answer"),
)
TALKS_LONG = Behaviour(
    "500",
    "talks-long",
    "接听后长时间不挂机",
    (
        Wait(0.2),
        Provisional(180, sdp=True),
        Play("ringback", loop=True),
        Wait(1.0),
        Answer(),
        Play("officer_01", loop=True),
        Wait(60),
        HangUp(),
    ),
    Expectation("answered"),
)


@pytest.fixture
async def far_end() -> AsyncIterator[Simulator]:
    lines = {line.extension: line for line in (RINGS_LONG, TALKS_LONG)}
    async with Simulator(scenario=lines) as simulator:
        yield simulator


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data")
    upgrade(made)
    return made


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[], Awaitable[PhoneProcess]]]:
    """Start phone processes; those that a failing test leaves are killed."""
    started: list[PhoneProcess] = []

    async def start() -> PhoneProcess:
        started.append(PhoneProcess(settings))
        return await started[-1].ready()

    yield start
    for phone in started:
        phone.kill()


PARENT = """
import subprocess, sys
subprocess.Popen([sys.executable, "-m", "app.phone_process"], stdin=subprocess.PIPE).wait()
"""
"""Stands for the web process: it holds the phone process's standard input and does nothing else."""


class PhoneProcess:
    """The real phone process on a data folder, a child of a parent that can be killed."""

    def __init__(self, settings: Settings) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT],
            stdout=subprocess.PIPE,
            env=os.environ | settings.environment(),
        )

    async def ready(self) -> PhoneProcess:
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line == b"ready\n"
        (self.phone,) = psutil.Process(self.process.pid).children()
        return self

    def child(self, module: str) -> psutil.Process:
        """The media engine or its writer, by the module that it runs."""
        for child in self.phone.children(recursive=True):
            if any(module in word for word in child.cmdline()):
                return child
        raise LookupError(module)

    def kill(self) -> None:
        """Leave nothing behind when a test fails."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        with contextlib.suppress(AttributeError, psutil.NoSuchProcess):
            self.phone.kill()

    async def end(self) -> None:
        """End the parent as abruptly as can be; the phone ends in good order with its pipe."""
        assert self.process.stdout is not None
        self.process.kill()
        await asyncio.to_thread(self.process.wait, 20)
        await asyncio.to_thread(self.phone.wait, 20)
        self.process.stdout.close()


async def order(database: Database, far_end: Simulator, extension: str) -> DutyLine:
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        line = await directory.add_line(session, unit, "0000-5550101", f"sip:{extension}@{far_end.local}")
        await service.order_now(session, line, "指定抽查")
    return line


async def attempts(database: Database) -> list[Attempt]:
    async with database.reading() as session:
        return list(await session.scalars(select(Attempt).order_by(Attempt.id)))


async def until_state(database: Database, state: str, seconds: float = 20.0) -> Attempt:
    async with asyncio.timeout(seconds):
        while True:
            found = await attempts(database)
            if found and found[-1].state == state:
                return found[-1]
            await asyncio.sleep(0.05)


async def recorded_s(database: Database, settings: Settings) -> float:
    async with database.reading() as session:
        recording = (await session.scalars(select(Recording))).one()
    data, rate = soundfile.read(settings.recordings_dir / recording.path)
    assert data.shape[1] == 2
    # Ringback and speech are on their side: what plays is sound, not silence.
    assert abs(data[:, 1]).max() > 0.05
    return len(data) / float(rate)


@pytest.mark.parametrize("extension", ["500", "700"], ids=["answered", "ringing"])
@pytest.mark.parametrize("victim", ["parent", "phone", "sip.media.engine", "sip.media.writer"])
async def test_kill_in_mid_call(
    victim: str,
    extension: str,
    far_end: Simulator,
    settings: Settings,
    start: Callable[[], Awaitable[PhoneProcess]],
) -> None:
    state = "connected" if extension == "500" else "ringing"
    async with Database(settings.url) as database:
        line = await order(database, far_end, extension)
        phone = await start()
        await until_state(database, state)
        await asyncio.sleep(3.0)
        target = {"parent": phone.process.pid, "phone": phone.phone.pid}.get(victim) or phone.child(
            victim
        ).pid
        attempt = (await attempts(database))[0]
        os.kill(target, signal.SIGKILL)
        assert attempt.started_at is not None
        killed_s = time.time() - attempt.started_at.timestamp()
        if victim == "phone":
            await phone.end()
            assert far_end.live_calls == 1
            phone = await start()
        elif victim == "parent":
            # The phone process lives for a moment more: it hangs up, keeps the sound and ends.
            await phone.end()
            assert (await attempts(database))[0].verdict_code == "interrupted"

        await until_state(database, "interrupted")
        # The line would stay off hook for a minute by itself.
        await until(lambda: far_end.live_calls == 0, 10.0)
        assert len(await attempts(database)) == 1
        assert await recorded_s(database, settings) > killed_s - 2.5

        if victim != "phone":
            await phone.end()
            phone = await start()
        assert len(await attempts(database)) == 1
        async with database.unit_of_work() as session:
            await service.order_now(session, line, "复拨")
        await until_state(database, state)
        assert [a.state for a in await attempts(database)] == ["interrupted", state]
        await phone.end()
    await until(lambda: far_end.live_calls == 0, 10.0)
