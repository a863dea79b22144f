"""What the sockets of all calls have received, once per tick."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from typing import Final

from sip.media.call import Call
from sip.media.inbox import SLOTS, Batch, Inbox, Sockets
from sip.media.model import COLUMN_MS
from sip.media.steady import SteadyRows
from sip.media.timeline import HeardMatrix
from sip.media.udp import drain_errors, wall_offset
from sip.media.uring import Ring
from sip.record import DtmfDigit

_ROUNDS: Final = 64
"""A socket yields no more datagrams than this in one tick, so that a flood cannot hold up the other calls."""
_EVENTS: Final = 4096
_SILENCES: Final = 10
"""A socket that has had nothing for so many ticks is lively no more."""

Heard = Callable[[Call, list[DtmfDigit]], None]


class Intake:
    """Reads the sockets, and gives each packet its short or its long way.

    Sockets that have something in nearly every tick are *lively*: they are read without asking the kernel first,
    which would cost as much as half of the reading. A second datagram of a socket is read in the same tick when the
    first one had waited for a tick already; else in the next one. The kernel tells of all others, and of errors of
    any. No batch holds two packets of one call.
    """

    def __init__(
        self,
        matrix: HeardMatrix,
        heard: Heard,
        failed: Callable[[Call], None],
        ring: Ring | None = None,
    ) -> None:
        self._steady = SteadyRows(matrix)
        self._heard = heard
        """Told of packets that may have changed more than the time line."""
        self._failed = failed
        """Told of a fault of ours in one call's part."""
        self._inbox = Inbox(ring=ring)
        self._epoll = select.epoll()
        self._by_row: dict[int, Call] = {}
        self._sockets: dict[int, Call] = {}
        self._report_sockets: dict[int, Call] = {}
        self._lively: dict[int, int] = {}
        """Descriptors and rows."""
        self._lively_sockets: Sockets | None = None
        """The same as arrays; None: to be made anew."""
        self._silences: dict[int, int] = {}
        """For how many ticks a lively socket has had nothing."""

    def add(self, call: Call) -> None:
        """Read a call's sockets from now on."""
        self._by_row[call.row] = call
        self._sockets[call.socket.fileno()] = call
        self._report_sockets[call.rtcp_socket.fileno()] = call
        for sock in (call.socket, call.rtcp_socket):
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def remove(self, call: Call) -> None:
        """Read a call's sockets no more; they are still open."""
        self.recall(call)
        for sock in (call.socket, call.rtcp_socket):
            self._epoll.unregister(sock.fileno())
        self._leave(call.socket.fileno())
        self._silences.pop(call.socket.fileno(), None)
        del self._by_row[call.row]
        del self._sockets[call.socket.fileno()]
        del self._report_sockets[call.rtcp_socket.fileno()]

    def run(self) -> None:
        """Take what has arrived."""
        offset, now = wall_offset(), time.monotonic()
        old = now - COLUMN_MS / 1000
        self._read_lively(offset, now, old)
        for _ in range(_ROUNDS):
            events = self._epoll.poll(0, _EVENTS)
            if not events:
                return
            ready: dict[int, int] = {}
            for descriptor, event in events:
                call = self._sockets.get(descriptor)
                if call is None:
                    self._take_report(self._report_sockets[descriptor], event, offset, now)
                    continue
                if event & select.EPOLLERR:
                    self._take_errors(call)
                if event & select.EPOLLIN:
                    ready[descriptor] = call.row
            _, waited = self._read(Sockets.of(ready), offset, now, old)
            for descriptor, row in ready.items():
                if self._by_row[row].told_first:
                    self._lively[descriptor], self._lively_sockets = row, None
                    self._epoll.modify(descriptor, 0)  # tells of errors all the same
            self._read_on(waited, offset, now, old)

    def _read_lively(self, offset: float, now: float, old: float) -> None:
        if self._lively_sockets is None:
            self._lively_sockets = Sockets.of(self._lively)
        silent, waited = self._read(self._lively_sockets, offset, now, old)
        self._note_silent(silent)
        self._read_on(waited, offset, now, old)

    def _read_on(self, waited: list[int], offset: float, now: float, old: float) -> None:
        """Read the sockets of some rows until what comes is younger than a tick.

        After a stall all that came in time must be in its place before the columns of that time are analysed.
        """
        for _ in range(_ROUNDS):
            if not waited:
                return
            sockets = {self._by_row[row].socket.fileno(): row for row in waited}
            _, waited = self._read(Sockets.of(sockets), offset, now, old)

    def _note_silent(self, silent: list[int]) -> None:
        """Leave sockets to the kernel that have had nothing for some ticks."""
        before, self._silences = self._silences, {}
        for descriptor in silent:
            silences = before.get(descriptor, 0) + 1
            if silences < _SILENCES:
                self._silences[descriptor] = silences
            else:
                self._leave(descriptor)
                self._epoll.modify(descriptor, select.EPOLLIN)

    def _leave(self, descriptor: int) -> None:
        """Read a socket no more unasked."""
        if self._lively.pop(descriptor, None) is not None:
            self._lively_sockets = None

    def drain(self, call: Call) -> None:
        """Take what has arrived for one call, the long way."""
        self.recall(call)
        offset, now = wall_offset(), time.monotonic()
        call.reporter.drain(offset, now)
        waiting = select.poll()
        waiting.register(call.socket, select.POLLIN)
        for _ in range(_ROUNDS):
            if not waiting.poll(0):
                return
            ended = call.receive(offset, now)
            if ended or call.attentive:
                self._heard(call, ended)

    def sync(self, call: Call) -> None:
        """Let a call know what was taken for it the short way."""
        at = self._steady.sync(call.row, call.receiver)
        if at is not None:
            call.gate.last_at = at

    def recall(self, call: Call) -> None:
        """Let a call know, and take its packets the long way until its stream runs regularly again."""
        at = self._steady.recall(call.row, call.receiver)
        if at is not None:
            call.gate.last_at = at

    def take(self, batch: Batch) -> None:
        """Take datagrams of different calls."""
        if not len(batch.rows):
            return
        taken = self._steady.take(batch)
        if batch.drops.any():
            for index in batch.drops.nonzero()[0].tolist():
                self._by_row[int(batch.rows[index])].drops = int(batch.drops[index])
        for index in (~taken).nonzero()[0].tolist():
            call = self._by_row[int(batch.rows[index])]
            try:
                self._take_long(call, batch, index)
            except Exception:
                self._failed(call)

    def _take_long(self, call: Call, batch: Batch, index: int) -> None:
        self.recall(call)
        source = batch.source(index)
        ended = call.take(batch.datagram(index), source, float(batch.at[index]), int(batch.drops[index]))
        if ended or call.attentive:
            self._heard(call, ended)
        steady = call.steady(source)
        if steady is not None and call.t0 is not None:
            self._steady.lend(call.row, steady, call.t0, batch.names[index])

    def _read(
        self, sockets: Sockets, offset: float, now: float, old: float = -math.inf
    ) -> tuple[list[int], list[int]]:
        """Take one datagram from each socket, as far as there is one.

        Returns the descriptors of those that had none, and the rows of those whose datagram came before `old` (or has
        no stamp that can be right: were it taken for a new one, a queue that is older than all stamps that are believed
        would be read as slowly as it is filled, and never end).
        """
        silent: list[int] = []
        waited: list[int] = []
        for first in range(0, len(sockets.rows), SLOTS):
            batch, without = self._inbox.read(sockets.part(first, SLOTS), offset, now)
            self.take(batch)
            silent += without
            waited += batch.waited(old)
        return silent, waited

    def _take_errors(self, call: Call) -> None:
        try:
            call.refused()
        except Exception:
            self._failed(call)

    def _take_report(self, call: Call, event: int, offset: float, now: float) -> None:
        """Take what the RTCP socket of a call has."""
        try:
            if event & select.EPOLLERR:
                drain_errors(call.rtcp_socket)
            if event & select.EPOLLIN:
                call.reporter.receive(offset, now)
        except Exception:
            self._failed(call)
