"""The media engine over real sockets: what is received, sent, captured and reported."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import struct
import time
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import pytest_asyncio

from sip.media import (
    CaptureFailed,
    Codec,
    DtmfReceived,
    FirstPacket,
    HeardBlock,
    MediaEngine,
    MediaError,
    MediaEvent,
    MediaSession,
    PlayFinished,
    RemoteMedia,
    SessionSpec,
    encode,
    read_capture,
)
from tests.unit.media_peer import BANK, Peer, rtp, tone, until

LOOPBACK = "127.0.0.1"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[MediaEngine]:
    async with await MediaEngine.start(bank=BANK, capacity=8) as engine:
        yield engine


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


def elapsed_ms(t0: float) -> float:
    return (time.monotonic() - t0) * 1000


async def begun(
    engine: MediaEngine, capture: Path | None = None, *, analyse: bool = False
) -> tuple[MediaSession, list[MediaEvent], float]:
    """A session whose time runs."""
    events: list[MediaEvent] = []
    session = await engine.open(SessionSpec(LOOPBACK, capture, analyse), events.append)
    t0 = time.monotonic()
    session.begin(t0)
    await engine.health()  # the engine has taken the command
    return session, events, t0


def packets(sound: bytes, size: int = 160) -> list[bytes]:
    return [sound[at : at + size] for at in range(0, len(sound), size)]


async def test_a_bound_socket_has_an_even_port(engine: MediaEngine) -> None:
    session = await engine.open(SessionSpec(LOOPBACK, analyse=False))
    assert session.local[0] == LOOPBACK
    assert session.local[1] % 2 == 0
    await session.close(0.0)


async def test_ports_come_from_the_range(engine: MediaEngine) -> None:
    with Peer() as probe:
        first = probe.address[1] + probe.address[1] % 2
    spec = SessionSpec(LOOPBACK, analyse=False, port_range=(first, first + 1))
    session = await engine.open(spec)
    assert session.local[1] == first
    with pytest.raises(MediaError, match=r"cannot bind a media port on 127\.0\.0\.1"):
        await engine.open(spec)
    await session.close(0.0)


async def test_an_address_that_is_not_ours_is_named(engine: MediaEngine) -> None:
    with pytest.raises(MediaError, match=r"cannot bind a media port on 192\.0\.2\.1"):
        await engine.open(SessionSpec("192.0.2.1", analyse=False))


async def test_a_full_engine_says_so_until_a_call_ends() -> None:
    async with await MediaEngine.start(writer=False, bank=BANK, capacity=2) as engine:
        sessions = [await engine.open(SessionSpec(LOOPBACK)) for _ in range(2)]
        with pytest.raises(MediaError, match="2 calls already"):
            await engine.open(SessionSpec(LOOPBACK))
        await sessions[0].close(0.0)
        again = await engine.open(SessionSpec(LOOPBACK))
        assert again.local != sessions[1].local


async def test_an_engine_that_may_open_no_more_files_says_so() -> None:
    async with await MediaEngine.start(writer=False, bank=None) as engine:
        hard = resource.prlimit(engine.pid, resource.RLIMIT_NOFILE)[1]
        limit = max(int(path.name) for path in Path(f"/proc/{engine.pid}/fd").iterdir()) + 3
        resource.prlimit(engine.pid, resource.RLIMIT_NOFILE, (limit, hard))
        sessions: list[MediaSession] = []

        async def fill() -> None:
            while len(sessions) < limit:
                sessions.append(await engine.open(SessionSpec(LOOPBACK, analyse=False)))

        with pytest.raises(MediaError, match=rf"can open no more sockets: .* \(RLIMIT_NOFILE\) is {limit},"):
            await fill()
        await sessions.pop().close(0.0)
        sessions.append(await engine.open(SessionSpec(LOOPBACK, analyse=False)))
        assert (await engine.health()).sessions == len(sessions)


async def test_the_engine_takes_all_the_files_that_it_may_open() -> None:
    async with await MediaEngine.start(bank=None) as engine:
        for pid in (engine.pid, engine.writer_pid or 0):
            soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            assert soft == hard


async def test_the_share_of_the_bank_is_part_of_the_health(engine: MediaEngine) -> None:
    session, _, t0 = await begun(engine, analyse=True)
    await asyncio.sleep(0.3)
    health = await engine.health(5)
    assert 0 < health.bank_ms_p99 <= health.tick_ms_p99
    await session.close(elapsed_ms(t0))


async def test_an_engine_without_writer_or_bank_says_so() -> None:
    async with await MediaEngine.start(writer=False, bank=None) as engine:
        assert engine.writer_pid is None
        with pytest.raises(MediaError, match="no writer"):
            await engine.open(SessionSpec(LOOPBACK, Path("x.part"), analyse=False))
        with pytest.raises(MediaError, match="feature bank"):
            await engine.open(SessionSpec(LOOPBACK))


async def test_a_bank_that_cannot_be_loaded_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MediaError, match="ended while starting"):
        await MediaEngine.start(bank="sip.nowhere:Bank")
    assert "sip.nowhere" in capfd.readouterr().err


async def test_the_capture_holds_both_sides_where_they_were(
    engine: MediaEngine, peer: Peer, tmp_path: Path
) -> None:
    path = tmp_path / "call.part"
    session, events, t0 = await begun(engine, path)
    await asyncio.sleep(0.2)
    session.connect(RemoteMedia(*peer.address, final=True))
    sent_ms = elapsed_ms(t0)
    await peer.stream(session.local, packets(encode(tone(0.5), "PCMA")))
    session.play(tone(0.2, 1000.0, 4000))
    await until(lambda: any(isinstance(event, PlayFinished) for event in events))
    await asyncio.sleep(0.05)
    end_ms = elapsed_ms(t0)
    report = await session.close(end_ms)

    capture = read_capture(path)
    assert capture.ended
    assert capture.notes == ()
    assert capture.duration_ms == pytest.approx(end_ms, abs=0.2)
    (first,) = [event for event in events if isinstance(event, FirstPacket)]
    assert sent_ms <= first.at_ms < sent_ms + 100
    assert report.statistics.first_packet_ms == first.at_ms
    heard = np.nonzero(np.abs(capture.right.astype(int)) > 200)[0] / 8
    assert heard[0] == pytest.approx(first.at_ms, abs=1.0)
    assert heard[-1] - heard[0] == pytest.approx(500, abs=3)
    (finished,) = [event for event in events if isinstance(event, PlayFinished)]
    said = np.nonzero(np.abs(capture.left.astype(int)) > 200)[0] / 8
    assert said[-1] == pytest.approx(finished.t_ms, abs=2)
    assert said[-1] - said[0] == pytest.approx(200, abs=2)


async def test_counts_of_a_clean_stream(engine: MediaEngine, peer: Peer) -> None:
    session, _, t0 = await begun(engine)
    session.connect(RemoteMedia(*peer.address, final=True))
    await peer.stream(session.local, [b"\xd5" * 160] * 20)
    await asyncio.sleep(0.1)
    report = await session.close(elapsed_ms(t0))
    counts = report.statistics
    assert (counts.received, counts.lost, counts.duplicated, counts.reordered, counts.ignored) == (
        20,
        0,
        0,
        0,
        0,
    )
    assert counts.codec == "PCMA"
    assert counts.jitter_ms is not None
    assert counts.sent >= 15
    assert report.malformed == 0


async def test_silence_is_sent_as_soon_as_the_far_side_is_known(engine: MediaEngine, peer: Peer) -> None:
    session, _, t0 = await begun(engine)
    await asyncio.sleep(0.1)
    assert peer.received() == []
    session.connect(RemoteMedia(*peer.address, payload_type=0, codec="PCMU"))
    await asyncio.sleep(0.4)
    report = await session.close(elapsed_ms(t0))
    await asyncio.sleep(0.05)
    got = peer.received()
    heads = [struct.unpack("!BBHII", packet[:12]) for packet in got]
    assert len(got) == report.statistics.sent >= 10
    assert {packet[12:] for packet in got} == {b"\xff" * 160}
    assert [head[1] for head in heads] == [0x80] + [0] * (len(got) - 1), "the marker starts the talk"
    assert {(b[2] - a[2]) & 0xFFFF for a, b in pairwise(heads)} == {1}
    assert {(b[3] - a[3]) & 0xFFFFFFFF for a, b in pairwise(heads)} == {160}
    assert len({head[4] for head in heads}) == 1


@pytest.mark.parametrize(("ptime_ms", "samples"), [(10, 80), (20, 160), (30, 240), (40, 320), (7, 160)])
async def test_our_packets_are_as_long_as_the_answer_asks(
    engine: MediaEngine, peer: Peer, ptime_ms: int, samples: int
) -> None:
    session, events, t0 = await begun(engine)
    sound = tone(0.25)
    session.connect(RemoteMedia(*peer.address, ptime_ms=ptime_ms))
    session.play(sound)
    await until(lambda: any(isinstance(event, PlayFinished) for event in events))
    await session.close(elapsed_ms(t0))
    got = peer.received()
    assert {len(packet) - 12 for packet in got} == {samples}
    stream = b"".join(packet[12:] for packet in got)
    assert encode(sound, "PCMA") in stream


async def test_a_loop_has_no_seam_and_stops(engine: MediaEngine, peer: Peer) -> None:
    session, events, t0 = await begun(engine)
    session.connect(RemoteMedia(*peer.address))
    short = tone(0.035)  # 280 samples: no multiple of a packet
    session.play(short, loop=True)
    await asyncio.sleep(0.4)
    session.stop()
    await asyncio.sleep(0.2)
    await session.close(elapsed_ms(t0))
    stream = b"".join(packet[12:] for packet in peer.received())
    assert encode(short, "PCMA") * 4 in stream
    assert stream.endswith(b"\xd5" * 320)
    assert not any(isinstance(event, PlayFinished) for event in events)


async def test_features_follow_the_calls_own_time(engine: MediaEngine, peer: Peer) -> None:
    session, events, t0 = await begun(engine, analyse=True)
    session.connect(RemoteMedia(*peer.address, final=True))
    await asyncio.sleep(0.3)
    await peer.stream(session.local, packets(encode(tone(0.4), "PCMA")))
    await asyncio.sleep(0.3)
    end_ms = elapsed_ms(t0)
    await session.close(end_ms)
    blocks = [event for event in events if isinstance(event, HeardBlock)]
    columns = 0
    for block in blocks:
        assert block.start_ms == columns * 20
        assert block.features.shape == (len(block.present), 1)
        columns += len(block.present)
    assert columns == int(end_ms / 20)
    (first,) = [event for event in events if isinstance(event, FirstPacket)]
    power = np.concatenate([block.features[:, 0] for block in blocks])
    present = np.concatenate([block.present for block in blocks])
    loud = np.nonzero(power > 1e-4)[0]
    assert loud[0] == int(first.at_ms / 20)
    assert len(loud) in (20, 21)
    assert np.nonzero(present.any(axis=1))[0][0] == loud[0]
    assert present.sum() / 4 == pytest.approx(20, abs=0.5)


async def test_each_session_gets_its_own_columns(engine: MediaEngine) -> None:
    """The blocks of all calls leave the engine together; the calls begin at different moments."""
    calls = []
    for number in range(4):
        session, events, t0 = await begun(engine, analyse=True)
        await asyncio.sleep(0.013 * number)
        calls.append((session, events, t0, Peer()))
    for session, _, _, peer in calls:
        session.connect(RemoteMedia(*peer.address, final=True))
    levels = [500, 2000, 8000, 30000]
    sounds = [packets(encode(tone(0.6, level=level), "PCMA")) for level in levels]
    await asyncio.gather(
        *(peer.stream(session.local, sound) for (session, *_, peer), sound in zip(calls, sounds, strict=True))
    )
    await asyncio.gather(*(session.close(elapsed_ms(t0)) for session, _, t0, _ in calls))
    for (_, events, _, peer), level in zip(calls, levels, strict=True):
        peer.socket.close()
        blocks = [event for event in events if isinstance(event, HeardBlock)]
        ends_ms = [block.start_ms + 20 * len(block.present) for block in blocks]
        assert [block.start_ms for block in blocks] == [0.0, *ends_ms[:-1]]
        power = np.concatenate([block.features[:, 0] for block in blocks])
        assert np.median(power[power > 1e-6]) == pytest.approx((level / 32768) ** 2 / 2, rel=0.1)


async def test_lost_packets_are_silent_and_counted(engine: MediaEngine, peer: Peer, tmp_path: Path) -> None:
    path = tmp_path / "call.part"
    session, _, t0 = await begun(engine, path)
    session.connect(RemoteMedia(*peer.address, final=True))
    sound = packets(encode(tone(0.4), "PCMA"))
    sent = time.monotonic()
    for number, payload in enumerate(sound):
        await asyncio.sleep(max(0.0, sent + number * 0.02 - time.monotonic()))
        if number not in (5, 6):
            peer.send(rtp(number, number * 160, payload), session.local)
    await asyncio.sleep(0.05)
    report = await session.close(elapsed_ms(t0))
    assert report.statistics.received == 18
    assert report.statistics.lost == 2
    heard = np.abs(read_capture(path).right.astype(int)) > 100
    start = np.nonzero(heard)[0][0]
    assert not heard[start + 810 : start + 1110].any()
    assert heard[start + 1130 :].any()


async def test_digits_come_as_events_and_in_the_report(engine: MediaEngine, peer: Peer) -> None:
    session, events, t0 = await begun(engine)
    session.connect(RemoteMedia(*peer.address, telephone_event_pt=96, final=True))
    await engine.health()
    for step in range(1, 6):
        body = struct.pack("!BBH", 5, 10, step * 160)
        peer.send(rtp(step, 1000, body, pt=96, marker=step == 1), session.local)
        await asyncio.sleep(0.02)
    for step in range(6, 9):
        peer.send(rtp(step, 1000, struct.pack("!BBH", 5, 0x8A, 960), pt=96), session.local)
    peer.send(rtp(9, 3000, struct.pack("!BBH", 11, 0x8A, 400), pt=96), session.local)
    await until(lambda: sum(isinstance(event, DtmfReceived) for event in events) == 2)
    report = await session.close(elapsed_ms(t0))
    assert [(digit.digit, digit.duration_ms) for digit in report.dtmf] == [("5", 120.0), ("#", 50.0)]
    assert report.statistics.lost == 0
    assert report.statistics.received == 9


async def test_bad_datagrams_are_counted_and_harmless(engine: MediaEngine, peer: Peer) -> None:
    session, _, t0 = await begun(engine)
    session.connect(RemoteMedia(*peer.address, final=True))
    await engine.health()
    rtcp = struct.pack("!BBHI", 0x80, 200, 1, 5)
    for data in (b"", b"\x80", b"x" * 40, b"\x90\x08" + bytes(10), b"\xa0\x08" + bytes(10) + b"\xff", rtcp):
        peer.send(data, session.local)
    peer.send(rtp(1, 0, b"\xd5" * 160, pt=111), session.local)
    peer.send(rtp(2, 160, b"\xd5" * 160), session.local)
    await asyncio.sleep(0.1)
    report = await session.close(elapsed_ms(t0))
    assert report.malformed == 5
    assert report.statistics.ignored == 6
    assert report.statistics.received == 1


async def test_a_refused_port_does_not_stop_the_call(engine: MediaEngine) -> None:
    session, _, t0 = await begun(engine)
    with Peer() as gone:
        address = gone.address
    session.connect(RemoteMedia(*address))
    await asyncio.sleep(0.3)
    with Peer() as later:
        session.connect(RemoteMedia(*later.address, final=True))
        await asyncio.sleep(0.2)
        later.send(rtp(1, 0, b"\xd5" * 160), session.local)
        await asyncio.sleep(0.1)
        report = await session.close(elapsed_ms(t0))
        assert len(later.received()) >= 5
    assert report.send_errors >= 5
    assert report.statistics.received == 1


async def test_a_capture_is_there_even_without_media(engine: MediaEngine, tmp_path: Path) -> None:
    path = tmp_path / "call.part"
    session, _, t0 = await begun(engine, path)
    await until(path.exists)
    await until(lambda: elapsed_ms(t0) > 123.5)
    await session.close(123.5)
    capture = read_capture(path)
    assert capture.ended
    assert capture.duration_ms == 123.5
    assert not capture.right.any()


async def test_a_capture_that_cannot_be_written_is_reported(
    engine: MediaEngine, peer: Peer, tmp_path: Path
) -> None:
    session, events, t0 = await begun(engine, tmp_path / "nowhere" / "call.part")
    session.connect(RemoteMedia(*peer.address, final=True))
    await until(lambda: any(isinstance(event, CaptureFailed) for event in events))
    (failed,) = [event for event in events if isinstance(event, CaptureFailed)]
    assert "nowhere" in failed.reason
    assert "No such file" in failed.reason
    peer.send(rtp(1, 0, b"\xd5" * 160), session.local)
    await asyncio.sleep(0.1)
    assert (await session.close(elapsed_ms(t0))).statistics.received == 1
    good, _, t0 = await begun(engine, tmp_path / "good.part")
    await good.close(elapsed_ms(t0))
    assert read_capture(tmp_path / "good.part").ended


async def test_a_capture_removed_during_the_call_is_reported(engine: MediaEngine, tmp_path: Path) -> None:
    path = tmp_path / "call.part"
    session, events, t0 = await begun(engine, path)
    await until(path.exists)
    path.unlink()
    await until(lambda: any(isinstance(event, CaptureFailed) for event in events))
    await session.close(elapsed_ms(t0))
    assert not path.exists()


async def test_an_earlier_capture_is_never_overwritten(engine: MediaEngine, tmp_path: Path) -> None:
    path = tmp_path / "call.part"
    path.write_bytes(b"evidence")
    session, events, t0 = await begun(engine, path)
    await until(lambda: any(isinstance(event, CaptureFailed) for event in events))
    await session.close(elapsed_ms(t0))
    assert path.read_bytes() == b"evidence"


async def test_events_can_be_iterated(engine: MediaEngine, peer: Peer) -> None:
    session = await engine.open(SessionSpec(LOOPBACK, analyse=False))
    session.begin(time.monotonic())
    session.connect(RemoteMedia(*peer.address, final=True))
    await engine.health()
    peer.send(rtp(1, 0, b"\xd5" * 160), session.local)
    events = session.events()
    assert isinstance(await anext(events), FirstPacket)
    await session.close(100.0)
    assert [event async for event in events] == []


async def test_a_second_close_gives_the_same_report(engine: MediaEngine) -> None:
    session, _, _ = await begun(engine)
    first, second = await asyncio.gather(session.close(10.0), session.close(20.0))
    assert first == second
    assert await session.close(30.0) == first


async def test_health_tells_of_the_ticks(engine: MediaEngine) -> None:
    await asyncio.sleep(0.2)
    health = await engine.health()
    assert health.ticks >= 5
    assert health.sessions == 0
    assert health.tick_ms_p50 <= health.tick_ms_p99


@pytest.mark.parametrize("host", ["far.example", "", "127.0.0.1:5000"])
async def test_a_host_that_is_no_address_is_refused(engine: MediaEngine, host: str) -> None:
    session, _, _ = await begun(engine)
    with pytest.raises(MediaError, match="not a numeric address"):
        session.connect(RemoteMedia(host, 5000))
    assert (await session.close(0.0)).statistics.sent == 0


@pytest.mark.parametrize(("host", "port"), [("0.0.0.0", 4000), ("127.0.0.1", 0)])
async def test_a_far_side_that_wants_no_packets_gets_none(
    engine: MediaEngine, peer: Peer, host: str, port: int
) -> None:
    session, _, t0 = await begun(engine)
    session.connect(RemoteMedia(*peer.address))
    session.connect(RemoteMedia(host, port))
    await engine.health()
    sent = len(peer.received())
    peer.send(rtp(1, 0, b"\xd5" * 160), session.local)
    await asyncio.sleep(0.1)
    report = await session.close(elapsed_ms(t0))
    assert report.statistics.sent == sent
    assert report.send_errors == 0
    assert report.statistics.received == 1, "who was named before may still play music on hold"


async def test_a_handler_that_fails_harms_nobody(engine: MediaEngine, peer: Peer) -> None:
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["message"]))

    def fail(event: MediaEvent) -> None:
        raise ValueError(event)

    try:
        session = await engine.open(SessionSpec(LOOPBACK, analyse=False), fail)
        session.begin(time.monotonic())
        session.connect(RemoteMedia(*peer.address, final=True))
        await engine.health()
        peer.send(rtp(1, 0, b"\xd5" * 160), session.local)
        await until(lambda: bool(failures))
        assert (await session.close(100.0)).statistics.received == 1
    finally:
        loop.set_exception_handler(None)
    assert failures == ["media event handler failed on FirstPacket"]


async def test_an_address_of_the_other_family_costs_only_send_errors(engine: MediaEngine) -> None:
    session, _, t0 = await begun(engine)
    session.connect(RemoteMedia("::1", 4000))
    await asyncio.sleep(0.1)
    report = await session.close(elapsed_ms(t0))
    assert report.send_errors == report.statistics.sent > 0


async def test_two_calls_hear_each_other_in_mu_law(engine: MediaEngine, tmp_path: Path) -> None:
    one, _, t0 = await begun(engine, tmp_path / "one.part")
    two, _, _ = await begun(engine, tmp_path / "two.part")
    for session, other in ((one, two), (two, one)):
        session.connect(RemoteMedia(*other.local, payload_type=0, codec="PCMU", final=True))
    two.play(tone(0.3, level=12000), loop=True)
    await asyncio.sleep(0.5)
    end_ms = elapsed_ms(t0)
    reports = await asyncio.gather(one.close(end_ms), two.close(end_ms))
    assert {report.statistics.codec for report in reports} == {"PCMU"}
    heard, said = read_capture(tmp_path / "one.part").right, read_capture(tmp_path / "two.part").left
    assert heard.max() == said.max() == pytest.approx(12000, rel=0.03)
    assert not read_capture(tmp_path / "one.part").left.any()


async def test_a_stalled_engine_still_knows_when_packets_came(
    engine: MediaEngine, peer: Peer, tmp_path: Path
) -> None:
    """Arrivals are the kernel's, and what should have left during a stall is late or left out, never moved in time."""
    path = tmp_path / "call.part"
    session, events, t0 = await begun(engine, path)
    session.connect(RemoteMedia(*peer.address, final=True))
    session.play(tone(5.0), loop=True)
    await until(lambda: bool(peer.received()))
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(0.15)
        sent_ms = elapsed_ms(t0)
        peer.send(rtp(1, 0, b"\x2a" * 160), session.local)
        sent_ms = (sent_ms + elapsed_ms(t0)) / 2
        await asyncio.sleep(0.3)
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    resumed_ms = elapsed_ms(t0)
    await asyncio.sleep(0.3)
    report = await session.close(elapsed_ms(t0))
    (first,) = [event for event in events if isinstance(event, FirstPacket)]
    assert first.at_ms == pytest.approx(sent_ms, abs=5)
    capture = read_capture(path)
    assert np.nonzero(capture.right < -30000)[0][0] / 8 == pytest.approx(first.at_ms, abs=0.2)
    silent = np.abs(capture.left[round((resumed_ms - 300) * 8) : round((resumed_ms - 100) * 8)])
    assert not silent.any(), "what was not sent is not in the capture"
    assert np.abs(capture.left[round((resumed_ms + 100) * 8) :]).max() > 1000
    assert report.statistics.sent < elapsed_ms(t0) / 20 - 10


