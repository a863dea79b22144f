"""A process that does nothing but wake up each 20 ms: what of a phone's lateness is the machine's.

It has no packets to look at, so an attack that keeps the phone busy leaves it alone; a machine that stands still, or
whose processors are taken by other tests, makes it late as well.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

PROGRAM = """
import select, sys, time
print("ready", flush=True)
due, late = time.monotonic(), 0
while True:
    due += 0.020
    if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        break
    late += time.monotonic() - due > 0.010
print(late)
"""
"""Counts as the phone does: late is what comes 10 ms after its slot of 20 ms."""


@dataclass
class Witness:
    """How many ticks were late, known once it is over."""

    late: int = 0

    def allows(self, sent: int) -> float:
        """How many packets of a call may be late: one in a hundred, and twice what the machine alone delays."""
        return 0.01 * sent + 2 * self.late


@contextlib.contextmanager
def watching() -> Iterator[Witness]:
    """Count late ticks from here on."""
    found = Witness()
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield found
    finally:
        found.late = int(process.communicate(timeout=15)[0])
