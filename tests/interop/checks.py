"""What must hold of every call, whatever its outcome."""

from __future__ import annotations

from sip.record import CallRecord
from tests.interop.conftest import PlacedCall

FIELDS = set(CallRecord.__slots__)


def check_honest(call: PlacedCall, exit_status: int = 0) -> None:
    """The far end saw a whole call, the record is complete, and its times do not contradict each other."""
    assert call.sipp_status == 0, [(message.sent, message.text.splitlines()[0]) for message in call.trace]
    check_record(call, exit_status)


def check_record(call: PlacedCall, exit_status: int = 0) -> None:
    """The record is complete, and its times do not contradict each other."""
    assert call.exit_status == exit_status
    record = call.record
    assert set(record) >= FIELDS
    assert record["schema"] == "dutyring.call/1"
    assert record["target"].startswith(("sip:62@127.0.0.1:", "sip:62@[::1]:"))
    times = [entry["t_ms"] for entry in record["timeline"]]
    assert times == sorted(times)
    assert record["timeline"][0]["t_ms"] == 0.0
    assert record["timeline"][0]["event"] == "sent"
    order = [record[f"{name}_ms"] for name in ("connected", "answered", "ended")]
    known = [value for value in order if value is not None]
    assert known == sorted(known)
    assert len(call.received("INVITE")) >= 1
    if exit_status == 0:
        assert record["errors"] == []


def check_answered(call: PlacedCall) -> None:
    """An honest call with a 200 that was acknowledged and hung up by us."""
    check_honest(call)
    record = call.record
    assert record["outcome"] == "answered"
    assert record["sip_status"] == 200
    assert record["connected_ms"] is not None
    assert record["answered_ms"] >= record["connected_ms"]
    assert record["answered_by"] in ("human", "machine", "fax", "silence", "unknown")
    assert call.received("ACK")
    assert call.received("BYE")


def check_not_answered(call: PlacedCall, outcome: str) -> None:
    """An honest call without an answer: nothing of an answer stands in the record."""
    check_honest(call)
    record = call.record
    assert record["outcome"] == outcome
    for name in ("answered_by", "answer_source", "answered_ms", "answered_window_ms", "ring_to_answer_ms"):
        assert record[name] is None, name
    assert record["three_ring"] == "not_applicable"