async def test_packets_that_leave_after_their_slot_are_late(engine: MediaEngine, peer: Peer) -> None:
    session, _, t0 = await begun(engine)
    session.connect(RemoteMedia(*peer.address))
    await until(lambda: bool(peer.received()))
    os.kill(engine.pid, signal.SIGSTOP)
    await asyncio.sleep(0.12)
    os.kill(engine.pid, signal.SIGCONT)
    await asyncio.sleep(0.1)
    report = await session.close(elapsed_ms(t0))
    assert report.statistics.late >= 3


async def test_a_cancelled_open_leaves_no_session(engine: MediaEngine) -> None:
    before = (await engine.health()).sessions
    task = asyncio.create_task(engine.open(SessionSpec(LOOPBACK, analyse=False)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await engine.health()).sessions == before


async def test_a_full_disk_is_reported_and_harms_no_other_call(engine: MediaEngine, tmp_path: Path) -> None:
    full, events, t0 = await begun(engine, Path("/dev/full"))
    other, others, _ = await begun(engine, tmp_path / "other.part")
    await until(lambda: any(isinstance(event, CaptureFailed) for event in events))
    assert [event.reason for event in events if isinstance(event, CaptureFailed)] == [
        "/dev/full: No space left on device"
    ]
    await full.close(elapsed_ms(t0))
    await other.close(elapsed_ms(t0))
    assert read_capture(tmp_path / "other.part").ended
    assert others == []


async def test_a_call_that_fails_takes_no_other_with_it(
    engine: MediaEngine, peer: Peer, tmp_path: Path
) -> None:
    """A time 0 in the distant past makes positions that no capture can hold."""
    healthy, _, t0 = await begun(engine)
    failing = await engine.open(SessionSpec(LOOPBACK, tmp_path / "call.part", analyse=False), lambda _: None)
    failing.begin(-1e18)
    healthy.connect(RemoteMedia(*peer.address, final=True))
    failing.connect(RemoteMedia(*peer.address, codec=cast(Codec, "G729")))
    report = await asyncio.wait_for(failing.close(1e300), 5.0)
    assert report.lost is not None
    assert "failed" in report.lost
    peer.send(rtp(1, 0, b"\xd5" * 160), healthy.local)
    await asyncio.sleep(0.1)
    assert (await healthy.close(elapsed_ms(t0))).statistics.received == 1
    assert (await engine.health()).sessions == 0


async def test_a_command_that_means_nothing_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    async with await MediaEngine.start(capacity=1) as engine:
        session, _, _ = await begun(engine)
        engine.command("drop")
        engine.command("open", "not a number")
        engine.command("nonsense")
        session.stop()
        assert (await session.close(0.0)).lost is None
    assert "nonsense" in capfd.readouterr().err


async def test_a_host_that_cannot_be_encoded_is_refused(engine: MediaEngine) -> None:
    with pytest.raises(MediaError, match="failed"):
        await engine.open(SessionSpec("ä..b"))
    assert (await engine.health()).sessions == 0


async def test_a_stalled_engine_analyses_all_that_came_in_time(engine: MediaEngine, peer: Peer) -> None:
    """Half a second of packets wait in the socket, the very first of the call among them."""
    session, events, t0 = await begun(engine, analyse=True)
    session.connect(RemoteMedia(*peer.address, final=True))
    await engine.health()
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        began_ms = elapsed_ms(t0)
        for number in range(25):
            peer.send(rtp(number, number * 160, b"\x2a" * 160), session.local)
            await asyncio.sleep(max(0.0, began_ms / 1000 + (number + 1) * 0.02 - elapsed_ms(t0) / 1000))
        ended_ms = elapsed_ms(t0)
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    await asyncio.sleep(0.4)
    await session.close(elapsed_ms(t0))
    came = {
        event.start_ms + 20.0 * column
        for event in events
        if isinstance(event, HeardBlock)
        for column in event.present.all(axis=1).nonzero()[0].tolist()
    }
    wanted = {at for at in (20.0 * n for n in range(1000)) if began_ms + 40 < at < ended_ms - 60}
    assert wanted <= came
