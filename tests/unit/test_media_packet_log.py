"""The log of packets: what stands in it, what a cut leaves of it, and what happens where it cannot be written."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from sip.media import (
    CaptureFailed,
    LoggedPacket,
    MediaEngine,
    MediaError,
    MediaEvent,
    PacketLogError,
    PacketLogFailed,
    RemoteMedia,
    SessionSpec,
    read_capture,
    read_packets,
)
from sip.media.packet_log import PacketLog, pack_log_header
from tests.unit.media_peer import Peer, rtp, until

WALL_S, T0 = 1_700_000_000.5, 1234.5
V4, V6 = ("192.0.2.1", 4000), ("2001:db8::1", 5000)


def written(path: Path) -> tuple[PacketLog, bytes]:
    """A log of three packets."""
    log = PacketLog()
    log.t0 = T0
    log.add(T0 + 0.0125, ("127.0.0.1", 4002), b"one", local=V4, sent=True)
    log.add(T0 + 0.02, ("2001:db8::2", 65535), b"", local=V6, rtcp=True, refused=True)
    log.add(T0 + 0.04, ("127.0.0.9", 1), bytes(1400), local=V4, encrypted=True)
    count, records = log.take()
    assert count == 3
    data = pack_log_header(WALL_S, T0) + records
    path.write_bytes(data)
    return log, data


def test_what_is_logged_is_read(tmp_path: Path) -> None:
    written(tmp_path / "log")
    one, two, three = read_packets(tmp_path / "log")
    assert one == LoggedPacket(
        12.5, T0 + 0.0125, WALL_S + 0.0125, "sent", "rtp", False, False, V4, ("127.0.0.1", 4002), b"one"
    )
    assert (two.direction, two.kind, two.refused, two.local, two.remote, two.data) == (
        "received",
        "rtcp",
        True,
        V6,
        ("2001:db8::2", 65535),
        b"",
    )
    assert (three.encrypted, three.refused, len(three.data)) == (True, False, 1400)


def test_every_cut_leaves_the_whole_packets(tmp_path: Path) -> None:
    path = tmp_path / "log"
    _, data = written(path)
    lengths = []
    for size in range(len(data) - 1300):
        path.write_bytes(data[:size])
        lengths.append(len(list(read_packets(path))))
    assert lengths == sorted(lengths)
    assert set(lengths) == {0, 1, 2}


def test_damage_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "log"
    _, data = written(path)
    place = data.index(b"p:", data.index(b"one"))
    path.write_bytes(data[:place] + b"??" + data[place + 2 :])
    assert len(list(read_packets(path))) == 1


def test_what_is_no_log_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pytest.raises(PacketLogError, match="log: No such file"):
        list(read_packets(path))
    path.write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(PacketLogError, match="is not a log of packets"):
        list(read_packets(path))
    path.write_bytes(struct.pack("<8sHHdd", b"DUTYRPKT", 9, 0, 0, 0))
    with pytest.raises(PacketLogError, match="of version 9"):
        list(read_packets(path))


def test_a_flood_is_bounded_and_counted() -> None:
    log = PacketLog()
    log.add(T0, V4, b"before time 0", local=V4)
    log.t0 = T0
    for _ in range(2000):
        log.add(T0, V4, bytes(1000), local=V4)
    count, records = log.take()
    assert count + log.dropped == 2000
    assert len(records) < 1_100_000
    log.add(T0, V4, b"after", local=V4)
    assert log.take()[0] == 1


pytest_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[MediaEngine]:
    async with await MediaEngine.start(bank=None, capacity=8) as engine:
        yield engine


@pytest_loop
async def test_the_packets_of_a_call(engine: MediaEngine, tmp_path: Path) -> None:
    path = tmp_path / "call.packets"
    session = await engine.open(SessionSpec("127.0.0.1", analyse=False, packets=path))
    t0, wall_s = time.monotonic(), time.time()
    session.begin(t0)
    with Peer() as peer, Peer() as reporter, Peer("127.0.0.2") as stranger:
        session.connect(RemoteMedia(*peer.address, rtcp=reporter.address, final=True))
        await engine.health()
        stranger.send(rtp(1, 1, b"false"), session.local)
        stranger.send(struct.pack("!BBHI", 0x80, 201, 1, 9), session.local)
        for number in range(30):
            peer.send(rtp(number, 160 * number, b"\xd5" * 160), session.local)
            await asyncio.sleep(0.02)
        reporter.send(struct.pack("!BBHI", 0x80, 201, 1, 77), (session.local[0], session.local[1] + 1))
        await asyncio.sleep(0.1)
        report = await session.close((time.monotonic() - t0) * 1000)
        arrived = [data for data in peer.received() if data[1] & 0x7F == 8]
        reports = reporter.received()
    packets = list(read_packets(path))
    sound = [packet for packet in packets if packet.kind == "rtp" and not packet.refused]
    sent = [packet for packet in sound if packet.direction == "sent"]
    received = [packet for packet in sound if packet.direction == "received"]
    assert [packet.data for packet in sent] == arrived
    assert {packet.remote for packet in sent} == {peer.address}
    assert {packet.local for packet in sound} == {session.local}
    assert [packet.data[2:4] for packet in received] == [struct.pack("!H", number) for number in range(30)]
    assert {b.at_ms - a.at_ms > 15 for a, b in pairwise(received)} == {True}
    assert received[0].at_ms == report.statistics.first_packet_ms or abs(
        received[0].at_ms - (report.statistics.first_packet_ms or 0)
    ) == pytest.approx(0, abs=0.002)
    assert received[0].at == pytest.approx(t0 + received[0].at_ms / 1000, abs=1e-6)
    assert received[0].wall_time_s == pytest.approx(wall_s + received[0].at_ms / 1000, abs=0.05)
    refused = [packet for packet in packets if packet.refused]
    assert {(packet.kind, packet.remote) for packet in refused} == {
        ("rtp", stranger.address),
        ("rtcp", stranger.address),
    }
    told = [packet for packet in packets if packet.kind == "rtcp" and not packet.refused]
    assert {packet.local[1] for packet in told} == {session.local[1] + 1}
    assert [packet.data for packet in told if packet.direction == "sent"] == reports
    assert [packet.data[1] for packet in told if packet.direction == "received"] == [201]
    assert report.packets_unlogged == 0


@pytest_loop
async def test_a_log_that_cannot_be_written_costs_nothing_else(engine: MediaEngine, tmp_path: Path) -> None:
    events: list[MediaEvent] = []
    capture = tmp_path / "call.part"
    spec = SessionSpec("127.0.0.1", capture, analyse=False, packets=tmp_path / "nowhere" / "log")
    session = await engine.open(spec, events.append)
    t0 = time.monotonic()
    session.begin(t0)
    with Peer() as peer:
        session.connect(RemoteMedia(*peer.address, final=True))
        await until(lambda: any(isinstance(event, PacketLogFailed) for event in events))
        await peer.stream(session.local, [b"\x35" * 160] * 20)
        await asyncio.sleep(0.05)
        report = await session.close((time.monotonic() - t0) * 1000)
    (failed,) = [event for event in events if isinstance(event, PacketLogFailed)]
    assert "nowhere" in failed.reason
    assert not any(isinstance(event, CaptureFailed) for event in events)
    assert report.statistics.received == 20
    assert read_capture(capture).ended
    assert read_capture(capture).right.any()


async def test_without_a_writer_nothing_can_be_logged(tmp_path: Path) -> None:
    async with await MediaEngine.start(writer=False, bank=None) as engine:
        with pytest.raises(MediaError, match="no packets can be logged"):
            await engine.open(SessionSpec("127.0.0.1", analyse=False, packets=tmp_path / "log"))
