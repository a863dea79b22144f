"""The far ends of many calls as one lean process: regular packets, made once and sent by the dozen.

    python -m benchmarks.lean_far_end CALLS

It prints the addresses of its ends as JSON, one for each call, reads the addresses of the near ends (the same
way, one line) and sends to them until another line comes; then it prints its counts, and keeps its sockets until
its standard input is closed, or the near ends would be told that nobody is there.

It analyses nothing, so that it leaves the processor to what is measured. Several calls share one of its sockets,
as they share one of a gateway; the sockets begin one after the other, 0.2 s apart, and send at different moments
of the 20 ms, as calls that began at different moments do. Every call gets a report (RTCP) each 5 s.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import socket
import struct
import sys
import time

import numpy as np

from app.bench.far_sound import BUFFER_BYTES, LIBC, SAMPLES, SO_RCVBUFFORCE, Messages
from sip.media import encode

CALLS_EACH = 100
"""Calls of one socket."""
PERIOD_S = 0.02
LATE_S = 0.010
REPORT_S = 5.0
STARTS_APART = 10
"""Periods of 20 ms between the beginnings of two sockets."""
RATE_HZ = 8000


def ringback() -> np.ndarray:
    """Return [250, 160] codes: 1 s of 450 Hz and 4 s of silence, over and over."""
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ
    sound = np.where(time_s < 1, 8000 * np.sin(2 * np.pi * 450 * time_s), 0).astype(np.int16)
    return np.frombuffer(encode(sound, "PCMA"), np.uint8).reshape(-1, SAMPLES)


class End:
    """One socket and the calls behind it."""

    def __init__(self, first: int, calls: int) -> None:
        self.first, self.calls = first, calls
        self.rtp, self.rtcp = _pair()
        self._out, self._in = Messages(calls), Messages(4 * calls)
        self._ticks = 0
        self.sent = self.late = self.received = 0
        self._call_of = np.zeros(65536, np.int64)
        self._newest = np.full(calls, -1, np.int64)
        self._oldest = np.full(calls, -1, np.int64)
        self._new = True
        """Whether some near end has not been heard yet."""

    def connect(self, near: list[list[object]]) -> None:
        """Learn where the near ends are."""
        out = self._out
        self._near = [(str(host), int(str(port))) for host, port in near]
        self._ssrc = np.random.default_rng(self.first).integers(1, 1 << 32, self.calls)
        for place, (host, port) in enumerate(self._near):
            name = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host)
            out.names[place] = np.frombuffer(name + bytes(8), np.uint8)
            head = struct.pack("!BBHII", 0x80, 8, 0, 0, int(self._ssrc[place]))
            out.data[place, :12] = np.frombuffer(head, np.uint8)
            self._call_of[port] = place

    def send(self, sound: np.ndarray, slot: float) -> None:
        """Send a packet of each call."""
        head = self._out.data
        number, stamp = self._ticks & 0xFFFF, self._ticks * SAMPLES & 0xFFFFFFFF
        head[:, 1] = 8 | (0x80 if self._ticks == 0 else 0)
        head[:, 2:4] = np.frombuffer(struct.pack("!H", number), np.uint8)
        head[:, 4:8] = np.frombuffer(struct.pack("!I", stamp), np.uint8)
        phases = (self._ticks + self.first + 7 * np.arange(self.calls)) % len(sound)
        head[:, 12 : 12 + SAMPLES] = sound[phases]
        self._ticks += 1
        self.sent += max(0, LIBC.sendmmsg(self.rtp.fileno(), self._out.address, self.calls, 0))
        if time.monotonic() - slot > LATE_S:
            self.late += self.calls
        every = round(REPORT_S / PERIOD_S)
        for place in range(self._ticks % every, self.calls, every):
            self._report(place)

    def _report(self, place: int) -> None:
        host, port = self._near[place]
        wall_s = time.time() + 2_208_988_800
        seconds, fraction = int(wall_s) & 0xFFFFFFFF, int(wall_s % 1 * (1 << 32))
        body = (int(self._ssrc[place]), seconds, fraction, self._ticks * SAMPLES & 0xFFFFFFFF, self._ticks)
        packet = struct.pack("!BBHIIIIII", 0x80, 200, 6, *body, self._ticks * SAMPLES)
        self.rtcp.sendto(packet, (host, port + 1))

    def receive(self) -> None:
        """Count what came."""
        box = self._in
        while True:
            box.reset()
            count = LIBC.recvmmsg(self.rtp.fileno(), box.address, box.count, socket.MSG_DONTWAIT, None)
            if count <= 0:
                return
            self.received += count
            call = self._call_of[box.names[:count, 2].astype(np.int64) << 8 | box.names[:count, 3]]
            number = box.data[:count, 2].astype(np.int64) << 8 | box.data[:count, 3]
            if self._new:
                called, place = np.unique(call, return_index=True)
                new = self._oldest[called] < 0
                self._oldest[called[new]] = self._newest[called[new]] = number[place[new]]
                self._new = bool((self._oldest < 0).any())
            ahead = (number - self._newest[call] + 0x8000 & 0xFFFF) - 0x8000
            np.maximum.at(self._newest, call, self._newest[call] + ahead)

    def missing(self) -> int:
        """Return how many packets of the near ends never came."""
        heard = self._oldest >= 0
        return int((self._newest - self._oldest + 1)[heard].sum()) - self.received


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return sockets on an even port and the next one."""
    while True:
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            rtp.bind(("127.0.0.1", 0))
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                rtcp.bind(("127.0.0.1", port + 1))
                rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                with contextlib.suppress(OSError):
                    rtp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
                return rtp, rtcp
        except OSError:
            pass
        rtp.close()
        rtcp.close()


def run(ends: list[End]) -> None:
    """Send and receive until something comes on the standard input."""
    sound = ringback()
    step_s = PERIOD_S / len(ends)
    slot = time.monotonic() + step_s
    for period in itertools.count():
        for number, end in enumerate(ends):
            wait_s = max(0.0, slot - time.monotonic())
            if select.select([sys.stdin], [], [], wait_s)[0]:
                return
            if period >= number * STARTS_APART:
                end.send(sound, slot)
            end.receive()
            slot += step_s


def serve() -> None:
    """Be the far end of as many calls as the command line says."""
    calls = int(sys.argv[1])
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    ends = [End(first, min(CALLS_EACH, calls - first)) for first in range(0, calls, CALLS_EACH)]
    print(json.dumps([end.rtp.getsockname() for end in ends for _ in range(end.calls)]), flush=True)
    near = json.loads(sys.stdin.readline())
    for end in ends:
        end.connect(near[end.first : end.first + end.calls])
    run(ends)
    time.sleep(0.1)
    for end in ends:
        end.receive()
    counts = {
        "sent": sum(end.sent for end in ends),
        "late": sum(end.late for end in ends),
        "received": sum(end.received for end in ends),
        "missing": sum(end.missing() for end in ends),
    }
    print(json.dumps(counts), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve()
