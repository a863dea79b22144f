"""Reports of both sides: written down byte by byte, and exchanged with the engine over real sockets."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio

from sip.media import MediaEngine, MediaReport, MediaSession, RemoteMedia, SessionSpec
from sip.media.rtcp import Block, Received, Report, Reports, Sent, ntp_middle, parse_reports
from tests.unit.media_peer import Peer, rtp, until

OURS, THEIRS = 0x11223344, 0x55667788
WALL_S = 1_700_000_000.25
SENT = Sent(OURS, 4000, 25, 4000)


def packet(kind: int, count: int, *words: int) -> bytes:
    """An RTCP packet, written down independently of the product."""
    return struct.pack(f"!BBH{len(words)}I", 0x80 | count, kind, len(words), *words)


def cut(compound: bytes) -> list[tuple[int, int, bytes]]:
    """(type, count, body) of every packet of a compound; each is whole."""
    packets = []
    while compound:
        first, kind, words = struct.unpack("!BBH", compound[:4])
        assert first & 0xE0 == 0x80
        assert len(compound) >= 4 * words + 4
        packets.append((kind, first & 0x1F, compound[4 : 4 * words + 4]))
        compound = compound[4 * words + 4 :]
    return packets


def test_a_sender_report_with_its_cname() -> None:
    reports = Reports()
    (sr, sdes) = cut(reports.build(SENT, None, 10.0, WALL_S))
    assert sr[:2] == (200, 0)
    ssrc, seconds, fraction, timestamp, packets, octets = struct.unpack("!6I", sr[2])
    assert (ssrc, timestamp, packets, octets) == (OURS, 4000, 25, 4000)
    assert seconds - 2_208_988_800 == 1_700_000_000
    assert fraction == 1 << 30
    assert sdes[:2] == (202, 1)
    assert struct.unpack("!I", sdes[2][:4]) == (OURS,)
    assert sdes[2][4:6] == b"\x01\x10"
    assert sdes[2][22:] == b"\0\0"
    again = cut(reports.build(SENT, None, 15.0, WALL_S))
    assert again[1] == sdes, "the name stays for the call"
    assert again[0][0] == 201, "nothing was sent since, so it is a receiver report"
    assert cut(Reports().build(SENT, None, 10.0, WALL_S))[1] != sdes


def test_the_end_is_said() -> None:
    assert cut(Reports().build(SENT, None, 10.0, WALL_S, bye=True))[-1] == (
        203,
        1,
        struct.pack("!I", OURS),
    )


def test_what_we_lack_is_told_since_the_last_report_and_in_all() -> None:
    reports = Reports()
    blocks = []
    for expected, lost in ((100, 10), (200, 60), (300, 60), (300, 60)):
        received = Received(THEIRS, expected, lost, 70_000 + expected, 16.9)
        (report,) = parse_reports(reports.build(SENT, received, 10.0, WALL_S))
        blocks += report.blocks
    assert [(block.fraction_lost, block.lost) for block in blocks] == [(25, 10), (128, 60), (0, 60), (0, 60)]
    assert blocks[0] == Block(THEIRS, 25, 10, 70_100, 16, 0, 0)


def test_the_answer_to_their_report_names_it_and_its_age() -> None:
    reports = Reports()
    theirs = packet(200, 0, THEIRS, 0xAAAABBBB, 0xCCCCDDDD, 1, 2, 3)
    reports.take(theirs, OURS, 10.0, WALL_S)
    (report,) = parse_reports(reports.build(SENT, Received(THEIRS, 9, 0, 9, 0.0), 12.5, WALL_S))
    assert report.blocks[0].last_report == 0xBBBBCCCC
    assert report.blocks[0].delay == 2.5 * 65536
    (report,) = parse_reports(reports.build(SENT, Received(THEIRS + 1, 9, 0, 9, 0.0), 12.5, WALL_S))
    assert report.blocks[0].last_report == 0, "that is another stream"


def test_the_round_trip_is_that_of_rfc_3550() -> None:
    """Figure 2 of section 6.4.1: a report of 0xb44db705:2 is answered after 5.25 s and here at 0xb44db710:8."""
    reports = Reports()
    delay = 0x00054000
    theirs = packet(201, 1, THEIRS, OURS, 0x20000007, 9, 80, 0xB7052000, delay)
    wall_s = 0xB44DB710 + 0.5 - 2_208_988_800
    assert ntp_middle(wall_s) == 0xB7108000
    reports.take(theirs, OURS, 10.0, wall_s)
    assert reports.round_trip_ms == pytest.approx(6125, abs=0.1)
    assert reports.remote_lost == 7
    assert reports.remote_jitter_ms == 10.0


def test_what_they_say_of_others_is_not_ours() -> None:
    reports = Reports()
    reports.take(packet(201, 1, THEIRS, OURS + 1, 5, 9, 80, 1, 1), OURS, 10.0, WALL_S)
    assert (reports.received, reports.remote_lost, reports.round_trip_ms) == (1, None, None)


@pytest.mark.parametrize(("word", "lost"), [(0x00FFFFFF, 0), (0x007FFFFF, 0x7FFFFF), (0xFF000001, 1)])
def test_losses_are_signed(word: int, lost: int) -> None:
    reports = Reports()
    reports.take(packet(201, 1, THEIRS, OURS, word, 9, 80, 0, 0), OURS, 10.0, WALL_S)
    assert reports.remote_lost == lost
    assert reports.round_trip_ms is None, "they answered no report yet"


def test_an_impossible_round_trip_is_not_believed() -> None:
    reports = Reports()
    long_ago = (ntp_middle(WALL_S) - (3600 << 16)) & 0xFFFFFFFF
    reports.take(packet(201, 1, THEIRS, OURS, 0, 9, 80, long_ago, 0), OURS, 10.0, WALL_S)
    assert reports.round_trip_ms is None
    soon = (ntp_middle(WALL_S) + 2) & 0xFFFFFFFF
    reports.take(packet(201, 1, THEIRS, OURS, 0, 9, 80, soon, 0), OURS, 10.0, WALL_S)
    assert reports.round_trip_ms == 0.0


def test_a_compound_is_read_as_far_as_it_is_whole() -> None:
    rr = packet(201, 1, THEIRS, OURS, 0, 9, 80, 0, 0)
    sr = packet(200, 1, THEIRS, 1, 2, 3, 4, 5, OURS, 0, 9, 80, 0, 0)
    other = packet(202, 0) + packet(203, 1, THEIRS) + packet(206, 1, 1, 2)
    found = parse_reports(rr + other + sr + rr[:20])
    assert [(report.ssrc, report.ntp_middle, len(report.blocks)) for report in found] == [
        (THEIRS, None, 1),
        (THEIRS, 1 << 16, 1),
    ]
    assert parse_reports(packet(201, 2, THEIRS, OURS, 0, 9, 80, 0, 0)) == [], "it lacks its second block"
    assert parse_reports(packet(203, 1, THEIRS) + rr) == [], "it does not begin with a report"
    assert parse_reports(rr[:-1]) == parse_reports(b"") == []
    assert found[0] == Report(THEIRS, None, (Block(OURS, 0, 0, 9, 80, 0, 0),))


def test_reports_are_due_at_random_about_every_five_seconds() -> None:
    firsts, gaps = [], []
    for _ in range(300):
        reports = Reports()
        times = [now / 10 for now in range(600) if reports.due(now / 10)]
        firsts.append(times[0])
        gaps += [b - a for a, b in pairwise(times)]
    assert 1.2 <= min(firsts) <= max(firsts) <= 3.9
    assert 2.4 <= min(gaps) <= max(gaps) <= 7.7
    assert sum(gaps) / len(gaps) == pytest.approx(5.0, abs=0.3)


# Over real sockets

engine_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[MediaEngine]:
    async with await MediaEngine.start(bank=None, capacity=8) as engine:
        yield engine


async def begun(engine: MediaEngine) -> tuple[MediaSession, float]:
    session = await engine.open(SessionSpec("127.0.0.1", analyse=False))
    t0 = time.monotonic()
    session.begin(t0)
    return session, t0


async def closed(session: MediaSession, t0: float) -> MediaReport:
    return await session.close((time.monotonic() - t0) * 1000)


def neighbour(session: MediaSession) -> tuple[str, int]:
    return session.local[0], session.local[1] + 1


def compounds(peer: Peer) -> list[list[tuple[int, int, bytes]]]:
    return [cut(data) for data in peer.received()]


@engine_loop
@pytest.mark.parametrize("muxed", [False, True])
async def test_reports_go_both_ways(engine: MediaEngine, muxed: bool) -> None:
    session, t0 = await begun(engine)
    with Peer() as media, Peer() as reporter:
        remote = RemoteMedia(*media.address, final=True, rtcp=reporter.address, rtcp_mux=muxed)
        session.connect(remote)
        far, destination = (media, session.local) if muxed else (reporter, neighbour(session))
        stream = asyncio.ensure_future(media.stream(session.local, [b"\xd5" * 160] * 220))
        got: list[bytes] = []

        def reported() -> bool:
            got.extend(data for data in far.received() if 200 <= data[1] <= 204)
            return bool(got)

        await until(reported, 6.0)
        (sr, sdes) = cut(got[0])
        assert sr[0] == 200
        assert sdes[0] == 202
        ours, seconds, fraction = struct.unpack("!3I", sr[2][:12])
        middle = (seconds & 0xFFFF) << 16 | fraction >> 16
        assert seconds - 2_208_988_800 == pytest.approx(time.time(), abs=2)
        await asyncio.sleep(0.25)
        age_s = time.time() + 2_208_988_800 - seconds - fraction / (1 << 32)
        delay = round((age_s - 0.05) * 65536)  # they pretend to have had it 50 ms later
        far.send(packet(200, 1, 77, 1, 2, 3, 4, 5, ours, 3, 9, 80, middle, delay), destination)
        await asyncio.sleep(0.1)
        report = await closed(session, t0)
        stream.cancel()
        await asyncio.sleep(0.05)
        ends = [data for data in far.received() if 200 <= data[1] <= 204]
        assert [kind for kind, _, _ in cut(ends[-1])] == [200, 202, 203]
        (last,) = parse_reports(ends[-1])
    assert report.rtcp_received == 1
    assert report.remote_lost == 3
    assert report.remote_jitter_ms == 10.0
    assert report.round_trip_ms == pytest.approx(50, abs=20)
    assert report.rejected_sources == 0
    assert report.malformed == report.statistics.ignored == 0
    assert last.blocks[0].ssrc == 77
    assert last.blocks[0].lost == 0
    # A packet that comes after the moment of the end is no sound of the call, but it came.
    assert 0 <= last.blocks[0].highest - 99 - report.statistics.received <= 2
    assert last.blocks[0].last_report == 1 << 16


@engine_loop
async def test_reports_of_a_stranger_are_not_believed(engine: MediaEngine) -> None:
    session, t0 = await begun(engine)
    with Peer() as media, Peer() as reporter, Peer("127.0.0.2") as stranger:
        session.connect(RemoteMedia(*media.address, final=True, rtcp=reporter.address))
        await engine.health()
        for _ in range(5):
            stranger.send(packet(201, 1, 77, 1, 9, 9, 80, 0, 0), neighbour(session))
            stranger.send(packet(201, 1, 77, 1, 9, 9, 80, 0, 0), session.local)
        reporter.send(b"\x80\xc8\xff\xff", neighbour(session))
        reporter.send(b"", neighbour(session))
        await asyncio.sleep(0.1)
        report = await closed(session, t0)
    assert report.rtcp_received == 0
    assert report.remote_lost is None
    assert report.rejected_sources == 1


@engine_loop
async def test_the_neighbour_port_is_where_reports_go_without_a_word(engine: MediaEngine) -> None:
    pair = even_pair()
    try:
        session, t0 = await begun(engine)
        session.connect(RemoteMedia("127.0.0.1", pair[0].getsockname()[1], final=True))
        await asyncio.sleep(0.2)
        await closed(session, t0)
        pair[1].settimeout(2.0)
        data, source = pair[1].recvfrom(2048)
        assert source == neighbour(session)
        assert cut(data)[-1][0] == 203
    finally:
        for sock in pair:
            sock.close()


def even_pair() -> tuple[socket.socket, socket.socket]:
    for port in range(21000, 32000, 2):
        pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        try:
            for offset, sock in enumerate(pair):
                sock.bind(("127.0.0.1", port + offset))
        except OSError:
            for sock in pair:
                sock.close()
            continue
        return pair[0], pair[1]
    raise AssertionError("no ports")


@engine_loop
async def test_losses_of_theirs_are_told(engine: MediaEngine) -> None:
    session, t0 = await begun(engine)
    with Peer() as media, Peer() as reporter:
        session.connect(RemoteMedia(*media.address, final=True, rtcp=reporter.address))
        await engine.health()
        for number in (65530, 65531, 65534, 65536, 65540):
            media.send(rtp(number, (number - 65530) * 160, b"\xd5" * 160), session.local)
        await asyncio.sleep(0.1)
        await closed(session, t0)
        await asyncio.sleep(0.05)
        (report,) = parse_reports(reporter.received()[-1])
    assert (report.blocks[0].lost, report.blocks[0].highest) == (6, 65540)
