"""The phone for hours: calls end and new ones begin, and nothing may be left behind.

    python -m benchmarks.soak --minutes 30 --calls 300

Keeps as many calls up as asked for: ones that are answered, busy, cancelled while they ring, never answered, forked
with two answers, and put on hold. All are recorded. Meanwhile it looks at memory, threads, open files, sockets, tasks
and temporary files of the phone's processes and draws a straight line through each after the warm-up. At the end the
far end's own book must have no dialog without ACK or BYE, and the phone must hold what it held before the first call.
The exit status is 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import recordings
from benchmarks.hundred_calls import processes
from benchmarks.soak_watch import Series, Watch
from sip.phone import Phone, Script
from sip.record import CallRecord
from sip.simulator import FIRST_LOAD_LINE

KINDS = ("load", "busy", "load", "fork", "load", "cancelled", "load", "hold", "load", "never")
"""What a place calls, one after the other; each place begins elsewhere."""
OUTCOMES = {
    "load": "answered",
    "busy": "busy",
    "fork": "answered",
    "cancelled": "cancelled",
    "hold": "answered",
    "never": "no_answer",
}
LINES = {"busy": "86", "cancelled": "71", "never": "70"}
TALK_S, RING_S = (8.0, 40.0), 8.0
MEMORY = Path("/dev/shm")
"""Where recordings are made: each is flushed three times, and places would wait for whatever else uses the disk."""
REFUSED_PAUSE_S = 1.0
SOCKETS_OF_A_CALL = 2
SETTLE_S = 36.0
"""What a transaction remembers after a call (64*T1) is gone by then."""
RECORDING_MS = 20.0
MOST_REFUSED = 0.01
"""Of the calls, for which a busy machine may have had no room."""
LEAST_UP = 0.9
"""Of the calls wanted at once: how many were up, on average. With fewer the soak is of fewer."""
BASELINE_SLACK = 2.0


@dataclass(slots=True)
class Tally:
    """What the calls came to."""

    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Calls that never left, by the reason: the machine had no room for them."""
    sent: int = 0
    late: int = 0
    received: int = 0
    lost: int = 0
    worst_ms: float = 0.0
    """Of the differences between a recording and its call."""

    def add(self, kind: str, record: CallRecord, recorded: float | str) -> None:
        """Count a call that left; `recorded` is how much longer its recording is, in ms, or why there is none."""
        self.calls[kind] += 1
        media = record.media
        self.sent, self.late = self.sent + media.sent, self.late + media.late
        self.received, self.lost = self.received + media.received, self.lost + media.lost
        if record.outcome != OUTCOMES[kind] or record.our_failure or record.errors:
            self.wrong.append(f"{kind}: {record.outcome} {record.sip_status} {'; '.join(record.errors)}")
        if isinstance(recorded, str):
            self.wrong.append(f"{kind}: {record.outcome} {record.sip_status}, no recording: {recorded}")
            return
        self.worst_ms = max(self.worst_ms, abs(recorded))
        if abs(recorded) > RECORDING_MS:
            self.wrong.append(f"{kind}: the recording is {recorded:+.1f} ms longer than the call")

    def refuse(self, record: CallRecord) -> None:
        """Count a call that never left: it waited for room until it was cancelled, or for as long as calls wait."""
        self.refused["; ".join(record.errors) or "cancelled while it waited for room"] += 1

    def judged(self) -> list[str]:
        """Return all that is wrong with the calls."""
        never, left = sum(self.refused.values()), sum(self.calls.values())
        if never <= MOST_REFUSED * (never + left):
            return self.wrong
        reasons = "; ".join(f"{count} {reason}" for reason, count in self.refused.most_common(3))
        return [*self.wrong, f"{never} calls never left: this machine is too busy for so many ({reasons})"]


