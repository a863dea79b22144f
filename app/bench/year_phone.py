"""The phone of a simulated year: behind the `CallPlacer` port, without a network. Its lines behave by chance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app import clock
from app.checks.ports import CallOrder, Journal
from sip.record import (
    AfterAnswer,
    Burst,
    CallRecord,
    EarlyMedia,
    RecordingInfo,
    Rings,
    Segment,
    TimelineEntry,
)

_SHARES = (("answered", 880), ("no_answer", 60), ("busy", 40), ("unobtainable", 10), ("network_failure", 10))
"""Of a thousand calls."""
_RING_PERIOD_MS = 5_000.0
_GAVE_UP_MS = 60_000.0
_TALK_MS = 12_000.0
_ALERTED_MS = 200.0
_RINGING_MS = (4_000.0, 6_500.0, 9_000.0, 13_000.0)


@dataclass
class YearPhone:
    """Answers as its lines would: most are picked up, some ring out, are busy, out of use, or our trunk fails."""

    chance: random.Random
    capacity: int | None = None
    placed: list[tuple[str, datetime]] = field(default_factory=list)
    """Every call by target, with its moment."""
    double_dials: int = 0
    """Calls that were placed while another call of the same line was under way, or a second time for one attempt."""
    _ringing: Counter[str] = field(default_factory=Counter)
    _names: set[str] = field(default_factory=set)

    async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
        """Dial once, in no time."""
        call_id = f"year-{len(self.placed)}"
        await journal({"state": "calling", "call_id": call_id})
        if self._ringing[order.target] or order.recording_name in self._names:
            self.double_dials += 1
        self._ringing[order.target] += 1
        self._names.add(order.recording_name)
        self.placed.append((order.target, clock.now()))
        try:
            outcome = self._outcome()
            if outcome in ("answered", "no_answer"):
                await journal({"state": "ringing", "call_id": call_id})
            return _record(order.target, call_id, outcome, self.chance)
        finally:
            self._ringing[order.target] -= 1

    def _outcome(self) -> str:
        names = [name for name, _ in _SHARES]
        return self.chance.choices(names, [share for _, share in _SHARES])[0]

    async def refused(self, targets: Collection[str]) -> frozenset[str]:
        """Every line of such a year may be dialled."""
        return frozenset()

    def stop_call(self, recording_name: str) -> None:
        """Nothing to hang up: its calls take no time."""

    def stop(self) -> None:
        """Nothing to hang up: its calls take no time."""

    async def recover(self, snapshot: dict[str, Any]) -> None:
        """Nothing is left over."""

    async def repair(self, names: Sequence[str]) -> Mapping[str, RecordingInfo]:
        """No sound is kept."""
        return {}


def _record(target: str, call_id: str, outcome: str, chance: random.Random) -> CallRecord:
    started_at = clock.now().astimezone().isoformat(timespec="milliseconds")
    if outcome == "answered":
        return _answered(
            target, call_id, started_at, _ALERTED_MS + chance.choice((4_000.0, 6_500.0, 9_000.0, 13_000.0))
        )
    status = {"no_answer": 487, "busy": 486, "unobtainable": 404, "network_failure": 503}[outcome]
    rang = outcome == "no_answer"
    return CallRecord(
        target=target,
        call_id=call_id,
        started_at=started_at,
        clock_synchronised=True,
        outcome=outcome,  # type: ignore[arg-type]
        sip_status=status,
        post_dial_delay_ms=_ALERTED_MS if rang else None,
        ring_started_ms=_ALERTED_MS if rang else None,
        ended_ms=_GAVE_UP_MS if rang else 400.0,
        ended_by="us" if rang else "network",
        rings=_rings(_GAVE_UP_MS) if rang else Rings(None, None, ()),
        three_ring="not_applicable",
        timeline=(TimelineEntry(0.0, "sent", {"method": "INVITE"}),),
        trunk="year",
    )


def _answered(target: str, call_id: str, started_at: str, answer_ms: float) -> CallRecord:
    ring_ms = answer_ms - _ALERTED_MS
    return CallRecord(
        target=target,
        call_id=call_id,
        started_at=started_at,
        clock_synchronised=True,
        outcome="answered",
        answered_by="human",
        answer_source="signalling",
        sip_status=200,
        sip_reason="OK",
        post_dial_delay_ms=_ALERTED_MS,
        ring_started_ms=_ALERTED_MS,
        connected_ms=answer_ms,
        answered_ms=answer_ms,
        answered_window_ms=(answer_ms, answer_ms),
        ended_ms=answer_ms + _TALK_MS,
        ended_by="us",
        ring_to_answer_ms=ring_ms,
        ring_to_answer_min_ms=ring_ms,
        rings=_rings(answer_ms),
        three_ring="within" if ring_ms <= 11_000 else "borderline",
        early_media=EarlyMedia("ringback", (Segment("ringback", _ALERTED_MS, answer_ms, 0.99),)),
        after_answer=AfterAnswer((Segment("speech", answer_ms + 300, answer_ms + 4_000, 0.97),)),
        timeline=(TimelineEntry(0.0, "sent", {"method": "INVITE"}),),
        trunk="year",
    )


def _rings(until_ms: float) -> Rings:
    """National cadence from the alerting on."""
    starts = [_ALERTED_MS + _RING_PERIOD_MS * n for n in range(20)]
    bursts = tuple(Burst(t, min(t + 1_000.0, until_ms), 450.0, -12.0) for t in starts if t < until_ms)
    return Rings(len(bursts), "audio", bursts)
