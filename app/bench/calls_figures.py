"""The figures of `dutyring bench calls`, from the records of its calls and from what was seen beside them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bench.wire_witness import Times
from sip.media import CapacityEstimate, EngineHealth, read_capture
from sip.record import CallRecord

SCHEMA = "dutyring.bench/1"
STATUSES = ("180", "183", "200")
LATE_LIMIT_PCT = 0.5
DURATION_LIMIT_MS = 20.0
"""How far a recording's length may be from the call's (the contract)."""


@dataclass(slots=True)
class Load:
    """What the processes spent while all calls talked."""

    cpu_pct: dict[str, float]
    rss_mb: float
    health: EngineHealth | None
    """None: the media engine did not answer."""
    carried: CapacityEstimate
    """How many calls the media engine said that it carries, then."""
    kernel_drops: int
    """Datagrams thrown away at our sockets up to the end of the measured seconds."""
    talking: int
    """Calls that were answered and had sound from the first of the measured seconds to the last."""
    span_s: float
    """How many seconds were measured."""


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the values do not exceed; nan of nothing."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float | None]:
    """Return median and 99th percentile; None of nothing."""
    if not values:
        return {"p50": None, "p99": None}
    return {"p50": round(percentile(values, 0.5), digits), "p99": round(percentile(values, 0.99), digits)}


@dataclass(frozen=True, slots=True)
class Figures:
    """All but what only the witness and the far end know."""

    records: Sequence[CallRecord]
    values: dict[str, Any]

    def finish(self, wire: Times | None, far: Mapping[str, Any]) -> dict[str, Any]:
        """Add how true the times are, by the wire or else by the far end's own clock, and what the far end counted."""
        stamps: Times = wire if wire is not None else far.get("sent_at", {})
        compared = timing_errors(self.records, stamps)
        return {
            **self.values,
            "timing_error_ms": spread(compared),
            "timing_reference": "AF_PACKET capture" if wire is not None else "send times of the far end",
            "timings_compared": len(compared),
            "far_end": {**far["packets"], "dialogs_left": far["open"]},
        }


def figures(calls: Sequence[CallRecord | None], load: Load, captures: Sequence[Path]) -> Figures:
    """Return the figures of calls; None: it would not end. `captures` lie where their recordings were taken."""
    records = [record for record in calls if record is not None]
    sent = sum(record.media.sent for record in records)
    received = sum(record.media.received for record in records)
    missing = sum(record.media.lost for record in records)
    lengths = [
        abs(_duration_ms(capture) - record.ended_ms)
        for capture, record in zip(captures, calls, strict=True)
        if record is not None
    ]
    health = load.health
    values = {
        "schema": SCHEMA,
        "concurrency": len(calls),
        "broken_off": len(calls) - len(records),
        "setup_per_s": round(setups_per_s(records), 1),
        "answered": sum(record.answered_ms is not None for record in records),
        "talking": load.talking,
        "measured_s": round(load.span_s, 2),
        "rings_heard": sum(
            record.rings.source == "audio" and (record.rings.count or 0) >= 1 for record in records
        ),
        "packets": sent + received,
        "late_pct": round(100 * sum(record.media.late for record in records) / max(1, sent), 4),
        "lost_pct": round(100 * load.kernel_drops / max(1, received), 4),
        "missing_pct": round(100 * missing / max(1, received + missing), 4),
        "recordings_right": sum(error <= DURATION_LIMIT_MS for error in lengths),
        # Of those that there are: JSON has no word for a recording that is infinitely wrong.
        "recording_error_ms": spread([error for error in lengths if math.isfinite(error)], 2),
        "tick_ms": {
            "p50": None if health is None else round(health.tick_ms_p50, 2),
            "p99": None if health is None else round(health.tick_ms_p99, 2),
        },
        "wake_ms_p99": None if health is None else round(health.wake_ms_p99, 2),
        "cpu_pct": {part: round(value, 1) for part, value in load.cpu_pct.items()},
        "rss_mb": round(load.rss_mb, 1),
        "carried": {
            "calls": load.carried.calls,
            "limited_by": load.carried.limited_by,
            "why": str(load.carried),
        },
    }
    return Figures(records, values)


