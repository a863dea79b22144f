"""The short way of sent packets: the regular ones of all calls, made at once in numpy.

A call whose packets follow from each other (20 ms each, silence or a sound that goes on, neither encrypted nor
logged) lends its stream to a row here. Each tick all headers and payloads are written in one go, what was sent is
kept for the captures, and the packets are handed to the kernel: those on connected sockets by the dozen where there
is a ring (`sip.media.uring`), the others in a short loop. Whatever changes the stream of a call calls it back first,
see `recall`; what is not regular is sent by the call itself.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from sip.media.call import LATE_S, Call
from sip.media.model import COLUMN_MS, COLUMN_SAMPLES, Address
from sip.media.rtp import HEADER, HEADER_BYTES
from sip.media.send import Track
from sip.media.timeline import Rows
from sip.media.uring import Requests, Ring, sends

_TICK_S: Final = COLUMN_MS / 1000
_PACKET_BYTES: Final = HEADER_BYTES + COLUMN_SAMPLES
_ROW_BYTES: Final = 192
_TIMED: Final = 8
"""After so many packets, some 30 µs, it is looked whether they left late."""
_TOGETHER: Final = 128
"""The same for those that leave in one system call, some 0.3 ms."""
_KEPT: Final = 64
"""Packets of each call that wait for the capture; it comes for them every 50."""


Turn: TypeAlias = tuple[Call, Callable[..., int], memoryview | None, Address | None]
"""A call, how its socket sends, its regular packet, and whereto, unless the socket is connected."""


class Some(NamedTuple):
    """Calls that follow each other in a tick."""

    turns: list[Turn]
    requests: Requests | None
    """Their packets for the ring, where all of them are regular and go out on connected sockets."""


class Outlet:
    """Sends what all calls owe to a tick, in the order in which they were opened."""

    def __init__(
        self,
        capacity: int,
        tell: Callable[..., None],
        failed: Callable[[Call], None],
        ring: Ring | None = None,
    ) -> None:
        self._ring = ring
        self._tell = tell
        """Takes what has been sent whole: a verb, the call and its times."""
        self._failed = failed
        """Told of a fault of ours in one call's part."""
        self._open: dict[int, Call] = {}
        self._turns: list[Some] = []
        self._out = np.zeros((capacity, _ROW_BYTES), np.uint8)
        self._numbers = self._out.view(">u2")[:, 1]
        self._times = self._out.view(">u4")[:, 1]
        kind = np.dtype((np.void, COLUMN_SAMPLES))
        self._payloads: npt.NDArray[np.void] = np.ndarray(
            (capacity,), kind, self._out.data, HEADER_BYTES, (_ROW_BYTES,)
        )
        self._kept = np.zeros((capacity, _KEPT), kind)
        self._kept_bytes = self._kept.reshape(-1).view(np.uint8).data
        self._kept_count = np.zeros(capacity, np.intp)
        self._kept_from = np.zeros(capacity)
        """The slots of the first packets that are kept."""
        self._sequence = np.zeros(capacity, np.int64)
        self._timestamp = np.zeros(capacity, np.int64)
        self._packets = np.zeros(capacity, np.int64)
        self._offset = np.zeros(capacity, np.int64)
        self._calls: dict[int, Call] = {}
        self._tracks: dict[int, Track | None] = {}
        self._rows: Rows = np.zeros(0, np.intp)
        self._groups: list[tuple[Track, Rows]] = []
        """The rows that play, by what they play."""
        self._changed = self._turned = False
        """Whether groups and rows, and whether turns have to be made anew."""

    def add(self, call: Call) -> None:
        """Send for a call from now on."""
        self._open[call.number] = call
        self._turned = True

    def remove(self, call: Call) -> None:
        """Send for a call no more."""
        self.recall(call)
        del self._open[call.number]
        self._turned = True

    def run(self, slot: float) -> None:
        """Send what belongs to the tick at `slot`."""
        self._prepare(slot)
        if self._turned:
            self._turned = False
            self._turns = self._in_turn()
        late = slot + LATE_S
        for some in self._turns:
            if some.requests is not None and self._ring is not None and self._ring.usable:
                self._send_together(some, some.requests, self._ring, slot)
            else:
                self._send_some(some.turns, slot)
            if time.monotonic() > late:
                for call, _, packet, _ in some.turns:
                    call.late += packet is not None

    def _in_turn(self) -> list[Some]:
        """Return all calls in the order in which they were opened: runs of those that leave together, and others."""
        turns = [_turn(call) for call in self._open.values()]
        together = self._ring is not None
        every: list[Some] = []
        for alike, group in groupby(turns, lambda turn: together and turn[2] is not None and turn[3] is None):
            run = list(group)
            most = _TOGETHER if alike else _TIMED
            for first in range(0, len(run), most):
                some = run[first : first + most]
                every.append(Some(some, self._requests(some) if alike else None))
        return every

    def _requests(self, turns: list[Turn]) -> Requests:
        descriptors = np.array([call.socket.fileno() for call, *_ in turns], np.int32)
        rows = np.array([call.row for call, *_ in turns], np.uint64)
        start = np.uint64(self._out.ctypes.data)
        return sends(descriptors, start + rows * np.uint64(_ROW_BYTES), _PACKET_BYTES)

    def _send_together(self, some: Some, requests: Requests, ring: Ring, slot: float) -> None:
        results = ring.do(requests)
        if int(results.min()) >= 0:
            return
        failed = [(some.turns[index], -int(results[index])) for index in (results < 0).nonzero()[0].tolist()]
        if not ring.usable:
            # It failed in this very call: what it did not do leaves by the sockets.
            self._send_some([turn for turn, error in failed if error == errno.EAGAIN], slot)
            failed = [(turn, error) for turn, error in failed if error != errno.EAGAIN]
        for (call, _, packet, _), error in failed:
            assert packet is not None
            call.put_again(packet, OSError(error, "sending failed"))

    def _send_some(self, turns: list[Turn], slot: float) -> None:
        for call, put, packet, address in turns:
            if packet is None:
                if call.sender.remote is not None:
                    self._send_long(call, slot)
                continue
            try:
                if address is None:
                    put(packet)
                else:
                    put(packet, address)
            except OSError as error:
                call.put_again(packet, error)

    def _send_long(self, call: Call, slot: float) -> None:
        """Send what a call owes to this tick, whatever it is."""
        try:
            if call.sender.digits.busy:
                for sent in call.send_digits(slot):
                    self._tell("digits_sent", call, sent.t_ms, sent.began_ms)
            elif call.send(slot):
                self._tell("finished", call, call.since_start_ms(slot + _TICK_S))
            self._lend(call)
        except Exception:
            self._failed(call)

    def follow(self, call: Call) -> None:
        """Learn that a call's packets go elsewhere, if they do."""
        if call.redirected:
            call.redirected, self._turned = False, True

    def _lend(self, call: Call) -> None:
        """Make the packets of a call here from the next tick on, if they are regular."""
        regular = call.regular()
        if regular is None:
            return
        row = call.row
        self._sequence[row], self._timestamp[row] = regular.sequence, regular.timestamp
        self._packets[row], self._offset[row] = 0, regular.offset
        head = HEADER.pack(0x80, regular.payload_type, 0, 0, regular.ssrc)
        self._out[row, :_PACKET_BYTES] = np.frombuffer(head + regular.silence, np.uint8)
        self._calls[row], self._tracks[row] = call, regular.track
        call.lane = self._out[row, :_PACKET_BYTES].data
        self._changed = self._turned = True

    def recall(self, call: Call) -> None:
        """Give a call back its stream as it is now."""
        if call.lane is None:
            return
        self.sync(call)
        self.collect(call)
        call.lane = None
        del self._calls[call.row]
        del self._tracks[call.row]
        self._changed = self._turned = True

    def sync(self, call: Call) -> None:
        """Let a call's sender know what was sent; its packets are made here all the same."""
        if call.lane is not None:
            row = call.row
            call.sender.resume(int(self._packets[row]), int(self._offset[row]))
            self._packets[row] = 0

    def collect(self, call: Call) -> None:
        """Hand a call the sound that was sent, for its capture."""
        row = call.row
        count = int(self._kept_count[row]) if call.lane is not None else 0
        if count:
            first = row * _KEPT * COLUMN_SAMPLES
            codes = bytes(self._kept_bytes[first : first + count * COLUMN_SAMPLES])
            call.keep_sent(codes, float(self._kept_from[row]))
            self._kept_count[row] = 0

    def _prepare(self, slot: float) -> None:
        """Make the packets of the tick at `slot`; calls whose sound ends with this packet get their stream back."""
        self._regroup()
        self._recall_ending()
        self._regroup()
        rows = self._rows
        if not len(rows):
            return
        self._play()
        sequence, timestamp = self._sequence[rows], self._timestamp[rows]
        self._numbers[rows], self._times[rows] = sequence, timestamp
        self._sequence[rows] = (sequence + 1) & 0xFFFF
        self._timestamp[rows] = (timestamp + COLUMN_SAMPLES) & 0xFFFFFFFF
        self._packets[rows] += 1
        self._keep(rows, slot)

    def _recall_ending(self) -> None:
        """A sound that does not begin anew is ended by its call, which tells of it."""
        for track, rows in self._groups:
            if not track.loop:
                for row in rows[self._offset[rows] + COLUMN_SAMPLES >= track.samples].tolist():
                    if row in self._calls:
                        self.recall(self._calls[row])

    def _play(self) -> None:
        for track, rows in self._groups:
            offset = self._offset[rows]
            self._payloads[rows] = track.strips[offset]
            offset += COLUMN_SAMPLES
            self._offset[rows] = offset % track.samples if track.loop else offset

    def _keep(self, rows: Rows, slot: float) -> None:
        count = self._kept_count[rows]
        if int(count.max()) >= _KEPT:
            for row in rows[count >= _KEPT].tolist():
                self.collect(self._calls[row])
            count = self._kept_count[rows]
        self._kept_from[rows[count == 0]] = slot
        self._kept[rows, count] = self._payloads[rows]
        self._kept_count[rows] = count + 1

    def _regroup(self) -> None:
        if not self._changed:
            return
        self._changed = False
        self._rows = np.fromiter(self._calls, np.intp, len(self._calls))
        groups: dict[Track, list[int]] = {}
        for row, track in self._tracks.items():
            if track is not None:
                groups.setdefault(track, []).append(row)
        self._groups = [(track, np.array(rows, np.intp)) for track, rows in groups.items()]


def _turn(call: Call) -> Turn:
    if call.direct:
        return call, call.socket.send, call.lane, None
    return call, call.socket.sendto, call.lane, call.sender.remote
