"""What changes in mid-call (law, packet length, address, hold) and what a report says of sound that goes one way."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
import weakref
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from sip.media import (
    Codec,
    FirstPacket,
    MediaEngine,
    MediaError,
    MediaEvent,
    PlayFinished,
    RemoteMedia,
    SessionSpec,
    SrtpPolicy,
    encode,
    read_capture,
)
from sip.media.call import Call
from sip.media.model import RemoteMedia as Remote
from sip.media.receive import Receiver
from sip.media.send import Sender
from sip.media.timeline import HeardMatrix, TimeLine
from sip.media.udp import bind
from tests.unit.media_peer import Peer, rtp, tone, until

FAR = ("127.0.0.1", 4000)


def receiver() -> Receiver:
    return Receiver(TimeLine(HeardMatrix(1), 0))


@pytest.mark.parametrize("changes", [[(20, 30)], [(30, 20)], [(20, 10)], [(40, 10)], [(10, 40)], [(30, 40)]])
def test_another_packet_length_neither_jumps_nor_drifts(changes: list[tuple[int, int]]) -> None:
    """However often it changes, what has left by a tick is what belongs before the end of its last packet."""
    sender = Sender()
    sender.connect(Remote(*FAR, ptime_ms=changes[0][0]))
    samples = 0
    for tick in range(1, 400):
        for _ in range(sender.due()):
            samples += len(sender.packet()[1])
        assert -160 <= samples - 160 * tick <= 320 - 80
        if tick % 7 == 0:
            sender.connect(Remote(*FAR, ptime_ms=changes[0][tick // 7 % 2]))


def test_laws_that_change_to_and_fro_keep_their_place() -> None:
    one = receiver()
    one.connect(Remote(*FAR, final=True))
    level = tone(0.02, 500, 12_000)
    for number in range(40):
        codec: Codec = "PCMU" if number // 10 % 2 else "PCMA"
        data = rtp(number, 160 * number, encode(level, codec), pt=0 if codec == "PCMU" else 8)
        one.packet(data, FAR, number * 0.02, 0.0)
    taken = one.line.take(160 * 40)
    assert taken is not None
    assert taken[0] == 0
    again = np.tile(level, 40).astype(int)
    from sip.media import decode

    assert np.abs(decode(taken[1], one.line.codec) - again).max() < 600, "a law translated twice, at most"
    counts = one.statistics()
    assert (counts.received, counts.lost, counts.ignored, counts.codec) == (40, 0, 0, "PCMU")


def test_a_silence_that_is_announced_is_no_gap_and_no_loss() -> None:
    one = receiver()
    one.connect(Remote(*FAR, final=True), 1.0)
    for number in range(10):
        one.packet(rtp(number, 160 * number, b"\x35" * 160), FAR, 1 + number * 0.02, 0.0)
    one.packet(rtp(10, 1600, b"\x40\x10", pt=13), FAR, 1.2, 0.0)
    one.packet(rtp(11, 8 * 4000, b"\x3e", pt=13), FAR, 5.0, 0.0)
    one.packet(rtp(12, 8 * 6000, b"\x35" * 160, marker=True), FAR, 7.0, 0.0)
    assert one.longest_gap_s(7.02) == pytest.approx(0.02)
    assert one.statistics().lost == 0
    taken = one.line.take(160 * 25 + 8000)
    assert taken is not None
    sound = np.frombuffer(taken[1], np.uint8)
    assert set(sound[8000 + 1600 :].tolist()) == {0xD5}, "the level of comfort noise is not played as sound"


def test_the_longest_time_without_packets_is_measured_from_the_answer() -> None:
    one = receiver()
    assert one.longest_gap_s(9.0) is None
    one.connect(Remote(*FAR), 0.0)
    one.packet(rtp(0, 0, b"\x35" * 160), FAR, 1.0, 0.0)
    one.connect(Remote(*FAR, final=True), 6.0)
    assert one.longest_gap_s(7.5) == pytest.approx(1.5), "what was before the answer does not count"
    one.packet(rtp(1, 160, b"\x35" * 160), FAR, 6.5, 0.0)
    one.packet(rtp(2, 320, b"\x35" * 160), FAR, 6.52, 0.0)
    one.packet(rtp(3, 480, b"\x35" * 160), FAR, 8.52, 0.0)
    one.packet(rtp(9, 5, b"\x35" * 160, ssrc=5), FAR, 9.0, 0.0)
    assert one.longest_gap_s(9.1) == pytest.approx(2.0)
    assert one.longest_gap_s(20.0) == pytest.approx(11.0)
    assert one.last_packet_s == 9.0
    one.connect(Remote(*FAR, final=True), 10.0)
    assert one.longest_gap_s(20.0) == pytest.approx(11.0), "a second answer is none"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("dscp", [46, 0, 63])
def test_packets_are_marked_for_the_network(host: str, dscp: int) -> None:
    pair = bind(host, None, dscp)
    try:
        ports = [sock.getsockname()[1] for sock in pair]
        assert ports[0] % 2 == 0
        assert ports[1] == ports[0] + 1
        for sock in pair:
            if host == "::1":
                assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == dscp << 2
            else:
                assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == dscp << 2
    finally:
        for sock in pair:
            sock.close()


@pytest.mark.parametrize("key", [None, bytes(30)])
def test_a_closed_call_is_gone_without_a_collector(key: bytes | None, tmp_path: Path) -> None:
    """The engine runs without one while there are calls, and there may always be some."""
    gc.collect()
    gc.disable()
    try:
        spec = SessionSpec("127.0.0.1", analyse=False, packets=tmp_path / "log")
        call = Call(1, 0, TimeLine(HeardMatrix(1), 0), spec)
        call.begin(0.0)
        policy = SrtpPolicy("AES_CM_128_HMAC_SHA1_80", key, key) if key else None
        call.connect(RemoteMedia(*FAR, srtp=policy, final=True), 1.0)
        call.send(1.0)
        call.report(100.0)
        call.close()
        gone = weakref.ref(call)
        del call
        assert gone() is None
    finally:
        gc.enable()


pytest_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[MediaEngine]:
    async with await MediaEngine.start(bank=None, capacity=8) as engine:
        yield engine


@pytest_loop
async def test_a_range_that_is_used_up_says_so(engine: MediaEngine) -> None:
    with Peer() as probe:
        first = probe.address[1] + probe.address[1] % 2
    spec = SessionSpec("127.0.0.1", analyse=False, port_range=(first, first + 4))
    sessions = [await engine.open(spec) for _ in range(2)]
    assert {session.local[1] for session in sessions} == {first, first + 2}
    with pytest.raises(MediaError, match=f"all 2 pairs .* ports {first} to {first + 4} are in use"):
        await engine.open(spec)
    await sessions[0].close(0.0)
    sessions[0] = await engine.open(spec)
    for session in sessions:
        await session.close(0.0)
    with pytest.raises(MediaError, match="hold no even port with the odd one behind it"):
        await engine.open(SessionSpec("127.0.0.1", analyse=False, port_range=(first, first)))


@pytest_loop
async def test_an_odd_port_that_is_taken_costs_its_pair(engine: MediaEngine) -> None:
    with Peer() as probe:
        first = probe.address[1] + probe.address[1] % 2
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", first + 1))
    with taken:
        spec = SessionSpec("127.0.0.1", analyse=False, port_range=(first, first + 3))
        session = await engine.open(spec)
        assert session.local[1] == first + 2
        await session.close(0.0)


@pytest_loop
async def test_another_law_length_and_address_leave_the_sent_side_exact(
    engine: MediaEngine, tmp_path: Path
) -> None:
    """A sound that plays across all of it is in the recording, and on the wire, without a seam."""
    events: list[MediaEvent] = []
    path = tmp_path / "call.part"
    session = await engine.open(SessionSpec("127.0.0.1", path, analyse=False), events.append)
    t0 = time.monotonic()
    session.begin(t0)
    sound = tone(1.2, 440, 10_000)
    with Peer() as one, Peer() as two:
        session.connect(RemoteMedia(*one.address))
        session.play(sound)
        await asyncio.sleep(0.25)
        session.connect(RemoteMedia(*one.address, payload_type=0, codec="PCMU", ptime_ms=30, final=True))
        await asyncio.sleep(0.25)
        session.connect(RemoteMedia(*two.address, ptime_ms=10, final=True))
        await asyncio.sleep(0.25)
        session.connect(RemoteMedia(*two.address, payload_type=0, codec="PCMU", final=True))
        await until(lambda: any(isinstance(event, PlayFinished) for event in events))
        await session.close((time.monotonic() - t0) * 1000)
        packets = one.received() + two.received()
    sizes = [(packet[1] & 0x7F, len(packet) - 12) for packet in packets]
    assert [kind for kind, before in zip(sizes, [None, *sizes], strict=False) if kind != before] == [
        (8, 160),
        (0, 240),
        (8, 80),
        (0, 160),
    ]
    stamps = [(int.from_bytes(packet[4:8]), len(packet) - 12) for packet in packets]
    assert all((b - a) & 0xFFFFFFFF == size for (a, size), (b, _) in pairwise(stamps))
    left = read_capture(path).left.astype(int)
    start = np.nonzero(np.abs(left) > 200)[0][0] - 1
    assert np.abs(left[start : start + len(sound)] - sound).max() < 600


@pytest_loop
async def test_time_passes_while_the_far_side_holds(engine: MediaEngine, tmp_path: Path) -> None:
    path = tmp_path / "call.part"
    session = await engine.open(SessionSpec("127.0.0.1", path, analyse=False))
    t0 = time.monotonic()
    session.begin(t0)
    with Peer() as peer:
        session.connect(RemoteMedia(*peer.address, final=True))
        await asyncio.sleep(0.2)
        session.connect(RemoteMedia("0.0.0.0", peer.address[1], final=True))
        await asyncio.sleep(0.6)
        await engine.health()
        before = peer.received()
        session.connect(RemoteMedia(*peer.address, final=True))
        session.play(tone(0.1))
        resumed_ms = (time.monotonic() - t0) * 1000
        await asyncio.sleep(0.3)
        await session.close((time.monotonic() - t0) * 1000)
        after = peer.received()
    loud = np.nonzero(np.abs(read_capture(path).left.astype(int)) > 200)[0] / 8
    assert loud[0] == pytest.approx(resumed_ms + 12, abs=40)
    step = int.from_bytes(after[0][4:8]) - int.from_bytes(before[-1][4:8]) & 0xFFFFFFFF
    assert step / 8 == pytest.approx(620, abs=100), "the stream's clock went on"
    assert int.from_bytes(after[0][2:4]) - int.from_bytes(before[-1][2:4]) & 0xFFFF == 1


@pytest_loop
async def test_sound_that_goes_one_way_can_be_told(engine: MediaEngine) -> None:
    mute = await engine.open(SessionSpec("127.0.0.1", analyse=False))
    events: list[MediaEvent] = []
    short = await engine.open(SessionSpec("127.0.0.1", analyse=False), events.append)
    t0 = time.monotonic()
    with Peer() as peer, Peer() as silent:
        for session, far in ((mute, silent), (short, peer)):
            session.begin(t0)
            session.connect(RemoteMedia(*far.address, final=True))
        await engine.health()
        answered_ms = (time.monotonic() - t0) * 1000
        await peer.stream(short.local, [b"\xd5" * 160] * 15)
        await asyncio.sleep(0.7)
        end_ms = (time.monotonic() - t0) * 1000
        reports = [await session.close(end_ms) for session in (mute, short)]
    assert reports[0].last_packet_ms is None
    assert reports[0].longest_gap_ms == pytest.approx(end_ms - answered_ms, abs=30)
    assert reports[0].statistics.sent > 30
    (first,) = [event.at_ms for event in events if isinstance(event, FirstPacket)]
    last_ms = reports[1].last_packet_ms
    assert last_ms is not None
    assert last_ms - first == pytest.approx(280, abs=100)
    assert reports[1].longest_gap_ms == pytest.approx(end_ms - last_ms, abs=1)


@pytest_loop
async def test_a_call_over_ipv6(engine: MediaEngine, tmp_path: Path) -> None:
    one, two = [
        await engine.open(SessionSpec("::1", tmp_path / f"{name}.part", analyse=False)) for name in "12"
    ]
    t0 = time.monotonic()
    for session, other in ((one, two), (two, one)):
        session.begin(t0)
        session.connect(RemoteMedia(*other.local, final=True))
    two.play(tone(0.3))
    await asyncio.sleep(1.6)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(rtp(1, 1, b"\x2a" * 160), one.local)
    await asyncio.sleep(0.1)
    reports = [await session.close((time.monotonic() - t0) * 1000) for session in (one, two)]
    heard = np.abs(read_capture(tmp_path / "1.part").right.astype(int))
    assert 7000 < heard.max() < 9000
    assert all(report.statistics.received > 60 for report in reports)
    assert [report.rejected_sources for report in reports] == [0, 0], "the kernel refused it"
