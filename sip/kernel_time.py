"""Kernel receive timestamps on the monotonic clock.

The kernel stamps each packet with the wall clock (SO_TIMESTAMPNS). Call times must not move when the wall
clock is set, so each stamp is turned into CLOCK_MONOTONIC by the difference of the two clocks at the moment
of reading. When the wall clock was stepped between two readings, stamps of that batch cannot be trusted:
the time of reading is used instead and said so.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from typing import Literal

SO_TIMESTAMPNS = 35
"""Linux <asm-generic/socket.h>; the same number marks the control message (SCM_TIMESTAMPNS)."""
ANCILLARY_SPACE = socket.CMSG_SPACE(16)
STEP_LIMIT_NS = 5_000_000
"""A larger change of the difference between two readings is a step of the wall clock, not its slewing."""
PAIR_GAP_NS = 20_000
"""Two clocks read this close together count as read at once."""
PAIR_TRIES = 8
OLDEST_NS = 60_000_000_000
"""A stamp older than this at reading is not believed."""

ClockSource = Literal["kernel", "user"]
_TIMESPEC = struct.Struct("@qq")


def enable_timestamps(sock: socket.socket) -> None:
    """Ask the kernel to stamp every packet that arrives on `sock`."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def stamp_of(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """Return the kernel's wall-clock stamp in nanoseconds, or None where `recvmsg` brought none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return None


def paired_clocks() -> tuple[int, int]:
    """Return (monotonic, wall clock minus monotonic), both in nanoseconds.

    A process that is pre-empted between the two readings would shift every arrival by that pause, so the
    closest of a few pairs is taken.
    """
    best_gap, best_now, best_difference = 1 << 62, 0, 0
    for _ in range(PAIR_TRIES):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if after - before < best_gap:
            best_gap, best_now, best_difference = after - before, after, wall - (before + after) // 2
        if best_gap <= PAIR_GAP_NS:
            break
    return best_now, best_difference


class ArrivalClock:
    """Turns kernel stamps into monotonic seconds. Call `read` once per batch, then `arrival` per packet."""

    def __init__(self) -> None:
        self._difference_ns: int | None = None
        self._now_ns = 0
        self._trusted = True

    def read(self) -> None:
        """Take both clocks for the packets that are read next."""
        self._now_ns, difference = paired_clocks()
        previous = self._difference_ns
        self._trusted = previous is None or abs(difference - previous) < STEP_LIMIT_NS
        self._difference_ns = difference

    def arrival(self, stamp_ns: int | None) -> tuple[float, ClockSource]:
        """Return the monotonic time of arrival in seconds and where it comes from."""
        if stamp_ns is None or self._difference_ns is None or not self._trusted:
            return self._now_ns / 1e9, "user"
        arrival_ns = stamp_ns - self._difference_ns
        age_ns = self._now_ns - arrival_ns
        if age_ns > OLDEST_NS or age_ns < -STEP_LIMIT_NS:
            return self._now_ns / 1e9, "user"
        return min(arrival_ns, self._now_ns) / 1e9, "kernel"
