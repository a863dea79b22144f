"""pyVoIP as a foreign phone: its process (`pyvoip_callee`) and where it is called."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass

from tests.interop.foreign import Foreign, Foreigners

TONE_HZ = 440


@dataclass(frozen=True, slots=True)
class PyVoip:
    """One running pyVoIP."""

    process: Foreign
    port: int

    def heard_frames(self) -> int:
        """Return the frames of 20 ms of its last call that were not silent."""
        self.process.wait_for("heard ")
        return int(re.findall(r"heard (\d+)", self.process.text())[-1])

    def received(self, method: str, expected: int = 0) -> int:
        """Return how many requests of this method came, once `expected` did or 5 s are over: it tells with delay."""
        until = time.monotonic() + 5
        while (
            count := self.process.text().count(f"received {method}\n")
        ) < expected and time.monotonic() < until:
            time.sleep(0.05)
        return count


def start_pyvoip(foreigners: Foreigners, mode: str) -> PyVoip:
    """Start it in one of its modes: `answer`, `hang-up`, `busy`."""
    root = __file__.rsplit("/tests/", 1)[0]
    command = [sys.executable, "-m", "tests.interop.pyvoip_callee", mode]
    process = foreigners.start("pyvoip", command, foreigners.folder, {"PYTHONPATH": root})
    process.wait_for("ready ")
    found = re.search(r"ready (\d+)", process.text())
    assert found
    return PyVoip(process, int(found[1]))