def held(figures: Mapping[str, Any]) -> bool:
    """Whether every call was answered, held to the end and rightly recorded, and no packet of ours was late or lost."""
    calls = figures["concurrency"]
    whole = figures["answered"] == figures["talking"] == figures["recordings_right"] == calls
    return bool(whole and figures["late_pct"] < LATE_LIMIT_PCT and figures["lost_pct"] == 0)


def table(figures: Mapping[str, Any]) -> str:
    """Return the figures for people."""
    cpu, tick, error = figures["cpu_pct"], figures["tick_ms"], figures["timing_error_ms"]
    far, length = figures["far_end"], figures["recording_error_ms"]
    rows = [
        (
            "calls at once",
            f"{figures['concurrency']}, answered {figures['answered']}, would not end {figures['broken_off']}",
        ),
        (
            "all at once",
            f"{figures['talking']} talked through the {figures['measured_s']} s that were measured",
        ),
        ("ringback heard", f"{figures['rings_heard']} calls"),
        ("set-ups", f"{figures['setup_per_s']} a second"),
        ("packets", f"{figures['packets']}, both ways"),
        ("late", f"{figures['late_pct']} % (more than 10 ms after their slot)"),
        ("lost", f"{figures['lost_pct']} % thrown away by the kernel, {figures['missing_pct']} % missing"),
        ("missed by the far end", f"{far['missing']} of {far['received'] + far['missing']}"),
        (
            "tick",
            "the media engine did not answer"
            if tick["p50"] is None
            else f"{tick['p50']} ms, 99th percentile {tick['p99']} of 20",
        ),
        (
            "event times off by",
            f"{error['p50']} ms, 99th percentile {error['p99']} ({figures['timing_reference']})",
        ),
        ("recordings", f"{figures['recordings_right']} of the right length, off by {length['p99']} ms (p99)"),
        ("processor", ", ".join(f"{part} {value} %" for part, value in cpu.items()) + " of a core"),
        ("memory", f"{figures['rss_mb']} MB"),
        ("limit", figures["carried"]["why"]),
    ]
    return "\n".join(f"{name:<22} {value}" for name, value in rows)


def setups_per_s(records: Sequence[CallRecord]) -> float:
    """Return how many calls were set up a second, from the first 200 to the last; 0 where fewer than two were.

    All rang equally long, so this is the rate at which their INVITEs left, unless the phone fell behind.
    """
    # The wall clock: each record's time 0 is a monotonic one of its own call.
    up = sorted(_began_s(r) + r.connected_ms / 1000 for r in records if r.connected_ms is not None)
    span_s = up[-1] - up[0] if up else 0.0
    return (len(up) - 1) / span_s if span_s > 0 else 0.0


def timing_errors(records: Iterable[CallRecord], stamps: Times) -> list[float]:
    """Return, for each response to an INVITE, how far its time in the record is from the stamps', in ms.

    Both count from the INVITE, where the stamps have it (a capture); else from the first response, as only the
    far end's own sending was stamped.
    """
    errors = []
    for record in records:
        wire, told = stamps.get(record.call_id, {}), _told(record)
        base, base_ms = (wire["INVITE"], 0.0) if "INVITE" in wire else _first(wire, told)
        errors += [
            abs((wire[status] - base) * 1000 - (told[status] - base_ms))
            for status in STATUSES
            if status in wire and status in told and wire[status] != base
        ]
    return errors


def _first(wire: Mapping[str, float], told: Mapping[str, float]) -> tuple[float, float]:
    both = sorted((wire[status], told[status]) for status in STATUSES if status in wire and status in told)
    return both[0] if both else (0.0, 0.0)


def _told(record: CallRecord) -> dict[str, float]:
    """Return the call's time of the first response of each status to its INVITE."""
    found: dict[str, float] = {}
    for entry in record.timeline:
        if entry.event == "received" and "status" in entry.fields and "request" not in entry.fields:
            found.setdefault(str(entry.fields["status"]), entry.t_ms)
    return found


def _duration_ms(capture: Path) -> float:
    return float(read_capture(capture).duration_ms) if capture.exists() else math.inf


def _began_s(record: CallRecord) -> float:
    return datetime.datetime.fromisoformat(record.started_at).timestamp()
