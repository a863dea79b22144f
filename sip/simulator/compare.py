"""Compares a call record with what its simulated line demands."""

from __future__ import annotations

from collections.abc import Iterator

from sip.record import CallRecord, Grade
from sip.simulator.steps import Expectation

UNPROVEN: tuple[Grade, ...] = ("none", "weak", "medium", "strong")


def differences(expect: Expectation, record: CallRecord) -> tuple[str, ...]:
    """Return what the record got wrong, in words such as `outcome is busy, must be answered`; empty if all is right."""
    return tuple(_differences(expect, record))


def _differences(expect: Expectation, record: CallRecord) -> Iterator[str]:
    for name, found, wanted in (
        ("outcome", record.outcome, expect.outcome),
        ("three_ring", record.three_ring, expect.three_ring),
        ("rings.count", record.rings.count, expect.rings),
        ("answer_source", record.answer_source, expect.answer_source),
        ("sip_status", record.sip_status, expect.sip_status),
        ("forwarding.detected", record.forwarding.detected, expect.forwarded),
        ("ended_by", record.ended_by, expect.ended_by),
    ):
        if wanted is not None and found != wanted:
            yield f"{name} is {found}, must be {wanted}"
    for name, one_found, many in (
        ("answered_by", record.answered_by, expect.answered_by),
        ("early_media.kind", record.early_media.kind, expect.early_media),
        ("line_state", record.line_state, expect.line_state),
        ("forwarding.grade", record.forwarding.grade, expect.forwarding_grade or UNPROVEN),
    ):
        if many and one_found not in many:
            yield f"{name} is {one_found}, must be {' or '.join(map(str, many))}"
    yield from _evidence_difference(expect, record)
    yield from _time_difference(expect, record.ring_to_answer_ms)


def _evidence_difference(expect: Expectation, record: CallRecord) -> Iterator[str]:
    found = {item.kind for item in record.forwarding.evidence}
    possible = {*expect.evidence, *expect.evidence_if_understood}
    for kind in sorted(set(expect.evidence) - found):
        yield f"forwarding.evidence lacks {kind}"
    if possible or expect.forwarded is not None:
        for kind in sorted(found - possible):
            yield f"forwarding.evidence has {kind}, must not"


def _time_difference(expect: Expectation, found_ms: float | None) -> Iterator[str]:
    nominal_ms = expect.ring_to_answer_ms
    if nominal_ms is not None and (found_ms is None or abs(found_ms - nominal_ms) > expect.tolerance_ms):
        found = "null" if found_ms is None else f"{found_ms:.1f}"
        yield f"ring_to_answer_ms is {found}, must be {nominal_ms:g} ± {expect.tolerance_ms:g}"
