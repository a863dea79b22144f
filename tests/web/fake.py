"""A small working phone for tests: it rings, answers and records as its targets say, without a network."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from app import clock
from app.checks.ports import CallOrder, Journal
from sip.record import (
    AfterAnswer,
    Burst,
    CallRecord,
    EarlyMedia,
    Evidence,
    Forwarding,
    RecordingInfo,
    Rings,
    Segment,
    TimelineEntry,
)

RATE_HZ = 8000


def answered(target: str, ring_ms: float = 6_000.0, **changes: Any) -> CallRecord:
    """A call that was answered by a person after `ring_ms` of audible ringing."""
    start, answer = 200.0, 200.0 + ring_ms
    bursts = tuple(
        Burst(start + t, min(start + t + 1000.0, answer), 450.2, -12.0)
        for t in range(0, int(ring_ms) + 1, 5000)
    )
    record = CallRecord(
        target=target,
        call_id=f"id-{target}",
        started_at=clock.now().astimezone().isoformat(timespec="milliseconds"),
        clock_synchronised=True,
        outcome="answered",
        answered_by="human",
        answer_source="signalling",
        sip_status=200,
        sip_reason="OK",
        post_dial_delay_ms=start,
        ring_started_ms=start,
        connected_ms=answer,
        answered_ms=answer,
        answered_window_ms=(answer, answer),
        ended_ms=answer + 4_000.0,
        ended_by="them",
        ring_to_answer_ms=ring_ms,
        ring_to_answer_min_ms=ring_ms,
        rings=Rings(len(bursts), "audio", bursts),
        three_ring="within" if ring_ms <= 11_000 else "borderline" if ring_ms <= 15_000 else "exceeded",
        early_media=EarlyMedia("ringback", (Segment("ringback", start, answer, 0.99),)),
        after_answer=AfterAnswer((Segment("speech", answer + 300, answer + 2500, 0.97),)),
        timeline=(
            TimelineEntry(0.0, "sent", {"method": "INVITE"}),
            TimelineEntry(start, "received", {"status": 180, "reason": "Ringing", "clock": "kernel"}),
            TimelineEntry(answer, "received", {"status": 200, "reason": "OK", "clock": "kernel"}),
            TimelineEntry(answer + 4_000, "received", {"method": "BYE"}),
        ),
    )
    return replace(record, **changes)


def unanswered(target: str, outcome: Any, **changes: Any) -> CallRecord:
    """A call that failed."""
    record = answered(target)
    return replace(
        record, outcome=outcome, answered_by=None, answer_source=None, connected_ms=None, answered_ms=None,
        answered_window_ms=None, ring_to_answer_ms=None, ring_to_answer_min_ms=None,
        three_ring="not_applicable", after_answer=AfterAnswer(), **changes,
    )  # fmt: skip


def diverted(target: str) -> CallRecord:
    """An answered call with a 181 in its signalling."""
    sign = Evidence("sip_181", "definitive", 150.0, "181 Call Is Being Forwarded <b>13900000000</b>")
    return answered(
        target, forwarding=Forwarding(True, "definitive", "13900000000", "mobile", "always", (sign,))
    )


@dataclass
class FakePhone:
    """Implements `CallPlacer`; every INVITE, BYE and repaired file is on its lists."""

    folder: Path
    records: dict[str, CallRecord | Exception] = field(default_factory=dict)
    """What a call of a target gives; a target that is not here is answered in 6 s."""
    hold: asyncio.Event | None = None
    """Calls stay connected until it is set."""
    dialled: list[str] = field(default_factory=list)
    byes: list[dict[str, Any]] = field(default_factory=list)
    repaired: dict[str, RecordingInfo] = field(default_factory=dict)
    at_once: int = 0
    most_at_once: int = 0
    capacity: int | None = None
    stopping: bool = False
    stopped: set[str] = field(default_factory=set)
    """Recordings of the calls that were told to stop."""
    forbidden: frozenset[str] = frozenset()
    """Targets that our own rules forbid."""
    orders: list[CallOrder] = field(default_factory=list)
    tested: list[tuple[str, str]] = field(default_factory=list)
    """Trunk and number of each test call whose INVITE left."""

    async def refused(self, targets: Collection[str]) -> frozenset[str]:
        return frozenset(targets) & self.forbidden

    async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
        await journal({"state": "calling", "call_id": f"id-{order.target}"})
        if order.recording_name in self.stopped:
            return unanswered(order.target, "cancelled", ended_by="us", ended_ms=0.0)
        began = clock.now().astimezone().isoformat(timespec="milliseconds")
        self.dialled.append(order.target)
        self.orders.append(order)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await journal({"state": "connected", "call_id": f"id-{order.target}", "cseq": 1})
            if await self._hung_up(order.recording_name):
                found: CallRecord | Exception = unanswered(order.target, "cancelled", ended_by="us")
            else:
                found = self.records.get(order.target) or answered(order.target)
            if isinstance(found, Exception):
                raise found
            # The record was made up beforehand; the call is made now.
            found = replace(found, started_at=began)
            return replace(found, recording=write_tone(self.folder, order.recording_name, found.ended_ms))
        finally:
            self.at_once -= 1

    async def call_by(self, trunk: str, number: str, journal: Journal, stop: asyncio.Event) -> CallRecord:
        found = self.records.get(number) or answered(number)
        if isinstance(found, Exception):
            raise found
        await journal({"state": "calling", "call_id": f"id-{number}", "position": 0})
        if stop.is_set():
            return unanswered(number, "cancelled", ended_by="us", ended_ms=0.0)
        self.tested.append((trunk, number))
        await journal({"state": "connected", "call_id": f"id-{number}", "position": 0})
        while self.hold is not None and not self.hold.is_set() and not self.stopping:
            if stop.is_set():
                return unanswered(number, "cancelled", ended_by="us")
            await asyncio.sleep(0.01)
        return replace(found, trunk=trunk)

    async def _hung_up(self, name: str) -> bool:
        while self.hold is not None and not self.hold.is_set():
            if self.stopping or name in self.stopped:
                return True
            await asyncio.sleep(0.01)
        return False

    def stop_call(self, recording_name: str) -> None:
        self.stopped.add(recording_name)

    def stop(self) -> None:
        self.stopping = True

    async def recover(self, snapshot: dict[str, Any]) -> None:
        self.byes.append(snapshot)

    async def repair(self, names: Sequence[str]) -> Mapping[str, RecordingInfo]:
        return {name: info for name, info in self.repaired.items() if name in names}


def write_tone(folder: Path, name: str, duration_ms: float) -> RecordingInfo:
    """Write a stereo FLAC file and describe it."""
    path = folder / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(int(duration_ms * RATE_HZ / 1000)) / RATE_HZ
    tone = (8000 * np.sin(2 * np.pi * 450 * time_s)).astype(np.int16)
    sf.write(path, np.stack([np.zeros_like(tone), tone], axis=1), RATE_HZ)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return RecordingInfo(f"{name}.flac", digest, duration_ms, 2, RATE_HZ)
