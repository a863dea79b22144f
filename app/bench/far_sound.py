"""The sound of the far end of `dutyring bench calls`: regular packets for calls that come and go, as cheap as can be.

Up to a hundred calls share one socket, as they share one of a gateway. All packets of a socket leave by one
`sendmmsg` and come by one `recvmmsg`; nothing is analysed. A call hears ringback until it is answered, then a
voice.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import time
from collections import deque

import numpy as np
import numpy.typing as npt

CALLS_EACH = 100
"""Calls of one socket."""
PERIOD_S = 0.02
LATE_S = 0.010
REST_S = 0.5
"""How long a slot is left alone after its call."""
BUFFER_BYTES = 4 << 20
SO_RCVBUFFORCE = 33
"""Linux <asm-generic/socket.h>; beyond the limit of ordinary users."""
SAMPLES = 160
PACKET_BYTES = 12 + SAMPLES
_HEADER = np.dtype(
    [
        ("name", np.uintp),
        ("name_bytes", np.uint32),
        ("parts", np.uintp),
        ("part_count", np.uintp),
        ("control", np.uintp),
        ("control_bytes", np.uintp),
        ("flags", np.int32),
    ],
    align=True,
)
_MESSAGE = np.dtype([("header", _HEADER), ("length", np.uint32)], align=True)
"""`struct mmsghdr` (sendmmsg(2))."""

LIBC = ctypes.CDLL(None)
for _function in (LIBC.sendmmsg, LIBC.recvmmsg):
    _function.restype = ctypes.c_int
LIBC.sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
LIBC.recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)


class Messages:
    """The messages of one `sendmmsg` or `recvmmsg`, laid out once."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.data = np.zeros((count, PACKET_BYTES + 20), np.uint8)
        self.names = np.zeros((count, 16), np.uint8)
        self._parts = np.zeros((count, 2), np.uintp)
        self.headers = np.zeros(count, _MESSAGE)
        for place in range(count):
            self._parts[place] = self.data[place].ctypes.data, PACKET_BYTES
        self.headers["header"]["name"] = [name.ctypes.data for name in self.names]
        self.headers["header"]["parts"] = [part.ctypes.data for part in self._parts]
        self.headers["header"]["part_count"] = 1
        self.address = self.headers.ctypes.data
        self.reset()

    def reset(self) -> None:
        """Give room for addresses again."""
        self.headers["header"]["name_bytes"] = 16