class Places:
    """The calls that are up: each place calls one line after the other."""

    def __init__(self, phone: Phone, ports: dict[str, int], folder: Path, tally: Tally) -> None:
        self._phone, self._ports, self._folder, self._tally = phone, ports, folder, tally
        # Encoding is work of the service, in its own threads; here it is not among what is measured. It does not give
        # way to what else runs: while its sound waits to be encoded a place does not call.
        self._encoders = ProcessPoolExecutor(1, get_context("spawn"))

    async def keep(self, place: int, begin_s: float, until_s: float) -> None:
        """Call from one moment to the other."""
        await asyncio.sleep(max(0.0, begin_s - time.monotonic()))
        chance = random.Random(place)
        turn = place
        while time.monotonic() < until_s:
            await self._call(place, KINDS[turn % len(KINDS)], chance)
            turn += 1

    async def _call(self, place: int, kind: str, chance: random.Random) -> None:
        capture = self._folder / f"{place}.part"
        stop = asyncio.Event()
        script = Script(RING_S, chance.uniform(*TALK_S), capture=capture)
        line = LINES.get(kind, str(FIRST_LOAD_LINE + place) if kind == "load" else kind)
        port = self._ports["odd" if kind in ("fork", "hold") else "lines"]
        timer = asyncio.get_running_loop().call_later(chance.uniform(0.5, 6.0), stop.set)
        if kind != "cancelled":
            timer.cancel()
        record = await self._phone.call(f"sip:{line}@127.0.0.1:{port}", script, stop=stop)
        if not any(entry.event == "sent" for entry in record.timeline):
            if self._phone.lost.done():
                raise RuntimeError(self._phone.lost.result())
            self._tally.refuse(record)
            await asyncio.sleep(REFUSED_PAUSE_S)
            return
        loop = asyncio.get_running_loop()
        recorded = await loop.run_in_executor(self._encoders, encoded, capture, record.ended_ms)
        self._tally.add(kind, record, recorded)

    def close(self) -> None:
        """End the process that encodes."""
        self._encoders.shutdown()


def encoded(capture: Path, ended_ms: float) -> float | str:
    """Encode a capture and leave no file behind.

    Returns how much longer the recording is than the call, in ms, or what is wrong with it.
    """
    sound = (MEMORY if MEMORY.is_dir() else capture.parent) / f"{capture.parent.name}-{capture.stem}.flac"
    try:
        # As long as what was captured: not padded or cut to the call, as recordings that are kept are.
        return recordings.encode(capture, sound).duration_ms - ended_ms
    except (recordings.RecordingError, OSError) as error:
        return str(error)
    finally:
        for path in (sound, capture):
            path.unlink(missing_ok=True)


async def soak(
    ports: dict[str, int], calls: int, seconds: float, folder: Path
) -> tuple[Tally, list[str], Watch]:
    """Run the calls; return what they came to, what is wrong with what the phone holds, and all looks."""
    tally = Tally()
    async with Phone() as phone:
        places = Places(phone, ports, folder, tally)
        await places._call(0, "busy", random.Random(0))  # what is loaded and opened by the first call
        watch = Watch(processes(), folder)
        watch.look()
        begun = time.monotonic()
        ramp_s = min(20.0, seconds / 4)
        looking = asyncio.create_task(watch.run())
        async with asyncio.TaskGroup() as group:
            for place in range(calls):
                group.create_task(places.keep(place, begun + place * ramp_s / calls, begun + seconds))
        ended = time.monotonic()
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        await asyncio.sleep(SETTLE_S)
        watch.look()
        places.close()
    warm_s = begun + max(ramp_s + min(seconds / 4, 120.0), seconds / 5)
    until_s = min(ended, begun + seconds)
    half_s = max(warm_s, (begun + until_s) / 2)
    held = [fault for series in watch.series for fault in faults_of(series, warm_s, half_s, until_s)]
    return tally, [*held, *_too_few(watch, warm_s, until_s, calls)], watch


