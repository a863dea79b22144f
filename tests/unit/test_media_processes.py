"""What remains when a process of the media is killed: nothing runs on, and what was recorded is readable."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sip.media import (
    EngineLost,
    MediaEngine,
    MediaError,
    MediaEvent,
    MediaLost,
    RemoteMedia,
    SessionSpec,
    read_capture,
)
from tests.unit.media_peer import Peer, alive, until

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"


async def talking(
    engine: MediaEngine, peer: Peer, path: Path, seconds: float
) -> tuple[list[MediaEvent], float, object]:
    """A call that has gone on for some time."""
    events: list[MediaEvent] = []
    session = await engine.open(SessionSpec(LOOPBACK, path, analyse=False), events.append)
    t0 = time.monotonic()
    session.begin(t0)
    session.connect(RemoteMedia(*peer.address, final=True))
    await peer.stream(session.local, [b"\x35" * 160] * round(seconds * 50))
    return events, t0, session


async def test_a_killed_engine_leaves_the_capture_of_the_last_second(tmp_path: Path) -> None:
    lost: list[str] = []
    engine = await MediaEngine.start(bank=None, on_lost=lost.append)
    with Peer() as peer:
        events, t0, session = await talking(engine, peer, tmp_path / "call.part", 2.5)
        os.kill(engine.pid, signal.SIGKILL)
        killed_ms = (time.monotonic() - t0) * 1000
        assert await asyncio.wait_for(engine.lost, 5) == "the media engine died"
        report = await session.close(killed_ms)
    assert lost == ["the media engine died"]
    assert [event.reason for event in events if isinstance(event, MediaLost)] == lost
    assert report.lost == "the media engine died"
    await until(lambda: not alive(engine.writer_pid or 0), 2)
    capture = read_capture(tmp_path / "call.part")
    assert not capture.ended
    assert capture.notes == ()
    assert capture.duration_ms > killed_ms - 1500
    assert (capture.right != 0).mean() > 0.5
    with pytest.raises(EngineLost):
        await engine.open(SessionSpec(LOOPBACK, analyse=False))
    with pytest.raises(EngineLost):
        await engine.health()
    await engine.close()


async def test_a_killed_writer_is_told_and_the_call_goes_on(tmp_path: Path) -> None:
    engine = await MediaEngine.start(bank=None)
    with Peer() as peer:
        events, t0, session = await talking(engine, peer, tmp_path / "call.part", 1.5)
        os.kill(engine.writer_pid or 0, signal.SIGKILL)
        assert await asyncio.wait_for(engine.lost, 5) == "the capture writer died"
        assert [event.reason for event in events if isinstance(event, MediaLost)] == [
            "the capture writer died"
        ]
        await peer.stream(session.local, [b"\x35" * 160] * 5, sequence=175, timestamp=17000)
        await asyncio.sleep(0.1)
        report = await asyncio.wait_for(session.close((time.monotonic() - t0) * 1000), 5)
    assert report.statistics.received == 80
    assert read_capture(tmp_path / "call.part").duration_ms > 300
    with pytest.raises(MediaError, match="no writer"):
        await engine.open(SessionSpec(LOOPBACK, tmp_path / "other.part", analyse=False))
    await engine.close()


PARENT = """
import asyncio, sys, time
from pathlib import Path
from sip.media import MediaEngine, RemoteMedia, SessionSpec

async def main():
    engine = await MediaEngine.start(bank=None)
    session = await engine.open(SessionSpec("127.0.0.1", Path(sys.argv[1]), analyse=False))
    session.begin(time.monotonic())
    session.connect(RemoteMedia("127.0.0.1", int(sys.argv[2]), final=True))
    print(engine.pid, engine.writer_pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_killed_parent_takes_engine_and_writer_with_it(tmp_path: Path) -> None:
    path = tmp_path / "call.part"
    with Peer() as peer:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(path), str(peer.address[1])], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert parent.stdout is not None
        pids = [int(word) for word in (await asyncio.to_thread(parent.stdout.readline)).split()]
        await asyncio.sleep(1.0)
        assert all(alive(pid) for pid in pids)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        await until(lambda: not any(alive(pid) for pid in pids), 5)
        assert peer.received()
    capture = read_capture(path)
    assert capture.notes == ()
    assert capture.duration_ms > 900


async def test_an_interrupt_from_the_terminal_ends_neither(tmp_path: Path) -> None:
    async with await MediaEngine.start(bank=None) as engine:
        for pid in (engine.pid, engine.writer_pid or 0):
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
        await asyncio.sleep(0.2)
        assert (await engine.health()).ticks > 0
        session = await engine.open(SessionSpec(LOOPBACK, tmp_path / "call.part", analyse=False))
        session.begin(time.monotonic())
        await session.close(100.0)
        assert read_capture(tmp_path / "call.part").ended


async def test_closing_the_engine_ends_both_and_keeps_open_captures(tmp_path: Path) -> None:
    engine = await MediaEngine.start(bank=None)
    with Peer() as peer:
        _events, _, session = await talking(engine, peer, tmp_path / "call.part", 0.5)
        await engine.close()
    assert not alive(engine.pid)
    await until(lambda: not alive(engine.writer_pid or 0), 2)
    assert not engine.lost.done()
    assert read_capture(tmp_path / "call.part").duration_ms > 450
    report = await session.close(500.0)
    assert report.lost == "the media engine was closed"


async def test_a_parent_that_stalls_does_not_stop_the_media(tmp_path: Path) -> None:
    async with await MediaEngine.start(bank=None) as engine:
        with Peer() as peer:
            session = await engine.open(SessionSpec(LOOPBACK, analyse=False))
            session.begin(time.monotonic())
            session.connect(RemoteMedia(*peer.address, final=True))
            await engine.health()
            time.sleep(0.6)  # the event loop of the parent stands still
            assert len(peer.received()) >= 25
            await session.close(600.0)
