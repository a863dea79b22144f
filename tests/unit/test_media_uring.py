"""Many sends and reads in one system call: each of them is done, in its order, and tells what came of it."""

from __future__ import annotations

import ctypes
import errno
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from sip.media.uring import Requests, Results, Ring, reads, sends

pytestmark = pytest.mark.skipif(Ring.open() is None, reason="io_uring is forbidden here")
BYTES = 4
RECVMSG = 10


@pytest.fixture
def ring() -> Iterator[Ring]:
    ring = Ring(8)
    yield ring
    ring.close()


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """More connected sockets than the ring has entries."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(20)]
    yield pairs
    for sock in (sock for pair in pairs for sock in pair):
        sock.close()


def sent(ring: Ring, pairs: list[tuple[socket.socket, socket.socket]], packets: np.ndarray) -> list[int]:
    addresses = np.uint64(packets.ctypes.data) + np.arange(len(pairs), dtype=np.uint64) * np.uint64(BYTES)
    descriptors = np.array([here.fileno() for here, _ in pairs], np.int32)
    return ring.do(sends(descriptors, addresses, BYTES)).tolist()


def test_more_requests_than_entries_are_all_done(
    ring: Ring, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    for turn in range(5):  # the queues turn over
        packets = (np.arange(len(pairs) * BYTES) + turn).astype(np.uint8).reshape(-1, BYTES)
        assert sent(ring, pairs, packets) == [BYTES] * len(pairs)
        assert [there.recv(16) for _, there in pairs] == [packet.tobytes() for packet in packets]


def test_what_fails_is_told_of_its_own_request(
    ring: Ring, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    pairs[3][1].close()
    results = sent(ring, pairs, np.zeros((len(pairs), BYTES), np.uint8))
    assert results[3] == -errno.ECONNREFUSED
    assert results[:3] + results[4:] == [BYTES] * 19


def test_reading_never_waits(ring: Ring, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    box, part = np.zeros(16, np.uint8), np.zeros(2, np.uint64)
    part[:] = box.ctypes.data, 16
    messages = np.zeros((2, 7), np.uint64)
    messages[:, 2:4] = part.ctypes.data, 1
    addresses = np.uint64(messages.ctypes.data) + np.arange(2, dtype=np.uint64) * np.uint64(56)
    pairs[1][1].send(b"there")
    descriptors = np.array([pairs[0][0].fileno(), pairs[1][0].fileno()], np.int32)
    assert ring.do(reads(descriptors, addresses)).tolist() == [-errno.EAGAIN, 5]
    assert box[:5].tobytes() == b"there"


class OldRing(Ring):
    """A ring of Linux 5.6 to 5.11: whoever wants to know when a packet came is refused."""

    def do(self, requests: Requests) -> Results:
        results = super().do(requests)
        for index, request in enumerate(requests):
            if request["operation"] == RECVMSG:
                message = (ctypes.c_uint64 * 7).from_address(int(request["address"]))
                results[index] = -errno.EINVAL if message[4] else results[index]
        return results


def test_a_ring_that_cannot_tell_when_packets_came_is_not_used() -> None:
    assert OldRing.open() is None


def test_a_ring_that_is_gone_does_nothing(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    ring = Ring(8)
    ring.close()
    assert not ring.usable
    assert set(sent(ring, pairs, np.zeros((20, BYTES), np.uint8))) == {-errno.EAGAIN}