def _too_few(watch: Watch, from_s: float, until_s: float, calls: int) -> list[str]:
    """Return a complaint where fewer calls were up than were wanted."""
    sockets = next(series for series in watch.series if series.name == "media sockets")
    up = (sockets.growth(from_s, until_s)[0] - sockets.values[0]) / SOCKETS_OF_A_CALL
    print(f"{up:.0f} calls were up at a time, of {calls}")
    return [f"{up:.0f} calls were up, of {calls}: this machine is too busy"] if up < LEAST_UP * calls else []


def faults_of(series: Series, warm_s: float, half_s: float, until_s: float) -> Iterator[str]:
    """Print a series and yield what grew of it, memory from `half_s` on, all else from `warm_s`; and what stayed."""
    memory = "memory" in series.name
    mean, growth = series.growth(half_s if memory else warm_s, until_s)
    before, after = series.values[0], series.values[-1]
    print(
        f"  {series.name:<24} mean {mean:9.1f}  grew {growth:+8.2f}  before {before:8.1f}  after {after:8.1f}"
    )
    if growth > series.allowed(mean):
        yield f"{series.name}: grew by {growth:.1f}, mean {mean:.1f}, allowed {series.allowed(mean):.1f}"
    if not memory and after > before + BASELINE_SLACK:
        yield f"{series.name}: {before:.0f} before the first call, {after:.0f} after the last"


def far_end_wrong(book: dict[str, Any]) -> list[str]:
    """Return what the far end's book says against us."""
    lines, odd = book["lines"], book["odd"]
    ended = sum(count for what, count in lines.items() if what.startswith("ended by"))
    wrong = [
        (lines["left"], "calls of simulated lines never ended"),
        (lines.get("begun", 0) - ended, "calls of simulated lines have no end"),
        (lines.get("ended by network", 0), "calls of simulated lines ended without BYE or ACK"),
        (lines.get("answered", 0) - lines.get("acknowledged", 0), "answers of simulated lines got no ACK"),
        (odd.get("answered", 0) - odd.get("acknowledged", 0), "answers of forked and held calls got no ACK"),
        (odd.get("answered", 0) - odd.get("hung_up", 0), "dialogs of forked and held calls got no BYE"),
        (odd.get("refused", 0), "holds were not agreed to"),
        (odd["left"], "forked and held calls never ended"),
    ]
    return [f"{count} {what}" for count, what in wrong if count]


def run(calls: int, seconds: float) -> tuple[Tally, list[str], dict[str, Any]]:
    """Soak the phone; return what the calls came to, all that is wrong, and the far end's book."""
    command = [sys.executable, "-m", "benchmarks.soak_far_end", str(calls)]
    far = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert far.stdout is not None
        ports = json.loads(far.stdout.readline())
        with tempfile.TemporaryDirectory() as name:
            tally, wrong, _ = asyncio.run(soak(ports, calls, seconds, Path(name)))
        book = json.loads(far.communicate(timeout=120)[0])
    finally:
        if far.poll() is None:
            far.kill()
            far.communicate()
    return tally, [*tally.judged(), *wrong, *far_end_wrong(book)], book


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    tally, wrong, book = run(options.calls, options.minutes * 60)
    print(f"calls: {sum(tally.calls.values())} {dict(tally.calls)}")
    for reason, count in tally.refused.most_common(3):
        print(f"never left: {count}, {reason}")
    print(f"far end: {book}")
    print(f"late {100 * tally.late / max(1, tally.sent):.3f} % of {tally.sent} packets of ours", end=", ")
    print(f"lost {100 * tally.lost / max(1, tally.received + tally.lost):.3f} % of theirs", end=", ")
    print(f"recordings within {tally.worst_ms:.1f} ms of their calls")
    for line in wrong[:50]:
        print(f"wrong: {line}")
    print("nothing is wrong" if not wrong else f"{len(wrong)} things are wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
