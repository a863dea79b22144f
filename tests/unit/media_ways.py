"""The two ways of packets through the engine, side by side: what the tests of both have in common."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Sequence

import numpy as np

from sip.media.call import Call
from sip.media.inbox import Batch
from sip.media.intake import Intake
from sip.media.model import Address, SessionSpec
from sip.media.timeline import HeardMatrix, TimeLine
from sip.record import DtmfDigit

SLOT_BYTES = 2112


class CountingCall(Call):
    """A call that counts the datagrams that take the long way."""

    long = 0

    def take(self, data: bytes, source: Address, at: float, drops: int = 0) -> list[DtmfDigit]:
        self.long += 1
        return super().take(data, source, at, drops)


def name_of(address: Address) -> np.ndarray:
    """The address as the kernel has it."""
    host, port = address
    if ":" in host:
        name = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0)
        name += socket.inet_pton(socket.AF_INET6, host)
    else:
        name = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host)
    return np.frombuffer(name.ljust(32, b"\0"), np.uint64)


def batch_of(datagrams: Sequence[tuple[int, bytes, Address, float]]) -> Batch:
    """A batch of (row, datagram, source, arrival), as the inbox makes it."""
    data = np.zeros((len(datagrams), SLOT_BYTES), np.uint8)
    for place, (_, datagram, _, _) in enumerate(datagrams):
        data[place, : len(datagram)] = np.frombuffer(datagram, np.uint8)
    return Batch(
        rows=np.array([row for row, *_ in datagrams], np.intp),
        data=data,
        lengths=np.array([len(datagram) for _, datagram, _, _ in datagrams], np.int64),
        names=np.array([name_of(source) for _, _, source, _ in datagrams], np.uint64),
        at=np.array([at for *_, at in datagrams]),
        drops=np.zeros(len(datagrams), np.int64),
    )


class Ways:
    """Some calls, each of them twice: `short` goes through the intake, `long` packet by packet."""

    def __init__(self, calls: int, t0: float) -> None:
        self.matrices = HeardMatrix(calls), HeardMatrix(calls)
        self.intake = Intake(self.matrices[0], lambda call, digits: None, self._fail)
        self.short, self.long = ([self._call(m, row, t0) for row in range(calls)] for m in self.matrices)
        for call in self.short:
            self.intake.add(call)

    @staticmethod
    def _call(matrix: HeardMatrix, row: int, t0: float) -> CountingCall:
        random.seed(row)
        call = CountingCall(row, row, TimeLine(matrix, row), SessionSpec("127.0.0.1", analyse=False))
        call.begin(t0)
        return call

    @staticmethod
    def _fail(call: Call) -> None:
        raise AssertionError(f"call {call.number} failed")

    def take(self, packets: Sequence[Sequence[tuple[bytes, Address, float]]]) -> None:
        """Take some packets of each call, as of one tick."""
        for call, arrived in zip(self.long, packets, strict=True):
            for packet in arrived:
                call.take(*packet)
        for turn in range(max(map(len, packets))):
            rows = [row for row, arrived in enumerate(packets) if len(arrived) > turn]
            self.intake.take(batch_of([(row, *packets[row][turn]) for row in rows]))

    def same(self) -> None:
        """Assert that both ways have led to the same."""
        for one, other in zip(self.short, self.long, strict=True):
            self.intake.recall(one)
            assert one.receiver.statistics() == other.receiver.statistics()
            assert one.receiver.last_packet_s == other.receiver.last_packet_s
            assert one.receiver.longest_gap_s(100.0) == other.receiver.longest_gap_s(100.0)
            assert (one.gate.last_at, one.gate.latched, one.gate.refused) == (
                other.gate.last_at,
                other.gate.latched,
                other.gate.refused,
            )
            assert one.digits == other.digits
            assert _described(one) == _described(other)
        for one, other in zip(*(vars(matrix).items() for matrix in self.matrices), strict=True):
            if isinstance(one[1], np.ndarray):
                assert np.array_equal(one[1], other[1]), one[0]

    def close(self) -> None:
        """Give back the sockets."""
        for call in self.short:
            self.intake.remove(call)
        for call in (*self.short, *self.long):
            call.close()


def _described(call: Call) -> tuple[object, ...] | None:
    """What a call knows of the stream that is heard."""
    stream = call.receiver.current
    if stream is None:
        return None
    return stream.source, stream.ssrc, stream.course(), stream.expected, stream.lost, stream.highest
