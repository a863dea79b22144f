"""A heap of timers.

Stopping a timer is O(1); its place in the heap is cleared when it comes up or when most of the heap is dead.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[float], None]


class Timer:
    """One running timer."""

    __slots__ = ("_queue", "action", "at")

    def __init__(self, queue: TimerQueue, at: float, action: Action) -> None:
        self._queue = queue
        self.at = at
        self.action: Action | None = action

    def stop(self) -> None:
        """Make the timer never fire; harmless when it has fired."""
        if self.action is not None:
            self.action = None
            self._queue.stopped()


class TimerQueue:
    """All timers of an endpoint."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._dead = 0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def start(self, at: float, action: Action) -> Timer:
        """Call `action(now)` once the clock reaches `at`."""
        timer = Timer(self, at, action)
        heapq.heappush(self._heap, (at, next(self._order), timer))
        return timer

    def stopped(self) -> None:
        """Take note of a stopped timer."""
        self._dead += 1
        if self._dead > 64 and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._dead = 0

    def deadline(self) -> float | None:
        """Return when the next timer is due, None if none runs."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._dead -= 1
        return self._heap[0][0] if self._heap else None

    def advance(self, now: float) -> None:
        """Fire all timers that are due, in order."""
        while (at := self.deadline()) is not None and at <= now:
            timer = heapq.heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action is not None:
                action(now)
