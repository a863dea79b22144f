"""A phone under attack, seen from the test: its process, its calls in progress, what it holds, what it logs."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import weapons
from .far_ends import FarEnd
from .witness import Witness, watching

HERE = Path(__file__).parent
CALLS = 3
TALK_S = 2.5
RING_MS = 1000.0
"""From 180 to 200 on line 1 of lines.toml."""
Address = tuple[str, int]


@dataclass
class Calls:
    """Calls in progress; `records` has their facts once they are over, `witness` what the machine did."""

    witness: Witness
    records: list[dict[str, Any]] = field(default_factory=list)


class Attacked:
    """The process of `tests.attacks.target` and the lines that it calls."""

    def __init__(self, folder: Path, lines: Address, registrar: FarEnd, **settings: str) -> None:
        self.lines = lines
        self.registrar = registrar
        settings["server"] = f"{registrar.address[0]}:{registrar.address[1]}"
        self.other: dict[str, Any] = {}
        """The facts of the call to another far end than line 1 that was placed last."""
        self._number = 0
        self._log_path = folder / "attacked.log"
        self._log = self._log_path.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.target", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.addresses: dict[str, Address] = {
            name: (host, port) for name, (host, port, _) in self.ask("where").items()
        }

    @property
    def sip(self) -> Address:
        """Where it takes SIP over UDP and TCP."""
        return self.addresses["direct"]

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ask(self, command: str, **values: Any) -> Any:
        """Let it carry out a command; returns its answer."""
        self.tell(command, **values)
        return self.answer()

    def tell(self, command: str, **values: Any) -> None:
        """Give a command whose answer is fetched later."""
        assert self._process.stdin is not None
        self._number += 1
        self._process.stdin.write(json.dumps({"number": self._number, "do": command, **values}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer of a command."""
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            number, answer = json.loads(line)
            # A test that was given up may have left answers behind.
            if number == self._number:
                return answer
        raise AssertionError(f"the phone is gone:\n{self.log()[-3000:]}")

    def log(self) -> str:
        """What it has logged so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def line(self, extension: str = "1") -> str:
        """The URI of a simulated line."""
        return f"sip:{extension}@{self.lines[0]}:{self.lines[1]}"

    @contextlib.contextmanager
    def talking(
        self, calls: int = CALLS, *, talk_s: float = TALK_S, until: str = "answered"
    ) -> Iterator[Calls]:
        """Have calls in progress; what happens within must leave them as they were."""
        with watching() as witness:
            found = Calls(witness)
            self.ask("call", uri=self.line(), calls=calls, talk_s=talk_s, until=until)
            try:
                yield found
            finally:
                records = self.ask("records")
        found.records = records[:calls]
        self.other = next(iter(records[calls:]), {})
        for record in found.records:
            undisturbed(record, talk_s, witness)

    @contextlib.contextmanager
    def bounded(
        self, *, packets: int, cpu_ms: float = 2.0, mb: float = 30.0, log_lines: int = 20
    ) -> Iterator[dict[str, float]]:
        """Hold what an attack may cost: CPU of the signalling process for each packet, memory, lines of the log."""
        before, logged = self.ask("counts"), self.log().count("\n")
        grown: dict[str, float] = {}
        yield grown
        # Once this is answered all that came before it has been taken.
        assert weapons.options(self.sip) == 200
        after = self.ask("counts")
        grown.update({name: after[name] - before[name] for name in after})
        grown["log_lines"] = self.log().count("\n") - logged
        weapons.note(packets=packets, **grown)
        assert grown["rss_mb"] < mb, grown
        assert grown["log_lines"] <= log_lines, self.log()[-2000:]
        assert grown["cpu_s"] * 1000 < cpu_ms * packets + 1500, grown

    def still_serves(self) -> None:
        """Assert that an OPTIONS is answered and that a call to it is taken."""
        assert weapons.options(self.sip) == 200
        taken = self.ask("counts")["answered"]
        weapons.whole_call(self.sip)
        until = time.monotonic() + 8
        while self.ask("counts")["answered"] == taken:
            assert time.monotonic() < until, "a valid call was not taken"
            time.sleep(0.1)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(15)
        finally:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._log.close()


def undisturbed(record: dict[str, Any], talk_s: float, witness: Witness) -> None:
    """Assert that a call to line 1 is what it would be without any attack."""
    media = record["media"]
    assert record["outcome"] == "answered", record
    assert record["errors"] == [], record
    assert record["ended_by"] == "us", record
    assert abs(record["ring_to_answer_ms"] - RING_MS) < 250, record
    talked_ms = record["ended_ms"] - record["connected_ms"]
    assert talk_s * 1000 - 20 <= talked_ms < talk_s * 1000 + 3000, record
    assert media["sent"] > talk_s * 45, record
    assert media["late"] < witness.allows(media["sent"]), (witness, record)
    assert media["lost"] == 0, record
    assert media["received"] > talk_s * 45, record
    assert abs(record["captured_ms"] - record["ended_ms"]) < 250, record
    assert abs(record["duration_ms"] - record["ended_ms"]) < 1, record


@contextlib.contextmanager
def simulated_lines() -> Iterator[Address]:
    """Run the simulator with the lines of lines.toml."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "app.cli", "simulate", "--listen"),
            *(f"127.0.0.1:{weapons.free_port()}", "--scenario", str(HERE / "lines.toml")),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        host, _, port = ready.split()[-1].rpartition(":")
        yield host, int(port)
    finally:
        process.terminate()
        process.wait(15)
        process.stdout.close()