class End:
    """One socket and the calls behind it."""

    def __init__(self, host: str, ringback: npt.NDArray[np.uint8], voice: npt.NDArray[np.uint8]) -> None:
        self._sound = np.concatenate([ringback, voice])
        self._first_voice, self._voices = len(ringback), len(voice)
        self.socket = _socket(host)
        self.port = int(self.socket.getsockname()[1])
        self._out, self._in = Messages(CALLS_EACH), Messages(4 * CALLS_EACH)
        self._chosen = np.zeros(CALLS_EACH, self._out.headers.dtype)
        self._sending = np.zeros(CALLS_EACH, bool)
        self._ticks = np.zeros(CALLS_EACH, np.int64)
        self._payload = np.zeros(CALLS_EACH, np.int64)
        self._answered = np.full(CALLS_EACH, -1, np.int64)
        """The tick at which a call was answered, -1 before."""
        self._free = deque((0.0, slot) for slot in range(CALLS_EACH))
        self._slot_of = np.full(65536, -1, np.int64)
        self._port_of = np.zeros(CALLS_EACH, np.int64)
        self._newest = np.full(CALLS_EACH, -1, np.int64)
        self._oldest = np.full(CALLS_EACH, -1, np.int64)
        self._heard = np.zeros(CALLS_EACH, np.int64)
        self._random = np.random.default_rng()
        self.sent = self.late = self.received = self.missing = 0

    def open(self, host: str, port: int, payload: int, now: float) -> int | None:
        """Send to a caller from now on; None where all slots are taken."""
        if not self._free or self._free[0][0] > now:
            return None
        _at, slot = self._free.popleft()
        name = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host)
        self._out.names[slot] = np.frombuffer(name + bytes(8), np.uint8)
        head = struct.pack("!BBHII", 0x80, payload, 0, 0, int(self._random.integers(1, 1 << 32)))
        self._out.data[slot, :12] = np.frombuffer(head, np.uint8)
        self._slot_of[port], self._port_of[slot] = slot, port
        self._ticks[slot], self._answered[slot], self._payload[slot] = 0, -1, payload
        self._newest[slot] = self._oldest[slot] = -1
        self._heard[slot] = 0
        self._sending[slot] = True
        return slot

    def answer(self, slot: int) -> None:
        """Let the caller hear a voice."""
        self._answered[slot] = self._ticks[slot]

    def close(self, slot: int, now: float) -> None:
        """Send no more, and count what the caller's packets lacked."""
        self.receive()
        self._sending[slot] = False
        if self._oldest[slot] >= 0:
            self.missing += int(self._newest[slot] - self._oldest[slot] + 1 - self._heard[slot])
        port = self._port_of[slot]
        if self._slot_of[port] == slot:
            self._slot_of[port] = -1
        self._free.append((now + REST_S, slot))

    def send(self, moment: float) -> None:
        """Send a packet of each call, whose time is `moment`."""
        chosen = np.flatnonzero(self._sending)
        if not len(chosen):
            return
        ticks, data = self._ticks[chosen], self._out.data
        data[chosen, 1] = self._payload[chosen] | np.where(ticks == 0, 0x80, 0)
        data[chosen, 2:4] = (ticks & 0xFFFF).astype(">u2").view(np.uint8).reshape(-1, 2)
        data[chosen, 4:8] = (ticks * SAMPLES & 0xFFFFFFFF).astype(">u4").view(np.uint8).reshape(-1, 4)
        since = ticks - self._answered[chosen]
        phase = np.where(
            self._answered[chosen] < 0,
            ticks % self._first_voice,
            self._first_voice + (since + 7 * chosen) % self._voices,
        )
        data[chosen, 12:PACKET_BYTES] = self._sound[phase]
        self._ticks[chosen] += 1
        self._chosen[: len(chosen)] = self._out.headers[chosen]
        count = LIBC.sendmmsg(self.socket.fileno(), self._chosen.ctypes.data, len(chosen), 0)
        self.sent += max(0, count)
        if time.monotonic() - moment > LATE_S:
            self.late += len(chosen)

    def receive(self) -> None:
        """Count what came."""
        box = self._in
        while True:
            box.reset()
            count = LIBC.recvmmsg(self.socket.fileno(), box.address, box.count, socket.MSG_DONTWAIT, None)
            if count <= 0:
                return
            self._count(count)
            if count < box.count:
                return

    def _count(self, count: int) -> None:
        names, data = self._in.names[:count].astype(np.int64), self._in.data[:count].astype(np.int64)
        slot = self._slot_of[names[:, 2] << 8 | names[:, 3]]
        number = (data[:, 2] << 8 | data[:, 3])[slot >= 0]
        slot = slot[slot >= 0]
        self.received += len(slot)
        np.add.at(self._heard, slot, 1)
        called, place = np.unique(slot, return_index=True)
        new = self._oldest[called] < 0
        self._oldest[called[new]] = self._newest[called[new]] = number[place[new]]
        ahead = (number - self._newest[slot] + 0x8000 & 0xFFFF) - 0x8000
        np.maximum.at(self._newest, slot, self._newest[slot] + ahead)


class Sound:
    """The sound of all calls; a slot's number says which of the sockets it is of.

    `calls` at once are expected; there is room for twice as many, because an ended call rests for a moment.
    """

    def __init__(
        self, host: str, calls: int, ringback: npt.NDArray[np.uint8], voice: npt.NDArray[np.uint8]
    ) -> None:
        count = -(-calls // CALLS_EACH) + 1 if calls else 0
        self.ends = [End(host, ringback, voice) for _ in range(count)]
        self._next = 0

    def open(self, host: str, port: int, payload: int) -> tuple[int, int] | None:
        """Take a call; returns its slot and our port."""
        now = time.monotonic()
        for step in range(len(self.ends)):
            place = (self._next + step) % len(self.ends)
            slot = self.ends[place].open(host, port, payload, now)
            if slot is not None:
                # One socket after the other, so that their bursts are of one size.
                self._next = (place + 1) % len(self.ends)
                return place * CALLS_EACH + slot, self.ends[place].port
        return None

    def answer(self, slot: int) -> None:
        """The call was answered."""
        self.ends[slot // CALLS_EACH].answer(slot % CALLS_EACH)

    def close(self, slot: int) -> None:
        """The call is over."""
        self.ends[slot // CALLS_EACH].close(slot % CALLS_EACH, time.monotonic())

    def counts(self) -> dict[str, int]:
        """Return the packets of all calls that are over; `missing` never came."""
        names = ("sent", "late", "received", "missing")
        return {name: sum(getattr(end, name) for end in self.ends) for name in names}


def _socket(host: str) -> socket.socket:
    """Return a socket on an even port; the RTCP of the caller finds nobody, which harms nobody."""
    while True:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((host, 0))
        if sock.getsockname()[1] % 2 == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
            return sock
        sock.close()
