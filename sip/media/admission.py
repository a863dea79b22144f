"""How many calls this machine can carry: measured, so that a call too many is refused and not served badly.

A tick of n calls takes about a + b n. What it takes besides the calls (a) and for one call (b) is tried once when the
engine starts, with sockets of its own; as soon as calls talk, the ticks themselves say it better, and what they say
counts the more the more calls there are. A call is admitted while a tick with all calls, those that have not begun
to talk included, would stay within `BUDGET_MS`.

Each figure is the 90th percentile of a second's ticks, and the median of five such seconds is believed: one stall, of
whatever length, moves nothing. Where more than one tick in ten ends after its 20 ms in three of five seconds, the
engine is *behind*: no call is admitted until that has passed, for whatever takes the processor away takes it from
the calls under way. These are never touched.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sip.media.model import ALWAYS, COLUMN_MS, COLUMN_SAMPLES, CapacityEstimate, Limit
from sip.media.uring import Ring, reads, sends

BUDGET_MS: Final = 14.0
"""What a tick may take of its 20 ms, in nine ticks of ten: with it less than one packet in two hundred is late. The
rest is for the ticks that take longer."""
_WINDOW_TICKS: Final = 50
_WINDOWS: Final = 5
_BEHIND_SHARE: Final = 0.1
_BEHIND_WINDOWS: Final = 3
_CAUGHT_UP_WINDOWS: Final = 1
_TRUSTED_CALLS: Final = 100
"""What so many calls measure counts as much as what was tried at the start."""
_OTHER_FILES: Final = 64
"""Files that are open besides the sockets of calls."""
_TRIED_CALLS: Final = 32
_TRIED_COLUMNS: Final = 256
"""So many that making the arrays does not count."""
_TRIED_ROUNDS: Final = 16
_BEST: Final = 0.25
"""This quantile of the rounds counts: what else runs at that moment makes rounds longer, nothing makes them shorter."""
_SHARE_TRIED: Final = 0.5
"""What is tried, sending, reading and the bank, is half of what a call takes (docs/explanation/media-tick.md)."""
USUAL_US: Final = 12.0
"""What a call takes of a tick, where nothing was or can be tried."""
_FIXED_MS: Final = 1.0
"""What a tick takes besides its calls: arrays are made for one call as for many."""


class _Window(NamedTuple):
    """One second."""

    tick_ms: float
    talking: int
    behind: bool


class CapacityWatch:
    """Learns from each tick how many calls can be carried."""

    def __init__(self, per_call_us: float, capacity: int, files: int) -> None:
        """Begin with what was tried (see `try_out`); `capacity` and `files` are limits that no tick knows of."""
        self._tried_us = per_call_us
        self._capacity = capacity
        self._sockets = max(0, (files - _OTHER_FILES) // 2)
        self._work = np.zeros(_WINDOW_TICKS)
        self._over = np.zeros(_WINDOW_TICKS, np.bool_)
        self._ticks = 0
        self._windows: deque[_Window] = deque(maxlen=_WINDOWS)
        self._behind = False

    def tried(self, per_call_us: float) -> None:
        """Take what was tried anew."""
        self._tried_us = per_call_us

    def note(self, late_s: float, work_s: float) -> bool:
        """Take one tick and how late it began; return whether a second is complete, which `close` then takes."""
        place = self._ticks % _WINDOW_TICKS
        self._work[place], self._over[place] = work_s, late_s + work_s > COLUMN_MS / 1000
        self._ticks += 1
        return self._ticks % _WINDOW_TICKS == 0

    def close(self, talking: int) -> None:
        """End a second in which so many calls talked."""
        tick_ms = float(np.percentile(self._work, 90)) * 1000
        self._windows.append(_Window(tick_ms, talking, float(self._over.mean()) > _BEHIND_SHARE))
        count = sum(window.behind for window in self._windows)
        self._behind = count >= _BEHIND_WINDOWS or (self._behind and count > _CAUGHT_UP_WINDOWS)

    def estimate(self) -> CapacityEstimate:
        """Return how many calls can be carried, as far as is known."""
        talking = median([window.talking for window in self._windows]) if self._windows else 0.0
        tick_ms = median([window.tick_ms for window in self._windows]) if self._windows else 0.0
        per_call_us = self._per_call_us(talking, tick_ms)
        by_tick = max(ALWAYS, int((BUDGET_MS - _FIXED_MS) * 1000 / per_call_us))
        limits: dict[Limit, int] = {"tick": by_tick, "sockets": self._sockets, "capacity": self._capacity}
        if self._behind:
            limits["behind"] = max(ALWAYS, min(by_tick, int(talking)))
        limited_by = min(limits, key=lambda limit: (limits[limit], limit != "behind"))
        return CapacityEstimate(
            limits[limited_by], limited_by, round(tick_ms, 2), round(talking), round(per_call_us, 2)
        )

    def _per_call_us(self, talking: float, tick_ms: float) -> float:
        """Return what a call takes of a tick: by what was tried, and by what is measured."""
        if talking < 1:
            return self._tried_us
        measured_us = max(0.5, (tick_ms - _FIXED_MS) * 1000 / talking)
        share = talking**2 / (talking**2 + _TRUSTED_CALLS**2)
        return share * measured_us + (1 - share) * self._tried_us


def open_files() -> int:
    """Return how many files this process may open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


