"""What every phone of the comparison tells, and the arguments that it takes."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be placed."""

    port: int
    calls: int
    at_once: int
    talk_s: float


@dataclass(slots=True)
class Tally:
    """What became of it; `events` are Call-ID -> status -> the monotonic time that the phone itself tells."""

    begun: float = field(default_factory=time.monotonic)
    cpu_before_s: float = field(default_factory=time.process_time)
    answered: int = 0
    failed: int = 0
    ended: float = 0.0
    events: dict[str, dict[str, float]] = field(default_factory=dict)

    def note(self, call_id: str, status: str, at: float | None = None) -> None:
        """Take the time at which a response was told of."""
        self.events.setdefault(call_id, {}).setdefault(status, time.monotonic() if at is None else at)

    def tell(self, cpu_s: float | None = None) -> None:
        """Print the figures and end at once, whatever threads are left; `cpu_s` where other processes count too."""
        self.ended = self.ended or time.monotonic()
        own_s = time.process_time() - self.cpu_before_s
        figures = {
            "answered": self.answered,
            "failed": self.failed,
            "span_s": self.ended - self.begun,
            "cpu_s": own_s if cpu_s is None else cpu_s,
            "own_cpu_s": own_s,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
            "events": self.events,
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()
        os._exit(0)


def task() -> Task:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--talk-s", type=float, required=True)
    given = parser.parse_args()
    return Task(given.port, given.calls, given.at_once, given.talk_s)
