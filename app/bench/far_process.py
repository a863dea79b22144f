"""The lean far end as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

END_S = 20.0


@dataclass(slots=True)
class FarProcess:
    """A running far end; `counts` are what it tells after its end."""

    port: int
    pid: int
    counts: dict[str, Any] = field(default_factory=dict)

    def uri(self, line: int) -> str:
        """Return the target of a line: by name, as some numbers are never dialled."""
        return f"sip:line-{line}@127.0.0.1:{self.port}"


@contextlib.contextmanager
def far_process(
    calls: int, *, ring_s: float, early_sound: bool = True, stamps: bool = False, realtime: bool = True
) -> Iterator[FarProcess]:
    """Run a far end with sound for so many calls at once; RuntimeError where it does not start or end in order.

    `realtime`: its packets leave on time whatever else runs, at the cost of whoever shares its processor.
    """
    command = [sys.executable, "-m", "app.bench.far_end", "--calls", str(calls), "--ring-s", str(ring_s)]
    command += [] if early_sound else ["--no-early-sound"]
    command += ["--stamps"] if stamps else []
    command += [] if realtime else ["--no-realtime"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the far end did not start (exit status {process.wait(END_S)})")
        far = FarProcess(json.loads(line)["port"], process.pid)
        yield far
        far.counts = json.loads(process.communicate(timeout=END_S)[0])
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
