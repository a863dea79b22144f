"""The short way of sent packets: the regular ones of all calls, made at once in numpy.

A call whose packets follow from each other (20 ms each, silence or a sound that goes on, neither encrypted nor
logged) lends its stream to a row here. Each tick all headers and payloads are written in one go, and what was
sent is kept for the captures; handing the packets to the kernel is left to the engine's loop over the calls.
Whatever changes the stream of a call calls it back first, see `recall`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from sip.media.call import Call
from sip.media.model import COLUMN_SAMPLES
from sip.media.rtp import HEADER, HEADER_BYTES
from sip.media.send import Track
from sip.media.timeline import Rows

_PACKET_BYTES: Final = HEADER_BYTES + COLUMN_SAMPLES
_ROW_BYTES: Final = 192
_KEPT: Final = 32
"""Packets of each call that wait for the capture; it comes for them every 25."""


class Outlet:
    """The packets that leave in this tick."""

    def __init__(self, capacity: int) -> None:
        self._out = np.zeros((capacity, _ROW_BYTES), np.uint8)
        self._numbers = self._out.view(">u2")[:, 1]
        self._times = self._out.view(">u4")[:, 1]
        kind = np.dtype((np.void, COLUMN_SAMPLES))
        self._payloads: npt.NDArray[np.void] = np.ndarray(
            (capacity,), kind, self._out.data, HEADER_BYTES, (_ROW_BYTES,)
        )
        self._kept = np.zeros((capacity, _KEPT), kind)
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
        self._changed = False

    def lend(self, call: Call) -> None:
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
        self._changed = True

    def recall(self, call: Call) -> None:
        """Give a call back its stream as it is now."""
        if call.lane is None:
            return
        self.sync(call)
        self.collect(call)
        call.lane = None
        del self._calls[call.row]
        del self._tracks[call.row]
        self._changed = True

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
            call.keep_sent(self._kept[row, :count].tobytes(), float(self._kept_from[row]))
            self._kept_count[row] = 0

    def prepare(self, slot: float) -> None:
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
