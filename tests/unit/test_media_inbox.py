"""Many sockets read at once: what the kernel says of each datagram, as the reading of one socket has it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from sip.media.inbox import SLOTS, Inbox, Sockets
from sip.media.udp import bind, wall_offset
from sip.media.udp import read as read_one
from sip.media.uring import Ring

LOOPBACK = "127.0.0.1"
PAYLOAD = b"\x80\x08" + bytes(170)


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """RTP and RTCP sockets as calls have them, one pair of IPv6 among them."""
    pairs = [bind("::1" if number == 2 else LOOPBACK, None, 46) for number in range(4)]
    _until_stamped(pairs[0][0])
    yield pairs
    for sock in (sock for pair in pairs for sock in pair):
        sock.close()


def _until_stamped(sock: socket.socket) -> None:
    """Wait until the kernel notes times of receipt: where no other socket asked for them, it begins a little later."""
    noted = False
    while not noted:
        sock.sendto(b"", sock.getsockname())
        sent = time.monotonic()
        time.sleep(0.01)
        datagram = read_one(sock, wall_offset(), time.monotonic())
        noted = datagram is not None and datagram[2] < sent + 0.005


@pytest.fixture(params=["one by one", "together"])
def inbox(request: pytest.FixtureRequest) -> Iterator[Inbox]:
    """Room for eight, with a ring and without one."""
    ring = Ring.open() if request.param == "together" else None
    if ring is None and request.param == "together":
        pytest.skip("io_uring is forbidden here")
    yield Inbox(8, ring)
    if ring is not None:
        ring.close()


def far(host: str = LOOPBACK) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    return sock


def read(inbox: Inbox, pairs: list[tuple[socket.socket, socket.socket]]) -> tuple:
    sockets = Sockets.of({rtp.fileno(): row for row, (rtp, _) in enumerate(pairs)})
    return inbox.read(sockets, wall_offset(), time.monotonic())


def test_each_datagram_has_its_bytes_source_and_arrival(
    inbox: Inbox,
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    with far() as four, far("::1") as six:
        before = time.monotonic()
        four.sendto(PAYLOAD + b"0", pairs[0][0].getsockname())
        six.sendto(b"", pairs[2][0].getsockname())
        four.sendto(b"3" * 3000, pairs[3][0].getsockname())
        after = time.monotonic()
        time.sleep(0.02)
        batch, silent = read(inbox, pairs)
        assert batch.rows.tolist() == [0, 2, 3]
        assert silent == [pairs[1][0].fileno()]
        assert [batch.datagram(place) for place in range(3)] == [PAYLOAD + b"0", b"", b"3" * 2048]
        sources = [batch.source(place) for place in range(3)]
        assert sources == [four.getsockname(), six.getsockname()[:2], four.getsockname()]
    assert ((batch.at > before - 0.001) & (batch.at < after + 0.001)).all(), "the kernel's time, not ours"
    assert not batch.drops.any()


def test_what_was_read_before_leaves_nothing_behind(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    """The slot of an IPv6 source is used for an IPv4 one next."""
    inbox = Inbox(1)
    with far() as four, far("::1") as six:
        six.sendto(PAYLOAD, pairs[2][0].getsockname())
        assert read(inbox, [pairs[2]])[0].source(0) == six.getsockname()[:2]
        four.sendto(PAYLOAD[:20], pairs[0][0].getsockname())
        batch, _ = read(inbox, [pairs[0]])
        assert batch.source(0) == four.getsockname()
        assert batch.datagram(0) == PAYLOAD[:20]
        assert not batch.names[0, 2:].any()


def test_a_socket_is_read_once(inbox: Inbox, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    with far() as four:
        for number in range(2):
            four.sendto(bytes([number]), pairs[0][0].getsockname())
        assert [read(inbox, pairs)[0].datagram(0) for _ in range(2)] == [b"\0", b"\1"]
        assert read(inbox, pairs)[0].rows.tolist() == []


def test_datagrams_that_the_socket_lost_are_told(
    inbox: Inbox, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    pairs[0][0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with far() as four:
        for _ in range(40):
            four.sendto(PAYLOAD, pairs[0][0].getsockname())
        counts = []
        while len((batch := read(inbox, pairs)[0]).rows):
            counts += batch.drops.tolist()
        kept = len(counts)
        assert 0 < kept < 40
        four.sendto(PAYLOAD, pairs[0][0].getsockname())
        assert read(inbox, pairs)[0].drops.tolist() == [40 - kept]


def test_a_refusal_of_an_earlier_packet_is_no_datagram(
    inbox: Inbox,
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    with far() as gone:
        address = gone.getsockname()
    pairs[0][0].sendto(PAYLOAD, address)
    with far() as four:
        four.sendto(PAYLOAD, pairs[0][0].getsockname())
        batches = [read(inbox, pairs)[0] for _ in range(2)]
        assert [batch.rows.tolist() for batch in batches] == [[], [0]]


def test_the_payloads_are_views_of_whole_packets(
    inbox: Inbox, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    with far() as four:
        for number in (0, 1, 3):
            four.sendto(PAYLOAD[:12] + bytes([number]) * 160, pairs[number][0].getsockname())
        batch, _ = read(inbox, pairs)
    codes = np.frombuffer(batch.payloads(160, np.arange(3)).tobytes(), np.uint8).reshape(3, 160)
    assert (codes == np.array([[0], [1], [3]])).all()
    assert SLOTS >= 1000


@pytest.mark.parametrize(("off_s", "believed"), [(-45.0, True), (-100.0, False), (5.0, False)])
def test_an_arrival_is_the_kernels_as_long_as_a_socket_can_hold_it(
    inbox: Inbox, pairs: list[tuple[socket.socket, socket.socket]], off_s: float, believed: bool
) -> None:
    """What nobody knows the arrival of counts as one that waited: its socket is read on until nothing is left."""
    with far() as four:
        four.sendto(PAYLOAD, pairs[1][0].getsockname())
        four.sendto(PAYLOAD, pairs[3][0].getsockname())
    now = time.monotonic()
    sockets = Sockets.of({rtp.fileno(): row for row, (rtp, _) in enumerate(pairs)})
    batch, _ = inbox.read(sockets, wall_offset() + off_s, now)
    assert batch.at == pytest.approx([now + off_s if believed else now] * 2, abs=1)
    assert batch.waited(now - 0.02) == [1, 3]
    with far() as four:
        four.sendto(PAYLOAD, pairs[0][0].getsockname())
    assert read(inbox, pairs)[0].waited(now - 0.02) == []
