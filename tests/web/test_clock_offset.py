"""The clock: compared with a time server of the test's own, and with the clock that never jumps."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select

from app.checks import alarms
from app.checks.clock_offset import ClockWatch, Sources
from app.checks.models import OfficeAlarm
from app.database import Database
from app.settings import Settings
from app.sntp import Server, SntpError, offset_s
from sip.system_clock import KernelClock
from tests.web.test_ledger import add_lines, attempts, order
from tests.web.test_phone_process import end, start, until_states

SINCE_1900_S = 2_208_988_800


@dataclass
class TimeServer(asyncio.DatagramProtocol):
    """Answers SNTP questions; its own time may be wrong, and it may misbehave."""

    ahead_s: float = 0.0
    first: int = 0b00_100_100
    stratum: int = 2
    echo: bool = True
    silent: bool = False
    asked: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        if self.silent:
            return
        stamp = _stamp(time.time() + self.ahead_s)
        word = data[40:48] if self.echo else b"forged!!"
        head = struct.pack("!BBbb3I", self.first, self.stratum, 0, -20, 0, 0, 0)
        self.transport.sendto(head + stamp + word + stamp + stamp, addr)


def _stamp(at: float) -> bytes:
    seconds = at + SINCE_1900_S
    return struct.pack("!II", int(seconds) % 2**32, int(seconds % 1 * 2**32))


@asynccontextmanager
async def serving(**behaviour: object) -> AsyncIterator[tuple[TimeServer, Server]]:
    server = TimeServer(**behaviour)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    yield server, Server("127.0.0.1", transport.get_extra_info("sockname")[1])
    transport.close()


@pytest.mark.parametrize("ahead_s", [0.0, 2.5, -3_600.0, 20 * 365 * 86_400.0])
async def test_the_offset_is_that_of_the_server(ahead_s: float) -> None:
    """Also over the year 2036, when the seconds since 1900 begin anew."""
    async with serving(ahead_s=ahead_s) as (_, server):
        assert await offset_s(server) == pytest.approx(-ahead_s, abs=0.1)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"silent": True},
        {"echo": False},
        {"stratum": 0},
        {"stratum": 16},
        {"first": 0b11_100_100},
        {"first": 0b00_100_011},
    ],
)
async def test_what_is_no_answer_is_not_taken_for_one(
    behaviour: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sntp.ANSWER_S", 0.1)
    async with serving(**behaviour) as (found, server):
        with pytest.raises(SntpError):
            await offset_s(server)
    assert found.asked == 3


async def test_a_server_that_is_not_there_takes_bounded_time() -> None:
    async with serving() as (_, server):
        pass
    began = time.monotonic()
    with pytest.raises(SntpError):
        await offset_s(server)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("ntp.example", Server("ntp.example")),
        ("192.0.2.1:1123", Server("192.0.2.1", 1123)),
        ("[2001:db8::1]:1123", Server("2001:db8::1", 1123)),
        ("2001:db8::1", Server("2001:db8::1")),
    ],
)
def test_how_a_server_is_written(text: str, server: Server) -> None:
    assert Server.parse(text) == server


@pytest.mark.parametrize("text", ["", "a b", "host:", "host:0x", "host:70000", "[::1]x", "http://host"])
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"time server|no port"):
        Server.parse(text)
    with pytest.raises(ValueError, match=r"time server|no port"):
        Settings(ntp_server=text)


@dataclass
class Clocks:
    """A machine whose clocks and kernel say what the test says."""

    wall_s: float = 1_800_000_000.0
    steady_s: float = 50.0
    told: KernelClock | None = None

    def sources(self) -> Sources:
        return Sources(lambda: self.wall_s, lambda: self.steady_s, lambda: self.told)

    def go(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


async def standing(database: Database) -> list[str]:
    async with database.reading() as session:
        rows = await session.scalars(select(OfficeAlarm).where(OfficeAlarm.cleared_at.is_(None)))
        return [row.detail for row in rows]


async def clock_ok(database: Database) -> bool:
    async with database.reading() as session:
        return await alarms.clock_ok(session)


async def test_a_clock_that_is_off_stops_the_office_until_it_is_right(either: Database) -> None:
    async with serving(ahead_s=-3.0) as (server, address):
        watch = ClockWatch(either, address)
        assert watch.offset_ms is None
        await watch.ask()
        await watch.look()
        assert watch.offset_ms == pytest.approx(3_000, abs=100)
        assert await standing(either) == ["本机时钟快 3.0 秒"]
        assert not await clock_ok(either)
        server.ahead_s = -0.4
        await watch.ask()
        await watch.look()
        assert await clock_ok(either)
        assert watch.offset_ms == pytest.approx(400, abs=100)


async def test_a_jump_stops_the_office_even_where_nobody_can_be_asked(database: Database) -> None:
    clocks = Clocks()
    watch = ClockWatch(database, None, clocks.sources())
    await watch.ask()
    clocks.go(3_600)
    await watch.look()
    assert await clock_ok(database)
    clocks.wall_s += 4.0
    await watch.look()
    assert await standing(database) == ["本机时钟跳变 +4.0 秒，无从核对"]
    # The kernel says later that its clock is right: then the jump was the correction.
    clocks.told = KernelClock(True, 0.002, 0.05)
    await watch.ask()
    await watch.look()
    assert await clock_ok(database)
    assert watch.offset_ms == pytest.approx(-2.0)


async def test_a_jump_is_seen_between_two_answers_of_the_server(database: Database) -> None:
    clocks = Clocks(told=KernelClock(True, 0.0, 0.01))
    watch = ClockWatch(database, None, clocks.sources())
    await watch.ask()
    clocks.wall_s -= 2.0
    await watch.look()
    assert await standing(database) == ["本机时钟慢 2.0 秒"]
    assert watch.offset_ms == pytest.approx(-2_000)
    clocks.wall_s += 2.0
    await watch.look()
    assert await clock_ok(database)


@pytest.mark.parametrize("told", [None, KernelClock(False, 0.0, 16.0), KernelClock(True, 0.0, 16.0)])
async def test_a_kernel_that_cannot_tell_is_not_believed(
    database: Database, told: KernelClock | None
) -> None:
    watch = ClockWatch(database, None, Clocks(told=told).sources())
    await watch.ask()
    assert watch.offset_ms is None


async def test_a_restart_does_not_end_an_alarm_that_only_the_server_can_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sntp.ANSWER_S", 0.1)
    clocks = Clocks()
    async with database.unit_of_work() as session:
        await alarms.raise_alarm(session, "clock_off", "clock", "本机时钟快 3.0 秒")
    async with serving(silent=True) as (server, address):
        watch = ClockWatch(database, address, clocks.sources())
        await watch.ask()
        await watch.look()
        assert not await clock_ok(database)
        server.silent = False
        clocks.wall_s = time.time()
        await watch.ask()
        await watch.look()
        assert await clock_ok(database)
    # Where nobody can ever be asked, a restart by hand is the word of whoever restarted it.
    async with database.unit_of_work() as session:
        await alarms.raise_alarm(session, "clock_off", "clock", "本机时钟跳变 +4.0 秒，无从核对")
    await ClockWatch(database, None, clocks.sources()).look()
    assert await clock_ok(database)


async def test_an_alarm_stands_once_and_tells_what_is_new(either: Database) -> None:
    for detail in ("快 2.0 秒", "快 2.1 秒"):
        async with either.unit_of_work() as session:
            await alarms.raise_alarm(session, "clock_off", "clock", detail)
    assert await standing(either) == ["快 2.1 秒"]

    async def other() -> bool:
        async with either.unit_of_work() as session:
            return await alarms.raise_alarm(session, "calendar_ending", "2027", "数据到 2026-12-31")

    assert sum(await asyncio.gather(*(other() for _ in range(5)))) == 1
    async with either.unit_of_work() as session:
        with pytest.raises(ValueError, match="no such alarm"):
            await alarms.raise_alarm(session, "nothing")


def test_the_page_names_every_alarm() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "office-alarms.md").read_text(encoding="utf-8")
    for kind, (title_zh, _) in alarms.KINDS.items():
        assert f"| `{kind}` | {title_zh} |" in page
    assert page.count("\n| `") == len(alarms.KINDS)


async def test_a_phone_process_with_a_clock_that_is_off_calls_nobody(
    database: Database, settings: Settings
) -> None:
    (line,) = await add_lines(database, 1)
    async with serving(ahead_s=5.0) as (server, address):
        given = Settings(data_dir=settings.data_dir, ntp_server=f"{address.host}:{address.port}")
        process = await asyncio.to_thread(start, given)
        try:
            async with asyncio.timeout(60):
                while await clock_ok(database):
                    await asyncio.sleep(0.05)
            await order(database, line)
            await asyncio.sleep(2.0)
            assert await attempts(database) == []
            server.ahead_s = 0.25
            # It asks again after ten seconds.
            await until_states(database, "finished")
        finally:
            assert await asyncio.to_thread(end, process) == 0
    (attempt,) = await attempts(database)
    assert attempt.clock_offset_ms == pytest.approx(-250, abs=150)
