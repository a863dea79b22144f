"""`dutyring bench calls`: whole calls at once, each with INVITE, ringback, answer, recording and analysis.

The phone is the product's own, in this process; media engine and writer are its children. The far end is a lean
process of its own (`app.bench.far_end`), the witness of the wire another one. First all calls are placed, at a steady
rate; once every one is answered and has sound, ticks and processor time are measured for the wanted seconds, however
long placing took; only then are they hung up, at the rate at which they were placed. Packets are counted over the whole
calls. Neither is waited for without end: a machine that cannot carry the calls must say so, not hang.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.bench.calls_figures import Load, figures
from app.bench.far_process import FarProcess, far_process
from app.bench.processes import dropped, parts_of, rss_mb, spent_s
from app.bench.wire_witness import Witness
from sip.media import CapacityEstimate, EngineHealth, MediaEngine
from sip.phone import Phone, Script
from sip.record import CallRecord, TimelineEntry
from sip.seldom import collect_seldom

RING_S = 4.0
"""One ring and most of the pause behind it."""
SETTLING_S = 1.0
"""From the moment at which the last call talks to the first that is measured."""
MAX_RING_S = 60.0
LONGEST_TALK_S = 86_400.0
"""Calls are hung up when the measuring is over, not because their talk time is."""
TICKS_PER_S = 50
PATIENCE_S = 90.0
"""After the moment at which the last call is placed: longer than a call may ring."""
ENDING_S = 60.0
"""After the last call was told to end; what has not ended by then is broken off."""
ANSWER_S = 30.0
"""The media engine answers in a second where it can keep up at all."""
BREAKING_S = 10.0
"""And so long breaking off may take."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured."""

    concurrency: int
    seconds: float
    """How long all calls talk."""
    rate_per_s: float = 100.0
    """Set-ups a second until all calls are up."""
    beyond_limit: bool = False
    """Whether more calls are placed than the machine is thought to carry."""
    patience_s: float = PATIENCE_S
    """How long calls are waited for that neither talk nor end."""
    ending_s: float = ENDING_S
    """How long calls are waited for that were told to end."""


class TooManyCallsError(Exception):
    """The media engine does not take so many calls at once on this machine."""

    def __init__(self, wanted: int, carried: CapacityEstimate) -> None:
        super().__init__(f"{wanted} calls at once are too many: {carried}")


def measure(wanted: Wanted) -> dict[str, Any]:
    """Place the calls and return the figures of the contract's `dutyring.bench/1`.

    Raises `TooManyCallsError` where the media engine says that this machine does not carry so many.
    """
    collect_seldom()
    with (
        tempfile.TemporaryDirectory(prefix="dutyring-calls-") as name,
        far_process(wanted.concurrency, ring_s=RING_S, stamps=True) as far,
    ):
        with Witness(far.port) as witness:
            records, load = asyncio.run(place(wanted, far, Path(name)))
        captures = [capture_of(Path(name), number) for number in range(wanted.concurrency)]
        return_to = figures(records, load, captures)
    return return_to.finish(witness.times if witness.sees else None, far.counts)


def capture_of(folder: Path, number: int) -> Path:
    """Return where the recording of a call is taken."""
    return folder / f"{number}.part"


@dataclass(slots=True)
class Line:
    """One call of the load, as far as the measuring must know."""

    answered: bool = False
    heard: bool = False
    ended: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """It talks, or has ended before it did."""
    farewell: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: it is to be hung up."""

    def note(self, entry: TimelineEntry) -> None:
        """Take an entry of the call's time line."""
        self.answered = self.answered or entry.event == "answered"
        # Sound of ours leaves since the far end said where to; this is the first of theirs.
        self.heard = self.heard or entry.event == "media"
        if self.talks:
            self.settled.set()

    def end(self) -> None:
        """Learn that the call is over."""
        self.ended = True
        self.settled.set()

    @property
    def talks(self) -> bool:
        """Whether it is answered and has sound both ways now."""
        return self.answered and self.heard and not self.ended


async def place(wanted: Wanted, far: FarProcess, folder: Path) -> tuple[list[CallRecord | None], Load]:
    """Place the calls; return their records (None: it would not end), in order, and what they cost while they talked.

    Raises `TooManyCallsError` before the first one where the machine does not carry so many.
    """
    start = functools.partial(MediaEngine.start, measured=not wanted.beyond_limit)
    async with Phone(start_engine=start) as phone:
        carried = phone.capacity_estimate()
        if wanted.concurrency > carried.calls and not wanted.beyond_limit:
            raise TooManyCallsError(wanted.concurrency, carried)
        lines = [Line() for _ in range(wanted.concurrency)]
        calls = [
            asyncio.create_task(
                _one_call(phone, far.uri(n), line, n / wanted.rate_per_s, capture_of(folder, n))
            )
            for n, line in enumerate(lines)
        ]
        load = await _watch(phone, far, lines, wanted)
        _, stuck = await asyncio.wait(calls, timeout=wanted.ending_s)
        for call in stuck:
            call.cancel()
        if stuck:
            await asyncio.wait(stuck, timeout=BREAKING_S)
        return [None if call in stuck else call.result() for call in calls], load


async def _one_call(phone: Phone, target: str, line: Line, after_s: float, capture: Path) -> CallRecord:
    """Place one call that talks until it is told to end."""
    await asyncio.sleep(after_s)
    script = Script(max_ring_s=MAX_RING_S, max_talk_s=LONGEST_TALK_S, capture=capture)
    try:
        return await phone.call(target, script, on_update=line.note, farewell=line.farewell)
    finally:
        line.end()


async def _watch(phone: Phone, far: FarProcess, lines: list[Line], wanted: Wanted) -> Load:
    """Wait until all calls talk, measure the processes for the wanted seconds, then have the calls hung up."""
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(len(lines) / wanted.rate_per_s + wanted.patience_s):
                for line in lines:
                    await line.settled.wait()
        await asyncio.sleep(SETTLING_S)
        return await _measured(phone, far, lines, wanted.seconds)
    finally:
        begun = time.monotonic()
        for number, line in enumerate(lines):
            line.farewell.set()
            # By the clock: a loop that is far behind would need as long for each as for a turn.
            left_s = begun + (number + 1) / wanted.rate_per_s - time.monotonic()
            if left_s > 0:
                await asyncio.sleep(left_s)


async def _measured(phone: Phone, far: FarProcess, lines: list[Line], seconds: float) -> Load:
    parts = {**parts_of(), "far_end": far.pid}
    before, begun = {part: spent_s(pid) for part, pid in parts.items()}, time.monotonic()
    await asyncio.sleep(seconds)
    span_s = time.monotonic() - begun
    talking = sum(line.talks for line in lines)
    cpu_pct = {part: 100 * (spent_s(pid) - before[part]) / span_s for part, pid in parts.items()}
    health = await _health(phone, round(seconds * TICKS_PER_S))
    ours = [pid for part, pid in parts.items() if part != "far_end"]
    memory_mb = sum(rss_mb(pid) for pid in ours)
    return Load(cpu_pct, memory_mb, health, phone.capacity_estimate(), dropped(ours), talking, span_s)


async def _health(phone: Phone, ticks: int) -> EngineHealth | None:
    """Ask the media engine how it kept up. One that has far more to do than it can answers behind all that: None."""
    try:
        return await asyncio.wait_for(phone.media_health(ticks), ANSWER_S)
    except TimeoutError:
        return None