Push = Callable[[npt.NDArray[np.intp], npt.NDArray[np.float32]], object]


def try_out(ring: Ring | None, push: Push | None) -> float:
    """Return the microseconds that a call takes of a tick, by some that are sent to ourselves and analysed.

    `push` is what the bank does with a column of each. Takes some 15 ms.
    """
    tried_us = 0.0
    with contextlib.suppress(OSError):
        tried_us = _try_sockets(ring)
    if not tried_us:
        return USUAL_US
    if push is not None:
        rows = np.arange(_TRIED_COLUMNS, dtype=np.intp)
        pcm = np.random.default_rng(1).normal(0, 0.1, (_TRIED_COLUMNS, COLUMN_SAMPLES)).astype(np.float32)
        took = [_took_us(lambda: push(rows, pcm)) for _ in range(_TRIED_ROUNDS)]
        tried_us += _typical(took) / _TRIED_COLUMNS
    return tried_us / _SHARE_TRIED


def _try_sockets(ring: Ring | None) -> float:
    """Return the microseconds of sending a packet to ourselves and of reading it."""
    packet = np.zeros(172, np.uint8)
    with contextlib.ExitStack() as stack:
        pairs = [_pair(stack) for _ in range(_TRIED_CALLS)]
        took = []
        for _ in range(_TRIED_ROUNDS):
            if ring is None or not ring.usable:
                took.append(_took_us(lambda: [near.send(packet.data) for near, _ in pairs]))
                took[-1] += _took_us(lambda: [far.recvmsg(2048, 128) for _, far in pairs])
            else:
                took.append(_try_ring(ring, pairs, packet))
    return _typical(took) / _TRIED_CALLS


def _typical(took_us: list[float]) -> float:
    return float(np.quantile(took_us, _BEST))


def _try_ring(
    ring: Ring, pairs: list[tuple[socket.socket, socket.socket]], packet: npt.NDArray[np.uint8]
) -> float:
    nears, fars = (np.array([pair[end].fileno() for pair in pairs], np.int32) for end in range(2))
    box, part, message = np.zeros(2048, np.uint8), np.zeros(2, np.uint64), np.zeros(7, np.uint64)
    part[:], message[2:4] = (box.ctypes.data, len(box)), (part.ctypes.data, 1)
    out = sends(nears, np.full(len(pairs), packet.ctypes.data, np.uint64), len(packet))
    back = reads(fars, np.full(len(pairs), message.ctypes.data, np.uint64))
    return _took_us(lambda: ring.do(out)) + _took_us(lambda: ring.do(back))


def _pair(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    near, far = (
        stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        for _ in range(2)
    )
    far.bind(("127.0.0.1", 0))
    near.connect(far.getsockname())
    return near, far


def _took_us(do: Callable[[], object]) -> float:
    begun = time.perf_counter()
    do()
    return (time.perf_counter() - begun) * 1e6
