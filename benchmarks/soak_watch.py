"""What processes hold, looked at while they work: memory, threads, open files, sockets; and whether it grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

EVERY_S = 2.0
MEMORY_SHARE, MEMORY_MB = 0.03, 4.0
"""What memory may grow by over the second half of the time, whichever is more. Before that allocators and caches
settle: of a hundred calls for half an hour the last of it came after fourteen minutes. What a call leaves behind grows
as much in the second half as in the first."""
COUNT_SHARE, COUNT_SLACK = 0.05, 6.0
"""The same of everything that is counted; how many calls are up at a moment varies by chance."""


@dataclass(slots=True)
class Series:
    """One quantity over time."""

    name: str
    share: float
    slack: float
    at_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, at_s: float, value: float) -> None:
        """Add a look."""
        self.at_s.append(at_s)
        self.values.append(value)

    def growth(self, from_s: float, until_s: float) -> tuple[float, float]:
        """Return (mean, growth over the time) between two moments, by a straight line through the looks."""
        looks = [
            (at, value) for at, value in zip(self.at_s, self.values, strict=True) if from_s <= at <= until_s
        ]
        if len(looks) < 3:
            return (self.values[-1] if self.values else 0.0), 0.0
        at, values = np.array(looks).T
        slope = float(np.polyfit(at - at[0], values, 1)[0])
        return float(values.mean()), slope * float(at[-1] - at[0])

    def allowed(self, mean: float) -> float:
        """Return what it may grow by."""
        return max(self.slack, self.share * mean)


class Watch:
    """Looks at some processes, at the tasks of this one and at a folder, until it is cancelled."""

    def __init__(self, processes: dict[str, psutil.Process], folder: Path) -> None:
        self._processes, self._folder = processes, folder
        self._series: dict[str, Series] = {}

    @property
    def series(self) -> Sequence[Series]:
        """All that was looked at."""
        return tuple(self._series.values())

    async def run(self) -> None:
        """Look again and again."""
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Look once."""
        now = time.monotonic()
        for name, process in self._processes.items():
            self._add(f"{name} memory MB", now, process.memory_info().rss / 1e6, memory=True)
            self._add(f"{name} threads", now, process.num_threads())
            files, sockets = _open_files(process.pid)
            self._add(f"{name} files", now, files)
            self._add(f"{name} sockets", now, sockets)
        self._add("tasks", now, len(asyncio.all_tasks()))
        self._add("temporary files", now, sum(1 for _ in self._folder.iterdir()))

    def _add(self, name: str, now: float, value: float, *, memory: bool = False) -> None:
        bounds = (MEMORY_SHARE, MEMORY_MB) if memory else (COUNT_SHARE, COUNT_SLACK)
        self._series.setdefault(name, Series(name, *bounds)).add(now, value)


def _open_files(pid: int) -> tuple[int, int]:
    """Return how many files and how many sockets a process holds."""
    files = sockets = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        sockets += target.startswith("socket:")
        files += not target.startswith("socket:")
    return files, sockets
