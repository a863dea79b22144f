"""The short way of received packets: the regular ones of all calls at once, in numpy.

A call whose stream runs regularly lends it to its row here; from then on a packet that is exactly the expected
one (source, sequence number, timestamp, SSRC, payload type, length, and a place on the time line that needs no
correction) is counted and written without any code of its call. Whatever differs in any respect is left to the
call, which first gets back its stream as it is now: the long way of `sip.media.call` decides about everything
that needs a decision, and both ways give the same result.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from sip.media.inbox import Batch, Words
from sip.media.model import SAMPLE_RATE_HZ
from sip.media.receive import Receiver, Steady
from sip.media.rtp import HEADER_BYTES
from sip.media.stream import BEHIND, EARLY, FAR, LATE, WINDOW_PACKETS, Course
from sip.media.timeline import PACKET_SAMPLES, RING_SAMPLES, HeardMatrix, Positions, Rows

_VERSION: Final = 0x80 << 24
"""The first byte of a header without padding, extension and contributing sources (RFC 3550 section 5.1)."""
_HEAD, _TIMESTAMP, _SSRC, _SAMPLES, _POSITION, _ARRIVAL, _WINDOW, _QUICKEST, _PACKETS = range(9)
"""Columns of whole numbers. `_HEAD` and `_TIMESTAMP` are the first two words of the header that is expected."""
_T0, _JITTER, _LAST_S, _AT, _GAPS_FROM_S, _GAP_S = range(6)
"""Columns of seconds (and of the jitter, in samples)."""
_NOBODY: Final = -(1 << 20)
"""The packet length of a row that has nothing lent to it: no packet has it."""
_NAME_WORDS: Final = 4
_FURTHEST: Final = 1 << 40
"""Positions beyond this (four years) are taken the long way, where anything goes."""

State = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]


class SteadyRows:
    """What is lent by the calls of all rows."""

    def __init__(self, matrix: HeardMatrix) -> None:
        capacity = len(matrix.floor)
        self._matrix = matrix
        self._state = np.zeros((capacity, 9), np.int64)
        self._state[:, _SAMPLES] = _NOBODY
        self._seconds = np.zeros((capacity, 6))
        self._names: Words = np.zeros((capacity, _NAME_WORDS), np.uint64)

    def lend(self, row: int, steady: Steady, t0: float, name: Words) -> bool:
        """Take the packets of a call that follow; `name` is their source as the kernel has it.

        Returns False when they are of no kind that can be taken here.
        """
        course, samples = steady.course, steady.samples
        if samples not in PACKET_SAMPLES or not max(abs(course.position), abs(course.arrival)) < _FURTHEST:
            return False
        self._state[row] = (
            _head(steady.payload_type, course.sequence),
            course.timestamp + samples,
            steady.ssrc,
            samples,
            course.position,
            course.arrival,
            course.window,
            course.quickest,
            0,
        )
        gaps_from_s = np.inf if steady.gaps_from_s is None else steady.gaps_from_s
        self._seconds[row] = (t0, course.jitter, steady.last_s, 0.0, gaps_from_s, 0.0)
        self._names[row] = name
        return True

    def sync(self, row: int, receiver: Receiver) -> float | None:
        """Tell a call's receiver what was taken for it; return when the last packet came, if any did.

        The packets that follow are taken here all the same.
        """
        state = self._state[row].tolist()
        packets = state[_PACKETS]
        if not packets:
            return None
        _, jitter, last_s, at, _, gap_s = self._seconds[row].tolist()
        course = Course(
            (state[_HEAD] - 1) & 0xFFFF,
            state[_TIMESTAMP] - state[_SAMPLES],
            state[_POSITION],
            state[_ARRIVAL],
            state[_WINDOW],
            state[_QUICKEST],
            jitter,
        )
        receiver.resume(course, packets, last_s, gap_s)
        self._state[row, _PACKETS] = 0
        return float(at)

    def recall(self, row: int, receiver: Receiver) -> float | None:
        """Give a call back its stream: `sync`, and nothing more is taken here."""
        at = self.sync(row, receiver)
        self._state[row, _SAMPLES] = _NOBODY
        return at

    def take(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """Take those packets of a batch that are the expected ones; return [n] which."""
        rows = batch.rows
        state: State = self._state[rows]
        seconds: Seconds = self._seconds[rows]
        since_s = batch.at - seconds[:, _T0]
        arrival = np.rint(since_s * SAMPLE_RATE_HZ).astype(np.int64)
        samples = state[:, _SAMPLES]
        position = state[:, _POSITION] + samples
        expected = self._expected(batch, state)
        fits = expected & self._lies_well(rows, state, position, arrival)
        good = fits.nonzero()[0]
        if len(good) < len(rows):
            if not len(good):
                return fits
            state, seconds, rows = state[good], seconds[good], rows[good]
            since_s, arrival, position, samples = since_s[good], arrival[good], position[good], samples[good]
        at = batch.at[good]
        self._write(batch, good, rows, position, samples)
        _keep_time(seconds, since_s, at, np.abs(arrival - state[:, _ARRIVAL] - samples))
        _advance(state, arrival, position)
        self._state[rows], self._seconds[rows] = state, seconds
        return fits

    def _expected(self, batch: Batch, state: State) -> npt.NDArray[np.bool_]:
        """Tell which packets are the next ones of the streams that are lent, by header, source and length."""
        heads = batch.heads()
        same: npt.NDArray[np.bool_] = batch.lengths == state[:, _SAMPLES] + HEADER_BYTES
        for word in (_HEAD, _TIMESTAMP, _SSRC):
            same &= heads[:, word] == state[:, word]
        # The number 0 follows 65535 by a carry into the payload type.
        same &= (heads[:, _HEAD] & 0xFFFF) != 0
        names = self._names[batch.rows]
        for word in range(_NAME_WORDS):
            same &= batch.names[:, word] == names[:, word]
        return same

    def _lies_well(
        self, rows: Rows, state: State, position: Positions, arrival: Positions
    ) -> npt.NDArray[np.bool_]:
        """Tell which packets lie in the ring, in one piece, with an anchor that stays as it is."""
        offset = arrival - position
        quickest = np.minimum(state[:, _QUICKEST], offset)
        np.copyto(state[:, _QUICKEST], quickest)
        start, end = position % RING_SAMPLES, state[:, _SAMPLES]
        room = position - self._matrix.floor[rows]
        well: npt.NDArray[np.bool_] = (offset >= -EARLY) & (offset <= BEHIND)
        well &= (state[:, _WINDOW] < WINDOW_PACKETS - 1) | (quickest <= LATE)
        well &= (room >= 0) & (room + end <= RING_SAMPLES) & (start + end <= RING_SAMPLES)
        return well

    def _write(
        self, batch: Batch, good: Rows, rows: Rows, position: Positions, samples: npt.NDArray[np.int64]
    ) -> None:
        """Write packets to the time lines, those of one length at once."""
        starts = position % RING_SAMPLES
        size = int(samples[0])
        if (samples == size).all():
            self._matrix.write(rows, starts, batch.payloads(size, good), size)
            return
        for size in PACKET_SAMPLES:
            some = (samples == size).nonzero()[0]
            if len(some):
                self._matrix.write(rows[some], starts[some], batch.payloads(size, good[some]), size)


def _head(payload_type: int, sequence: int) -> int:
    """Return the first word of the header behind that of packet `sequence`."""
    return (_VERSION | payload_type << 16 | sequence & 0xFFFF) + 1


def _advance(state: State, arrival: Positions, position: Positions) -> None:
    """Go one packet further, where `_QUICKEST` holds this packet already."""
    samples = state[:, _SAMPLES]
    closed = state[:, _WINDOW] == WINDOW_PACKETS - 1
    state[:, _HEAD] += 1
    state[:, _TIMESTAMP] += samples
    state[:, _POSITION] = position
    state[:, _WINDOW] = np.where(closed, 0, state[:, _WINDOW] + 1)
    state[closed, _QUICKEST] = FAR
    state[:, _PACKETS] += 1
    state[:, _ARRIVAL] = arrival


def _keep_time(seconds: Seconds, since_s: Seconds, at: Seconds, deviation: Positions) -> None:
    """Note when packets came, how long nothing had, and the jitter (RFC 3550 appendix A.8)."""
    seconds[:, _JITTER] += (deviation - seconds[:, _JITTER]) / 16
    since = np.maximum(seconds[:, _LAST_S], seconds[:, _GAPS_FROM_S])
    np.maximum(seconds[:, _GAP_S], since_s - since, out=seconds[:, _GAP_S])
    seconds[:, _LAST_S], seconds[:, _AT] = since_s, at
