"""What a fire must not change: the calls' records, their recordings, and what the phone holds."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sip.record import CallRecord
from tests.fuzz.under_fire import DIRTY, LINES, Fire, Result

MOST_MB = 80.0
"""All processes together. Requests that belong to nothing are remembered for 32 s (Timer J), so that their repetitions
are answered alike: what grows is that, and it does not grow with the length of the fire."""
LONG_MS = 1500
SPARE_PACKETS = 25
"""How many packets of sound a line has sent is known within half a second."""
SAME_S = 1.0
"""Times differ by what the loop of the test, which plays both sides, is late."""


def same_facts(record: CallRecord) -> dict[str, Any]:
    """Return what a call's record says of the line, times and counts left out."""
    return {
        "outcome": record.outcome,
        "answered_by": record.answered_by,
        "status": (record.sip_status, record.sip_reason, record.q850),
        "ended_by": record.ended_by,
        "rings": record.rings.count,
        "early": record.early_media.kind,
        "after": _heard(record),
        "line_state": record.line_state,
        "forwarding": (record.forwarding.detected, record.forwarding.grade),
        "dtmf": record.dtmf,
        "errors": record.errors,
        "our_failure": record.our_failure,
        "alarms": record.alarms,
    }


def _heard(record: CallRecord) -> list[str]:
    """Return what was heard for long after the answer: where a stretch begins and ends depends on the times."""
    lengths: Counter[str] = Counter()
    for segment in record.after_answer.segments:
        lengths[segment.kind] += round(segment.end_ms - segment.start_ms)
    return sorted(kind for kind, length_ms in lengths.items() if length_ms > LONG_MS)


def differences(control: Result, result: Result, fire: Fire) -> list[str]:
    """Say where the calls under fire differ from those in peace, or the phone does not hold."""
    found = []
    for name in LINES:
        found += [f"{name}: {line}" for line in _changed(name, control, result, fire)]
    if result.options != [200]:
        found.append(f"OPTIONS afterwards: {result.options}")
    if result.grown_mb > MOST_MB:
        found.append(f"{result.grown_mb:.0f} MB more than before")
    found += [f"left behind: {task}" for task in result.tasks]
    if result.descriptors > 0:
        found.append(f"{result.descriptors} descriptors left open")
    return found + [f"logged: {line}" for line in result.internal]


def _changed(name: str, control: Result, result: Result, fire: Fire) -> list[str]:
    peace, war = control.records[name], result.records[name]
    spoilt = fire == "media" and name in DIRTY
    before, after = same_facts(peace), same_facts(war)
    if spoilt:
        for facts in (before, after):
            for key in ("after", "dtmf", "answered_by"):
                del facts[key]
    found = [f"{key}: {after[key]} in place of {before[key]}" for key in before if before[key] != after[key]]
    lengths = [((record.connected_ms or 0) / 1000, record.ended_ms / 1000) for record in (peace, war)]
    if any(abs(one - other) > SAME_S for one, other in zip(*lengths, strict=True)):
        found.append(f"connected and ended {lengths[1]} s in place of {lengths[0]} s")
    if abs(result.durations_ms[name] - war.ended_ms) > 1.0:
        found.append(f"a recording of {result.durations_ms[name]} ms for a call of {war.ended_ms} ms")
    if not spoilt:
        if result.whole[name] < 0.99:
            found.append(f"only {result.whole[name]:.2%} of the noise are heard")
        if war.media.lost or war.media.received > result.sound_sent[name] + SPARE_PACKETS:
            found.append(f"{war.media} of {result.sound_sent[name]} packets sent")
    elif result.whole[name] < 0.5:
        found.append(f"only {result.whole[name]:.2%} of the noise are heard beside the spoilt packets")
    return found
